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

  Register exit_{&bank(), "EXIT", 0x00, RegisterAccess::write_only, 0, "Ends the simulation with this code."};
  Register argument_lo_{&bank(), "ARGUMENT_LO",
                        0x08,    RegisterAccess::read_only,
                        0,       "Bits 31..0 of what the run was given: the network descriptor's address, or 0."};
  Register argument_hi_{&bank(), "ARGUMENT_HI", 0x0c, RegisterAccess::read_only, 0, "Bits 63..32 of it."};
  Register progress_{&bank(), "PROGRESS",
                     0x10,    RegisterAccess::write_only,
                     0,       "The network's task of this number is done; numbers that it does not have are ignored."};
  Register region_begin_{
      &bank(), "REGION_BEGIN", 0x14, RegisterAccess::write_only, 0, "A region of interest of this number begins."};
  Register region_end_{
      &bank(), "REGION_END", 0x18, RegisterAccess::write_only, 0, "The region of interest of this number ends."};
};

}  // namespace bvp
