// SPDX-License-Identifier: Apache-2.0
#include "models/peripherals/peripheral_parameters.h"

#include <utility>

namespace bvp {

PeripheralParameters::PeripheralParameters(ParameterGroup* parent, std::string name, std::string description)
    : ParameterGroup(parent, std::move(name), std::move(description)),
      register_latency(this, "register_latency", 2, "cycles", {0, 1024},
                       "Cycles of a register access, without the bus.", "assumption: one bridge stage each way",
                       Confidence::low) {}

UartParameters::UartParameters(ParameterGroup* parent, std::string name, std::string description)
    : PeripheralParameters(parent, std::move(name), std::move(description)),
      input_after_s(this, "input_after_s", 100e-6, "s", {0, 1},
                    "From the reset until the other end (--uart-input, --uart tcp) sends its first character.",
                    "choice of the model: firmware has set its UART up by then", Confidence::high) {}

ClintParameters::ClintParameters(ParameterGroup* parent, std::string name, std::string description)
    : PeripheralParameters(parent, std::move(name), std::move(description)),
      frequency_hz(this, "frequency_hz", 10e6, "Hz", {1, 1e9},
                   "Ticks of mtime per second; the period is rounded to 1 ps.",
                   "assumption: as QEMU's RISC-V virt machine", Confidence::low) {}

PowerControllerParameters::PowerControllerParameters(ParameterGroup* parent, std::string name, std::string description)
    : PeripheralParameters(parent, std::move(name), std::move(description)),
      clock_wake_s(this, "clock_wake_s", 20e-9, "s", {0, 1},
                   "From the end of the clock-off state until the array takes commands.",
                   "assumption: a clock gate and some cycles of synchronisation", Confidence::low),
      retention_wake_s(this, "retention_wake_s", 5e-6, "s", {0, 1}, "Likewise from retention.",
                       "assumption: power switches and rush current of some mm2", Confidence::low) {}

}  // namespace bvp
