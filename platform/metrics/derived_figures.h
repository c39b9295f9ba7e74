// SPDX-License-Identifier: Apache-2.0
// Figures that follow from those of a run, wherever they are shown.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "platform/metrics/run_result.h"

namespace bvp {

/// 0 for no time.
[[nodiscard]] inline double per_second(double amount, double seconds) { return seconds > 0 ? amount / seconds : 0; }

/// In mm2, of all components.
[[nodiscard]] double total_area(const RunResult& result);

/// The resource that was busy for the largest share of the run's cycles, and that share; nothing if none was followed.
[[nodiscard]] std::optional<std::pair<std::string, double>> limit_of(const RunResult& result);

/// The cycles without a kernel on the array over all cycles of the run.
[[nodiscard]] double no_kernel(const RunResult& result);

}  // namespace bvp
