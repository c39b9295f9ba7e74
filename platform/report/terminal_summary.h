// SPDX-License-Identifier: Apache-2.0
// The text that a run shows on the terminal when it has ended.
#pragma once

#include <string>

#include "platform/metrics/run_result.h"
#include "platform/support/text_table.h"

namespace bvp {

struct TerminalSummaryOptions {
  std::size_t width = default_width;  ///< of the terminal; tables have no fewer columns than they need
  bool all_rows = false;              ///< show every layer and kernel; otherwise only what fits on one screen
};

/// The figures of the whole run, followed by tables of layers, kernels, unit cycles and energy. If there are more than
/// eight layers, equal neighbours share a row, and the same kernel of all layers has one row. If there are more than
/// eleven rows of kernels, only those that took the most cycles are shown.
std::string summary_table(const RunResult& result, const TerminalSummaryOptions& options = {});

}  // namespace bvp
