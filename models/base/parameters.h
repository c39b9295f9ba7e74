// SPDX-License-Identifier: Apache-2.0
// Parameters declared once. A model's parameter struct derives from ParameterGroup and has a Param<T> for each; what a
// parameter is (name, default, unit, range, description, source) stands in the struct's constructor, in its .cpp file.
// YAML reading, --set, `describe`, the JSON Schema and the tables in docs/ all come from there.
#pragma once

#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "models/base/types.h"

namespace bvp {

using ParamValue = std::variant<bool, i64, double, std::string>;

enum class ParamType { boolean, integer, real, text };

/// How well the source supports the default: a published figure, one derived from published figures, or an assumption.
enum class Confidence { high, mid, low };

struct ParamRange {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
};

/// Thrown by ParamBase::assign; `what()` says what was found and what was expected.
struct ParamError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class ParameterGroup;

/// What a parameter is, apart from its type and its value.
struct ParamDeclaration {
  std::string name, unit, description, source;
  Confidence confidence = Confidence::low;
  ParamRange range{};
  bool power_of_two = false;
  bool required = false;
  std::vector<std::string> choices{};
};

/// Type-erased view of a parameter: everything a reader, a writer or a schema needs.
class ParamBase {
 public:
  ParamBase(ParameterGroup* group, ParamDeclaration declaration);
  virtual ~ParamBase() = default;
  ParamBase(const ParamBase&) = delete;
  ParamBase& operator=(const ParamBase&) = delete;

  [[nodiscard]] const std::string& name() const { return declaration_.name; }
  [[nodiscard]] const std::string& unit() const { return declaration_.unit; }
  [[nodiscard]] const std::string& description() const { return declaration_.description; }
  [[nodiscard]] const std::string& source() const { return declaration_.source; }
  [[nodiscard]] Confidence confidence() const { return declaration_.confidence; }
  [[nodiscard]] const std::vector<std::string>& choices() const { return declaration_.choices; }
  [[nodiscard]] ParamRange range() const { return declaration_.range; }
  [[nodiscard]] bool power_of_two() const { return declaration_.power_of_two; }
  /// The parameter has no sensible default: the user must give a value.
  [[nodiscard]] bool required() const { return declaration_.required; }

  [[nodiscard]] virtual ParamType type() const = 0;
  [[nodiscard]] virtual ParamValue value() const = 0;
  [[nodiscard]] virtual ParamValue default_value() const = 0;
  /// Checks type, range, power of two and choices; throws ParamError and leaves the value unchanged.
  virtual void assign(const ParamValue& value) = 0;

 protected:
  void check_number(double value) const;
  void check_number(i64 value) const;
  void check_choice(const std::string& value) const;

 private:
  const ParamDeclaration declaration_;
};

/// A named node of the configuration tree. Groups are not copied: clone() the tree through assign().
class ParameterGroup {
 public:
  explicit ParameterGroup(std::string name, std::string description = {})
      : name_(std::move(name)), description_(std::move(description)) {}
  ParameterGroup(ParameterGroup* parent, std::string name, std::string description);
  virtual ~ParameterGroup() = default;
  ParameterGroup(const ParameterGroup&) = delete;
  ParameterGroup& operator=(const ParameterGroup&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& description() const { return description_; }
  [[nodiscard]] const std::vector<ParamBase*>& parameters() const { return parameters_; }
  [[nodiscard]] const std::vector<ParameterGroup*>& groups() const { return groups_; }
  [[nodiscard]] ParamBase* find_parameter(const std::string& name) const;
  [[nodiscard]] ParameterGroup* find_group(const std::string& name) const;

  /// Copies every value from a tree of the same shape.
  void copy_values_from(const ParameterGroup& other);

 private:
  friend class ParamBase;
  std::string name_, description_;
  std::vector<ParamBase*> parameters_;
  std::vector<ParameterGroup*> groups_;
};

struct PowerOfTwo {};
inline constexpr PowerOfTwo power_of_two{};
struct Required {};
inline constexpr Required required{};

/// One parameter: `banks(this, "banks", 16, "1", {1, 256}, "What it is.", "source", Confidence::mid)`
template <class T>
class Param final : public ParamBase {
  static_assert(std::is_same_v<T, bool> || std::is_same_v<T, i64> || std::is_same_v<T, double> ||
                std::is_same_v<T, std::string>);

