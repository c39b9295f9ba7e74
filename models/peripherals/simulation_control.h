// SPDX-License-Identifier: Apache-2.0
// Simulation control: what only a simulated SoC has. See docs/models/simulation_control.md.
#pragma once

#include <functional>
#include <optional>

#include "models/peripherals/peripheral.h"

namespace bvp {

class SimulationControl : public Peripheral {
 public:
  SimulationControl(sc_core::sc_module_name name, const SimulationControlParameters& parameters,
                    const ClockDomain& clock, StatGroup& parent_stats);
  ~SimulationControl() override;

  /// Called once, with the first code that firmware writes.
  void set_exit_callback(std::function<void(int)> callback) { exit_callback_ = std::move(callback); }
  /// What firmware reads from ARGUMENT.
  void set_argument(u64 argument);
  void set_progress_callback(std::function<void(u32)> callback) { progress_callback_ = std::move(callback); }
  /// A region of interest begins or ends.
  void set_region_callback(std::function<void(bool begin, u32 region)> callback) {
    region_callback_ = std::move(callback);
  }
  [[nodiscard]] std::optional<int> exit_code() const { return exit_code_; }

 private:
  void exit(int code);
  void mark_region(bool begin, u32 region);

  std::optional<int> exit_code_;
  std::function<void(int)> exit_callback_;
  std::function<void(u32)> progress_callback_;
  std::function<void(bool, u32)> region_callback_;

  Register exit_, argument_lo_, argument_hi_, progress_, region_begin_, region_end_;
};

}  // namespace bvp
