// SPDX-License-Identifier: Apache-2.0
// The commands below `butterfly-vp sweep`.
#pragma once

#include "platform/cli/commands.h"

namespace bvp {

/// The command that starts a worker: this program, also if another file has taken its place since.
[[nodiscard]] std::vector<std::string> worker_command();
/// @param given  0: one for each core
[[nodiscard]] unsigned jobs_of(unsigned given);

/// Adds `sweep confirm`.
void add_sweep_confirm_command(CLI::App& sweep, CommandLine& line);
/// Adds `sweep show` and `sweep report`.
void add_sweep_analysis_commands(CLI::App& sweep, CommandLine& line);

}  // namespace bvp
