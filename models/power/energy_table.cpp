// SPDX-License-Identifier: Apache-2.0
#include "models/power/energy_table.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <array>
#include <cmath>
#include <initializer_list>
#include <set>
#include <string_view>
#include <utility>

namespace bvp {

namespace {

using Scale = EnergyTable::Scale;

constexpr std::array<std::pair<const char*, Scale>, 5> background_scales{{{"instance", Scale::one},
                                                                          {"pe", Scale::pes},
                                                                          {"lane", Scale::lanes},
                                                                          {"scratchpad_byte", Scale::scratchpad_bytes},
                                                                          {"dram_channel", Scale::dram_channels}}};

double factor(Scale scale, const MachineSize& size) {
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
  }
  return 0;
}

/// Reads one file; `path` is the key under way, "actions.pe.fma_lane".
class Reader {
 public:
  explicit Reader(const std::filesystem::path& file) : file_(file.string()) {}

  [[noreturn]] void fail(const YAML::Node& node, const std::string& path, const std::string& what) const {
    const YAML::Mark mark = node.Mark();
    const std::string place = mark.is_null() ? file_ : fmt::format("{}:{}", file_, mark.line + 1);
    throw EnergyTableError(fmt::format("{}: {}{}{}", place, path, path.empty() ? "" : ": ", what));
  }

  /// The keys must be text and differ; with `allowed`, be among these.
  void check_map(const YAML::Node& node, const std::string& path,
                 std::initializer_list<std::string_view> allowed = {}) const {
    if (!node.IsMap() || node.size() == 0) fail(node, path, "expected a map with entries");
    std::set<std::string> seen;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar() || entry.first.Scalar().empty()) fail(entry.first, path, "a key must be a name");
      const std::string& key = entry.first.Scalar();
      if (!seen.insert(key).second) fail(entry.first, join(path, key), "given twice");
      bool known = allowed.size() == 0;
      for (const std::string_view name : allowed) known = known || name == key;
      if (!known) fail(entry.first, join(path, key), fmt::format("unknown key, expected {}", fmt::join(allowed, ", ")));
    }
  }

  [[nodiscard]] std::string text(const YAML::Node& map, const std::string& path, const char* key) const {
    const YAML::Node node = map[key];
    if (!node) fail(map, join(path, key), "missing");
    if (!node.IsScalar() || node.Scalar().empty()) fail(node, join(path, key), "expected a text");
    return node.Scalar();
  }

  /// From 0 to 1e12.
  [[nodiscard]] double number(const YAML::Node& map, const std::string& path, const char* key) const {
    constexpr double limit = 1e12;
    const std::string found = text(map, path, key);
    double value = 0;
    const bool is_number = YAML::convert<double>::decode(map[key], value) && std::isfinite(value);
    if (!is_number || value < 0 || value > limit) {
      fail(map[key], join(path, key), fmt::format("found '{}', expected a number from 0 to {:g}", found, limit));
    }
    return value;
  }

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
    check_map(node, path, {"watt", "per", "source", "confidence"});
    EnergyTable::Price price = origin(node, path);
    price.value = number(node, path, "watt");
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
  static std::string join(const std::string& path, const std::string& key) {
    return path.empty() ? key : path + "." + key;
  }

  [[nodiscard]] EnergyTable::Price origin(const YAML::Node& node, const std::string& path) const {
    EnergyTable::Price price;
    price.source = text(node, path, "source");
    price.confidence = text(node, path, "confidence");
    if (price.confidence != "high" && price.confidence != "mid" && price.confidence != "low") {
      fail(node["confidence"], join(path, "confidence"),
           fmt::format("found '{}', expected high, mid or low", price.confidence));
    }
    return price;
  }

  std::string file_;
};

void require_array(const MachineSize& size) {
  if (size.pes == 0 || size.lanes == 0) throw EnergyTableError("energy is priced for a machine without PEs or lanes");
}

}  // namespace

EnergyTable EnergyTable::load(const std::filesystem::path& file) {
  const Reader reader(file);
  const std::string unreadable = fmt::format("{}: cannot be read", file.string());
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) throw EnergyTableError(unreadable);
  try {
    const YAML::Node root = YAML::LoadFile(file.string());
    if (!root.IsMap()) throw EnergyTableError(fmt::format("{}: expected an energy table, a map", file.string()));
    reader.check_map(root, "", {"profile", "description", "technology_nm", "voltage", "actions", "static"});
    EnergyTable table;
    table.profile_ = reader.text(root, "", "profile");
    table.description_ = reader.text(root, "", "description");
    table.technology_nm_ = reader.number(root, "", "technology_nm");
    table.voltage_ = reader.number(root, "", "voltage");
    table.actions_ = reader.section(root, "actions", &Reader::action);
    table.background_ = reader.section(root, "static", &Reader::background);
    return table;
  } catch (const YAML::BadFile&) {
    throw EnergyTableError(unreadable);
  } catch (const YAML::Exception& error) {
    throw EnergyTableError(fmt::format("{}:{}: {}", file.string(), error.mark.line + 1, error.msg));
  }
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

std::map<std::string, double> EnergyTable::price(const ActionCounts& counts, const MachineSize& size) const {
  require_array(size);
  std::map<std::string, double> joules;
  for (const auto& [component, actions] : counts.by_component) {
    const auto prices = actions_.find(component);
    for (const auto& [action, count] : actions) {
      if (prices == actions_.end() || prices->second.count(action) == 0) {
        throw EnergyTableError(
            fmt::format("the energy table '{}' has no price for the action '{}.{}'", profile_, component, action));
      }
      const Price& price = prices->second.at(action);
      joules[component] += static_cast<double>(count) * price.value * factor(price.scale, size);
    }
  }
  return joules;
}

std::map<std::string, double> EnergyTable::static_energy(const MachineSize& size, double seconds) const {
  require_array(size);
  std::map<std::string, double> joules;
  for (const auto& [component, entries] : background_) {
    for (const auto& [name, price] : entries) joules[component] += price.value * factor(price.scale, size) * seconds;
  }
  return joules;
}

}  // namespace bvp
