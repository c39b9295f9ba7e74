// SPDX-License-Identifier: Apache-2.0
// Decides when the banks of a channel are refreshed. An implementation a file in refresh/, found by its file's name.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/base/types.h"

namespace bvp {

struct DramParameters;

/// Contract: the refreshes of a channel are known from the beginning; they are neither postponed nor pulled in. All
/// answers depend on the arguments and the implementation's own parameters alone. Times are in DRAM clocks.
class DramRefreshPolicy {
 public:
  static constexpr u32 all_banks = ~u32{0};

  /// Of one bank: it is precharged, by the controller, at `first` and every `interval` from then on, and may be
  /// activated `busy` after that.
  struct Times {
    Cycle first, interval, busy;
  };
  /// One refresh command.
  struct Command {
    Cycle due;  ///< when its banks are precharged
    Cycle begin, end;
    u32 bank;        ///< or all_banks
    bool completes;  ///< with it, each bank has been refreshed as often as the others
  };

  virtual ~DramRefreshPolicy() = default;
  [[nodiscard]] virtual Times times(u32 bank) const = 0;
  /// Command number `index`, in order of time.
  [[nodiscard]] virtual Command command(u64 index) const = 0;
  /// The first clock, not before `earliest`, at which an activate keeps its distance to the refreshes of other banks.
  [[nodiscard]] virtual Cycle activate_from(Cycle earliest) const = 0;
};

/// The parameter `refresh_policy` names it; its choices are dram_refresh_policy_names().
[[nodiscard]] std::unique_ptr<DramRefreshPolicy> make_dram_refresh_policy(const DramParameters& parameters);
[[nodiscard]] std::vector<std::string> dram_refresh_policy_names();

}  // namespace bvp
