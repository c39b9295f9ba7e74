// SPDX-License-Identifier: Apache-2.0
// Formulas over the keys of a scenario, estimates and figures of a run: constraints, objectives, filters.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

namespace bvp {

/// A number, a truth value or a word.
using ExpressionValue = std::variant<double, bool, std::string>;

/// `what()` says what was found, where in the text, and what was expected.
struct ExpressionError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A formula such as "area_mm2 < 40 and soc.dram.standard == 'ddr4_3200'". Operators, the weakest first: or, and, not,
/// comparisons (< <= > >= == !=), + -, * /, unary -, ^. Functions: min, max (both of two or more values), abs, sqrt,
/// log2. A formula has at most 10,000 characters. Words stand in quotes; true and false are truth values; every other
/// name is looked up.
class Expression {
 public:
  /// The value of a name; nullopt: it has none.
  using Lookup = std::function<std::optional<ExpressionValue>(const std::string& name)>;

  /// @throws ExpressionError  the text is no formula
  explicit Expression(const std::string& text);
  ~Expression();
  Expression(Expression&& other) noexcept;
  Expression& operator=(Expression&& other) noexcept;

  [[nodiscard]] const std::string& text() const { return text_; }
  /// The names that are looked up, each once, in the order of the text.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

  /// Returns nullopt if a name that is needed has no value. @throws ExpressionError  a value has the wrong kind, such
  /// as a word in a sum
  [[nodiscard]] std::optional<ExpressionValue> evaluate(const Lookup& lookup) const;
  /// The same where a truth value or a number is expected.
  [[nodiscard]] std::optional<bool> holds(const Lookup& lookup) const;
  [[nodiscard]] std::optional<double> number(const Lookup& lookup) const;
  /// How far the formula is from holding: 0 if it does. Of a comparison of numbers, the part of the larger one by which
  /// they would have to move; of `and` the largest of its parts, of `or` the smallest. nullopt: it is of another kind,
  /// or a name has no value.
  [[nodiscard]] std::optional<double> shortfall(const Lookup& lookup) const;

  struct Node;

 private:
  std::string text_;
  std::vector<std::string> names_;
  std::unique_ptr<Node> root_;
};

}  // namespace bvp
