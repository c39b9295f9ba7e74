// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "models/base/parameters.h"

namespace bvp {

struct CompilerParameters : ParameterGroup {
  explicit CompilerParameters(ParameterGroup* parent);

  Param<i64> stage_points;
  Param<i64> tile_rows;
  // Switches that turn one technique off, to learn what it is worth.
  Param<bool> fusion;
  Param<bool> layer_overlap;
  Param<bool> streaming;
  Param<bool> ping_pong;
  Param<bool> weight_residency;
  Param<bool> exchange_by_half;
  // Techniques beyond the published ones.
  Param<std::string> method;
  Param<bool> residency;
  Param<bool> pruning;
  Param<std::string> butterflies;
  Param<std::string> twiddles;
  Param<std::string> fft;
};

}  // namespace bvp
