// SPDX-License-Identifier: Apache-2.0
// The words of a kernel's text.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace bvp {

/// A place in a text; both count from 1.
struct TextPlace {
  std::size_t line = 1, column = 1;
};

/// A mistake in a text.
struct TextError : std::runtime_error {
  TextError(TextPlace at, const std::string& message) : std::runtime_error(message), place(at) {}
  TextPlace place;
};

struct Token {
  enum class Kind { name, number, sign, line_end, end };
  Kind kind = Kind::end;
  std::string_view text;
  TextPlace place;

  [[nodiscard]] bool is(std::string_view sign) const { return kind == Kind::sign && text == sign; }
  /// What a message says was found: "'fma'", "the end of the line".
  [[nodiscard]] std::string shown() const;
};

/// The tokens of a text, the last of which is of the kind `end`. A line ends with a token, except inside of brackets
/// and behind a backslash. '#' begins a comment that lasts to the end of its line. A character that begins no token is
/// a sign. @param text  must outlive the tokens
[[nodiscard]] std::vector<Token> tokens_of(std::string_view text);

}  // namespace bvp
