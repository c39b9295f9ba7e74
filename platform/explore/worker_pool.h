// SPDX-License-Identifier: Apache-2.0
// Worker processes that take one task after another.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "platform/explore/worker.h"

namespace bvp {

struct PoolOptions {
  unsigned jobs = 1;
  /// Seconds that a task may take; its worker is then ended.
  double timeout_s = 3600;
  /// After so many tasks a worker is replaced, so that its memory stays bounded.
  u64 tasks_of_worker = 1000;
  std::vector<std::string> command;  ///< the executable and its arguments
};

struct PoolCallbacks {
  /// The next task; nullopt: there is none left. It is asked for a task ahead while all workers are busy.
  std::function<std::optional<WorkerTask>()> next;
  /// A task has ended. Each is reported once.
  std::function<void(WorkerAnswer)> ended;
  /// Called ten times a second with the number of tasks that run; true: end all workers at once and return.
  std::function<bool(unsigned running)> tick;
};

/// Worker processes; they start when there is something to do and wait for more afterwards.
class WorkerPool {
 public:
  explicit WorkerPool(PoolOptions options);
  /// Ends the workers.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// Hands tasks to workers until there are none left and all have ended. A worker that crashes, or that is ended
  /// because its task takes too long, costs this task and is replaced. May be called again for further tasks.
  /// @return false: tick() has ended it, and there is nothing to call any more
  /// @throws std::runtime_error  workers cannot be started, or end before they have done anything
  bool run(const PoolCallbacks& callbacks);

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace bvp
