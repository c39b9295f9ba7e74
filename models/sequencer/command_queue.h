// SPDX-License-Identifier: Apache-2.0
// Commands that wait for their unit, in the order of the ring.
#pragma once

#include <deque>
#include <vector>

#include "models/abi/records.h"
#include "models/base/statistics.h"

namespace bvp {

class CommandQueue {
 public:
  /// @param depth  commands that it holds
  explicit CommandQueue(std::size_t depth) : depth_(depth) {}

  /// Adds a command. Returns false and changes nothing if the queue is full.
  [[nodiscard]] bool push(const Command& command) {
    if (commands_.size() >= depth_) return false;
    commands_.push_back(command);
    return true;
  }
  [[nodiscard]] bool empty() const { return commands_.empty(); }
  [[nodiscard]] const Command& front() const { return commands_.front(); }
  Command pop() {
    const Command command = commands_.front();
    commands_.pop_front();
    return command;
  }
  void clear() { commands_.clear(); }
  /// From the first to the last.
  [[nodiscard]] const std::deque<Command>& commands() const { return commands_; }

  /// Lasts while semaphores alone keep the first command from starting.
  LastingState blocked;

 private:
  std::size_t depth_;
  std::deque<Command> commands_;
};

/// The queues by unit: elements unit_index_array and unit_index_dma + channel. Sync commands do not wait in a queue.
using UnitQueues = std::vector<CommandQueue>;

/// The unit that carries out the command, numbered as in UNIT_COMPLETED.
[[nodiscard]] inline u32 unit_of(const Command& command) {
  switch (static_cast<CommandOpcode>(command.opcode)) {
    case CommandOpcode::dma:
      return unit_index_dma + command.unit;
    case CommandOpcode::launch:
      return unit_index_array;
    case CommandOpcode::sync:
      break;
  }
  return unit_index_sync;
}

}  // namespace bvp
