// SPDX-License-Identifier: Apache-2.0
#include "models/cpu/cpu_parameters.h"

#include <utility>

namespace bvp {

CpuParameters::CpuParameters(ParameterGroup* parent, std::string name, std::string description)
    : ParameterGroup(parent, std::move(name), std::move(description)),
      clock_hz(this, "clock_hz", 1e9, "Hz", {1e6, 1e10}, "Clock of the CPU.", "assumption", Confidence::low),
      cycles_per_instruction(this, "cycles_per_instruction", 1.0, "cycles", {0.1, 100},
                             "What an instruction costs; accesses to devices add what the bus says.",
                             "assumption: a single-issue core with its working set in caches", Confidence::low),
      quantum_s(this, "quantum_s", 10e-6, "s", {1e-9, 1e-2},
                "How far the CPU computes ahead of the other blocks between accesses to devices; bounds the interrupt "
                "latency while it computes.",
                "choice of the model", Confidence::high) {}

}  // namespace bvp
