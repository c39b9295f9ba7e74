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
/// of a search do not, and random ones stand for them. With workloads, each design is as many points, one after the
/// other, and the first design is the base on all workloads.
class PointSource {
 public:
  explicit PointSource(const SweepDefinition& definition);

  /// The points without the base.
  [[nodiscard]] u64 count() const { return points_of(designs_); }
  /// How many points belong to so many designs.
  [[nodiscard]] u64 points_of(u64 designs) const { return has_workloads() ? (designs + 1) * workloads_ : designs; }
  /// @param number  0 to count()
  [[nodiscard]] SweepPoint point(u64 number) const;
  /// The points of a design at a place of the space. @param design  from 1 on; 0: the base on all workloads.
  /// @param coordinates  for each axis that is none of workloads, 0 to below 1
  [[nodiscard]] std::vector<SweepPoint> design_at(u64 design, const std::vector<double>& coordinates) const;
  /// How many values each axis has that is none of workloads; 0: any number of a range.
  [[nodiscard]] std::vector<u64> space() const;
  [[nodiscard]] bool has_workloads() const { return axes_.size() < definition_.axes.size(); }

 private:
  void sample_sobol();
  [[nodiscard]] std::vector<double> coordinates_of(u64 design) const;
  [[nodiscard]] SweepPoint point_at(u64 design, u64 workload, const std::vector<double>& coordinates) const;

  const SweepDefinition& definition_;
  std::vector<const ParamBase*> parameters_;  // of axes with a range
  Scenario tree_;                             // owns them
  std::vector<std::size_t> axes_;             // indices of those that are none of workloads
  u64 workloads_ = 1;                         // combinations
  u64 designs_ = 0;
  std::vector<double> coordinates_;  // of Latin hypercube and Sobol: [design][axis], 0 to below 1
};

}  // namespace bvp
