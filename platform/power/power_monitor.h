// SPDX-License-Identifier: Apache-2.0
// Power over time: what the estimators of the SoC count in each window of time, priced.
#pragma once

#include <deque>
#include <vector>

#include "models/base/activity.h"
#include "models/power/action_counts.h"
#include "models/power/energy_table.h"
#include "platform/power/linear_prices.h"
#include "platform/power/power_trace.h"
#include "platform/power/resource_limits.h"
#include "platform/soc/soc.h"

namespace bvp {

/// The owner of the simulation calls this class between two calls of sc_start. An event of its own would change the
/// order in which SystemC serves other events of the same time. An amount belongs to the windows in which it takes
/// place, whenever it is counted (Counter::add). An amount that exceeds what a resource can do in a window
/// (ResourceLimits) goes to the next window.
class PowerMonitor {
 public:
  /// `soc` must outlive it. @param window  of time, more than 0
  PowerMonitor(Soc& soc, const EnergyTable& table, const MachineSize& size, const sc_core::sc_time& window);
  ~PowerMonitor();
  PowerMonitor(const PowerMonitor&) = delete;
  PowerMonitor& operator=(const PowerMonitor&) = delete;

  /// Time until the open window ends.
  [[nodiscard]] sc_core::sc_time time_left() const;
  /// Adds what has been counted since the last call to the open window. It must be called at the latest when that
  /// window ends.
  void take();
  /// Must be called when the simulation has ended. The sum over all windows then equals what was counted in all.
  const PowerTrace& finish();

 private:
  void sample(std::vector<u64>& values);
  /// Appends a window, which ends at this time, to the trace.
  void price(u64 number, u64 end_ps, const std::vector<i64>& amounts);

  Soc& soc_;
  const double clock_hz_, pes_;
  ActionSampler sampler_;
  LinearPrices prices_;
  /// Columns of the table: the actions of the sampler, followed by these.
  const std::size_t dram_read_, dram_written_, issue_, figures_;
  ActivityWindows windows_;
  ResourceLimits limits_;
  std::deque<ActivityProfile> profiles_;
  std::vector<const Counter*> watched_;
  std::vector<u64> last_, now_;  // sum of all that was counted
  PowerTrace trace_;
};

}  // namespace bvp
