// SPDX-License-Identifier: Apache-2.0
// Energy in a window of time.
#pragma once

#include <array>
#include <map>
#include <string>

#include "models/isa/instruction.h"

namespace bvp {

struct PowerWindow {
  double begin_s = 0, end_s = 0;
  std::map<std::string, double> energy_j;  // by component, background included
  u64 dram_read_bytes = 0, dram_written_bytes = 0;
  std::array<double, unit_count> utilisation{};  // issue slots of each unit over all cycles of all PEs

  [[nodiscard]] double total_j() const {
    double sum = 0;
    for (const auto& [component, joules] : energy_j) sum += joules;
    return sum;
  }
  /// A window that lasts until the end of `next`, its neighbour.
  PowerWindow& operator+=(const PowerWindow& next) {
    const double share = (next.end_s - next.begin_s) / (next.end_s - begin_s);
    for (const auto& [component, joules] : next.energy_j) energy_j[component] += joules;
    dram_read_bytes += next.dram_read_bytes;
    dram_written_bytes += next.dram_written_bytes;
    for (std::size_t i = 0; i < unit_count; ++i) {
      utilisation[i] = (1 - share) * utilisation[i] + share * next.utilisation[i];
    }
    end_s = next.end_s;
    return *this;
  }
  [[nodiscard]] double power_w() const { return total_j() / (end_s - begin_s); }
};

}  // namespace bvp
