// SPDX-License-Identifier: Apache-2.0
#include "platform/program/command_tags.h"

#include "models/abi/records.h"

namespace bvp {

std::optional<TaskStep> CommandTags::read(u32 tag) {
  if (tag == network_tag_end) {
    task_ = 0;  // of the next inference
    return std::nullopt;
  }
  const i64 task = task_ + static_cast<i16>(static_cast<u16>((tag >> 16) - static_cast<u32>(task_)));
  if (task < 0 || task >= tasks_) return std::nullopt;
  task_ = task;
  return TaskStep{static_cast<u32>(task), tag & 0xffff};
}

}  // namespace bvp
