// SPDX-License-Identifier: Apache-2.0
// A worker process of a sweep: it takes points over a pipe, simulates them, and answers with their figures.
#pragma once

#include <string>
#include <vector>

#include "platform/explore/content_key.h"
#include "platform/explore/store.h"
#include "platform/scenario/scenario.h"

namespace bvp {

/// A point as a worker is told of it.
struct WorkerTask {
  u64 id = 0;
  std::string file;
  std::vector<Override> overrides;
  /// Of the result. A worker on another host refuses the point if its own files and build give another one; empty: it
  /// does not look.
  std::string key;
};

/// What comes back.
struct WorkerAnswer {
  u64 id = 0;
  Outcome outcome = Outcome::done;  ///< done, failed or refused; crashed and timed_out are for the parent to say
  std::string reason;
  double host_seconds = 0;
  std::string figures, details;  ///< JSON texts; empty if the point was refused
  std::string host;              ///< where it ran; empty: on the host of the sweep
};

/// The first line of a worker. @param build  what identifies the build, of a worker on another host
[[nodiscard]] std::string worker_greeting(const std::string& build = {});

// One task is a line; one answer is three lines: the answer's head, the figures, the details.
[[nodiscard]] std::string task_text(const WorkerTask& task);
[[nodiscard]] WorkerTask read_task(const std::string& line);
[[nodiscard]] std::string answer_text(const WorkerAnswer& answer);
/// @throws std::runtime_error  this is not what a worker writes
[[nodiscard]] WorkerAnswer read_answer(const std::string& head, std::string figures, std::string details);

/// Simulates one point. Writes no files: what the scenario asks to record as files is left out.
/// @param keys  computes the key of a task that has one
[[nodiscard]] WorkerAnswer simulate_point(const WorkerTask& task, const ScenarioOptions& options,
                                          ContentKeys* keys = nullptr);

struct WorkerService {
  int in = 0, out = 1;           ///< descriptors of tasks and of answers
  std::string build;             ///< what identifies the build
  bool identifies = false;       ///< says it in its first line
  bool checks_files = false;     ///< refuses tasks whose key is not that of its own files
  bool ends_with_input = false;  ///< ends at once when `in` ends, also within a point: nobody waits for its answer
};

/// Answers tasks until their input ends.
/// @return 0; 1 if a task could not be read or an answer not be written
int serve_points(const WorkerService& service, const ScenarioOptions& options);

}  // namespace bvp
