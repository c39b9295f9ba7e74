// SPDX-License-Identifier: Apache-2.0
// The factor of a sum with a residual.
#pragma once

#include <tuple>

#include "models/base/types.h"

namespace bvp {

/// The sum is r(value * y + x) for a result y and its residual x; with `of_residual` it is r(value * x + y).
struct ResidualFactor {
  u16 value = 0;
  bool of_residual = false;

  [[nodiscard]] auto tied() const { return std::tie(value, of_residual); }
  friend bool operator<(const ResidualFactor& a, const ResidualFactor& b) { return a.tied() < b.tied(); }
};

}  // namespace bvp
