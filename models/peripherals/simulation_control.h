// SPDX-License-Identifier: Apache-2.0
// Simulation control: registers that only a simulated SoC has. See docs/models/simulation_control.md.
#pragma once

#include <optional>

#include "models/base/signal.h"
#include "models/peripherals/peripheral.h"

namespace bvp {

class SimulationControl : public Peripheral {
 public:
  SimulationControl(sc_core::sc_module_name name, const PeripheralParameters& parameters, const ClockDomain& clock,
                    StatGroup& parent_stats);
  ~SimulationControl() override;

  Signal<int> exited;        ///< emitted once, with the first exit code that firmware writes
  Signal<u32> task_done;     ///< emitted with the number of a task of the network
  Signal<u32> region_began;  ///< emitted with the number of a region of interest
  Signal<u32> region_ended;

  /// The value that firmware reads from ARGUMENT.
  void set_argument(u64 argument);
  [[nodiscard]] std::optional<int> exit_code() const { return exit_code_; }

 private:
  void exit(int code);

  std::optional<int> exit_code_;

  Register exit_, argument_lo_, argument_hi_, progress_, region_begin_, region_end_;
};

}  // namespace bvp
