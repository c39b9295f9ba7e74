// SPDX-License-Identifier: Apache-2.0
// Makes text of unknown origin fit for messages.
#pragma once

#include <string>
#include <string_view>

namespace bvp {

/// Returns the text as it may appear in a message: at most `longest` bytes and three dots, with '?' for control
/// characters (including C1) and for bytes that are not UTF-8.
[[nodiscard]] std::string printable(std::string_view text, std::size_t longest = 60);

/// The last line of a text that is not empty, as it may appear in a message.
[[nodiscard]] std::string last_line_of(std::string_view text);

}  // namespace bvp
