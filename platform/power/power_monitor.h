// SPDX-License-Identifier: Apache-2.0
// Power over time: what the estimators of the SoC have counted in each window, priced.
#pragma once

#include <vector>

#include "models/power/action_counts.h"
#include "models/power/energy_table.h"
#include "platform/power/linear_prices.h"
#include "platform/power/power_trace.h"
#include "platform/soc/soc.h"

namespace bvp {

/// Whoever runs the simulation calls it between two calls of sc_start: an event of its own would change the order in
/// which SystemC serves others of the same time. Actions are counted when a unit begins with them: those of a block of
/// some hundred cycles all belong to the window in which it begins.
class PowerMonitor {
 public:
  /// `soc` must outlive it.
  PowerMonitor(Soc& soc, const EnergyTable& table, const MachineSize& size, double clock_hz);

  /// A window ends here; does nothing if no cycle has passed since the last one.
  void close_window();
  [[nodiscard]] const PowerTrace& trace() const { return trace_; }

 private:
  struct Sample {
    Cycle cycle = 0;
    std::vector<u64> actions;
    u64 dram_read = 0, dram_written = 0;
    std::array<u64, unit_count> issue{};
  };
  void take(Sample& sample);

  Soc& soc_;
  const double clock_hz_, pes_;
  ActionSampler sampler_;
  LinearPrices prices_;
  Sample last_, now_;
  PowerTrace trace_;
};

}  // namespace bvp
