// SPDX-License-Identifier: Apache-2.0
// What a run shows on the terminal when it has ended.
#pragma once

#include <string>

#include "platform/report/run_result.h"

namespace bvp {

/// The end-of-run table, at most 100 columns wide.
std::string summary_table(const RunResult& result);

}  // namespace bvp
