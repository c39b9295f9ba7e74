// SPDX-License-Identifier: Apache-2.0
// The dispatcher: takes commands off the ring, checks them and places them in the queues of their units.
#pragma once

#include <optional>

#include "models/sequencer/command_check.h"
#include "models/sequencer/command_queue.h"
#include "models/sequencer/command_reports.h"
#include "models/sequencer/command_ring.h"
#include "models/sequencer/sequencer_parameters.h"

namespace bvp {

/// Handles one command at a time, which takes `dispatch_cycles`. The dispatcher itself carries out a sync command,
/// which waits here for its semaphores. Any other command waits here while the queue of its unit is full.
class Dispatcher {
 public:
  Dispatcher(const SequencerParameters& parameters, u32 channels, Semaphores& semaphores, CommandReports& reports,
             SequencerStatistics& statistics);

  /// Does what is possible in this cycle; must not be called while halted. Returns true if something has changed.
  bool advance(Cycle now, CommandRing& ring, UnitQueues& queues);
  [[nodiscard]] bool idle() const { return !current_; }
  /// The present command; null if there is none.
  [[nodiscard]] const Command* current() const { return current_ ? &current_->command : nullptr; }
  /// Drops the present command.
  void drop() { current_.reset(); }
  /// The cycle in which the present command has been decoded; `never` if there is none.
  [[nodiscard]] Cycle done() const { return current_ ? current_->done : never; }

  void settle(Cycle now);
  /// Ends the waits: nothing waits any more.
  void end_waits(Cycle now);

 private:
  struct Current {
    Command command{};
    u64 address = 0;  // of the command in memory
    Cycle done = 0;
    bool decoded = false;
  };
  /// Places the present command. Returns true if the command has left the dispatcher.
  bool place(const Command& command, Cycle now, UnitQueues& queues);

  const Cycle cycles_;
  const CommandLimits limits_;
  Semaphores& semaphores_;
  CommandReports& reports_;
  SequencerStatistics& statistics_;
  std::optional<Current> current_;
  LastingState blocked_;  // waits for semaphores
  LastingState stalled_;  // waits for a queue
};

}  // namespace bvp
