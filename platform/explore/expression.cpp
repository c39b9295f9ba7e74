// SPDX-License-Identifier: Apache-2.0
#include "platform/explore/expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <utility>

#include "platform/support/printable.h"

namespace bvp {

struct Expression::Node {
  enum class Kind { constant, name, unary, binary, call };
  Kind kind = Kind::constant;
  ExpressionValue value = 0.0;  // of a constant
  std::string text;             // the name, the operator or the function
  std::vector<Node> parts;
};

namespace {

using Node = Expression::Node;
using Value = ExpressionValue;

/// Formulas that are nested deeper could overflow the stack.
constexpr int deepest = 100;
/// Characters of a formula. A formula is evaluated recursively, an operator a level.
constexpr std::size_t longest = 10000;

struct Token {
  enum class Kind { end, number, word, name, symbol };
  Kind kind = Kind::end;
  std::string text;
  double number = 0;
  std::size_t column = 0;  // counted from 1
};

class Tokens {
 public:
  explicit Tokens(const std::string& text) : text_(text) { next(); }

  [[nodiscard]] const Token& current() const { return current_; }
  Token take() {
    Token taken = current_;
    next();
    return taken;
  }
  /// Takes the symbol or the name if it is the next token.
  bool take_if(const char* text) {
    const bool matches =
        (current_.kind == Token::Kind::symbol || current_.kind == Token::Kind::name) && current_.text == text;
    if (matches) next();
    return matches;
  }
  [[noreturn]] void refuse(const std::string& expected) const {
    const std::string found =
        current_.kind == Token::Kind::end ? "the end" : fmt::format("'{}'", printable(current_.text));
    throw ExpressionError(fmt::format("found {} at column {} of '{}', expected {}", found, current_.column,
                                      printable(text_, longest_shown), expected));
  }

 private:
  static constexpr std::size_t longest_shown = 120;

  static bool begins_name(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
  static bool in_name(char c) { return begins_name(c) || std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '.'; }

  void next() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) ++at_;
    current_ = {};
    current_.column = at_ + 1;
    if (at_ == text_.size()) return;
    const char first = text_[at_];
    if (std::isdigit(static_cast<unsigned char>(first)) != 0 || first == '.') return read_number();
    if (begins_name(first)) {
      std::size_t end = at_;
      while (end < text_.size() && in_name(text_[end])) ++end;
      return set(Token::Kind::name, end);
    }
    if (first == '\'' || first == '"') return read_word(first);
    for (const char* symbol : {"<=", ">=", "==", "!=", "&&", "||"}) {
      if (text_.compare(at_, 2, symbol) == 0) return set(Token::Kind::symbol, at_ + 2);
    }
    set(Token::Kind::symbol, at_ + 1);
  }
  void set(Token::Kind kind, std::size_t end) {
    current_.kind = kind;
    current_.text = text_.substr(at_, end - at_);
    at_ = end;
  }
  void read_number() {
    double value = 0;
    const char* const begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
    set(Token::Kind::number, error == std::errc() ? static_cast<std::size_t>(end - text_.data()) : at_ + 1);
    if (error != std::errc()) refuse("a number");
    current_.number = value;
  }
  void read_word(char quote) {
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string::npos) {
      set(Token::Kind::symbol, text_.size());
      refuse(fmt::format("a closing {}", quote));
    }
    set(Token::Kind::word, end + 1);
    current_.text = current_.text.substr(1, current_.text.size() - 2);
  }

  const std::string& text_;
  std::size_t at_ = 0;
  Token current_;
};

/// A descent through the levels of precedence.
class Parser {
 public:
  Parser(const std::string& text, std::vector<std::string>& names) : tokens_(text), names_(names) {}

  Node whole() {
    Node node = either();
    if (tokens_.current().kind != Token::Kind::end) tokens_.refuse("an operator or the end");
    return node;
  }

 private:
  static Node binary(const std::string& symbol, Node left, Node right) {
    Node node;
    node.kind = Node::Kind::binary;
    node.text = symbol;
    node.parts.push_back(std::move(left));
    node.parts.push_back(std::move(right));
    return node;
  }
  static Node unary(const std::string& symbol, Node part) {
    Node node;
    node.kind = Node::Kind::unary;
    node.text = symbol;
    node.parts.push_back(std::move(part));
    return node;
  }

