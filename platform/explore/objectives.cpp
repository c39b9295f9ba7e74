// SPDX-License-Identifier: Apache-2.0
#include "platform/explore/objectives.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "platform/explore/figure_values.h"
#include "platform/support/input_error.h"
#include "platform/support/nearest.h"
#include "platform/support/printable.h"

namespace bvp {

using Json = nlohmann::ordered_json;

std::optional<double> number_of(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<ExpressionValue> point_value(const AnalysedPoint& point, const std::string& name) {
  if (const auto value = point.values.find(name); value != point.values.end()) {
    if (const std::optional<double> number = number_of(value->second)) return ExpressionValue(*number);
    if (value->second == "true" || value->second == "false") return ExpressionValue(value->second == "true");
    return ExpressionValue(value->second);
  }
  // What was estimated is known by now.
  if (name == "estimate.area_mm2") return point_value(point, "area_mm2");
  if (name == "estimate.peak_flops_per_s") return point_value(point, "peak_flops_per_s");
  if (name == "point") return ExpressionValue(static_cast<double>(point.number));
  const auto figure = point.figures.find(name);
  return figure == point.figures.end() ? std::nullopt : expression_value(figure->second);
}

AnalysedPoint analysed_point(const StoredPoint& stored, const std::string& figures) {
  AnalysedPoint point;
  point.number = stored.number;
  point.file = stored.file;
  for (const auto& [key, value] : stored.values.items()) point.values[key] = value.get<std::string>();
  for (auto& [name, value] : flat_figures(Json::parse(figures))) point.figures[name] = std::move(value);
  return point;
}

Objectives::Objectives(const Json& definition) {
  for (const Json& objective : definition.at("objectives")) {
    const auto entry = objective.items().begin();
    minimise_.push_back(entry.key() == "minimise");
    formulas_.emplace_back(entry.value().get<std::string>());
  }
  for (const Json& constraint : definition.at("constraints")) constraints_.emplace_back(constraint.get<std::string>());
}

namespace {

/// Calls `evaluate`, and names the formula if its values are of the wrong kind.
template <class Evaluate>
auto of_formula(const char* what, const Expression& formula, const Evaluate& evaluate) {
  try {
    return evaluate();
  } catch (const ExpressionError& error) {
    throw InputError(fmt::format("{} '{}': {}", what, formula.text(), error.what()));
  }
}

void check_names(const char* what, const Expression& formula, const AnalysedPoint& point) {
  for (const std::string& name : formula.names()) {
    // Keys of the scenario that are on no axis are the same for all points and have been judged before.
    if (point_value(point, name) || point.figures.count(name) != 0 || !is_figure_name(name)) continue;
    std::vector<std::string> known;
    for (const auto& [figure, value] : point.figures) known.push_back(figure);
    const std::string near = nearest_word(name, known);
    throw InputError(fmt::format("{} '{}': the runs have no figure '{}'{}", what, formula.text(), printable(name),
                                 near.empty() ? "" : fmt::format(", did you mean '{}'?", near)));
  }
}

}  // namespace

void Objectives::check(const AnalysedPoint& point) const {
  const auto lookup = [&](const std::string& name) { return point_value(point, name); };
  for (const Expression& formula : constraints_) {
    check_names("constraint", formula, point);
    of_formula("constraint", formula, [&] { return formula.holds(lookup); });
  }
  for (const Expression& formula : formulas_) {
    check_names("objective", formula, point);
    of_formula("objective", formula, [&] { return formula.number(lookup); });
  }
}

void Objectives::judge(AnalysedPoint& point) const {
  const auto lookup = [&](const std::string& name) { return point_value(point, name); };
  for (const Expression& constraint : constraints_) {
    // Without a value for a key of the scenario, which is on no axis, the constraint has been judged before the run.
    const bool has_figures =
        std::all_of(constraint.names().begin(), constraint.names().end(),
                    [&](const std::string& name) { return !is_figure_name(name) || lookup(name).has_value(); });
    point.feasible &=
        of_formula("constraint", constraint, [&] { return constraint.holds(lookup).value_or(has_figures); });
  }
  for (std::size_t i = 0; i < formulas_.size(); ++i) {
    const auto value = of_formula("objective", formulas_[i], [&] { return formulas_[i].number(lookup); });
    if (!value || !std::isfinite(*value)) {
      point.costs.clear();
      break;
    }
    point.costs.push_back(minimise_[i] ? *value : -*value);
  }
}

}  // namespace bvp
