// SPDX-License-Identifier: Apache-2.0
// Behaviour of the simulation control.
#include "models/peripherals/simulation_control.h"

namespace bvp {

SimulationControl::SimulationControl(sc_core::sc_module_name name, const PeripheralParameters& parameters,
                                     const ClockDomain& clock, StatGroup& parent_stats)
    : Peripheral(name, parameters, clock, parent_stats),
      exit_(&bank(), "EXIT", 0x00, RegisterAccess::write_only, 0, "Ends the simulation with this code."),
      argument_lo_(&bank(), "ARGUMENT_LO", 0x08, RegisterAccess::read_only, 0,
                   "Bits 31..0 of what the run was given: the network descriptor's address, or 0."),
      argument_hi_(&bank(), "ARGUMENT_HI", 0x0c, RegisterAccess::read_only, 0, "Bits 63..32 of it."),
      progress_(&bank(), "PROGRESS", 0x10, RegisterAccess::write_only, 0,
                "The network's task of this number is done; numbers that it does not have are ignored."),
      region_begin_(&bank(), "REGION_BEGIN", 0x14, RegisterAccess::write_only, 0,
                    "A region of interest of this number begins."),
      region_end_(&bank(), "REGION_END", 0x18, RegisterAccess::write_only, 0,
                  "The region of interest of this number ends.") {
  exit_.on_write([this](u32 value) { exit(static_cast<int>(value)); });
  progress_.on_write([this](u32 task) { task_done(task); });
  region_begin_.on_write([this](u32 region) { region_began(region); });
  region_end_.on_write([this](u32 region) { region_ended(region); });
}

SimulationControl::~SimulationControl() = default;

void SimulationControl::set_argument(u64 argument) {
  argument_lo_.set(low_word(argument));
  argument_hi_.set(high_word(argument));
}

void SimulationControl::exit(int code) {
  if (exit_code_) return;
  exit_code_ = code;
  exited(code);
}

}  // namespace bvp
