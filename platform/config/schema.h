// SPDX-License-Identifier: Apache-2.0
// Describes groups of parameters for editors (JSON Schema) and for readers (Markdown), from the declarations.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "models/base/parameters.h"

namespace bvp {

/// JSON Schema (draft 7) of a group: an object with its parameters and its groups.
nlohmann::ordered_json group_schema(const ParameterGroup& group);

/// One Markdown table for each group of the tree; keys are written in full, below `path`.
std::string parameters_markdown(const ParameterGroup& group, const std::string& path = {});

}  // namespace bvp
