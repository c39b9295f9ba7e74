// SPDX-License-Identifier: Apache-2.0
// The group `baselines`: the machines that runs are compared with, and what is assumed of them.
#pragma once

#include <memory>
#include <vector>

#include "platform/baselines/baseline.h"

namespace bvp {

struct BaselineParameters : ParameterGroup {
  explicit BaselineParameters(ParameterGroup* parent);

  Param<std::string> technology;
  /// Every baseline, with its parameters, by place.
  std::vector<std::unique_ptr<Baseline>> machines;
};

}  // namespace bvp
