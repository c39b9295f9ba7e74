// SPDX-License-Identifier: Apache-2.0
// Whole numbers in a kernel's text: 16, 0x40, ROWS * 2 + 1.
#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "models/base/types.h"
#include "platform/assembler/token.h"

namespace bvp {

/// Goes through the tokens of a text.
class TokenReader {
 public:
  explicit TokenReader(const std::vector<Token>& tokens) : tokens_(tokens) {}

  [[nodiscard]] const Token& peek(std::size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  const Token& take() {
    const Token& token = peek();
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
  }
  /// Takes the sign if it is next.
  bool take_if(std::string_view sign) {
    const bool found = peek().is(sign);
    if (found) take();
    return found;
  }
  /// @throws TextError  something else is next
  void expect(std::string_view sign);
  /// @param what  that the name stands for, as messages say it
  const Token& expect_name(std::string_view what);
  /// Goes to the end of the line, or of the text.
  void skip_line();

  [[nodiscard]] std::size_t position() const { return at_; }
  void go_to(std::size_t position) { at_ = position; }

 private:
  const std::vector<Token>& tokens_;
  std::size_t at_ = 0;
};

[[noreturn]] void fail_at(const Token& found, std::string_view expected);

/// The value of a name; nullopt if it has none.
using NameValues = std::function<std::optional<i64>(std::string_view)>;

/// Reads and computes an expression of numbers, names, brackets and the operators of C: | ^ & << >> + - * / % and unary
/// - and ~. @throws TextError  there is none, it has no value, or it leaves 64 bits
[[nodiscard]] i64 read_expression(TokenReader& reader, const NameValues& names);

/// @throws TextError  the expression's value is not within first and last; `what` names it
[[nodiscard]] i64 read_in_range(TokenReader& reader, const NameValues& names, std::string_view what, i64 first,
                                i64 last);

/// The value of a number, in which a word of 64 bits finds room. @throws TextError  it is none
[[nodiscard]] u64 number_of(const Token& token);

}  // namespace bvp
