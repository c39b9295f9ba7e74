// SPDX-License-Identifier: Apache-2.0
#include "models/power/estimator.h"

#include <fmt/format.h>

#include <stdexcept>
#include <utility>

namespace bvp {

namespace {

const Counter& find(const StatGroup& unit, const std::string& path) {
  const std::size_t dot = path.find('.');
  if (dot == std::string::npos) return unit.counter(path);
  return find(unit.child(path.substr(0, dot)), path.substr(dot + 1));
}

}  // namespace

Estimator::Estimator(std::string component, std::vector<EnergyAction> actions, Background background)
    : component_(std::move(component)),
      actions_(std::move(actions)),
      background_(background),
      sources_(actions_.size()) {}

void Estimator::attach(const StatGroup& unit) {
  for (std::size_t i = 0; i < actions_.size(); ++i) {
    const EnergyAction& action = actions_[i];
    const std::string& path = action.statistic.empty() ? action.name : action.statistic;
    const Counter& counter = find(unit, path);
    if (counter.unit() != action.unit) {
      throw std::logic_error(fmt::format("energy action {}.{} counts {}, but {}.{} counts {}", component_, action.name,
                                         action.unit, unit.name(), path, counter.unit()));
    }
    sources_[i].push_back(&counter);
  }
}

}  // namespace bvp
