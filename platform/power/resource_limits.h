// SPDX-License-Identifier: Apache-2.0
// What the parts of the machine can carry in a window of time.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "models/base/types.h"

namespace bvp {

/// Figures that share a resource, by their columns in the table of windows, and how much of them it carries.
struct ResourceLimit {
  std::string resource;
  std::vector<std::size_t> figures;
  double per_second = 0;
};

/// Takes from windows what their resources cannot carry in that time and keeps it for the next one, as a queue in front
/// of the resource would. Models that are timed loosely need that: the initiators of one resource do not see each
/// other, and each has its share at its own pace. Cycle by cycle it evens out what an access that is spread over the
/// time from its first vector to its last puts too early.
class ResourceLimits {
 public:
  ResourceLimits(std::vector<ResourceLimit> limits, std::size_t figures)
      : limits_(std::move(limits)), kept_(figures, 0), moved_(limits_.size(), 0) {}

  /// A window of that length, in order. Afterwards it holds no more than it can.
  void apply(std::vector<i64>& amounts, double seconds);
  /// No window follows: what is kept goes back to the last ones that have room.
  /// @param windows  of equal length but for the last one
  void give_back(std::vector<std::vector<i64>>& windows, double seconds, double last_seconds);
  [[nodiscard]] const std::vector<ResourceLimit>& limits() const { return limits_; }
  /// Amounts that were kept for another window, by limit; once for each window that they were kept for.
  [[nodiscard]] const std::vector<u64>& moved() const { return moved_; }

 private:
  /// Takes `amount` of a limit's figures, from each its share of them, and adds it to the others.
  static void move(const ResourceLimit& limit, i64 amount, std::vector<i64>& from, std::vector<i64>& to);

  std::vector<ResourceLimit> limits_;
  std::vector<i64> kept_;  // by figure
  std::vector<u64> moved_;
};

}  // namespace bvp
