// SPDX-License-Identifier: Apache-2.0
#include "platform/assembler/expression.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>

#include "platform/support/printable.h"

namespace bvp {
namespace {

constexpr int deepest = 64;  // brackets and signs in each other

struct Operator {
  std::string_view sign;
  int precedence;
};
constexpr Operator operators[] = {{"|", 1}, {"^", 2}, {"&", 3}, {"<<", 4}, {">>", 4},
                                  {"+", 5}, {"-", 5}, {"*", 6}, {"/", 6},  {"%", 6}};

const Operator* operator_of(const Token& token) {
  if (token.kind != Token::Kind::sign) return nullptr;
  for (const Operator& each : operators) {
    if (each.sign == token.text) return &each;
  }
  return nullptr;
}

[[noreturn]] void fail_range(const Token& at) {
  throw TextError(at.place, fmt::format("{} leaves the range of 64-bit numbers", at.shown()));
}

i64 divide(const Token& sign, i64 a, i64 b) {
  if (b == 0) throw TextError(sign.place, fmt::format("{} by 0", sign.is("%") ? "remainder" : "division"));
  if (b == -1) {
    if (sign.is("%")) return 0;
    if (a == std::numeric_limits<i64>::min()) fail_range(sign);
  }
  return sign.is("%") ? a % b : a / b;
}

i64 shift(const Token& sign, i64 a, i64 b) {
  if (b < 0 || b > 62) throw TextError(sign.place, fmt::format("a shift by {}, expected 0 to 62", b));
  if (sign.is(">>")) return a >> b;
  i64 result = 0;
  if (__builtin_mul_overflow(a, i64{1} << b, &result)) fail_range(sign);
  return result;
}

i64 combine(const Token& sign, i64 a, i64 b) {
  i64 result = 0;
  bool overflow = false;
  switch (sign.text.front()) {
    case '|':
      return a | b;
    case '^':
      return a ^ b;
    case '&':
      return a & b;
    case '<':
    case '>':
      return shift(sign, a, b);
    case '+':
      overflow = __builtin_add_overflow(a, b, &result);
      break;
    case '-':
      overflow = __builtin_sub_overflow(a, b, &result);
      break;
    case '*':
      overflow = __builtin_mul_overflow(a, b, &result);
      break;
    default:
      return divide(sign, a, b);
  }
  if (overflow) fail_range(sign);
  return result;
}

class Expression {
 public:
  Expression(TokenReader& reader, const NameValues& names) : reader_(reader), names_(names) {}

  i64 value(int lowest, int depth) {
    i64 left = operand(depth);
    while (const Operator* found = operator_of(reader_.peek())) {
      if (found->precedence < lowest) break;
      const Token sign = reader_.take();
      left = combine(sign, left, value(found->precedence + 1, depth + 1));
    }
    return left;
  }

 private:
  i64 operand(int depth) {
    const Token token = reader_.take();
    if (depth > deepest) throw TextError(token.place, fmt::format("brackets and signs are more than {} deep", deepest));
    if (token.is("-")) return combine(token, 0, operand(depth + 1));
    if (token.is("~")) return ~operand(depth + 1);
    if (token.is("(")) {
      const i64 inner = value(0, depth + 1);
      reader_.expect(")");
      return inner;
    }
    if (token.kind == Token::Kind::number) {
      const u64 number = number_of(token);
      if (number > static_cast<u64>(std::numeric_limits<i64>::max())) fail_range(token);
      return static_cast<i64>(number);
    }
    if (token.kind != Token::Kind::name) fail_at(token, "a number");
    const std::optional<i64> named = names_(token.text);
    if (!named) fail_at(token, "a number or the name of a constant");
    return *named;
  }

  TokenReader& reader_;
  const NameValues& names_;
};

}  // namespace

void fail_at(const Token& found, std::string_view expected) {
  throw TextError(found.place, fmt::format("found {}, expected {}", found.shown(), expected));
}

void TokenReader::expect(std::string_view sign) {
  if (!take_if(sign)) fail_at(peek(), fmt::format("'{}'", sign));
}

const Token& TokenReader::expect_name(std::string_view what) {
  if (peek().kind != Token::Kind::name) fail_at(peek(), what);
  return take();
}

void TokenReader::skip_line() {
  while (peek().kind != Token::Kind::line_end && peek().kind != Token::Kind::end) take();
}

u64 number_of(const Token& token) {
  const bool hexadecimal =
      token.text.size() > 2 && token.text[0] == '0' && (token.text[1] == 'x' || token.text[1] == 'X');
  const std::string_view digits = token.text.substr(hexadecimal ? 2 : 0);
  u64 value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, hexadecimal ? 16 : 10);
  if (error == std::errc::result_out_of_range) fail_range(token);
  if (token.kind != Token::Kind::number || error != std::errc() || end != digits.data() + digits.size()) {
    fail_at(token, "a number such as 64 or 0x40");
  }
  return value;
}

i64 read_expression(TokenReader& reader, const NameValues& names) { return Expression(reader, names).value(0, 0); }

i64 read_in_range(TokenReader& reader, const NameValues& names, std::string_view what, i64 first, i64 last) {
  const Token begin = reader.peek();
  const i64 value = read_expression(reader, names);
  if (value < first || value > last) {
    throw TextError(begin.place, fmt::format("{}: found {}, expected {} to {}", what, value, first, last));
  }
  return value;
}

}  // namespace bvp
