// SPDX-License-Identifier: Apache-2.0
// Texts of a YAML file: what they are, and the values they stand for.
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
/// As in '010': 8 for a reader of YAML 1.1, 10 for one of YAML 1.2.
[[nodiscard]] bool has_leading_zero(std::string_view text);
/// Decimal or, with 0x, hexadecimal; nothing for any other text.
[[nodiscard]] std::optional<i64> parse_integer(std::string_view text);
/// The value of the parameter's type that `text` is; nothing if it is none.
[[nodiscard]] std::optional<ParamValue> parse_value(const ParamBase& parameter, const std::string& text, bool quoted);

}  // namespace bvp
