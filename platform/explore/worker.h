// SPDX-License-Identifier: Apache-2.0
// A worker process of a sweep: it takes points over a pipe, simulates them, and answers with their figures.
#pragma once

#include <string>
#include <vector>

#include "platform/explore/store.h"
#include "platform/scenario/scenario.h"

namespace bvp {

/// A point as a worker is told of it.
struct WorkerTask {
  u64 id = 0;
  std::string file;
  std::vector<Override> overrides;
};

/// What comes back.
struct WorkerAnswer {
  u64 id = 0;
  Outcome outcome = Outcome::done;  ///< done, failed or refused; crashed and timed_out are for the parent to say
  std::string reason;
  double host_seconds = 0;
  std::string figures, details;  ///< JSON texts; empty if the point was refused
};

/// The first line of a worker.
inline constexpr const char* worker_greeting = "ready";

// One task is a line; one answer is three lines: the answer's head, the figures, the details.
[[nodiscard]] std::string task_text(const WorkerTask& task);
[[nodiscard]] WorkerTask read_task(const std::string& line);
[[nodiscard]] std::string answer_text(const WorkerAnswer& answer);
/// @throws std::runtime_error  this is not what a worker writes
[[nodiscard]] WorkerAnswer read_answer(const std::string& head, std::string figures, std::string details);

/// Simulates one point. Writes no files: what the scenario asks to record as files is left out.
[[nodiscard]] WorkerAnswer simulate_point(const WorkerTask& task, const ScenarioOptions& options);

/// Answers tasks that come from descriptor `in` to descriptor `out` until `in` ends.
/// @return 0; 1 if a task could not be read or an answer not be written
int serve_points(int in, int out, const ScenarioOptions& options);

}  // namespace bvp
