// SPDX-License-Identifier: Apache-2.0
// Every parameter of a group with its value and where it comes from.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "models/base/parameters.h"
#include "platform/config/given_keys.h"

namespace bvp {

/// {"soc.array.lanes": {"value", "unit", "source", "confidence", "given"}}; `given` only where it is among these.
/// @param origins  of values that are not the declared default, by key
/// @param path  of the group, "network.layers.N." for example: all keys begin with it
/// @param declarations  with "description", "default" (null: there is none) and "allowed"
nlohmann::ordered_json parameters_json(const ParameterGroup& group, const GivenKeys& given,
                                       const ParameterOrigins& origins, bool declarations = false,
                                       const std::string& path = {});

}  // namespace bvp
