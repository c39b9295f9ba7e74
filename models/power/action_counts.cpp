// SPDX-License-Identifier: Apache-2.0
#include "models/power/action_counts.h"

namespace bvp {

ActionCounts& ActionCounts::operator+=(const ActionCounts& other) {
  for (const auto& [component, actions] : other.by_component) {
    for (const auto& [action, count] : actions) by_component[component][action] += count;
  }
  return *this;
}

ActionSampler::ActionSampler(const StatGroup& root) { collect(root, root.component()); }

void ActionSampler::collect(const StatGroup& group, const std::string& component) {
  const std::string& own = group.component().empty() ? component : group.component();
  for (const Counter* counter : group.counters()) {
    if (counter->role() == Counter::Role::energy_action) entries_.push_back({own, counter});
  }
  for (const StatGroup* child : group.children()) collect(*child, own);
}

std::vector<u64> ActionSampler::sample() const {
  std::vector<u64> values;
  values.reserve(entries_.size());
  for (const Entry& entry : entries_) values.push_back(entry.counter->value());
  return values;
}

ActionCounts ActionSampler::between(const std::vector<u64>& earlier, const std::vector<u64>& later) const {
  ActionCounts counts;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    counts.by_component[entries_[i].component][entries_[i].counter->name()] += later[i] - earlier[i];
  }
  return counts;
}

}  // namespace bvp
