// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "models/base/parameters.h"

namespace bvp {

struct CpuParameters : ParameterGroup {
  explicit CpuParameters(ParameterGroup* parent, std::string name = "cpu", std::string description = {});

  Param<double> clock_hz;
  Param<double> cycles_per_instruction;
  Param<double> quantum_s;
};

}  // namespace bvp
