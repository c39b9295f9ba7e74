// SPDX-License-Identifier: Apache-2.0
#include "models/scratchpad/bank_arbiter.h"

namespace bvp {

namespace {

class FirstCome final : public BankArbiter {
 public:
  FirstCome(u32 banks, u32 channels) : channels_(channels), last_(banks, channels - 1) {}

  std::size_t choose(u32 bank, const std::vector<Request>& requests) override {
    u32& last = last_[bank];
    const auto distance = [&](const Request& request) {
      return request.channel > last ? request.channel - last - 1 : request.channel + channels_ - last - 1;
    };
    std::size_t chosen = 0;
    for (std::size_t i = 1; i < requests.size(); ++i) {
      const Request &best = requests[chosen], &other = requests[i];
      if (other.arrived > best.arrived) break;  // they come in that order
      if (other.arrived < best.arrived || distance(other) < distance(best)) chosen = i;
    }
    last = requests[chosen].channel;
    return chosen;
  }

 private:
  u32 channels_;
  std::vector<u32> last_;  // channel served last, by bank
};

}  // namespace

std::unique_ptr<BankArbiter> make_first_come(u32 banks, u32 channels) {
  return std::make_unique<FirstCome>(banks, channels);
}

}  // namespace bvp
