// SPDX-License-Identifier: Apache-2.0
// The points of a sweep, by number.
#pragma once

#include <string>
#include <vector>

#include "platform/explore/definition.h"

namespace bvp {

/// A point: what it sets beside what the whole sweep sets. Point 0 is the base and sets nothing.
struct SweepPoint {
  u64 number = 0;
  std::vector<Override> values;  ///< of the axes, in their order; the key may be scenario_axis_key
};

/// `points` designs of `axes` coordinates from 0 to below 1, one after the other: along every axis each of as many
/// equal parts as there are points has one.
[[nodiscard]] std::vector<double> latin_hypercube(u64 points, std::size_t axes, u64 seed);

/// Points 1 to count() follow from the definition alone: the same definition has the same points on every host. Those
/// of a search do not, and random ones stand for them.
class PointSource {
 public:
  explicit PointSource(const SweepDefinition& definition);

  /// The points without the base.
  [[nodiscard]] u64 count() const { return count_; }
  /// @param number  0 to count()
  [[nodiscard]] SweepPoint point(u64 number) const;
  /// The point at a place of the space of all axes. @param coordinates  for each axis, 0 to below 1
  [[nodiscard]] SweepPoint point_at(u64 number, const std::vector<double>& coordinates) const;
  /// How many values an axis has; 0: any number of a range.
  [[nodiscard]] u64 values_of(std::size_t axis) const;

 private:
  void sample_sobol();
  [[nodiscard]] double coordinate(u64 index, std::size_t axis) const;

  const SweepDefinition& definition_;
  std::vector<const ParamBase*> parameters_;  // of axes with a range
  Scenario tree_;                             // owns them
  u64 count_ = 0;
  std::vector<double> coordinates_;  // of Latin hypercube and Sobol: [point][axis], 0 to below 1
};

}  // namespace bvp
