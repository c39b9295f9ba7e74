// SPDX-License-Identifier: Apache-2.0
// Energy per action in picojoules and background power in watts, from a YAML table that has a source for every value.
#pragma once

#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>

#include "models/power/action_counts.h"
#include "models/power/table_reader.h"
#include "models/power/technology.h"

namespace bvp {

/// The sizes of the machine that scale the prices: actions on vectors are priced per bit, background power per
/// instance, lane, byte or channel.
struct MachineSize {
  u64 pes = 0;
  u64 lanes = 0;  ///< of one PE
  u64 scratchpad_bytes = 0;
  u64 dram_channels = 0;
  u64 operand_bytes = 0;  ///< of one PE; 0: banks of 64 vectors are assumed where it matters
  u64 dma_channels = 0;
  u64 link_bytes = 0;                           ///< width of all links that leave one PE, added up
  u64 operand_banks = 4;                        ///< of one PE's operand memory
  u64 operand_ports = 2;                        ///< of a bank of it
  std::map<std::string, double> area_mm2 = {};  ///< by component; only for background that is priced by area
};

/// Width and height of a cell of the operand memory, relative to one with two ports: every port takes a wire each way
/// (Rixner et al., HPCA 2000), the cell itself as much as a port (assumption). Area goes with the square.
[[nodiscard]] inline double relative_cell_width(const MachineSize& size) {
  return (1 + static_cast<double>(size.operand_ports)) / 3;
}

/// Energy of a bit read from the operand memory or written, relative to banks of 64 vectors with two ports: with the
/// length of the wires, which is that of the cells times the square root of their number. CACTI 7 gives powers of 0.37
/// (reads) and 0.68 (writes) of the number from 4 to 16 KiB.
[[nodiscard]] double relative_operand_energy(const MachineSize& size);

/// A stretch of time.
struct ArrayTime {
  ArrayTime(double all, double in_retention = 0) : seconds(all), retention_s(in_retention) {}
  double seconds;
  double retention_s;  ///< of which in retention, as a mean over all PEs
};

class EnergyTable {
 public:
  enum class Scale { one, vector_bits, operand_bits, pes, lanes, scratchpad_bytes, dram_channels, mm2 };

  /// The price of one action in joules, or of one kind of background power in watts: value * the size that `scale`
  /// names.
  struct Price {
    double value = 0;
    Scale scale = Scale::one;
    std::string source;
    std::string confidence;  ///< high, mid or low
    std::string place;       ///< FILE:LINE
    double retention = 1;    ///< for background of the array: the share that remains in retention
  };
  using Energy = std::map<std::string, std::map<std::string, double>>;  // component -> action or kind -> joules
  using Prices = std::map<std::string, std::map<std::string, Price>>;   // component -> action or kind of background

  /// @throws EnergyTableError  naming file, line and key
  [[nodiscard]] static EnergyTable load(const std::filesystem::path& file);

  [[nodiscard]] const std::string& profile() const { return profile_; }
  [[nodiscard]] const std::string& description() const { return description_; }
  [[nodiscard]] double technology_nm() const { return technology_nm_; }
  [[nodiscard]] double voltage() const { return voltage_; }
  /// Lanes of the PE from whose power the prices were derived; for PEs with another number of lanes the prices are
  /// extrapolated. 0: the prices do not come from one particular PE.
  [[nodiscard]] double calibrated_lanes() const { return calibrated_lanes_; }
  /// Whether at() has changed the prices.
  [[nodiscard]] bool scaled() const { return scaled_; }
  [[nodiscard]] const Prices& actions() const { return actions_; }
  [[nodiscard]] const Prices& background() const { return background_; }

  /// @param all  every action that the estimators count
  /// @throws EnergyTableError  with file and key: the table lacks a price that this machine needs, or has entries for
  ///        something that the machine does not have
  void check(const ActionCounts& all, const MachineSize& size) const;

  /// The prices in another technology or at another voltage. Actions outside of the DRAM follow technology.h, and
  /// leakage follows the voltage; the DRAM is a chip of its own and does not change. At the table's own technology and
  /// voltage the result is the table itself, even without known scaling.
  /// @throws EnergyTableError  no scaling is known
  [[nodiscard]] EnergyTable at(OperatingPoint point) const;

  /// Whether the table prices actions of this component, or background power.
  [[nodiscard]] bool prices(const std::string& component) const;
  /// A table with additional prices for a component that this one does not price.
  [[nodiscard]] EnergyTable with_component(const std::string& component, std::map<std::string, Price> actions,
                                           std::map<std::string, Price> background) const;

  /// A table with another price of DRAM reads and writes, in joules per bit; other prices of the DRAM stay.
  [[nodiscard]] EnergyTable with_dram_transfer(double joules_per_bit) const;

  /// A table for a memory that has 8 check bits for every 64 bits of data: its actions and its background power cost
  /// 9/8.
  [[nodiscard]] EnergyTable with_check_bits(const std::string& component) const;

  /// Joules by component. @throws EnergyTableError  for an action without a price, even if it never happened
  [[nodiscard]] std::map<std::string, double> price(const ActionCounts& counts, const MachineSize& size) const;
  [[nodiscard]] Energy price_by_action(const ActionCounts& counts, const MachineSize& size) const;
  /// Background energy by component: control, leakage, standby. @throws EnergyTableError  a price is per area, and the
  /// area is not given
  [[nodiscard]] std::map<std::string, double> static_energy(const MachineSize& size, const ArrayTime& time) const;
  [[nodiscard]] Energy static_by_kind(const MachineSize& size, const ArrayTime& time) const;

 private:
  std::string file_, profile_, description_;
  double technology_nm_ = 0, voltage_ = 0;
  double lanes_ = 0;             // lanes of a PE for which alone the prices hold; 0: any number
  double calibrated_lanes_ = 0;  // see calibrated_lanes()
  bool scaled_ = false;
  Prices actions_, background_;
};

}  // namespace bvp