  Node either() {
    if (++depth_ > deepest) tokens_.refuse(fmt::format("at most {} nested parts", deepest));
    Node node = both();
    while (tokens_.take_if("or") || tokens_.take_if("||")) node = binary("or", std::move(node), both());
    --depth_;
    return node;
  }
  Node both() {
    Node node = negation();
    while (tokens_.take_if("and") || tokens_.take_if("&&")) node = binary("and", std::move(node), negation());
    return node;
  }
  Node negation() {
    bool negated = false;
    while (tokens_.take_if("not")) negated = !negated;
    Node node = comparison();
    return negated ? unary("not", std::move(node)) : std::move(node);
  }
  Node comparison() {
    Node node = sum();
    for (const char* symbol : {"<=", ">=", "==", "!=", "<", ">"}) {
      if (tokens_.take_if(symbol)) return binary(symbol, std::move(node), sum());
    }
    return node;
  }
  Node sum() {
    Node node = product();
    while (true) {
      if (tokens_.take_if("+")) {
        node = binary("+", std::move(node), product());
      } else if (tokens_.take_if("-")) {
        node = binary("-", std::move(node), product());
      } else {
        return node;
      }
    }
  }
  Node product() {
    Node node = sign();
    while (true) {
      if (tokens_.take_if("*")) {
        node = binary("*", std::move(node), sign());
      } else if (tokens_.take_if("/")) {
        node = binary("/", std::move(node), sign());
      } else {
        return node;
      }
    }
  }
  Node sign() {
    bool negative = false;
    while (tokens_.take_if("-")) negative = !negative;
    Node node = power();
    return negative ? unary("-", std::move(node)) : std::move(node);
  }
  Node power() {
    Node node = primary();
    if (tokens_.take_if("^")) {
      if (++depth_ > deepest) tokens_.refuse(fmt::format("at most {} nested parts", deepest));
      node = binary("^", std::move(node), sign());
      --depth_;
    }
    return node;
  }
  Node primary() {
    if (tokens_.take_if("(")) {
      Node node = either();
      if (!tokens_.take_if(")")) tokens_.refuse("')'");
      return node;
    }
    Node node;
    switch (tokens_.current().kind) {
      case Token::Kind::number:
        node.value = tokens_.take().number;
        return node;
      case Token::Kind::word:
        node.value = tokens_.take().text;
        return node;
      case Token::Kind::name:
        return named();
      default:
        tokens_.refuse("a number, a name, a word in quotes or '('");
    }
  }
  Node named() {
    Node node;
    const std::string& name = tokens_.current().text;
    for (const char* reserved : {"and", "or", "not"}) {
      if (name == reserved) tokens_.refuse("a number, a name, a word in quotes or '('");
    }
    node.text = tokens_.take().text;
    if (node.text == "true" || node.text == "false") {
      node.value = node.text == "true";
      return node;
    }
    if (tokens_.take_if("(")) return call(std::move(node));
    node.kind = Node::Kind::name;
    if (std::find(names_.begin(), names_.end(), node.text) == names_.end()) names_.push_back(node.text);
    return node;
  }
  Node call(Node node) {
    node.kind = Node::Kind::call;
    const bool of_many = node.text == "min" || node.text == "max";
    if (!of_many && node.text != "abs" && node.text != "sqrt" && node.text != "log2") {
      throw ExpressionError(
          fmt::format("there is no function '{}', expected min, max, abs, sqrt or log2", printable(node.text)));
    }
    node.parts.push_back(either());
    while (tokens_.take_if(",")) node.parts.push_back(either());
    if (!tokens_.take_if(")")) tokens_.refuse("',' or ')'");
    if (of_many ? node.parts.size() < 2 : node.parts.size() != 1) {
      throw ExpressionError(
          fmt::format("{} has {} values, expected {}", node.text, node.parts.size(), of_many ? "two or more" : "one"));
    }
    return node;
  }

  Tokens tokens_;
  std::vector<std::string>& names_;
  int depth_ = 0;
};

std::string shown(const Value& value) {
  if (const auto* number = std::get_if<double>(&value)) return fmt::format("the number {}", *number);
  if (const auto* truth = std::get_if<bool>(&value)) return *truth ? "true" : "false";
  return fmt::format("the word '{}'", printable(std::get<std::string>(value)));
}

double as_number(const Value& value, const std::string& of) {
  if (const auto* number = std::get_if<double>(&value)) return *number;
  throw ExpressionError(fmt::format("{}: found {}, expected a number", of, shown(value)));
}

bool as_truth(const Value& value, const std::string& of) {
  if (const auto* truth = std::get_if<bool>(&value)) return *truth;
  throw ExpressionError(fmt::format("{}: found {}, expected true or false, as of a comparison", of, shown(value)));
}

Value compare(const std::string& symbol, const Value& left, const Value& right) {
  if (symbol == "==" || symbol == "!=") {
    if (left.index() != right.index()) {
      throw ExpressionError(
          fmt::format("{}: found {} and {}, expected two of the same kind", symbol, shown(left), shown(right)));
    }
    return (left == right) == (symbol == "==");
  }
  const double a = as_number(left, symbol), b = as_number(right, symbol);
  if (symbol == "<") return a < b;
  if (symbol == "<=") return a <= b;
  if (symbol == ">") return a > b;
  return a >= b;
}

