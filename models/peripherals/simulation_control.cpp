// SPDX-License-Identifier: Apache-2.0
// Simulation control's behaviour.
#include "models/peripherals/simulation_control.h"

namespace bvp {

SimulationControl::SimulationControl(sc_core::sc_module_name name, const SimulationControlParameters& parameters,
                                     const ClockDomain& clock, StatGroup& parent_stats)
    : Peripheral(name, parameters, clock, parent_stats) {
  exit_.on_write([this](u32 value) { exit(static_cast<int>(value)); });
  progress_.on_write([this](u32 task) {
    if (progress_callback_) progress_callback_(task);
  });
  region_begin_.on_write([this](u32 region) { mark_region(true, region); });
  region_end_.on_write([this](u32 region) { mark_region(false, region); });
}

SimulationControl::~SimulationControl() = default;

void SimulationControl::set_argument(u64 argument) {
  argument_lo_.set(static_cast<u32>(argument));
  argument_hi_.set(static_cast<u32>(argument >> 32));
}

void SimulationControl::exit(int code) {
  if (exit_code_) return;
  exit_code_ = code;
  if (exit_callback_) exit_callback_(code);
}

void SimulationControl::mark_region(bool begin, u32 region) {
  if (region_callback_) region_callback_(begin, region);
}

}  // namespace bvp
