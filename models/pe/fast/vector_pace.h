// SPDX-License-Identifier: Apache-2.0
// How fast a port of the memory plane issues vectors when only its own limits are in its way.
#pragma once

#include <algorithm>
#include <deque>

#include "models/base/types.h"
#include "models/transport/vector_access.h"

namespace bvp {

/// One port of the memory plane, for loads or for stores of one PE. It remembers the vectors that it has issued,
/// because the limits hold across firings.
class VectorPace {
 public:
  /// Issues vectors, at most one a cycle, as soon as the limits allow.
  /// @param start  the first vector is not issued before this cycle
  /// @returns the cycles from `start` until the port may issue for another segment; at least `count`
  Cycle issue(const VectorAccess::Limits& limits, Cycle start, u64 count) {
    if (!binds(limits)) return count;
    Cycle next = start;
    for (u64 i = 0; i < count; ++i) {
      for (const VectorAccess::Limit& limit : limits) {
        const std::size_t vectors = limit.vectors;
        if (issued_.size() >= vectors) next = std::max(next, issued_[issued_.size() - vectors] + limit.cycles);
      }
      issued_.push_back(next);
      ++next;
    }
    std::size_t most = 0;
    for (const VectorAccess::Limit& limit : limits) most = std::max<std::size_t>(most, limit.vectors);
    while (issued_.size() > most) issued_.pop_front();
    return next - start;
  }
  /// Forgets all vectors that have been issued.
  void reset() { issued_.clear(); }

 private:
  /// Whether one of the limits can delay a vector at all.
  static bool binds(const VectorAccess::Limits& limits) {
    return std::any_of(limits.begin(), limits.end(), [](const auto& limit) { return limit.cycles > limit.vectors; });
  }

  std::deque<Cycle> issued_;  // the cycle of each of the latest vectors, the last one at the end
};

}  // namespace bvp
