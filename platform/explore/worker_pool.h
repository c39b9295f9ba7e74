// SPDX-License-Identifier: Apache-2.0
// Worker processes that take one task after another.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "platform/explore/task_launcher.h"

namespace bvp {

/// A host and what starts a worker on it.
struct PoolHost {
  std::string name;                  ///< empty: this host
  unsigned jobs = 1;                 ///< workers at a time
  std::vector<std::string> command;  ///< the executable and its arguments
  std::string greeting = worker_greeting();
  /// Exit code of the command if the connection was lost, and not the worker; nullopt: there is no connection.
  std::optional<int> lost;
};

struct PoolOptions {
  std::vector<PoolHost> hosts;
  /// Seconds that a task may take; its worker is then ended.
  double timeout_s = 3600;
  /// After so many tasks a worker is replaced, so that its memory stays bounded.
  u64 tasks_of_worker = 1000;
  /// How often a task runs again whose connection was lost; after that it counts as crashed.
  unsigned retries = 3;
  std::function<void(const std::string&)> warn;  ///< takes sentences for the user; may be empty
};

/// Worker processes; they start when there is something to do and wait for more afterwards. A host whose workers end
/// again and again before they have done anything is given up; so is the sweep, if it was the last one.
class WorkerPool : public TaskLauncher {
 public:
  explicit WorkerPool(PoolOptions options);
  /// Ends the workers.
  ~WorkerPool() override;
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  bool run(const LauncherCallbacks& callbacks) override;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace bvp
