// SPDX-License-Identifier: Apache-2.0
#include "models/power/action_counts.h"

#include <fmt/format.h>

#include <set>
#include <stdexcept>

namespace bvp {

ActionCounts& ActionCounts::operator+=(const ActionCounts& other) {
  for (const auto& [component, actions] : other.by_component) {
    for (const auto& [action, count] : actions) by_component[component][action] += count;
  }
  return *this;
}

ActionSampler::ActionSampler(const std::vector<Estimator>& estimators) {
  std::set<std::string> components;
  for (const Estimator& estimator : estimators) {
    const std::string& component = estimator.component();
    if (!components.insert(component).second) {
      throw std::logic_error(fmt::format("action counts: two estimators of the component '{}'", component));
    }
    for (std::size_t i = 0; i < estimator.actions().size(); ++i) {
      if (estimator.sources(i).empty()) {
        throw std::logic_error(fmt::format("action counts: the estimator of '{}' is attached to nothing", component));
      }
      for (const Counter* counter : estimator.sources(i)) sources_.push_back({actions_.size(), counter});
      actions_.emplace_back(component, estimator.actions()[i].name);
    }
  }
}

void ActionSampler::sample(std::vector<u64>& values) const {
  values.assign(actions_.size(), 0);
  for (const Source& source : sources_) values[source.action] += source.counter->value();
}

std::vector<u64> ActionSampler::sample() const {
  std::vector<u64> values;
  sample(values);
  return values;
}

ActionCounts ActionSampler::between(const std::vector<u64>& earlier, const std::vector<u64>& later) const {
  if (earlier.size() != actions_.size() || later.size() != actions_.size()) {
    throw std::invalid_argument("action counts: a sample of another sampler");
  }
  ActionCounts counts;
  for (std::size_t i = 0; i < actions_.size(); ++i) {
    const auto& [component, action] = actions_[i];
    if (earlier[i] > later[i]) {
      throw std::invalid_argument(fmt::format("action counts: {}.{} went down", component, action));
    }
    counts.by_component[component][action] = later[i] - earlier[i];
  }
  return counts;
}

ActionCounts ActionSampler::counts() const {
  const std::vector<u64> now = sample();
  return between(std::vector<u64>(now.size(), 0), now);
}

}  // namespace bvp
