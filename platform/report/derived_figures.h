// SPDX-License-Identifier: Apache-2.0
// Figures that follow from those of a run, wherever they are shown.
#pragma once

#include "platform/report/run_result.h"

namespace bvp {

/// 0 for no time.
[[nodiscard]] inline double per_second(double amount, double seconds) { return seconds > 0 ? amount / seconds : 0; }

/// In mm2, of all components.
[[nodiscard]] double total_area(const RunResult& result);

/// In watts, of the windows that are as long as they should be: the last one may be short. There is at least one
/// window.
[[nodiscard]] double peak_power(const RunResult& result);

}  // namespace bvp
