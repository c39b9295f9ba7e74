// SPDX-License-Identifier: Apache-2.0
// The prices from which energy and area of a run are computed: every price of its machine with source and confidence.
#pragma once

#include <nlohmann/json.hpp>

#include "models/power/area_table.h"
#include "models/power/energy_table.h"

namespace bvp {

[[nodiscard]] nlohmann::ordered_json prices_json(const EnergyTable& energy, const AreaTable& area,
                                                 const MachineSize& size);

}  // namespace bvp
