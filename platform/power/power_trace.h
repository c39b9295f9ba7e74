// SPDX-License-Identifier: Apache-2.0
// Power over time.
#pragma once

#include <array>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "models/isa/instruction.h"

namespace bvp {

struct PowerWindow {
  double begin_s = 0, end_s = 0;
  std::vector<double> energy_j;  // by component of the trace, background included
  u64 dram_read_bytes = 0, dram_written_bytes = 0;
  std::array<double, unit_count> utilisation{};  // issue slots of each unit over all cycles of all PEs

  [[nodiscard]] double total_j() const { return std::accumulate(energy_j.begin(), energy_j.end(), 0.0); }
  /// A window that lasts until the end of `next`, its neighbour.
  PowerWindow& operator+=(const PowerWindow& next) {
    const double share = (next.end_s - next.begin_s) / (next.end_s - begin_s);
    for (std::size_t i = 0; i < energy_j.size(); ++i) energy_j[i] += next.energy_j[i];
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

/// One window after the other, from the beginning of the simulation to its end.
struct PowerTrace {
  std::vector<std::string> components;
  std::vector<PowerWindow> windows;
  /// Resource -> what windows could not carry and was left to the next one (ResourceLimits).
  std::map<std::string, u64> moved;
};

}  // namespace bvp
