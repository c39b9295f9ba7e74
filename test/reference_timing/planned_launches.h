// SPDX-License-Identifier: Apache-2.0
// The kernels of a scenario as its compiler makes them: image and launch command of each, for the first tile.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "models/base/types.h"
#include "platform/scenario/scenario.h"

namespace bvp::test {

struct PlannedLaunch {
  std::string kernel;
  std::vector<u8> image;
  std::array<u32, 4> counts{};
  std::array<u32, 16> registers{};
};

/// Each image once, in the order of the network's tasks.
[[nodiscard]] std::vector<PlannedLaunch> planned_launches(const Scenario& scenario);

}  // namespace bvp::test
