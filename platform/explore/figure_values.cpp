// SPDX-License-Identifier: Apache-2.0
#include "platform/explore/figure_values.h"

#include <algorithm>
#include <array>

#include "platform/metrics/figures.h"

namespace bvp {
namespace {

using Json = nlohmann::ordered_json;

/// What is a list or the same for every run, although it is a map.
constexpr std::array<const char*, 6> details{"share_denominators", "plan", "array", "not_finite", "outside_of_layers",
                                             "energy_by_action_j"};

bool is_detail(const std::string& key, const Json& value) {
  return value.is_array() || std::find(details.begin(), details.end(), key) != details.end();
}

void flatten(const Json& value, const std::string& name, std::vector<std::pair<std::string, Json>>& out) {
  if (!value.is_object()) {
    out.emplace_back(name, value);
    return;
  }
  for (const auto& [key, below] : value.items()) flatten(below, name.empty() ? key : name + "." + key, out);
}

}  // namespace

PointFigures point_figures(const RunResult& result) {
  PointFigures all{Json::object(), Json::object()};
  for (const Figure& figure : figures()) {
    Json value = figure.value(result);
    // The name of the scenario is an axis, or the same everywhere.
    if (figure.key == "scenario") continue;
    Json& part = is_detail(figure.key, value) ? all.details : all.figures;
    part[figure.key] = std::move(value);
  }
  return all;
}

std::vector<std::pair<std::string, Json>> flat_figures(const Json& figures) {
  std::vector<std::pair<std::string, Json>> out;
  flatten(figures, "", out);
  return out;
}

std::optional<ExpressionValue> expression_value(const Json& value) {
  if (value.is_boolean()) return ExpressionValue(value.get<bool>());
  if (value.is_number()) return ExpressionValue(value.get<double>());
  if (value.is_string()) return ExpressionValue(value.get<std::string>());
  return std::nullopt;
}

bool is_figure_name(const std::string& name) {
  const std::string key = name.substr(0, name.find('.'));
  const std::vector<Figure>& all = figures();
  return std::any_of(all.begin(), all.end(), [&](const Figure& figure) { return figure.key == key; });
}

}  // namespace bvp
