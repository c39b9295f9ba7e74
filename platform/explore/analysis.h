// SPDX-License-Identifier: Apache-2.0
// What a sweep says: which designs are best, what an axis does, and where more of it no longer helps.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "platform/explore/objectives.h"
#include "platform/explore/store.h"

namespace bvp {

struct AnalysedAxis {
  std::string name;  ///< the keys with '+' between
  std::vector<std::string> keys;
  std::vector<std::string> values;  ///< as the points have them, see `sweep show`; numbers in ascending order
  bool numeric = false;
};

/// What one axis does to one objective.
struct AxisEffect {
  std::string axis;
  /// The objective with this axis alone changed, over that of the base: least and largest; nullopt: no such points.
  std::optional<double> least, largest;
  std::string least_value, largest_value;
  /// The part of the objective's variance (of its logarithm) that the axis explains by itself, over all points.
  double variance_share = 0;
};

/// A point that was run again in another fidelity.
struct ConfirmedPoint {
  std::size_t index = 0;  ///< of the point in the analysis
  std::string fidelity;
  Costs costs;
  bool feasible = true;
};

struct Analysis {
  std::string name;
  std::vector<std::string> objectives;  ///< formulas
  std::vector<bool> minimise;
  std::vector<AnalysedAxis> axes;
  std::vector<AnalysedPoint> points;  ///< those with outcome done, the base included
  std::vector<std::size_t> front;     ///< indices of feasible points
  std::optional<std::size_t> base;    ///< index of point 0
  /// Share of the box between the best and the worst value of every objective that the front dominates.
  std::optional<double> hypervolume_share;
  std::vector<std::vector<AxisEffect>> effects;  ///< by objective, the axis with the largest effect first
  std::vector<ConfirmedPoint> confirmed;         ///< those that ended well and have a value for each objective
  std::vector<std::string> sentences;            ///< what was found, for people
};

/// @param where  a formula that points must meet; empty: all
/// @throws InputError  the formula is none
[[nodiscard]] Analysis analyse(const SweepStore& store, const std::string& where = {});

/// The hypervolume of the front over that of another sweep's front, with the worst values of both sweeps as reference.
/// @throws InputError  the objectives differ, there is only one, or a sweep has no front
[[nodiscard]] double hypervolume_ratio(const Analysis& analysis, const Analysis& other);

/// Sentences on the points that were run again in another fidelity: how far each objective is off, whether the order of
/// the points holds, and which of them leave the front.
[[nodiscard]] std::vector<std::string> confirmation_sentences(const Analysis& analysis);

/// The value of an objective as its formula has it.
[[nodiscard]] double objective_value(const Analysis& analysis, const AnalysedPoint& point, std::size_t objective);

/// Tables and sentences for a terminal. @param top  rows of the table, best first
[[nodiscard]] std::string analysis_text(const Analysis& analysis, std::size_t top, std::size_t width);

/// Axes and figures in which two points differ, with the ratio of figures.
/// @throws InputError  there is no such point among those that ended well
[[nodiscard]] std::string difference_text(const Analysis& analysis, u64 a, u64 b, std::size_t width);

/// The data of the page of `sweep report`.
[[nodiscard]] nlohmann::ordered_json analysis_json(const Analysis& analysis);

}  // namespace bvp
