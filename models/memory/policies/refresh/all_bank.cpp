// SPDX-License-Identifier: Apache-2.0
#include "models/memory/dram_parameters.h"
#include "models/memory/dram_timing.h"
#include "models/memory/policies/refresh_policy.h"

namespace bvp::refresh {
namespace {

/// Every tREFI all banks are refreshed together.
class AllBank final : public DramRefreshPolicy {
 public:
  explicit AllBank(const DramTiming& timing) : interval_(timing.refi), precharge_(timing.rp), cycles_(timing.rfc) {}

  [[nodiscard]] Times times(u32) const override { return {interval_, interval_, precharge_ + cycles_}; }
  [[nodiscard]] Command command(u64 index) const override {
    const Cycle due = (index + 1) * interval_;
    return {due, due + precharge_, due + precharge_ + cycles_, all_banks, true};
  }
  /// No bank is active during a refresh.
  [[nodiscard]] Cycle activate_from(Cycle earliest) const override { return earliest; }

 private:
  Cycle interval_, precharge_, cycles_;
};

}  // namespace

std::unique_ptr<DramRefreshPolicy> all_bank(const DramParameters& parameters) {
  return std::make_unique<AllBank>(DramTiming(parameters));
}

}  // namespace bvp::refresh
