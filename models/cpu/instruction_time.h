// SPDX-License-Identifier: Apache-2.0
// What an instruction takes that accesses no device.
#pragma once

#include <algorithm>
#include <systemc>

#include "models/cpu/cpu_parameters.h"

namespace bvp {

[[nodiscard]] inline sc_core::sc_time instruction_time(const CpuParameters& parameters) {
  return std::max(sc_core::sc_time(parameters.cycles_per_instruction / parameters.clock_hz, sc_core::SC_SEC),
                  sc_core::sc_get_time_resolution());
}

}  // namespace bvp
