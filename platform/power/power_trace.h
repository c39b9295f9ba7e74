// SPDX-License-Identifier: Apache-2.0
// Power over time.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "models/isa/instruction.h"

namespace bvp {

struct PowerWindow {
  double begin_s = 0, end_s = 0;
  std::vector<double> energy_j;  // by component of the trace, background included
  u64 dram_read_bytes = 0, dram_written_bytes = 0;
  std::array<double, unit_count> utilisation{};  // issue slots of each unit over all cycles of all PEs

  [[nodiscard]] double total_j() const { return std::accumulate(energy_j.begin(), energy_j.end(), 0.0); }
  /// Appends its neighbour `next`: afterwards the window lasts until the end of `next`.
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
  /// If there are more windows than this, each two neighbours are merged, and all further windows are twice as long: a
  /// simulation may last for years of simulated time.
  static constexpr std::size_t most_windows = 32768;

  std::vector<std::string> components;
  std::vector<PowerWindow> windows;
  /// Maps a resource to the amount that windows could not carry and left to the next one (ResourceLimits).
  std::map<std::string, u64> moved;
  double peak_w = 0;  ///< highest power of a recorded window; a last window that is shorter does not count

  void add(PowerWindow window) {
    const double duration = window.end_s - window.begin_s;
    if (windows.empty() && merged_ == 1) least_s_ = duration * (1 - 1e-6);
    if (duration >= least_s_) peak_w = std::max(peak_w, window.power_w());
    if (in_last_ > 0 && in_last_ < merged_) {
      windows.back() += window;
      ++in_last_;
      return;
    }
    if (windows.size() == most_windows) {
      for (std::size_t i = 0; i < most_windows / 2; ++i) {
        if (i > 0) windows[i] = std::move(windows[2 * i]);
        windows[i] += windows[2 * i + 1];
      }
      windows.resize(most_windows / 2);
      merged_ *= 2;
    }
    windows.push_back(std::move(window));
    in_last_ = 1;
  }

 private:
  double least_s_ = 0;
  // Number of recorded windows that are merged into one window, and into the last one so far.
  u64 merged_ = 1, in_last_ = 0;
};

}  // namespace bvp
