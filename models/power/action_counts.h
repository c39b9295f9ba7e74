// SPDX-License-Identifier: Apache-2.0
// How often each priced action happened, by component.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "models/common/statistics.h"
#include "models/common/types.h"

namespace bvp {

struct ActionCounts {
  /// component -> action -> count
  std::map<std::string, std::map<std::string, u64>> by_component;

  /// All energy actions of a tree, once. To do so again and again: ActionSampler.
  [[nodiscard]] static ActionCounts take(const StatGroup& root);

  ActionCounts& operator+=(const ActionCounts& other);
};

/// What happened between two snapshots of one tree. @throws std::invalid_argument  if `earlier` is not the earlier one
[[nodiscard]] ActionCounts operator-(const ActionCounts& later, const ActionCounts& earlier);

/// Reads the energy actions of a statistics tree again and again: the counters are found once.
/// A group without a component of its own belongs to that of its nearest ancestor.
class ActionSampler {
 public:
  /// The tree must outlive the sampler and not grow any more.
  explicit ActionSampler(const StatGroup& root);

  /// One sum for each action of each component, in an order that is the same every time.
  [[nodiscard]] std::vector<u64> sample() const;
  /// What happened between two samples of this sampler. @throws std::invalid_argument  for anything else
  [[nodiscard]] ActionCounts between(const std::vector<u64>& earlier, const std::vector<u64>& later) const;

 private:
  using Action = std::pair<std::string, std::string>;  // component, name

  struct Source {
    std::size_t action;  // index into actions_
    const Counter* counter;
  };

  void collect(const StatGroup& group, const std::string& component, std::map<Action, std::size_t>& known);

  std::vector<Action> actions_;
  std::vector<Source> sources_;
};

}  // namespace bvp
