// SPDX-License-Identifier: Apache-2.0
#include "platform/metrics/derived_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <numeric>

namespace bvp {

double total_area(const RunResult& result) {
  double sum = 0;
  for (const auto& [component, mm2] : result.area_by_component_mm2) sum += mm2;
  return sum;
}

std::optional<double> same_share(const std::vector<u32>& some, const std::vector<u32>& others) {
  if (some.empty() || some.size() != others.size()) return std::nullopt;
  const u64 same = std::inner_product(some.begin(), some.end(), others.begin(), u64{0}, std::plus<>(),
                                      [](u32 a, u32 b) { return u64{a == b}; });
  return static_cast<double>(same) / static_cast<double>(some.size());
}

std::vector<LimitShare> limit_shares(const LimitCycles& limits) {
  std::vector<LimitShare> shares;
  const double all = limits.total();
  for (std::size_t i = 0; i < limit_infos.size(); ++i) {
    if (limits.cycles[i] > 0) shares.push_back({limit_infos[i], limits.cycles[i] / all});
  }
  std::stable_sort(shares.begin(), shares.end(),
                   [](const LimitShare& a, const LimitShare& b) { return a.share > b.share; });
  return shares;
}

std::string limit_sentence(const LimitCycles& limits) {
  const std::vector<LimitShare> shares = limit_shares(limits);
  if (shares.empty()) return "";
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < std::min<std::size_t>(3, shares.size()); ++i) {
    parts.push_back(fmt::format("{} {:.1f} %", shares[i].limit.name, 100 * shares[i].share));
  }
  std::string sentence =
      fmt::format("{} of the critical path; {} acts on the first", fmt::join(parts, ", "), shares[0].limit.parameter);
  if (shares.size() > 1) sentence += fmt::format(", {} on the second", shares[1].limit.parameter);
  return sentence;
}

double no_kernel(const RunResult& result) {
  return 1 - per_second(static_cast<double>(result.activity.kernel_cycles), static_cast<double>(result.cycles));
}

}  // namespace bvp
