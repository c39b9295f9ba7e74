// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "models/scratchpad/bank_arbiter.h"

namespace bvp {

namespace {

class FirstCome final : public BankArbiter {
 public:
  FirstCome(u32 banks, u32 channels) : channels_(channels), next_(banks, 0) {}

  u32 choose(u32 bank, const Requests& requests) override {
    u32 chosen = requests.first_from(next_[bank]);
    requests.for_each_from(next_[bank], [&](u32 channel) {
      if (requests.vectors[channel].arrived < requests.vectors[chosen].arrived) chosen = channel;
    });
    next_[bank] = chosen + 1 == channels_ ? 0 : chosen + 1;
    return chosen;
  }

 private:
  u32 channels_;
  std::vector<u32> next_;  // the channel after that served last, by bank
};

}  // namespace

std::unique_ptr<BankArbiter> make_first_come(u32 banks, u32 channels) {
  return std::make_unique<FirstCome>(banks, channels);
}

}  // namespace bvp
