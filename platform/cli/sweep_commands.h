// SPDX-License-Identifier: Apache-2.0
// The commands below `butterfly-vp sweep`.
#pragma once

#include "platform/cli/commands.h"

namespace bvp {

/// The command that starts a worker: this program, also if another file has taken its place since.
[[nodiscard]] std::vector<std::string> worker_command();
/// @param given  0: one for each core
[[nodiscard]] unsigned jobs_of(unsigned given);

/// Adds `--jobs`, the worker processes of a command; jobs_of() says how many 0 are.
void add_jobs_option(CLI::App& app, unsigned& jobs);
/// Adds `--timeout`, the seconds that a point may take.
void add_timeout_option(CLI::App& app, double& seconds);

/// Adds `sweep confirm`.
void add_sweep_confirm_command(CLI::App& sweep, CommandLine& line);
/// Adds `sweep show` and `sweep report`.
void add_sweep_analysis_commands(CLI::App& sweep, CommandLine& line);

}  // namespace bvp
