// SPDX-License-Identifier: Apache-2.0
// How far a network is: which task runs, and the share of the planned cycles that has been done.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "models/sequencer/command_observer.h"
#include "platform/program/compiled_network.h"

namespace bvp {

class ProgressEstimate : public CommandObserver {
 public:
  /// @param network  must live as long as the object
  /// @param changed  called whenever a launch begins or ends; may be empty
  ProgressEstimate(const CompiledNetwork& network, std::function<void()> changed);

  void command_started(const Command&, Cycle) override {}
  void command_completed(const Command& command, Cycle cycle) override;
  void kernel_launched(const Command& command, const LaunchPhases& phases, Cycle cycle) override;

  /// The firmware says that it is done with this task. What it says of tasks that are not there is not heard.
  void task_done(u32 task);

  /// The task whose kernel was launched last, or the one after it where all its launches have completed.
  [[nodiscard]] std::size_t task_index() const { return task_; }
  /// Its name; empty before the first launch, and for firmware that does not run the network.
  [[nodiscard]] std::string task() const;
  /// 0 to 1, of one inference: expected cycles of the tasks before this one, and of this one the share of its launches
  /// that have completed. Falls only when another inference begins.
  [[nodiscard]] double done() const { return done_; }

 private:
  void finish_task();

  const CompiledNetwork& network_;
  std::function<void()> changed_;
  CommandTags tags_;
  std::vector<double> before_;              // [task]: expected cycles of those before it; one more: of all
  std::vector<double> launches_;            // [task]: expected cycles on the array, of all its launches
  std::vector<const KernelInfo*> kernels_;  // sorted by step
  bool launched_ = false;
  bool ended_ = false;  // the inference, and no other one has begun
  std::size_t task_ = 0;
  double in_task_ = 0;  // as launches_, of those that have completed
  double done_ = 0;
};

}  // namespace bvp
