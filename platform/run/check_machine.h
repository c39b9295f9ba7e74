// SPDX-License-Identifier: Apache-2.0
// Builds a scenario's machine and checks that it can be built, priced and recorded.
#pragma once

#include <memory>

#include "models/power/area_table.h"
#include "models/power/energy_table.h"
#include "platform/scenario/scenario.h"
#include "platform/soc/soc.h"

namespace bvp {

/// Builds the SoC of a scenario in the present simulation context. The models check which of their parameters do not go
/// together, and which actions an energy table must price.
/// @throws InputError  with the key
[[nodiscard]] std::unique_ptr<Soc> build_machine(const Scenario& scenario, bool data, const EnergyTable& energy,
                                                 const AreaTable& area);

/// Builds the machine and drops it. @throws InputError  with the key
void check_machine(const Scenario& scenario);

}  // namespace bvp
