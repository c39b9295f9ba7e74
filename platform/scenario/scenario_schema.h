// SPDX-License-Identifier: Apache-2.0
// The scenario format for editors and for readers, made from the declarations.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace bvp {

/// JSON Schema (draft 7) of a scenario file.
nlohmann::ordered_json scenario_schema();

/// The page of all parameters of a scenario, layers included.
std::string scenario_parameters_markdown();

}  // namespace bvp
