// SPDX-License-Identifier: Apache-2.0
#include "models/power/energy_table.h"

#include <fmt/format.h>

#include <array>
#include <string_view>
#include <utility>

namespace bvp {

namespace {

using Scale = EnergyTable::Scale;

constexpr std::array<std::pair<const char*, Scale>, 6> background_scales{{{"instance", Scale::one},
                                                                          {"pe", Scale::pes},
                                                                          {"lane", Scale::lanes},
                                                                          {"scratchpad_byte", Scale::scratchpad_bytes},
                                                                          {"dram_channel", Scale::dram_channels},
                                                                          {"mm2", Scale::mm2}}};

double factor(Scale scale, const MachineSize& size, const std::string& component) {
  constexpr double bits_per_lane = 16;
  switch (scale) {
    case Scale::one:
      return 1;
    case Scale::vector_bits:
      return static_cast<double>(size.lanes) * bits_per_lane;
    case Scale::pes:
      return static_cast<double>(size.pes);
    case Scale::lanes:
      return static_cast<double>(size.pes) * static_cast<double>(size.lanes);
    case Scale::scratchpad_bytes:
      return static_cast<double>(size.scratchpad_bytes);
    case Scale::dram_channels:
      return static_cast<double>(size.dram_channels);
    case Scale::mm2: {
      const auto area = size.area_mm2.find(component);
      if (area != size.area_mm2.end()) return area->second;
      throw EnergyTableError(fmt::format("background of '{}' is priced by area, which is not known", component));
    }
  }
  return 0;
}

/// Prices out of a table.
class PriceReader : public TableReader {
 public:
  using TableReader::TableReader;

  [[nodiscard]] EnergyTable::Price action(const YAML::Node& node, const std::string& path) const {
    constexpr double picojoule = 1e-12;
    check_map(node, path, {"pj", "pj_per_bit", "bits", "source", "confidence"});
    EnergyTable::Price price = origin(node, path);
    if (node["pj"].IsDefined() == node["pj_per_bit"].IsDefined()) {
      fail(node, path, "expected either 'pj', or 'pj_per_bit' and 'bits'");
    }
    if (node["pj"]) {
      if (node["bits"]) fail(node["bits"], join(path, "bits"), "belongs to 'pj_per_bit'");
      price.value = number(node, path, "pj") * picojoule;
      return price;
    }
    price.value = number(node, path, "pj_per_bit") * picojoule;
    if (text(node, path, "bits") == "vector") {
      price.scale = Scale::vector_bits;
    } else {
      price.value *= number(node, path, "bits");
    }
    return price;
  }

  [[nodiscard]] EnergyTable::Price background(const YAML::Node& node, const std::string& path) const {
    check_map(node, path, {"watt", "per", "retention", "source", "confidence"});
    EnergyTable::Price price = origin(node, path);
    price.value = number(node, path, "watt");
    if (node["retention"]) {
      price.retention = number(node, path, "retention");
      if (price.retention > 1) fail(node["retention"], join(path, "retention"), "expected a share from 0 to 1");
    }
    const std::string per = text(node, path, "per");
    std::vector<std::string_view> known;
    for (const auto& [name, scale] : background_scales) {
      price.scale = scale;
      if (per == name) return price;
      known.emplace_back(name);
    }
    fail(node["per"], join(path, "per"), fmt::format("found '{}', expected {}", per, fmt::join(known, ", ")));
  }

  template <typename Read>
  [[nodiscard]] EnergyTable::Prices section(const YAML::Node& root, const char* key, Read read) const {
    if (!root[key]) fail(root, key, "missing");
    EnergyTable::Prices prices;
    check_map(root[key], key);
    for (const auto& component : root[key]) {
      const std::string path = join(key, component.first.Scalar());
      check_map(component.second, path);
      for (const auto& entry : component.second) {
        const std::string& name = entry.first.Scalar();
        prices[component.first.Scalar()][name] = (this->*read)(entry.second, join(path, name));
      }
    }
    return prices;
  }

