// SPDX-License-Identifier: Apache-2.0
// Reads a file of settings: one YAML document with a map of keys.
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <string>

#include "platform/support/problems.h"

namespace bvp {

/// Bytes that a file of settings may have.
inline constexpr std::uintmax_t yaml_file_limit = 1 << 20;

/// "LABEL:LINE:COLUMN", or the label alone if the node has no place in a text.
[[nodiscard]] std::string yaml_place(const std::string& label, const YAML::Mark& mark);

/// Parses the text. What is wrong with it goes to `problems`; the result is then no map. `label` stands for the file in
/// messages.
[[nodiscard]] YAML::Node parse_yaml(const std::string& text, const std::string& label, Problems& problems);

}  // namespace bvp
