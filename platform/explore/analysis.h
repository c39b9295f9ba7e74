// SPDX-License-Identifier: Apache-2.0
// What a sweep says: which designs are best, what an axis does, and where more of it no longer helps.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "platform/explore/expression.h"
#include "platform/explore/store.h"

namespace bvp {

/// Objectives as a point sees them; smaller is better for all: those to maximise have the opposite sign.
using Costs = std::vector<double>;

/// Indices of the points that no other point dominates, that is, that no other is at least as good as in every
/// objective and better in one. Of equal points the first is taken. In the order of the first objective.
[[nodiscard]] std::vector<std::size_t> pareto_front(const std::vector<Costs>& points);

/// The volume between the points and a reference that is worse than they are: exact, for one, two or three objectives.
/// Points that are not better than the reference in every objective add nothing.
[[nodiscard]] double hypervolume(const std::vector<Costs>& points, const Costs& reference);

/// A point of a sweep that ended well.
struct AnalysedPoint {
  u64 number = 0;
  std::map<std::string, std::string> values;  ///< axis key -> value
  std::map<std::string, nlohmann::ordered_json> figures;
  std::string file;
  bool feasible = true;  ///< all constraints hold, also those over figures
  Costs costs;           ///< empty if an objective has no value
};

struct AnalysedAxis {
  std::string name;  ///< the keys with '+' between
  std::vector<std::string> keys;
  std::vector<std::string> values;  ///< of the first key, as the points have them, numbers in ascending order
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
  std::vector<std::string> sentences;            ///< what was found, for people
};

/// @param where  a formula that points must meet; empty: all
/// @throws InputError  the formula is none
[[nodiscard]] Analysis analyse(const SweepStore& store, const std::string& where = {});

/// The value of a name in a formula for this point: an axis, or a figure.
[[nodiscard]] std::optional<ExpressionValue> point_value(const AnalysedPoint& point, const std::string& name);

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
