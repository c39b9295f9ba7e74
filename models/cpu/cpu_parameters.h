// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "models/base/parameters.h"

namespace bvp {

struct CpuParameters : ParameterGroup {
  explicit CpuParameters(ParameterGroup* parent);

  Param<double> clock_hz;
  Param<double> cycles_per_instruction;
  Param<double> quantum_s;
};

}  // namespace bvp
