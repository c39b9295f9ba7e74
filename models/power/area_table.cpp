// SPDX-License-Identifier: Apache-2.0
#include "models/power/area_table.h"

#include <fmt/format.h>

#include <array>
#include <utility>
#include <vector>

namespace bvp {

namespace {

using Scale = AreaTable::Scale;

constexpr std::array<std::pair<const char*, Scale>, 9> scales{{{"instance", Scale::one},
                                                               {"pe", Scale::pes},
                                                               {"lane", Scale::lanes},
                                                               {"operand_byte", Scale::operand_bytes},
                                                               {"operand_port_lane", Scale::operand_port_lanes},
                                                               {"scratchpad_byte", Scale::scratchpad_bytes},
                                                               {"dma_channel", Scale::dma_channels},
                                                               {"dram_channel", Scale::dram_channels},
                                                               {"link_byte", Scale::link_bytes}}};

double factor(Scale scale, const MachineSize& size) {
  const auto number = [](u64 count) { return static_cast<double>(count); };
  switch (scale) {
    case Scale::one:
      return 1;
    case Scale::pes:
      return number(size.pes);
    case Scale::lanes:
      return number(size.pes * size.lanes);
    case Scale::operand_bytes:
      return number(size.pes * size.operand_bytes) * relative_cell_width(size) * relative_cell_width(size);
    case Scale::operand_port_lanes:
      return number(size.pes * size.operand_banks * size.operand_ports * size.lanes);
    case Scale::scratchpad_bytes:
      return number(size.scratchpad_bytes);
    case Scale::dma_channels:
      return number(size.dma_channels);
    case Scale::dram_channels:
      return number(size.dram_channels);
    case Scale::link_bytes:
      return number(size.pes * size.link_bytes);
  }
  return 0;
}

Scale read_scale(const TableReader& reader, const YAML::Node& node, const std::string& path) {
  const std::string per = reader.text(node, path, "per");
  std::vector<const char*> known;
  for (const auto& [name, scale] : scales) {
    if (per == name) return scale;
    known.push_back(name);
  }
  reader.fail(node["per"], TableReader::join(path, "per"),
              fmt::format("found '{}', expected {}", per, fmt::join(known, ", ")));
}

}  // namespace

AreaTable AreaTable::load(const std::filesystem::path& file) {
  const TableReader reader(file);
  const YAML::Node root = reader.open();
  reader.check_map(root, "", {"technology_nm", "area"});
  AreaTable table;
  table.technology_nm_ = reader.positive(root, "", "technology_nm");
  if (!root["area"]) reader.fail(root, "area", "missing");
  reader.check_map(root["area"], "area");
  for (const auto& component : root["area"]) {
    const std::string name = component.first.Scalar(), path = TableReader::join("area", name);
    reader.check_map(component.second, path);
    for (const auto& entry : component.second) {
      const std::string part_name = entry.first.Scalar(), part_path = TableReader::join(path, part_name);
      reader.check_map(entry.second, part_path, {"mm2", "per", "source", "confidence"});
      Part part;
      part.mm2 = reader.number(entry.second, part_path, "mm2");
      part.scale = read_scale(reader, entry.second, part_path);
      part.source = reader.text(entry.second, part_path, "source");
      part.confidence = reader.confidence(entry.second, part_path);
      table.parts_[name][part_name] = part;
    }
  }
  return table;
}

std::map<std::string, double> AreaTable::area(const MachineSize& size) const {
  std::map<std::string, double> result;
  for (const auto& [component, parts] : area_by_part(size)) {
    for (const auto& [name, mm2] : parts) result[component] += mm2;
  }
  return result;
}

std::map<std::string, std::map<std::string, double>> AreaTable::area_by_part(const MachineSize& size) const {
  std::map<std::string, std::map<std::string, double>> result;
  for (const auto& [component, parts] : parts_) {
    for (const auto& [name, part] : parts) {
      result[component][name] = part.mm2 * factor(part.scale, size);
    }
  }
  return result;
}

}  // namespace bvp
