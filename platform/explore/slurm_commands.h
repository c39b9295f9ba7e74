// SPDX-License-Identifier: Apache-2.0
// The commands of Slurm: sbatch, squeue, scancel, scontrol.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/base/types.h"

namespace bvp {

struct CommandEnd {
  int code = 0;
  std::string out, errors;
};

/// Runs a command to its end. @throws std::runtime_error  there is no such command
[[nodiscard]] CommandEnd run_command(const std::vector<std::string>& command, const std::string& input = {});

/// A job of an array: number of the array and index.
using ArrayJob = std::pair<u64, u64>;

struct JobState {
  std::string state;   ///< PENDING, RUNNING, ...
  std::string reason;  ///< why it does not run
};

/// The jobs of this name that have not ended; nullopt: the controller does not answer now.
[[nodiscard]] std::optional<std::map<ArrayJob, JobState>> jobs_of_name(const std::string& name);

/// What squeue has printed, a line "ARRAY|INDEX|STATE|REASON" a job.
[[nodiscard]] std::map<ArrayJob, JobState> read_jobs(const std::string& text);

/// Whether a message says that the controller cannot be reached now, or takes no further jobs now.
[[nodiscard]] bool is_passing(const std::string& message);

/// Most jobs of an array on this cluster.
[[nodiscard]] u64 most_of_array();

}  // namespace bvp
