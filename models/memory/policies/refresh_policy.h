// SPDX-License-Identifier: Apache-2.0
// Decides when the banks of a channel are refreshed. Each implementation is a file in refresh/, found by the name of
// the file.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/base/types.h"

namespace bvp {

struct DramParameters;

/// Contract: the times of all refreshes are known from the beginning; refreshes are neither postponed nor pulled in.
/// All answers depend on the arguments and on the implementation's own parameters alone. Times are in DRAM clocks.
class DramRefreshPolicy {
 public:
  static constexpr u32 all_banks = ~u32{0};

  /// The refreshes of one bank: the controller precharges it at `first` and then every `interval` clocks; it can be
  /// activated `busy` clocks after each of these.
  struct Times {
    Cycle first, interval, busy;
  };
  /// One refresh command.
  struct Command {
    Cycle due;  ///< the clock at which its banks are precharged
    Cycle begin, end;
    u32 bank;        ///< the number of the bank, or all_banks
    bool completes;  ///< true: with this command all banks have been refreshed equally often
  };

  virtual ~DramRefreshPolicy() = default;
  [[nodiscard]] virtual Times times(u32 bank) const = 0;
  /// Command number `index`, in order of time.
  [[nodiscard]] virtual Command command(u64 index) const = 0;
  /// The first clock at or after `earliest` at which an activate keeps the required distance to the refreshes of other
  /// banks.
  [[nodiscard]] virtual Cycle activate_from(Cycle earliest) const = 0;
};

/// The parameter `refresh_policy` names it; its choices are dram_refresh_policy_names().
[[nodiscard]] std::unique_ptr<DramRefreshPolicy> make_dram_refresh_policy(const DramParameters& parameters);
[[nodiscard]] std::vector<std::string> dram_refresh_policy_names();

}  // namespace bvp
