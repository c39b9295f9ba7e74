// SPDX-License-Identifier: Apache-2.0
// Estimates how far a network is: which task runs, and which share of the planned cycles has been done.
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

  /// The firmware reports that it is done with this task. Reports of tasks that do not exist are ignored.
  void task_done(u32 task);

  /// The task whose kernel was launched last or, if all its launches have completed, the next task.
  [[nodiscard]] std::size_t task_index() const { return task_; }
  /// The name of that task; empty before the first launch, and for firmware that does not run the network.
  [[nodiscard]] std::string task() const;
  /// 0 to 1 for one inference: the expected cycles of the earlier tasks, plus those of this task in proportion to its
  /// completed launches. Falls only when another inference begins.
  [[nodiscard]] double done() const { return done_; }

 private:
  void finish_task();

  const CompiledNetwork& network_;
  std::function<void()> changed_;
  CommandTags tags_;
  std::vector<double> before_;    // [task]: expected cycles of the earlier tasks; the last entry: of all tasks
  std::vector<double> launches_;  // [task]: expected cycles on the array of all its launches
  std::vector<const KernelInfo*> kernels_;  // sorted by step
  bool launched_ = false;
  bool ended_ = false;  // the inference has ended, and no other one has begun
  std::size_t task_ = 0;
  double in_task_ = 0;  // expected cycles of the present task's launches that have completed
  double done_ = 0;
};

}  // namespace bvp
