// SPDX-License-Identifier: Apache-2.0
// Which of the vectors that wait for a bank of the scratchpad is served.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/common/types.h"

namespace bvp {

/// Contract: choose() is called once for every vector that a bank serves, in the order of the simulated time and, within
/// a cycle, of the banks; what it chooses is served. `requests` holds at least one request and at most one a channel (the
/// loads, or the stores, of one PE), the oldest of each, in the order in which they came to the bank; requests of one
/// cycle come in the order of the channels. It must depend on nothing but its arguments and earlier calls.
class BankArbiter {
 public:
  struct Request {
    u32 channel = 0;
    Cycle arrived = 0;  ///< at the bank
    u64 firing = 0;     ///< number of its Load or Store firing, in the order in which firings began
  };

  virtual ~BankArbiter() = default;
  /// An index into `requests`.
  [[nodiscard]] virtual std::size_t choose(u32 bank, const std::vector<Request>& requests) = 0;
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
