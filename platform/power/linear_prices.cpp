// SPDX-License-Identifier: Apache-2.0
#include "platform/power/linear_prices.h"

#include <algorithm>

namespace bvp {

LinearPrices::LinearPrices(const EnergyTable& table, const MachineSize& size, const ActionSampler& sampler)
    : pes_(static_cast<double>(size.pes)) {
  const auto& actions = sampler.actions();
  const std::vector<u64> none(actions.size(), 0), one_each(actions.size(), 1);
  const EnergyTable::Energy of_one = table.price_by_action(sampler.between(none, one_each), size);
  const std::map<std::string, double> watts = table.static_energy(size, ArrayTime(1)),
                                      in_retention = table.static_energy(size, ArrayTime(1, 1));
  for (const auto& [component, prices] : of_one) components_.push_back(component);
  for (const auto& [component, value] : watts) components_.push_back(component);
  std::sort(components_.begin(), components_.end());
  components_.erase(std::unique(components_.begin(), components_.end()), components_.end());
  background_.resize(components_.size());
  for (const auto& [component, name] : actions) {
    actions_.push_back({index_of(component), of_one.at(component).at(name)});
  }
  for (const auto& [component, value] : watts) {
    background_[index_of(component)] = {value, in_retention.at(component)};
  }
  const ActionSampler::Action retention{"pe", "retention_cycle"};
  retention_cycles_ = static_cast<std::size_t>(std::find(actions.begin(), actions.end(), retention) - actions.begin());
}

std::size_t LinearPrices::index_of(const std::string& component) const {
  return static_cast<std::size_t>(std::lower_bound(components_.begin(), components_.end(), component) -
                                  components_.begin());
}

std::vector<double> LinearPrices::energy(const std::vector<i64>& actions, double seconds, double clock_hz) const {
  std::vector<double> joules(components_.size(), 0);
  for (std::size_t i = 0; i < actions_.size(); ++i) {
    joules[actions_[i].component] += static_cast<double>(actions[i]) * actions_[i].joules;
  }
  const double asleep =
      retention_cycles_ == actions_.size() ? 0 : static_cast<double>(actions[retention_cycles_]) / pes_ / clock_hz;
  for (std::size_t i = 0; i < joules.size(); ++i) {
    joules[i] += background_[i].watts * (seconds - asleep) + background_[i].watts_in_retention * asleep;
  }
  return joules;
}

}  // namespace bvp
