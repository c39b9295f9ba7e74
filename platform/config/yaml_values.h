// SPDX-License-Identifier: Apache-2.0
// Reads the texts of a YAML file as values.
#pragma once

#include <yaml-cpp/yaml.h>

#include <optional>
#include <string>
#include <string_view>

#include "models/base/parameters.h"

namespace bvp {

/// "a map", "a list", the text of a scalar in quotes, or "nothing".
[[nodiscard]] std::string kind_of(const YAML::Node& node);

/// YAML::Load ignores what follows the first document, and YAML::LoadAll never ends on some damaged texts (for
/// example one that begins with a comma): the parser yields empty documents for ever.
/// @throws YAML::Exception  the text is not YAML
[[nodiscard]] bool has_second_document(const std::string& text);

/// A quoted scalar is text even if it looks like a number.
[[nodiscard]] bool is_quoted(const YAML::Node& node);
/// Whether the text is a number with a leading zero, such as '010': a reader of YAML 1.1 takes it for 8, a reader of
/// YAML 1.2 for 10.
[[nodiscard]] bool has_leading_zero(std::string_view text);
/// Parses a decimal number or, with 0x, a hexadecimal one; nullopt for any other text.
[[nodiscard]] std::optional<i64> parse_integer(std::string_view text);
/// Parses `text` as a value of the parameter's type; nullopt if it is not one.
[[nodiscard]] std::optional<ParamValue> parse_value(const ParamBase& parameter, const std::string& text, bool quoted);

}  // namespace bvp
