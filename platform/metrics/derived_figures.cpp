// SPDX-License-Identifier: Apache-2.0
#include "platform/metrics/derived_figures.h"

#include <algorithm>

namespace bvp {

double total_area(const RunResult& result) {
  double sum = 0;
  for (const auto& [component, mm2] : result.area_by_component_mm2) sum += mm2;
  return sum;
}

std::optional<std::pair<std::string, double>> limit_of(const RunResult& result) {
  const auto& shares = result.activity.busy_shares;
  const auto busiest =
      std::max_element(shares.begin(), shares.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  if (busiest == shares.end()) return std::nullopt;
  return *busiest;
}

double no_kernel(const RunResult& result) {
  return 1 - per_second(static_cast<double>(result.activity.kernel_cycles), static_cast<double>(result.cycles));
}

}  // namespace bvp
