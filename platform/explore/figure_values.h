// SPDX-License-Identifier: Apache-2.0
// The figures of a run as a flat list of names and values, for formulas and tables.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "platform/explore/expression.h"
#include "platform/metrics/run_result.h"

namespace bvp {

/// The figures of a point: `figures` are numbers, words, truth values and maps of these, `details` the other figures
/// of summary.json (lists by layer and kernel, the plan, what holds for every run).
struct PointFigures {
  nlohmann::ordered_json figures, details;
};
[[nodiscard]] PointFigures point_figures(const RunResult& result);

/// Maps as names with dots, "busy.dram.data_bus"; in the order of the figures.
[[nodiscard]] std::vector<std::pair<std::string, nlohmann::ordered_json>> flat_figures(
    const nlohmann::ordered_json& figures);

/// The value in a formula; nullopt for null.
[[nodiscard]] std::optional<ExpressionValue> expression_value(const nlohmann::ordered_json& value);

/// Whether the name may be one of flat_figures(): the figure is one of a run.
[[nodiscard]] bool is_figure_name(const std::string& name);

}  // namespace bvp
