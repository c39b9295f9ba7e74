// SPDX-License-Identifier: Apache-2.0
// Converts JSON to text even if strings (such as names of files) are not UTF-8.
#pragma once

#include <string>

namespace bvp {

/// @param indent  -1: everything on one line
template <class AnyJson>
[[nodiscard]] std::string json_text(const AnyJson& json, int indent = 2) {
  return json.dump(indent, ' ', false, AnyJson::error_handler_t::replace) + "\n";
}

}  // namespace bvp
