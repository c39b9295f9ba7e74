// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "models/common/parameters.h"

namespace bvp {

struct CompilerParameters : ParameterGroup {
  explicit CompilerParameters(ParameterGroup* parent)
      : ParameterGroup(parent, "compiler", "how the network is mapped onto the array") {}

  Param<i64> stage_points{this,
                          "stage_points",
                          0,
                          "points",
                          {0, 65536},
                          "Points of a closed set, a power of two; 0: as many as fit the operand memory, at most 512.",
                          "MLX (ISCA 2026): 512 is the largest single-stage footprint",
                          Confidence::mid};
  // Switches that turn one technique off, to learn what it is worth.
  Param<bool> fusion{this,
                     "fusion",
                     true,
                     "",
                     {},
                     "Operators that work token by token share tiles; otherwise each goes through DRAM.",
                     "choice of the user",
                     Confidence::high};
};

}  // namespace bvp
