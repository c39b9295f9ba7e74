// SPDX-License-Identifier: Apache-2.0
// Limits what the parts of the machine can do in a window of time.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "models/base/types.h"

namespace bvp {

/// Figures that share a resource, given by their columns in the table of windows, and the amount that the resource can
/// carry per time.
struct ResourceLimit {
  std::string resource;
  std::vector<std::size_t> figures;
  double per_second = 0;
};

/// Takes from a window the amount that its resources cannot carry in that time and adds it to the next window, as a
/// queue in front of the resource would. Models that are timed loosely need this: the initiators of one resource do not
/// see each other, and each continues at its own pace. Cycle by cycle it only corrects accesses that are spread evenly
/// over the time from their first vector to their last, where that puts a part of them too early.
class ResourceLimits {
 public:
  ResourceLimits(std::vector<ResourceLimit> limits, std::size_t figures)
      : limits_(std::move(limits)), kept_(figures, 0), moved_(limits_.size(), 0) {}

  /// Processes a window of that length; windows come in order. Afterwards the window holds no more than the resources
  /// can carry.
  void apply(std::vector<i64>& amounts, double seconds);
  /// Must be called when no window follows: what is left over goes back to the last windows that have room.
  /// @param windows  of equal length, except the last one
  void give_back(std::vector<std::vector<i64>>& windows, double seconds, double last_seconds);
  [[nodiscard]] const std::vector<ResourceLimit>& limits() const { return limits_; }
  /// The amounts that were moved to another window, by limit; an amount counts once for each window that it was moved
  /// to.
  [[nodiscard]] const std::vector<u64>& moved() const { return moved_; }

 private:
  /// Takes `amount` from a limit's figures, from each in proportion to its value, and adds it to the amounts left over.
  static void move(const ResourceLimit& limit, i64 amount, std::vector<i64>& from, std::vector<i64>& to);

  std::vector<ResourceLimit> limits_;
  std::vector<i64> kept_;  // by figure
  std::vector<u64> moved_;
};

}  // namespace bvp