 public:
  /// A number within a range.
  Param(ParameterGroup* group, std::string name, T initial, std::string unit, ParamRange range, std::string description,
        std::string source, Confidence confidence)
      : Param(group, std::move(initial),
              {std::move(name), std::move(unit), std::move(description), std::move(source), confidence, range}) {}
  /// An integer that must be a power of two.
  Param(ParameterGroup* group, std::string name, T initial, std::string unit, ParamRange range, PowerOfTwo,
        std::string description, std::string source, Confidence confidence)
      : Param(group, std::move(initial),
              {std::move(name), std::move(unit), std::move(description), std::move(source), confidence, range, true}) {}
  /// A number without a default.
  Param(ParameterGroup* group, std::string name, Required, std::string unit, ParamRange range, std::string description,
        std::string source, Confidence confidence)
      : Param(group, T{},
              {std::move(name), std::move(unit), std::move(description), std::move(source), confidence, range, false,
               true}) {}
  /// A word out of a list (an empty list allows any text).
  Param(ParameterGroup* group, std::string name, T initial, std::vector<std::string> choices, std::string description,
        std::string source, Confidence confidence)
      : Param(group, std::move(initial),
              {std::move(name),
               "",
               std::move(description),
               std::move(source),
               confidence,
               {},
               false,
               false,
               std::move(choices)}) {}

  operator const T&() const { return value_; }  // NOLINT(google-explicit-constructor): used like the value
  [[nodiscard]] const T& get() const { return value_; }
  /// The value of an integer parameter as an unsigned one. @throws ParamError  it does not fit
  template <class U>
  [[nodiscard]] U as() const {
    static_assert(std::is_same_v<T, i64> && std::is_unsigned_v<U>);
    if (value_ < 0 || static_cast<u64>(value_) > std::numeric_limits<U>::max()) {
      throw ParamError("'" + name() + "' is " + std::to_string(value_) + ", expected 0 to " +
                       std::to_string(std::numeric_limits<U>::max()));
    }
    return static_cast<U>(value_);
  }
  Param& operator=(const T& value) {
    assign(ParamValue(value));
    return *this;
  }

  [[nodiscard]] ParamType type() const override {
    if constexpr (std::is_same_v<T, bool>) return ParamType::boolean;
    if constexpr (std::is_same_v<T, i64>) return ParamType::integer;
    if constexpr (std::is_same_v<T, double>) return ParamType::real;
    return ParamType::text;
  }
  [[nodiscard]] ParamValue value() const override { return value_; }
  [[nodiscard]] ParamValue default_value() const override { return default_; }
  void assign(const ParamValue& value) override {
    if constexpr (std::is_same_v<T, double>) {
      if (const auto* integer = std::get_if<i64>(&value)) return assign(ParamValue(static_cast<double>(*integer)));
    }
    const T* typed = std::get_if<T>(&value);
    if (typed == nullptr) throw ParamError("wrong type for '" + name() + "'");
    if constexpr (std::is_same_v<T, i64> || std::is_same_v<T, double>) check_number(*typed);
    if constexpr (std::is_same_v<T, std::string>) check_choice(*typed);
    value_ = *typed;
  }

 private:
  Param(ParameterGroup* group, T initial, ParamDeclaration declaration)
      : ParamBase(group, std::move(declaration)), value_(initial), default_(std::move(initial)) {}

  T value_;
  T default_;
};

}  // namespace bvp
