// SPDX-License-Identifier: Apache-2.0
#include "platform/power/power_states.h"

#include <array>
#include <utility>

namespace bvp {

namespace {

constexpr std::array<std::pair<const char*, const char*>, 4> states{
    {{"active", "active_cycle"}, {"idle", "idle_cycle"}, {"gated", "gated_cycle"}, {"retention", "retention_cycle"}}};

std::string state_of(const std::string& component, const std::string& action) {
  if (component != "pe" && component != "mesh") return "rest_of_soc";
  for (const auto& [state, counter] : states) {
    if (action == counter) return state;
  }
  return "active";
}

}  // namespace

std::map<std::string, u64> power_state_cycles(const ActionCounts& counts) {
  std::map<std::string, u64> cycles;
  const auto pe = counts.by_component.find("pe");
  for (const auto& [state, counter] : states) {
    const bool counted = pe != counts.by_component.end() && pe->second.count(counter) != 0;
    cycles[state] = counted ? pe->second.at(counter) : 0;
  }
  return cycles;
}

ArrayTime array_time(const ActionCounts& counts, const MachineSize& size, u64 cycles, double clock_hz) {
  const auto in_retention = static_cast<double>(power_state_cycles(counts).at("retention"));
  return {static_cast<double>(cycles) / clock_hz, in_retention / static_cast<double>(size.pes) / clock_hz};
}

std::map<std::string, double> energy_by_power_state(const EnergyTable& table, const ActionCounts& counts,
                                                    const MachineSize& size, u64 cycles, double clock_hz) {
  std::map<std::string, double> joules{{"rest_of_soc", 0}};
  for (const auto& [state, counter] : states) joules[state] = 0;
  for (const auto& [component, actions] : table.price_by_action(counts, size)) {
    for (const auto& [action, energy] : actions) joules[state_of(component, action)] += energy;
  }
  const std::map<std::string, u64> pe_cycles = power_state_cycles(counts);
  const auto add_background = [&](const std::string& state, const ArrayTime& time) {
    const bool rest = state == "rest_of_soc";
    for (const auto& [component, energy] : table.static_energy(size, time)) {
      if ((state_of(component, "") == "rest_of_soc") == rest) joules[state] += energy;
    }
  };
  add_background("rest_of_soc", array_time(counts, size, cycles, clock_hz));
  for (const auto& [state, counter] : states) {
    const double seconds = static_cast<double>(pe_cycles.at(state)) / static_cast<double>(size.pes) / clock_hz;
    add_background(state, {seconds, std::string(state) == "retention" ? seconds : 0});
  }
  return joules;
}

}  // namespace bvp
