// SPDX-License-Identifier: Apache-2.0
// Energy in a window of time.
#pragma once

#include <map>
#include <string>

#include "models/common/types.h"

namespace bvp {

struct PowerWindow {
  double begin_s = 0, end_s = 0;
  std::map<std::string, double> energy_j;  // by component, background included
  u64 dram_read_bytes = 0, dram_written_bytes = 0;
  double cal_utilisation = 0;  // issue slots of Cal over all cycles of all PEs

  [[nodiscard]] double total_j() const {
    double sum = 0;
    for (const auto& [component, joules] : energy_j) sum += joules;
    return sum;
  }
  [[nodiscard]] double power_w() const { return total_j() / (end_s - begin_s); }
};

}  // namespace bvp
