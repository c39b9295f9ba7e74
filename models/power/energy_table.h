// SPDX-License-Identifier: Apache-2.0
// Picojoules per action and watts of background, from a YAML table with a source for every value.
#pragma once

#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>

#include "models/power/action_counts.h"

namespace bvp {

struct EnergyTableError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What scales the prices: actions on vectors are priced per bit, background per instance or byte.
struct MachineSize {
  u64 pes = 0;
  u64 lanes = 0;
  u64 scratchpad_bytes = 0;
  u64 dram_channels = 0;
};

class EnergyTable {
 public:
  /// @throws EnergyTableError  naming file, line and key
  [[nodiscard]] static EnergyTable load(const std::filesystem::path& file);

  [[nodiscard]] const std::string& profile() const { return profile_; }
  [[nodiscard]] const std::string& description() const { return description_; }

  /// Joules by component. @throws EnergyTableError  for an action that the table does not price
  [[nodiscard]] std::map<std::string, double> price(const ActionCounts& counts, const MachineSize& size) const;
  /// Background energy of `seconds` by component: control, leakage, standby.
  [[nodiscard]] std::map<std::string, double> static_energy(const MachineSize& size, double seconds) const;

 private:
  enum class Per { one, vector_bit, pe, pe_lane, scratchpad_byte, dram_channel };
  struct Price {
    double value = 0;  // joules or watts
    Per per = Per::one;
  };
  [[nodiscard]] static double scale(Per per, const MachineSize& size);

  std::string profile_, description_;
  std::map<std::string, std::map<std::string, Price>> actions_;
  std::map<std::string, std::map<std::string, Price>> background_;
};

}  // namespace bvp
