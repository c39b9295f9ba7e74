// SPDX-License-Identifier: Apache-2.0
#include "models/power/energy_table.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <string_view>
#include <utility>

#include "models/power/estimators/estimators.h"

namespace bvp {

namespace {

using Scale = EnergyTable::Scale;

constexpr std::array<std::pair<const char*, Scale>, 6> background_scales{{{"instance", Scale::one},
                                                                          {"pe", Scale::pes},
                                                                          {"lane", Scale::lanes},
                                                                          {"scratchpad_byte", Scale::scratchpad_bytes},
                                                                          {"dram_channel", Scale::dram_channels},
                                                                          {"mm2", Scale::mm2}}};

double factor(const EnergyTable::Price& price, const MachineSize& size, const std::string& component) {
  constexpr double bits_per_lane = 16;
  switch (price.scale) {
    case Scale::one:
      return 1;
    case Scale::vector_bits:
      return static_cast<double>(size.lanes) * bits_per_lane;
    case Scale::operand_bits:
      return static_cast<double>(size.lanes) * bits_per_lane * relative_operand_energy(size);
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
      throw EnergyTableError(
          fmt::format("{}: background of '{}' is priced by area, which is not known", price.place, component));
    }
  }
  return 0;
}

}  // namespace

double relative_operand_energy(const MachineSize& size) {
  constexpr double reference_vectors = 64;
  if (size.operand_bytes == 0) return relative_cell_width(size);
  const auto vectors =
      static_cast<double>(size.operand_bytes) / static_cast<double>(size.lanes * 2 * size.operand_banks);
  return relative_cell_width(size) * std::sqrt(vectors / reference_vectors);
}

namespace {

/// Reads prices from a table.
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
    } else if (text(node, path, "bits") == "operand") {
      price.scale = Scale::operand_bits;
    } else {
      price.value *= positive(node, path, "bits");
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
    price.place = place(node);
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
  reader.check_map(
      root, "",
      {"profile", "description", "technology_nm", "voltage", "lanes", "calibrated_lanes", "actions", "static"});
  EnergyTable table;
  table.file_ = reader.file();
  table.profile_ = reader.text(root, "", "profile");
  table.description_ = reader.text(root, "", "description");
  table.technology_nm_ = reader.positive(root, "", "technology_nm");
  table.voltage_ = reader.positive(root, "", "voltage");
  if (root["lanes"]) table.lanes_ = reader.positive(root, "", "lanes");
  if (root["calibrated_lanes"]) table.calibrated_lanes_ = reader.positive(root, "", "calibrated_lanes");
  table.actions_ = reader.section(root, "actions", &PriceReader::action);
  table.background_ = reader.section(root, "static", &PriceReader::background);
  return table;
}

void EnergyTable::check(const ActionCounts& all, const MachineSize& size) const {
  if (lanes_ > 0 && lanes_ != static_cast<double>(size.lanes)) {
    throw EnergyTableError(fmt::format("{}: lanes: the prices hold for PEs of {:g} lanes alone, these have {}", file_,
                                       lanes_, size.lanes));
  }
  for (const auto& [component, actions] : actions_) {
    const auto known = all.by_component.find(component);
    for (const auto& [action, price] : actions) {
      if (known != all.by_component.end() && known->second.count(action) != 0) continue;
      throw EnergyTableError(
          fmt::format("{}: actions.{}.{}: no estimator counts this action", price.place, component, action));
    }
  }
  for (const auto& [component, kinds] : background_) {
    if (all.by_component.count(component) != 0 || kinds.empty()) continue;
    throw EnergyTableError(
        fmt::format("{}: static.{}: there is no such component", kinds.begin()->second.place, component));
  }
  for (const Estimator& estimator : all_estimators()) {
    const std::string& component = estimator.component();
    const bool present = all.by_component.count(component) != 0;
    if (!present || estimator.background() == Background::optional || background_.count(component) != 0) continue;
    throw EnergyTableError(
        fmt::format("{}: static.{}: missing, expected what it takes by standing there, be it 0", file_, component));
  }
  (void)price(all, size);
  (void)static_energy(size, 1);
}

EnergyTable EnergyTable::at(OperatingPoint point) const {
  EnergyTable table = *this;
  if (point.nm == technology_nm_ && point.volt == voltage_) return table;
  double dynamic = 1;
  try {
    dynamic = energy_scale({technology_nm_, voltage_}, point);
  } catch (const std::invalid_argument& error) {
    throw EnergyTableError(fmt::format("{}: {}", file_, error.what()));
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
  table.scaled_ = true;
  return table;
}

bool EnergyTable::prices(const std::string& component) const {
  return actions_.count(component) != 0 || background_.count(component) != 0;
}

EnergyTable EnergyTable::with_component(const std::string& component, std::map<std::string, Price> actions,
                                        std::map<std::string, Price> background) const {
  EnergyTable table = *this;
  table.actions_[component] = std::move(actions);
  table.background_[component] = std::move(background);
  return table;
}

EnergyTable EnergyTable::with_dram_transfer(double joules_per_bit) const {
  constexpr double bits = 512;
  EnergyTable table = *this;
  for (const char* action : {"read_64b", "write_64b"}) {
    Price& price = table.actions_["dram"][action];
    price.value = joules_per_bit * bits;
    price.scale = Scale::one;
    price.source = "set by the user: energy.dram_pj_per_bit";
    price.confidence = "low";
  }
  return table;
}

EnergyTable EnergyTable::with_check_bits(const std::string& component) const {
  constexpr double all_bits = 72, data_bits = 64;
  EnergyTable table = *this;
  for (Prices* const prices : {&table.actions_, &table.background_}) {
    const auto found = prices->find(component);
    if (found == prices->end()) continue;
    for (auto& [action, price] : found->second) {
      price.value *= all_bits / data_bits;
      price.source += "; times 72/64 for the check bits (assumption: all of the energy grows with the bits)";
    }
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
        throw EnergyTableError(fmt::format("{}: actions.{}.{}: missing", file_, component, action));
      }
      const Price& price = prices->second.at(action);
      joules[component][action] = static_cast<double>(count) * price.value * factor(price, size, component);
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
      joules[component][kind] = price.value * factor(price, size, component) * seconds;
    }
  }
  return joules;
}

}  // namespace bvp
