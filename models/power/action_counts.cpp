// SPDX-License-Identifier: Apache-2.0
#include "models/power/action_counts.h"

#include <stdexcept>

namespace bvp {

ActionCounts ActionCounts::take(const StatGroup& root) {
  const ActionSampler sampler(root);
  const std::vector<u64> now = sampler.sample();
  return sampler.between(std::vector<u64>(now.size(), 0), now);
}

ActionCounts& ActionCounts::operator+=(const ActionCounts& other) {
  for (const auto& [component, actions] : other.by_component) {
    for (const auto& [action, count] : actions) by_component[component][action] += count;
  }
  return *this;
}

ActionCounts operator-(const ActionCounts& later, const ActionCounts& earlier) {
  ActionCounts difference = later;
  for (const auto& [component, actions] : earlier.by_component) {
    for (const auto& [action, count] : actions) {
      u64& value = difference.by_component[component][action];
      if (count > value) throw std::invalid_argument("action counts: " + component + "." + action + " went down");
      value -= count;
    }
  }
  return difference;
}

ActionSampler::ActionSampler(const StatGroup& root) {
  std::map<Action, std::size_t> known;
  collect(root, root.component(), known);
}

void ActionSampler::collect(const StatGroup& group, const std::string& component,
                            std::map<Action, std::size_t>& known) {
  const std::string& own = group.component().empty() ? component : group.component();
  for (const Counter* counter : group.counters()) {
    if (counter->role() != Counter::Role::energy_action) continue;
    const auto [place, is_new] = known.try_emplace({own, counter->name()}, actions_.size());
    if (is_new) actions_.push_back(place->first);
    sources_.push_back({place->second, counter});
  }
  for (const StatGroup* child : group.children()) collect(*child, own, known);
}

std::vector<u64> ActionSampler::sample() const {
  std::vector<u64> values(actions_.size(), 0);
  for (const Source& source : sources_) values[source.action] += source.counter->value();
  return values;
}

ActionCounts ActionSampler::between(const std::vector<u64>& earlier, const std::vector<u64>& later) const {
  if (earlier.size() != actions_.size() || later.size() != actions_.size()) {
    throw std::invalid_argument("action counts: a sample of another tree");
  }
  ActionCounts counts;
  for (std::size_t i = 0; i < actions_.size(); ++i) {
    const auto& [component, action] = actions_[i];
    if (earlier[i] > later[i]) throw std::invalid_argument("action counts: " + component + "." + action + " went down");
    counts.by_component[component][action] = later[i] - earlier[i];
  }
  return counts;
}

}  // namespace bvp
