// SPDX-License-Identifier: Apache-2.0
#include "models/scratchpad/bank_arbiter.h"

namespace bvp {

namespace {

class RoundRobin final : public BankArbiter {
 public:
  RoundRobin(u32 banks, u32 channels) : channels_(channels), last_(banks, channels - 1) {}

  std::size_t choose(u32 bank, const std::vector<Request>& requests) override {
    u32& last = last_[bank];
    std::size_t chosen = 0;
    u32 nearest = channels_;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      const u32 channel = requests[i].channel;
      const u32 distance = channel > last ? channel - last - 1 : channel + channels_ - last - 1;
      if (distance >= nearest) continue;
      nearest = distance;
      chosen = i;
    }
    last = requests[chosen].channel;
    return chosen;
  }

 private:
  u32 channels_;
  std::vector<u32> last_;  // channel served last, by bank
};

}  // namespace

std::unique_ptr<BankArbiter> make_round_robin(u32 banks, u32 channels) {
  return std::make_unique<RoundRobin>(banks, channels);
}

}  // namespace bvp
