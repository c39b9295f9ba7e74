// SPDX-License-Identifier: Apache-2.0
// Designs of a sweep that are judged by several workloads: networks, methods of compiling.
#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "platform/explore/objectives.h"

namespace bvp {

/// The geometric mean of each cost; empty if one of them is: a design that cannot run all workloads is no solution.
/// Costs of objectives to be maximised are negative, and so is their mean.
[[nodiscard]] Costs mean_costs(const std::vector<Costs>& costs);

/// The workloads of a sweep.
class Workloads {
 public:
  /// @param definition  of a sweep, as its store has it
  explicit Workloads(const nlohmann::ordered_json& definition);

  [[nodiscard]] bool none() const { return keys_.empty(); }
  /// One point for each design of which there are points for all workloads: numbers are geometric means where they are
  /// above 0, words are those of all. The base on all workloads gets the number 0, others that of their first point.
  [[nodiscard]] std::vector<AnalysedPoint> designs_of(std::vector<AnalysedPoint> points) const;

 private:
  [[nodiscard]] AnalysedPoint mean_of(std::vector<AnalysedPoint> points) const;

  std::set<std::string> keys_;
  std::size_t combinations_ = 1;
};

}  // namespace bvp
