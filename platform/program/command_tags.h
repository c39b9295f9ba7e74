// SPDX-License-Identifier: Apache-2.0
// What the tags of the runtime's commands say (models/abi/records.h).
#pragma once

#include <optional>
#include <tuple>

#include "models/base/types.h"

namespace bvp {

/// Steps of a network's tasks, by number.
struct TaskStep {
  u32 task = 0, step = 0;  // step: within the task
  friend bool operator<(const TaskStep& a, const TaskStep& b) {
    return std::tie(a.task, a.step) < std::tie(b.task, b.step);
  }
};

/// The tag of the commands that carry out this step.
[[nodiscard]] constexpr u32 tag_of(const TaskStep& step) { return step.task << 16 | step.step; }

/// Reads the tags of commands in the order in which they are seen. A tag has the lower half of the task's number;
/// commands of no more than a few tasks are under way at a time, so the number is the one next to that seen last.
class CommandTags {
 public:
  /// @param tasks  of the network
  explicit CommandTags(std::size_t tasks) : tasks_(static_cast<i64>(tasks)) {}

  /// Nothing: the network's last command, or one that is not the runtime's.
  std::optional<TaskStep> read(u32 tag);

 private:
  const i64 tasks_;
  i64 task_ = 0;  // seen last
};

}  // namespace bvp
