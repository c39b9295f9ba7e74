// SPDX-License-Identifier: Apache-2.0
// Simulation control: what only a simulated SoC has. See docs/models/simulation_control.md.
#pragma once

#include <optional>

#include "models/base/signal.h"
#include "models/peripherals/peripheral.h"

namespace bvp {

class SimulationControl : public Peripheral {
 public:
  SimulationControl(sc_core::sc_module_name name, const SimulationControlParameters& parameters,
                    const ClockDomain& clock, StatGroup& parent_stats);
  ~SimulationControl() override;

  Signal<int> exited;        ///< once, with the first code that firmware writes
  Signal<u32> task_done;     ///< the network's task of this number
  Signal<u32> region_began;  ///< the region of interest of this number
  Signal<u32> region_ended;

  /// What firmware reads from ARGUMENT.
  void set_argument(u64 argument);
  [[nodiscard]] std::optional<int> exit_code() const { return exit_code_; }

 private:
  void exit(int code);

  std::optional<int> exit_code_;

  Register exit_, argument_lo_, argument_hi_, progress_, region_begin_, region_end_;
};

}  // namespace bvp
