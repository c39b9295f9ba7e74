// SPDX-License-Identifier: Apache-2.0
// Which of the vectors that wait for a bank of the scratchpad is served.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "models/common/types.h"

namespace bvp {

/// Contract: choose() is called once for every vector that a bank serves, in the order of the simulated time and,
/// within a cycle, of the banks; what it chooses is served. It must depend on nothing but its arguments and earlier
/// calls. A policy is free of starvation if a channel that asks is chosen after a bounded number of calls for its bank.
class BankArbiter {
 public:
  /// What can be served: at least one vector, and at most one a channel (the loads, or the stores, of one PE), the one
  /// of it that asked this bank first.
  struct Requests {
    struct Vector {
      Cycle arrived = 0;  ///< at the bank
      u64 firing = 0;     ///< number of its Load or Store firing, in the order in which firings began
    };
    const u64* channels = nullptr;  ///< bit c % 64 of word c / 64: channel c has one
    std::size_t words = 0;
    const Vector* vectors = nullptr;  ///< by channel, of those that have one

    /// The first channel that has one, from this one on and after the last channel from 0 on.
    [[nodiscard]] u32 first_from(u32 channel) const {
      std::size_t word = channel / 64;
      u64 bits = channels[word] & (~u64{0} << (channel % 64));
      while (bits == 0) {
        if (++word == words) word = 0;
        bits = channels[word];
      }
      return static_cast<u32>(word * 64) + static_cast<u32>(__builtin_ctzll(bits));
    }
    /// Calls `visit` with each channel that has one, in the order of first_from().
    template <class Visit>
    void for_each_from(u32 channel, Visit visit) const {
      const std::size_t first = channel / 64;
      const u64 from = ~u64{0} << (channel % 64);
      for (std::size_t i = 0; i <= words; ++i) {
        const std::size_t word = (first + i) % words;
        u64 bits = channels[word] & (i == 0 ? from : i == words ? ~from : ~u64{0});
        for (; bits != 0; bits &= bits - 1)
          visit(static_cast<u32>(word * 64) + static_cast<u32>(__builtin_ctzll(bits)));
      }
    }
  };

  virtual ~BankArbiter() = default;
  /// A channel that has a vector among `requests`.
  [[nodiscard]] virtual u32 choose(u32 bank, const Requests& requests) = 0;
};

/// @param name  as in soc.scratchpad.arbiter
[[nodiscard]] std::unique_ptr<BankArbiter> make_bank_arbiter(const std::string& name, u32 banks, u32 channels);

// The implementations, each in a file of its own in arbiters/.
/// Of the channels in turn, from the one after that served last by this bank.
[[nodiscard]] std::unique_ptr<BankArbiter> make_round_robin(u32 banks, u32 channels);
/// The vector that waits longest; of those that came in the same cycle, as round robin.
[[nodiscard]] std::unique_ptr<BankArbiter> make_first_come(u32 banks, u32 channels);
/// The vector of the firing that began first.
[[nodiscard]] std::unique_ptr<BankArbiter> make_oldest_firing();

}  // namespace bvp
