// SPDX-License-Identifier: Apache-2.0
#include "platform/run/progress_estimate.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "models/abi/records.h"

namespace bvp {
namespace {

bool is_launch(const Command& command) { return command.opcode == static_cast<u8>(CommandOpcode::launch); }

}  // namespace

ProgressEstimate::ProgressEstimate(const CompiledNetwork& network, std::function<void()> changed)
    : network_(network),
      changed_(std::move(changed)),
      tags_(network.tasks.size()),
      before_(network.tasks.size() + 1),
      launches_(network.tasks.size()) {
  for (std::size_t task = 0; task < network.tasks.size(); ++task) {
    before_[task + 1] = before_[task] + static_cast<double>(network.tasks[task].predicted_cycles);
  }
  for (const KernelInfo& kernel : network.kernels) {
    const u32 task = kernel.step.task;
    launches_[task] += static_cast<double>(network.tasks[task].tiles * kernel.predicted_cycles);
    kernels_.push_back(&kernel);
  }
  std::sort(kernels_.begin(), kernels_.end(),
            [](const KernelInfo* a, const KernelInfo* b) { return a->step < b->step; });
}

std::string ProgressEstimate::task() const { return launched_ ? network_.tasks[task_].name : ""; }

void ProgressEstimate::kernel_launched(const Command& command, const LaunchPhases&, Cycle) {
  const std::optional<TaskStep> step = CommandTags(tags_).read(command.tag);  // a copy: tags_ follows the completions
  if (!step) return;
  if (ended_) done_ = 0;
  ended_ = false;
  if (!launched_ || step->task != task_) in_task_ = 0;
  launched_ = true;
  task_ = step->task;
  if (changed_) changed_();
}

void ProgressEstimate::command_completed(const Command& command, Cycle) {
  if (command.tag == network_tag_end) {
    ended_ = true;
    done_ = 1;
    in_task_ = 0;
  }
  const std::optional<TaskStep> step = tags_.read(command.tag);
  if (!step || !is_launch(command) || step->task != task_) return;
  const auto kernel = std::lower_bound(kernels_.begin(), kernels_.end(), *step,
                                       [](const KernelInfo* a, const TaskStep& b) { return a->step < b; });
  if (kernel == kernels_.end() || *step < (*kernel)->step) return;
  in_task_ += static_cast<double>((*kernel)->predicted_cycles);
  const double share = launches_[task_] > 0 ? std::min(1.0, in_task_ / launches_[task_]) : 0;
  const double all = before_.back();
  const double cycles = before_[task_] + share * (before_[task_ + 1] - before_[task_]);
  if (all > 0) done_ = std::max(done_, cycles / all);
  if (share >= 1) finish_task();
  if (changed_) changed_();
}

void ProgressEstimate::task_done(u32 task) {
  if (!launched_ || task != task_) return;
  finish_task();
  if (changed_) changed_();
}

void ProgressEstimate::finish_task() {
  if (before_.back() > 0) done_ = std::max(done_, before_[task_ + 1] / before_.back());
  if (task_ + 1 == network_.tasks.size()) return;
  ++task_;
  in_task_ = 0;
}

}  // namespace bvp
