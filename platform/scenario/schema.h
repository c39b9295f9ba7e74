// SPDX-License-Identifier: Apache-2.0
// The scenario format for editors and for readers, made from the declarations.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "models/common/parameters.h"

namespace bvp {

/// JSON Schema (draft 7) of a scenario file.
nlohmann::ordered_json scenario_schema();

/// One Markdown table for each group of the tree; keys are written in full, below `path`.
std::string parameters_markdown(const ParameterGroup& group, const std::string& path = {});

/// The page of all parameters of a scenario, layers included.
std::string scenario_parameters_markdown();

}  // namespace bvp
