// SPDX-License-Identifier: Apache-2.0
// How often each priced action happened, by component.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "models/common/statistics.h"
#include "models/common/types.h"

namespace bvp {

/// component -> action -> count
struct ActionCounts {
  std::map<std::string, std::map<std::string, u64>> by_component;

  ActionCounts& operator+=(const ActionCounts& other);
};

/// Reads the energy actions of a statistics tree again and again: the counters are found once.
/// A group without a component of its own belongs to that of its nearest ancestor.
class ActionSampler {
 public:
  /// The tree must outlive the sampler and not grow any more.
  explicit ActionSampler(const StatGroup& root);

  /// Values of all actions, in an order that is the same every time.
  [[nodiscard]] std::vector<u64> sample() const;
  /// What happened between two samples.
  [[nodiscard]] ActionCounts between(const std::vector<u64>& earlier, const std::vector<u64>& later) const;

 private:
  void collect(const StatGroup& group, const std::string& component);

  struct Entry {
    std::string component;
    const Counter* counter;
  };
  std::vector<Entry> entries_;
};

}  // namespace bvp
