// SPDX-License-Identifier: Apache-2.0
// What prices and areas need to know of a configuration.
#pragma once

#include <map>
#include <string>

#include "models/power/area_table.h"
#include "models/power/energy_table.h"
#include "platform/soc/soc_parameters.h"

namespace bvp {

[[nodiscard]] MachineSize machine_size(const SocParameters& parameters);

/// The shipped table. @throws InputError
[[nodiscard]] AreaTable load_area_table();

/// Square millimetres by component, by the shipped table. @throws InputError
[[nodiscard]] std::map<std::string, double> area_by_component(const SocParameters& parameters);

}  // namespace bvp
