// SPDX-License-Identifier: Apache-2.0
// Encodes and decodes the tags of the runtime's commands (models/abi/records.h).
#pragma once

#include <optional>
#include <tuple>

#include "models/base/types.h"

namespace bvp {

/// Indices of the steps of a network's tasks.
struct TaskStep {
  u32 task = 0, step = 0;  // step: within the task
  friend bool operator<(const TaskStep& a, const TaskStep& b) {
    return std::tie(a.task, a.step) < std::tie(b.task, b.step);
  }
};

/// The tag of the commands that carry out this step.
[[nodiscard]] constexpr u32 tag_of(const TaskStep& step) { return step.task << 16 | step.step; }

/// Decodes tags of commands in the order in which they are seen. A tag has only the lower half of the task's index.
/// Commands of only a few tasks are in flight at a time, so the index is the one nearest to the last one seen.
class CommandTags {
 public:
  /// @param tasks  of the network
  explicit CommandTags(std::size_t tasks) : tasks_(static_cast<i64>(tasks)) {}

  /// Returns nullopt for the network's last command and for commands that are not the runtime's.
  std::optional<TaskStep> read(u32 tag);

 private:
  const i64 tasks_;
  i64 task_ = 0;  // seen last
};

}  // namespace bvp
