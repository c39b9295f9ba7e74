// SPDX-License-Identifier: Apache-2.0
// What a run shows on the terminal when it has ended.
#pragma once

#include <string>

#include "platform/metrics/run_result.h"
#include "platform/support/text_table.h"

namespace bvp {

struct TerminalSummaryOptions {
  std::size_t width = default_width;  ///< of the terminal; tables have no fewer columns than they need
  bool all_rows = false;              ///< every layer and kernel; otherwise what fits one screen
};

/// The figures of the whole run, then tables of layers, kernels, unit cycles and energy. Of more than eight layers,
/// neighbours that are alike share a row, and a kernel has one for all layers that have it; of more than eleven rows of
/// kernels, those that took the most cycles are shown.
std::string summary_table(const RunResult& result, const TerminalSummaryOptions& options = {});

}  // namespace bvp
