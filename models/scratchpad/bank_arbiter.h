// SPDX-License-Identifier: Apache-2.0
// Which of the vectors that wait for a bank of the scratchpad is served.
#pragma once

#include <cstddef>

#include "models/base/types.h"

namespace bvp {

/// A vector on its way to a bank, or waiting there.
struct WaitingVector {
  Cycle arrived = 0;  ///< at the bank
};

/// What a bank can serve: at least one vector, and at most one a channel (the loads, or the stores, of one PE), the one
/// of it that asked this bank first.
///
/// An arbiter is a class with
///
///     static constexpr bool compares_vectors;
///     u32 choose(u32 bank, const BankRequests& requests);
///
/// The function returns a channel which has a vector among `requests`. It is called once for every vector that a bank
/// serves, in the order of the simulated time and, within a cycle, of the banks; what it chooses is served. It must
/// depend on nothing but its arguments and earlier calls. A policy is free of starvation if a channel that asks is
/// chosen after a bounded number of calls for its bank. It is not virtual, as it is called for each vector: who adds a
/// policy adds it to BankArbiter in bank_arbiters.h.
struct BankRequests {
  const u64* channels = nullptr;  ///< bit c % 64 of word c / 64: channel c has one
  std::size_t words = 0;
  /// By channel, of those that have one; only for an arbiter whose constant `compares_vectors` is true.
  const WaitingVector* vectors = nullptr;

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
      for (; bits != 0; bits &= bits - 1) visit(static_cast<u32>(word * 64) + static_cast<u32>(__builtin_ctzll(bits)));
    }
  }
};

}  // namespace bvp
