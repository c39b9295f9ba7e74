// SPDX-License-Identifier: Apache-2.0
// Text of unknown origin in messages.
#pragma once

#include <string>
#include <string_view>

namespace bvp {

/// Text as it may appear in a message: of at most `longest` bytes and three dots, with '?' for control characters (C1
/// too) and for bytes that are not UTF-8.
[[nodiscard]] std::string printable(std::string_view text, std::size_t longest = 60);

}  // namespace bvp