 private:
  [[nodiscard]] EnergyTable::Price origin(const YAML::Node& node, const std::string& path) const {
    EnergyTable::Price price;
    price.source = text(node, path, "source");
    price.confidence = confidence(node, path);
    return price;
  }
};

void require_array(const MachineSize& size) {
  if (size.pes == 0 || size.lanes == 0) throw EnergyTableError("energy is priced for a machine without PEs or lanes");
}

std::map<std::string, double> by_component(const EnergyTable::Energy& energy) {
  std::map<std::string, double> joules;
  for (const auto& [component, parts] : energy) {
    for (const auto& [part, value] : parts) joules[component] += value;
  }
  return joules;
}

}  // namespace

EnergyTable EnergyTable::load(const std::filesystem::path& file) {
  const PriceReader reader(file);
  const YAML::Node root = reader.open();
  reader.check_map(root, "", {"profile", "description", "technology_nm", "voltage", "actions", "static"});
  EnergyTable table;
  table.profile_ = reader.text(root, "", "profile");
  table.description_ = reader.text(root, "", "description");
  table.technology_nm_ = reader.number(root, "", "technology_nm");
  table.voltage_ = reader.number(root, "", "voltage");
  table.actions_ = reader.section(root, "actions", &PriceReader::action);
  table.background_ = reader.section(root, "static", &PriceReader::background);
  return table;
}

EnergyTable EnergyTable::at(OperatingPoint point) const {
  EnergyTable table = *this;
  double dynamic = 1;
  try {
    dynamic = energy_scale({technology_nm_, voltage_}, point);
  } catch (const std::invalid_argument& error) {
    throw EnergyTableError(error.what());
  }
  const auto scale = [](Prices& prices, double by) {
    for (auto& [component, entries] : prices) {
      if (component == "dram") continue;
      for (auto& [name, price] : entries) price.value *= by;
    }
  };
  scale(table.actions_, dynamic);
  scale(table.background_, point.volt / voltage_);
  table.technology_nm_ = point.nm;
  table.voltage_ = point.volt;
  return table;
}

EnergyTable EnergyTable::with_dram_transfer(double joules_per_bit) const {
  constexpr double bits = 512;
  EnergyTable table = *this;
  for (const char* action : {"read_64b", "write_64b"}) {
    Price& price = table.actions_["dram"][action];
    price.value = joules_per_bit * bits;
    price.scale = Scale::one;
    price.source = "energy.dram_pj_per_bit";
  }
  return table;
}

std::map<std::string, double> EnergyTable::price(const ActionCounts& counts, const MachineSize& size) const {
  return by_component(price_by_action(counts, size));
}

EnergyTable::Energy EnergyTable::price_by_action(const ActionCounts& counts, const MachineSize& size) const {
  require_array(size);
  Energy joules;
  for (const auto& [component, actions] : counts.by_component) {
    const auto prices = actions_.find(component);
    for (const auto& [action, count] : actions) {
      if (prices == actions_.end() || prices->second.count(action) == 0) {
        throw EnergyTableError(
            fmt::format("the energy table '{}' has no price for the action '{}.{}'", profile_, component, action));
      }
      const Price& price = prices->second.at(action);
      joules[component][action] = static_cast<double>(count) * price.value * factor(price.scale, size, component);
    }
  }
  return joules;
}

std::map<std::string, double> EnergyTable::static_energy(const MachineSize& size, const ArrayTime& time) const {
  return by_component(static_by_kind(size, time));
}

EnergyTable::Energy EnergyTable::static_by_kind(const MachineSize& size, const ArrayTime& time) const {
  require_array(size);
  Energy joules;
  for (const auto& [component, entries] : background_) {
    for (const auto& [kind, price] : entries) {
      const double seconds = time.seconds - (1 - price.retention) * time.retention_s;
      joules[component][kind] = price.value * factor(price.scale, size, component) * seconds;
    }
  }
  return joules;
}

}  // namespace bvp
