// SPDX-License-Identifier: Apache-2.0
// Figures that are computed from other figures of a run, in every place that shows them.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "platform/metrics/run_result.h"

namespace bvp {

/// Returns 0 if the time is 0.
[[nodiscard]] inline double per_second(double amount, double seconds) { return seconds > 0 ? amount / seconds : 0; }

/// The area of all components in mm2.
[[nodiscard]] double total_area(const RunResult& result);

/// The resource that was busy for the largest share of the run's cycles, and that share; nullopt if no resource was
/// followed.
[[nodiscard]] std::optional<std::pair<std::string, double>> limit_of(const RunResult& result);

/// The share of the run's cycles in which no kernel was on the array.
[[nodiscard]] double no_kernel(const RunResult& result);

}  // namespace bvp
