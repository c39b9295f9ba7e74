// SPDX-License-Identifier: Apache-2.0
#include "platform/report/derived_figures.h"

#include <algorithm>

namespace bvp {

double total_area(const RunResult& result) {
  double sum = 0;
  for (const auto& [component, mm2] : result.area_by_component_mm2) sum += mm2;
  return sum;
}

double peak_power(const RunResult& result) {
  const auto duration = [](const PowerWindow& window) { return window.end_s - window.begin_s; };
  const double cycle_s = per_second(result.time_s, static_cast<double>(result.cycles));
  // Windows end with a cycle, so their lengths differ by one.
  const double least = duration(result.power.windows.front()) - 1.5 * cycle_s;
  double peak = 0;
  for (const PowerWindow& window : result.power.windows) {
    if (duration(window) >= least) peak = std::max(peak, window.power_w());
  }
  return peak;
}

}  // namespace bvp
