// SPDX-License-Identifier: Apache-2.0
#include "models/scratchpad/bank_arbiter.h"

namespace bvp {

namespace {

class OldestFiring final : public BankArbiter {
 public:
  u32 choose(u32, const Requests& requests) override {
    u32 chosen = requests.first_from(0);
    requests.for_each_from(0, [&](u32 channel) {
      if (requests.vectors[channel].firing < requests.vectors[chosen].firing) chosen = channel;
    });
    return chosen;
  }
};

}  // namespace

std::unique_ptr<BankArbiter> make_oldest_firing() { return std::make_unique<OldestFiring>(); }

}  // namespace bvp
