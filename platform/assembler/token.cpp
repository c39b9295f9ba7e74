// SPDX-License-Identifier: Apache-2.0
#include "platform/assembler/token.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "platform/support/printable.h"

namespace bvp {
namespace {

constexpr std::array<std::string_view, 3> long_signs{"->", "<<", ">>"};

bool in_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  std::vector<Token> tokens() {
    while (at_ < text_.size()) next();
    add(Token::Kind::line_end, 0);
    add(Token::Kind::end, 0);
    return std::move(tokens_);
  }

 private:
  void next() {
    const char c = text_[at_];
    if (c == '\n') {
      if (depth_ == 0 && !continued_) add(Token::Kind::line_end, 0);
      continued_ = false;
      ++at_;
      ++line_;
      line_begin_ = at_;
    } else if (c == ' ' || c == '\t' || c == '\r') {
      ++at_;
    } else if (c == '#') {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else if (c == '\\') {
      continued_ = true;
      ++at_;
    } else if (in_name(c)) {
      add(std::isdigit(static_cast<unsigned char>(c)) != 0 ? Token::Kind::number : Token::Kind::name, word_length());
    } else {
      add_sign();
    }
  }

  [[nodiscard]] std::size_t word_length() const {
    std::size_t end = at_;
    while (end < text_.size() && in_name(text_[end])) ++end;
    return end - at_;
  }

  void add_sign() {
    const std::string_view rest = text_.substr(at_, 2);
    const bool is_long = std::find(long_signs.begin(), long_signs.end(), rest) != long_signs.end();
    if (rest.front() == '[') ++depth_;
    if (rest.front() == ']' && depth_ > 0) --depth_;
    add(Token::Kind::sign, is_long ? 2 : 1);
  }

  void add(Token::Kind kind, std::size_t length) {
    tokens_.push_back({kind, text_.substr(at_, length), {line_, at_ - line_begin_ + 1}});
    at_ += length;
  }

  const std::string_view text_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::size_t line_ = 1, line_begin_ = 0;
  std::size_t depth_ = 0;   // of open brackets
  bool continued_ = false;  // the line goes on behind its end
};

}  // namespace

std::string Token::shown() const {
  if (kind == Kind::end) return "the end of the text";
  if (kind == Kind::line_end) return "the end of the line";
  return fmt::format("'{}'", printable(text, 40));
}

std::vector<Token> tokens_of(std::string_view text) { return Lexer(text).tokens(); }

}  // namespace bvp
