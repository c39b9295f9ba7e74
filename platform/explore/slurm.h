// SPDX-License-Identifier: Apache-2.0
// Runs the tasks of a sweep as array jobs of Slurm. Jobs read chunks of tasks and write answers as files in a directory
// that they share with the host of the sweep (chunk_files.h); that host alone writes the store.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "platform/explore/task_launcher.h"

namespace bvp {

struct SlurmOptions {
  std::filesystem::path spool;       ///< the shared directory
  std::vector<std::string> command;  ///< what a job runs; the number of its chunk follows, after the directory
  std::string build;                 ///< what identifies the build
  u64 jobs = 100;                    ///< jobs that are queued or run at a time
  u64 chunk = 100;                   ///< tasks of a job
  std::vector<std::string> sbatch;   ///< options of sbatch: partition, account, limits
  /// How often a task runs again whose job ended while it ran; after that it counts as crashed.
  unsigned retries = 3;
  std::function<void(const std::string&)> warn;  ///< takes sentences for the user
};

class SlurmLauncher : public TaskLauncher {
 public:
  explicit SlurmLauncher(SlurmOptions options);
  ~SlurmLauncher() override;
  SlurmLauncher(const SlurmLauncher&) = delete;
  SlurmLauncher& operator=(const SlurmLauncher&) = delete;

  bool run(const LauncherCallbacks& callbacks) override;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

/// A task that a job has answered.
struct AnsweredTask {
  WorkerTask task;
  WorkerAnswer answer;
};

/// Cancels the jobs that a sweep with this directory has left behind, and hands out what they have answered.
void recover_answers(const std::filesystem::path& spool, const std::function<void(AnsweredTask)>& visit);
/// Removes the directory, when all answers are recorded.
void remove_answers(const std::filesystem::path& spool);

}  // namespace bvp
