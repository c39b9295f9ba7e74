// SPDX-License-Identifier: Apache-2.0
// Areas in square millimetres by part of the SoC, from a YAML table that has a source for every value.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "models/power/energy_table.h"

namespace bvp {

class AreaTable {
 public:
  enum class Scale {
    one,
    pes,
    lanes,
    operand_bytes,
    operand_port_lanes,
    scratchpad_bytes,
    dma_channels,
    dram_channels,
    link_bytes
  };
  struct Part {
    double mm2 = 0;
    Scale scale = Scale::one;
    std::string source, confidence;
  };

  /// @throws EnergyTableError  naming file, line and key
  [[nodiscard]] static AreaTable load(const std::filesystem::path& file);

  [[nodiscard]] double technology_nm() const { return technology_nm_; }
  /// component -> part
  [[nodiscard]] const std::map<std::string, std::map<std::string, Part>>& parts() const { return parts_; }
  /// Square millimetres by component.
  [[nodiscard]] std::map<std::string, double> area(const MachineSize& size) const;
  /// component -> part -> square millimetres
  [[nodiscard]] std::map<std::string, std::map<std::string, double>> area_by_part(const MachineSize& size) const;

 private:
  double technology_nm_ = 0;
  std::map<std::string, std::map<std::string, Part>> parts_;
};

}  // namespace bvp
