// SPDX-License-Identifier: Apache-2.0
// Vectors on their way to an operand memory: they are in it when they arrive, not before.
#pragma once

#include <cstring>
#include <vector>

#include "models/pe/operand_memory.h"

namespace bvp {

/// A pool of groups of vectors, each of which has a number until it is released.
class IncomingVectors {
 public:
  struct Group {
    std::vector<u16> slots;  ///< where the vectors go
    std::vector<u16> data;   ///< one vector after the other; empty if no data are moved
  };

  /// Returns the number of an unused group. The group may still hold old contents.
  [[nodiscard]] u32 take() {
    if (free_.empty()) {
      groups_.emplace_back();
      return static_cast<u32>(groups_.size() - 1);
    }
    const u32 number = free_.back();
    free_.pop_back();
    return number;
  }
  [[nodiscard]] Group& group(u32 number) { return groups_[number]; }
  [[nodiscard]] const Group& group(u32 number) const { return groups_[number]; }
  void release(u32 number) { free_.push_back(number); }
  /// Writes the group's vectors into the memory.
  void deliver(u32 number, OperandMemory& memory) const {
    const Group& group = groups_[number];
    const u32 lanes = memory.lanes();
    for (std::size_t i = 0; i < group.slots.size(); ++i) {
      std::memcpy(memory.vector(group.slots[i]), group.data.data() + i * lanes, std::size_t{lanes} * 2);
    }
  }

 private:
  std::vector<Group> groups_;
  std::vector<u32> free_;
};

}  // namespace bvp
