// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "models/scratchpad/bank_arbiter.h"

namespace bvp {

/// The vector of the firing that began first.
class OldestFiring {
 public:
  static constexpr bool compares_vectors = true;

  OldestFiring(u32, u32) {}

  u32 choose(u32, const BankRequests& requests) {
    u32 chosen = requests.first_from(0);
    u64 oldest = requests.vectors[chosen].firing;
    requests.for_each_from(0, [&](u32 channel) {
      const u64 firing = requests.vectors[channel].firing;
      if (firing >= oldest) return;
      chosen = channel;
      oldest = firing;
    });
    return chosen;
  }
};

}  // namespace bvp
