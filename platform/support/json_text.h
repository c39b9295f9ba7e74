// SPDX-License-Identifier: Apache-2.0
// JSON as text that can always be made: names of files need not be UTF-8.
#pragma once

#include <string>

namespace bvp {

/// @param indent  -1: all in one line
template <class AnyJson>
[[nodiscard]] std::string json_text(const AnyJson& json, int indent = 2) {
  return json.dump(indent, ' ', false, AnyJson::error_handler_t::replace) + "\n";
}

}  // namespace bvp
