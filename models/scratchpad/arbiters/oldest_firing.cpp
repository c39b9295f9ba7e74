// SPDX-License-Identifier: Apache-2.0
#include "models/scratchpad/bank_arbiter.h"

namespace bvp {

namespace {

class OldestFiring final : public BankArbiter {
 public:
  std::size_t choose(u32, const std::vector<Request>& requests) override {
    std::size_t chosen = 0;
    for (std::size_t i = 1; i < requests.size(); ++i) {
      if (requests[i].firing < requests[chosen].firing) chosen = i;
    }
    return chosen;
  }
};

}  // namespace

std::unique_ptr<BankArbiter> make_oldest_firing() { return std::make_unique<OldestFiring>(); }

}  // namespace bvp
