// SPDX-License-Identifier: Apache-2.0
// The commands below `butterfly-vp sweep`.
#pragma once

#include "platform/cli/commands.h"

namespace bvp {

/// Adds `sweep show` and `sweep report`.
void add_sweep_analysis_commands(CLI::App& sweep, CommandLine& line);

}  // namespace bvp
