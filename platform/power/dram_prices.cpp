// SPDX-License-Identifier: Apache-2.0
#include "platform/power/dram_prices.h"

#include <map>
#include <string>

#include "platform/config/describe_parameter.h"

namespace bvp {

namespace {

constexpr const char* component = "dram";

std::string place_of(const DramStandard& standard) { return "the memory standard " + standard.name; }

EnergyTable::Price price(double value, EnergyTable::Scale scale, const char* source, Confidence confidence,
                         const DramStandard& standard) {
  EnergyTable::Price price;
  price.value = value;
  price.scale = scale;
  price.source = source;
  price.confidence = confidence_text(confidence);
  price.place = place_of(standard);
  return price;
}

}  // namespace

EnergyTable with_dram_prices(const EnergyTable& table, const DramStandard& standard) {
  if (table.prices(component)) return table;
  constexpr double picojoule = 1e-12;
  std::map<std::string, EnergyTable::Price> actions;
  for (const DramStandard::Price& entry : standard.prices) {
    double joules = entry.picojoules * picojoule;
    if (entry.bits > 0) joules *= entry.bits;
    actions[entry.action] = price(joules, EnergyTable::Scale::one, entry.source, entry.confidence, standard);
  }
  const DramStandard::Background& standby = standard.standby;
  return table.with_component(component, std::move(actions),
                              {{"standby", price(standby.watts, EnergyTable::Scale::dram_channels, standby.source,
                                                 standby.confidence, standard)}});
}

bool is_priced_by(const EnergyTable& table, const DramStandard& standard) {
  const auto background = table.background().find(component);
  if (background == table.background().end()) return false;
  const auto standby = background->second.find("standby");
  return standby != background->second.end() && standby->second.place == place_of(standard);
}

}  // namespace bvp
