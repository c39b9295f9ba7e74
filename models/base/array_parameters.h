// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "models/base/machine_shape.h"
#include "models/base/parameters.h"

namespace bvp {

/// Dimensions that all blocks of the array share.
struct ArrayParameters : ParameterGroup {
  explicit ArrayParameters(ParameterGroup* parent, std::string name = "array", std::string description = {});

  Param<i64> rows;
  Param<i64> columns;
  Param<i64> lanes;
  Param<double> clock_hz;

  [[nodiscard]] ArrayShape shape() const;
  operator ArrayShape() const { return shape(); }  // NOLINT(google-explicit-constructor): used like the values
};

}  // namespace bvp