double calculate(char symbol, double a, double b) {
  switch (symbol) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return a / b;
    default:
      return std::pow(a, b);
  }
}

std::optional<Value> evaluate(const Node& node, const Expression::Lookup& lookup);

std::optional<Value> evaluate_logic(const Node& node, const Expression::Lookup& lookup) {
  // If one side decides, the other need not have a value.
  const bool decisive = node.text == "or";
  bool unknown = false;
  for (const Node& part : node.parts) {
    const std::optional<Value> value = evaluate(part, lookup);
    if (value && as_truth(*value, node.text) == decisive) return decisive;
    unknown |= !value;
  }
  if (unknown) return std::nullopt;
  return !decisive;
}

std::optional<Value> evaluate_call(const Node& node, const std::vector<Value>& values) {
  double result = as_number(values.front(), node.text);
  if (node.text == "abs") return std::abs(result);
  if (node.text == "sqrt") return std::sqrt(result);
  if (node.text == "log2") return std::log2(result);
  for (const Value& value : values) {
    const double number = as_number(value, node.text);
    result = node.text == "min" ? std::min(result, number) : std::max(result, number);
  }
  return result;
}

std::optional<Value> evaluate(const Node& node, const Expression::Lookup& lookup) {
  if (node.kind == Node::Kind::constant) return node.value;
  if (node.kind == Node::Kind::name) return lookup(node.text);
  if (node.kind == Node::Kind::binary && (node.text == "and" || node.text == "or")) return evaluate_logic(node, lookup);
  std::vector<Value> values;
  for (const Node& part : node.parts) {
    std::optional<Value> value = evaluate(part, lookup);
    if (!value) return std::nullopt;
    values.push_back(std::move(*value));
  }
  if (node.kind == Node::Kind::call) return evaluate_call(node, values);
  if (node.kind == Node::Kind::unary) {
    if (node.text == "not") return !as_truth(values[0], node.text);
    return -as_number(values[0], node.text);
  }
  const std::string& symbol = node.text;
  if (symbol == "<" || symbol == ">" || symbol.size() == 2) return compare(symbol, values[0], values[1]);
  return calculate(symbol.front(), as_number(values[0], symbol), as_number(values[1], symbol));
}

std::optional<double> shortfall_of(const Node& node, const Expression::Lookup& lookup) {
  if (node.kind != Node::Kind::binary) return std::nullopt;
  if (node.text == "and" || node.text == "or") {
    const std::optional<double> first = shortfall_of(node.parts[0], lookup);
    const std::optional<double> second = shortfall_of(node.parts[1], lookup);
    if (!first || !second) return std::nullopt;
    return node.text == "and" ? std::max(*first, *second) : std::min(*first, *second);
  }
  if (node.text != "<" && node.text != ">" && node.text != "<=" && node.text != ">=" && node.text != "==") {
    return std::nullopt;
  }
  const std::optional<Value> holds = evaluate(node, lookup);
  const std::optional<Value> left = evaluate(node.parts[0], lookup), right = evaluate(node.parts[1], lookup);
  if (!holds || !left || !right) return std::nullopt;
  if (std::get<bool>(*holds)) return 0;
  const auto* const a = std::get_if<double>(&*left);
  const auto* const b = std::get_if<double>(&*right);
  if (a == nullptr || b == nullptr) return std::nullopt;
  const double largest = std::max(std::abs(*a), std::abs(*b));
  return largest > 0 ? std::abs(*a - *b) / largest : 0;
}

}  // namespace

Expression::Expression(const std::string& text) : text_(text) {
  if (text.size() > longest) {
    throw ExpressionError(fmt::format("found a formula of {} characters, expected at most {}", text.size(), longest));
  }
  root_ = std::make_unique<Node>(Parser(text_, names_).whole());
}
Expression::~Expression() = default;
Expression::Expression(Expression&& other) noexcept = default;
Expression& Expression::operator=(Expression&& other) noexcept = default;

std::optional<ExpressionValue> Expression::evaluate(const Lookup& lookup) const {
  return bvp::evaluate(*root_, lookup);
}

std::optional<bool> Expression::holds(const Lookup& lookup) const {
  const std::optional<Value> value = evaluate(lookup);
  if (!value) return std::nullopt;
  return as_truth(*value, fmt::format("'{}'", text_));
}

std::optional<double> Expression::shortfall(const Lookup& lookup) const { return shortfall_of(*root_, lookup); }

std::optional<double> Expression::number(const Lookup& lookup) const {
  const std::optional<Value> value = evaluate(lookup);
  if (!value) return std::nullopt;
  return as_number(*value, fmt::format("'{}'", text_));
}

}  // namespace bvp
