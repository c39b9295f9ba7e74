// SPDX-License-Identifier: Apache-2.0
// What the objectives and constraints of a sweep make of the figures of a point.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "platform/explore/expression.h"
#include "platform/explore/pareto.h"
#include "platform/explore/store.h"

namespace bvp {

/// A point of a sweep that ended well.
struct AnalysedPoint {
  u64 number = 0;
  std::map<std::string, std::string> values;  ///< axis key -> value
  std::map<std::string, nlohmann::ordered_json> figures;
  std::string file;
  bool feasible = true;  ///< all constraints hold, also those over figures
  Costs costs;           ///< empty if an objective has no value
  /// Of a design with workloads: the numbers of its points, of which it is the mean.
  std::vector<u64> members;
};

/// The point with its figures; its costs are those of no objectives.
[[nodiscard]] AnalysedPoint analysed_point(const StoredPoint& point, const std::string& figures);

/// The value of a name in a formula for this point: an axis, or a figure.
[[nodiscard]] std::optional<ExpressionValue> point_value(const AnalysedPoint& point, const std::string& name);

/// A number in a text that has nothing else.
[[nodiscard]] std::optional<double> number_of(const std::string& text);

class Objectives {
 public:
  /// @param definition  of a sweep, as its store has it
  explicit Objectives(const nlohmann::ordered_json& definition);

  [[nodiscard]] std::size_t count() const { return formulas_.size(); }
  [[nodiscard]] const std::string& text(std::size_t objective) const { return formulas_[objective].text(); }
  [[nodiscard]] bool minimise(std::size_t objective) const { return minimise_[objective]; }

  /// Refuses formulas with names that the point does not have, or whose values are of the wrong kind.
  /// @throws InputError
  void check(const AnalysedPoint& point) const;
  /// Fills in `feasible` and `costs`. A constraint without a value is not met. @throws InputError  a formula has values
  /// of the wrong kind
  void judge(AnalysedPoint& point) const;

 private:
  std::vector<Expression> formulas_, constraints_;
  std::vector<bool> minimise_;
};

}  // namespace bvp
