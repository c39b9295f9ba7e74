// SPDX-License-Identifier: Apache-2.0
// What runs the tasks of a sweep: processes on this host or on others, or jobs of a cluster.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "platform/explore/worker.h"

namespace bvp {

struct LauncherCallbacks {
  /// The next task; nullopt: there is none left. It is asked for tasks ahead while all workers are busy.
  std::function<std::optional<WorkerTask>()> next;
  /// Tasks have ended. Each is reported once; those that are reported together may be recorded together.
  std::function<void(std::vector<WorkerAnswer>)> ended;
  /// Called about ten times a second with the number of tasks that run; true: end all workers at once and return.
  std::function<bool(u64 running)> tick;
};

class TaskLauncher {
 public:
  virtual ~TaskLauncher() = default;

  /// Runs tasks until there are none left and all have ended. A task whose worker crashes, or takes too long, has
  /// ended with this outcome; a task whose host or connection was lost runs again. May be called again for further
  /// tasks.
  /// @return false: tick() has ended it, and there is nothing to call any more
  /// @throws std::runtime_error  tasks cannot be run at all
  virtual bool run(const LauncherCallbacks& callbacks) = 0;
};

}  // namespace bvp
