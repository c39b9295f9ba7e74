// SPDX-License-Identifier: Apache-2.0
// What is known of a point before it is simulated, for constraints and objectives: "estimate.area_mm2".
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "platform/scenario/scenario.h"

namespace bvp {

struct Estimate {
  std::string name;  ///< in formulas
  std::string unit;
  std::string sentence;
  /// @throws InputError  the network does not fit the machine
  std::function<double(const Scenario& scenario)> value;
};

[[nodiscard]] const std::vector<Estimate>& estimates();

/// Returns null if there is none of this name.
[[nodiscard]] const Estimate* find_estimate(const std::string& name);

}  // namespace bvp
