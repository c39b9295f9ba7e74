// SPDX-License-Identifier: Apache-2.0
// Every parameter of a scenario with its value and where it comes from.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "platform/scenario/scenario.h"

namespace bvp {

/// {"soc.array.lanes": {"value", "unit", "source", "confidence", "given"}}; `given` only where the scenario sets it.
/// @param declarations  with "description", "default" (null: there is none) and "allowed"
nlohmann::ordered_json parameters_json(const Scenario& scenario, bool declarations = false);

/// The same of another group, with declarations, under keys that begin with `path`.
nlohmann::ordered_json parameters_json(const ParameterGroup& group, const std::string& path, const Scenario& scenario);

}  // namespace bvp
