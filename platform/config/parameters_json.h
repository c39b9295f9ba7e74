// SPDX-License-Identifier: Apache-2.0
// Lists every parameter of a group with its value and the origin of the value.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "models/base/parameters.h"
#include "platform/config/given_keys.h"

namespace bvp {

/// Returns {"soc.array.lanes": {"value", "unit", "source", "confidence", "given"}}. `given` is there only for keys in
/// the argument of this name.
/// @param origins  by key, for values that are not the declared default
/// @param path  the group's path, for example "network.layers.N."; all keys begin with it
/// @param declarations  adds "description", "default" (null: there is none) and "allowed"
nlohmann::ordered_json parameters_json(const ParameterGroup& group, const GivenKeys& given,
                                       const ParameterOrigins& origins, bool declarations = false,
                                       const std::string& path = {});

}  // namespace bvp
