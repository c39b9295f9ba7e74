// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "models/base/report.h"
#include "models/memory/dram_parameters.h"
#include "models/memory/dram_timing.h"
#include "models/memory/policies/refresh_policy.h"

namespace bvp::refresh {
namespace {

/// One bank after the other is refreshed, each once in tREFI, while the others go on. An activate and the refresh of
/// another bank keep `refresh_to_activate` apart.
class PerBank final : public DramRefreshPolicy {
 public:
  explicit PerBank(const DramParameters& parameters)
      : timing_(parameters),
        banks_(static_cast<u64>(parameters.geometry.banks.get())),
        slot_(timing_.refi / banks_),
        cycles_(DramTiming::cycles(parameters.refresh.bank_cycles)),
        apart_(DramTiming::cycles(parameters.refresh.to_activate)) {
    if (cycles_ == 0) {
      report_error(parameters.name().c_str(),
                   "refresh_bank_cycles is 0, expected the clocks of the refresh of a bank (tRFCpb), as "
                   "refresh_policy is per_bank; or a refresh_policy of all_bank");
    }
    if (slot_ <= timing_.rp + cycles_ || slot_ <= 2 * apart_) {
      report_error(parameters.name().c_str(),
                   "refresh_interval is {}, expected more than the {} clocks in which {} banks are refreshed one after "
                   "the other",
                   timing_.refi, banks_ * std::max(timing_.rp + cycles_, 2 * apart_), banks_);
    }
  }

  [[nodiscard]] Times times(u32 bank) const override {
    return {(bank + 1) * slot_, timing_.refi, timing_.rp + cycles_};
  }
  [[nodiscard]] Command command(u64 index) const override {
    const u64 bank = index % banks_;
    const Cycle due = index / banks_ * timing_.refi + (bank + 1) * slot_;
    return {due, due + timing_.rp, due + timing_.rp + cycles_, static_cast<u32>(bank), bank + 1 == banks_};
  }
  [[nodiscard]] Cycle activate_from(Cycle earliest) const override {
    if (apart_ == 0 || earliest < timing_.rp) return earliest;
    const Cycle time = earliest - timing_.rp;
    const u64 begun = time / timing_.refi * banks_ + std::min(time % timing_.refi / slot_, banks_);
    if (begun > 0) earliest = std::max(earliest, command(begun - 1).begin + apart_);
    const Cycle next = command(begun).begin;
    return earliest + apart_ > next ? next + apart_ : earliest;
  }

 private:
  DramTiming timing_;
  u64 banks_;
  Cycle slot_, cycles_, apart_;
};

}  // namespace

std::unique_ptr<DramRefreshPolicy> per_bank(const DramParameters& parameters) {
  return std::make_unique<PerBank>(parameters);
}

}  // namespace bvp::refresh
