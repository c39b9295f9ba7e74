// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "models/scratchpad/bank_arbiter.h"

namespace bvp {

/// Serves the channels in turn: first the next channel after the one that this bank served last. A channel waits for at
/// most one vector of each other channel.
class RoundRobin {
 public:
  static constexpr bool compares_vectors = false;

  RoundRobin(u32 banks, u32 channels) : channels_(channels), next_(banks, 0) {}

  u32 choose(u32 bank, const BankRequests& requests) {
    const u32 chosen = requests.first_from(next_[bank]);
    next_[bank] = chosen + 1 == channels_ ? 0 : chosen + 1;
    return chosen;
  }

 private:
  u32 channels_;
  std::vector<u32> next_;  // the channel after that served last, by bank
};

}  // namespace bvp
