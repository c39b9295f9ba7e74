// SPDX-License-Identifier: Apache-2.0
#include "platform/report/prices_json.h"

#include <utility>

namespace bvp {

namespace {

using Json = nlohmann::ordered_json;

/// A row for each entry of `entries`, with its value in `values`.
template <typename Entries>
Json rows(const Entries& entries, const EnergyTable::Energy& values, double unit, const char* key) {
  Json result = Json::array();
  for (const auto& [component, parts] : entries) {
    for (const auto& [name, entry] : parts) {
      result.push_back({{"component", component},
                        {"name", name},
                        {key, values.at(component).at(name) / unit},
                        {"source", entry.source},
                        {"confidence", entry.confidence}});
    }
  }
  return result;
}

}  // namespace

Json prices_json(const EnergyTable& energy, const AreaTable& area, const MachineSize& size) {
  constexpr double picojoule = 1e-12;
  ActionCounts one_of_each;
  for (const auto& [component, actions] : energy.actions()) {
    for (const auto& [action, price] : actions) one_of_each.by_component[component][action] = 1;
  }
  Json background = rows(energy.background(), energy.static_by_kind(size, 1), 1, "watts");
  for (Json& row : background) {
    row["retention"] = energy.background().at(row["component"]).at(row["name"]).retention;
  }
  return {{"profile", energy.profile()},
          {"description", energy.description()},
          {"technology_nm", energy.technology_nm()},
          {"voltage", energy.voltage()},
          {"actions", rows(energy.actions(), energy.price_by_action(one_of_each, size), picojoule, "picojoules")},
          {"background", std::move(background)},
          {"area_technology_nm", area.technology_nm()},
          {"area", rows(area.parts(), area.area_by_part(size), 1, "mm2")}};
}

}  // namespace bvp
