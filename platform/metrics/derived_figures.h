// SPDX-License-Identifier: Apache-2.0
// Figures that are computed from other figures of a run, in every place that shows them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "platform/metrics/run_result.h"

namespace bvp {

/// Returns 0 if the time is 0.
[[nodiscard]] inline double per_second(double amount, double seconds) { return seconds > 0 ? amount / seconds : 0; }

/// The area of all components in mm2.
[[nodiscard]] double total_area(const RunResult& result);

/// What the critical path spends time on, and its share of it.
struct LimitShare {
  LimitInfo limit;
  double share = 0;
};
/// The parts of the path, largest first, without those that have no cycles.
[[nodiscard]] std::vector<LimitShare> limit_shares(const LimitCycles& limits);
/// One sentence: the largest parts, and the parameter that would shorten the first of them; empty if there are none.
[[nodiscard]] std::string limit_sentence(const LimitCycles& limits);

/// The share of the samples that have the same class in both lists; nullopt if one is not there.
[[nodiscard]] std::optional<double> same_share(const std::vector<u32>& some, const std::vector<u32>& others);

/// The share of the run's cycles in which no kernel was on the array.
[[nodiscard]] double no_kernel(const RunResult& result);

}  // namespace bvp
