// SPDX-License-Identifier: Apache-2.0
#include "models/peripherals/peripheral_parameters.h"

#include <utility>

namespace bvp {

PeripheralParameters::PeripheralParameters(ParameterGroup* parent, std::string name, std::string description)
    : ParameterGroup(parent, std::move(name), std::move(description)),
      register_latency(this, "register_latency", 2, "cycles", {0, 1024},
                       "Cycles of a register access, without the bus.", "assumption: one bridge stage each way",
                       Confidence::low) {}

UartParameters::UartParameters(ParameterGroup* parent)
    : PeripheralParameters(parent, "uart", "console of the firmware"),
      receive_depth(this, "receive_depth", 1024, "characters", {1, 1048576},
                    "Characters that wait for firmware to read them; more are dropped.",
                    "assumption: ample for pasted text", Confidence::low) {}

MachineTimerParameters::MachineTimerParameters(ParameterGroup* parent)
    : PeripheralParameters(parent, "timer", "machine timer (mtime, mtimecmp)"),
      frequency_hz(this, "frequency_hz", 10e6, "Hz", {1, 1e9},
                   "Ticks of mtime per second; the period is rounded to 1 ps.",
                   "assumption: as QEMU's RISC-V virt machine", Confidence::low) {}

InterruptControllerParameters::InterruptControllerParameters(ParameterGroup* parent)
    : PeripheralParameters(parent, "interrupt_controller", "interrupt controller of the devices") {}

PowerControllerParameters::PowerControllerParameters(ParameterGroup* parent)
    : PeripheralParameters(parent, "power_controller", "power states of the array"),
      clock_wake_s(this, "clock_wake_s", 20e-9, "s", {0, 1},
                   "From the end of the clock-off state until the array takes commands.",
                   "assumption: a clock gate and some cycles of synchronisation", Confidence::low),
      retention_wake_s(this, "retention_wake_s", 5e-6, "s", {0, 1}, "Likewise from retention.",
                       "assumption: power switches and rush current of some mm2", Confidence::low) {}

SimulationControlParameters::SimulationControlParameters(ParameterGroup* parent)
    : PeripheralParameters(parent, "simulation_control", "ends the run, marks regions of interest") {}

}  // namespace bvp
