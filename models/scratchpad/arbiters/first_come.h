// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "models/scratchpad/bank_arbiter.h"

namespace bvp {

/// The vector that waits longest; of those that came in the same cycle, as round robin.
class FirstCome {
 public:
  static constexpr bool compares_vectors = true;

  FirstCome(u32 banks, u32 channels) : channels_(channels), next_(banks, 0) {}

  u32 choose(u32 bank, const BankRequests& requests) {
    u32 chosen = requests.first_from(next_[bank]);
    Cycle earliest = requests.vectors[chosen].arrived;
    requests.for_each_from(next_[bank], [&](u32 channel) {
      const Cycle arrived = requests.vectors[channel].arrived;
      if (arrived >= earliest) return;
      chosen = channel;
      earliest = arrived;
    });
    next_[bank] = chosen + 1 == channels_ ? 0 : chosen + 1;
    return chosen;
  }

 private:
  u32 channels_;
  std::vector<u32> next_;  // the channel after that served last, by bank
};

}  // namespace bvp
