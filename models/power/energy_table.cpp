// SPDX-License-Identifier: Apache-2.0
#include "models/power/energy_table.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <array>
#include <cmath>
#include <utility>

namespace bvp {

namespace {

[[noreturn]] void fail(const std::filesystem::path& file, const YAML::Node& node, const std::string& what) {
  const YAML::Mark mark = node.Mark();
  throw EnergyTableError(mark.is_null() ? fmt::format("{}: {}", file.string(), what)
                                        : fmt::format("{}:{}: {}", file.string(), mark.line + 1, what));
}

void only_keys(const std::filesystem::path& file, const YAML::Node& node, std::initializer_list<const char*> keys) {
  for (const auto& entry : node) {
    const auto name = entry.first.as<std::string>();
    bool known = false;
    for (const char* key : keys) known = known || name == key;
    if (!known) fail(file, entry.first, fmt::format("unknown key '{}', expected: {}", name, fmt::join(keys, ", ")));
  }
}

std::string text(const std::filesystem::path& file, const YAML::Node& node, const char* key) {
  if (!node[key] || !node[key].IsScalar()) fail(file, node, fmt::format("'{}' is missing or no text", key));
  return node[key].as<std::string>();
}

double number(const std::filesystem::path& file, const YAML::Node& node, const char* key) {
  try {
    const double value = node[key].as<double>();
    if (std::isfinite(value) && value >= 0) return value;
  } catch (const YAML::Exception&) {
  }
  fail(file, node, fmt::format("'{}' must be a number from 0 up", key));
}

}  // namespace

EnergyTable EnergyTable::load(const std::filesystem::path& file) {
  static constexpr std::array<std::pair<const char*, Per>, 6> units{{{"one", Per::one},
                                                                     {"vector_bit", Per::vector_bit},
                                                                     {"pe", Per::pe},
                                                                     {"pe_lane", Per::pe_lane},
                                                                     {"scratchpad_byte", Per::scratchpad_byte},
                                                                     {"dram_channel", Per::dram_channel}}};
  YAML::Node root;
  try {
    root = YAML::LoadFile(file.string());
  } catch (const YAML::Exception& error) {
    throw EnergyTableError(fmt::format("{}: {}", file.string(), error.what()));
  }
  if (!root.IsMap()) throw EnergyTableError(fmt::format("{}: expected an energy table", file.string()));
  only_keys(file, root, {"profile", "description", "technology_nm", "voltage", "actions", "background"});
  EnergyTable table;
  table.profile_ = text(file, root, "profile");
  table.description_ = text(file, root, "description");
  const auto read = [&](const char* section, const char* value_key, double unit, auto& target) {
    if (!root[section] || !root[section].IsMap()) fail(file, root, fmt::format("'{}' is missing or no map", section));
    for (const auto& component : root[section]) {
      if (!component.second.IsMap()) fail(file, component.first, "expected a map of entries");
      for (const auto& entry : component.second) {
        const YAML::Node& node = entry.second;
        if (!node.IsMap()) fail(file, entry.first, fmt::format("expected '{}', 'per' and 'source'", value_key));
        only_keys(file, node, {value_key, "per", "source", "confidence"});
        if (text(file, node, "source").empty()) fail(file, node, "'source' is empty");
        Price price;
        price.value = number(file, node, value_key) * unit;
        const std::string per = node["per"] ? text(file, node, "per") : "one";
        bool known = false;
        for (const auto& [name, kind] : units) {
          if (per != name) continue;
          price.per = kind;
          known = true;
        }
        if (!known) fail(file, node, fmt::format("'per' is '{}', expected one, vector_bit, pe, pe_lane, scratchpad_byte or dram_channel", per));
        target[component.first.as<std::string>()][entry.first.as<std::string>()] = price;
      }
    }
  };
  read("actions", "pj", 1e-12, table.actions_);
  read("background", "mw", 1e-3, table.background_);
  return table;
}

double EnergyTable::scale(Per per, const MachineSize& size) {
  switch (per) {
    case Per::one: return 1;
    case Per::vector_bit: return static_cast<double>(size.lanes) * 16;
    case Per::pe: return static_cast<double>(size.pes);
    case Per::pe_lane: return static_cast<double>(size.pes * size.lanes);
    case Per::scratchpad_byte: return static_cast<double>(size.scratchpad_bytes);
    case Per::dram_channel: return static_cast<double>(size.dram_channels);
  }
  return 0;
}

std::map<std::string, double> EnergyTable::price(const ActionCounts& counts, const MachineSize& size) const {
  std::map<std::string, double> joules;
  for (const auto& [component, actions] : counts.by_component) {
    const auto prices = actions_.find(component);
    for (const auto& [action, count] : actions) {
      if (prices == actions_.end() || prices->second.count(action) == 0) {
        throw EnergyTableError(fmt::format("the energy table '{}' has no price for '{}.{}'", profile_, component, action));
      }
      const Price& price = prices->second.at(action);
      joules[component] += static_cast<double>(count) * price.value * scale(price.per, size);
    }
  }
  return joules;
}

std::map<std::string, double> EnergyTable::static_energy(const MachineSize& size, double seconds) const {
  std::map<std::string, double> joules;
  for (const auto& [component, entries] : background_) {
    for (const auto& [name, price] : entries) joules[component] += price.value * scale(price.per, size) * seconds;
  }
  return joules;
}

}  // namespace bvp
