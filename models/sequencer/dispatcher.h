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

/// One command at a time, which takes `dispatch_cycles`. A sync command is carried out here, and waits here for its
/// semaphores; another one waits here while the queue of its unit is full.
class Dispatcher {
 public:
  Dispatcher(const SequencerParameters& parameters, u32 channels, Semaphores& semaphores, CommandReports& reports,
             SequencerStatistics& statistics);

  /// Not while halted. True: something has changed.
  bool advance(Cycle now, CommandRing& ring, UnitQueues& queues);
  [[nodiscard]] bool idle() const { return !current_; }
  /// The command that it has is forgotten.
  void drop() { current_.reset(); }
  /// When it has decoded the command that it has; `never` if it has none.
  [[nodiscard]] Cycle done() const { return current_ ? current_->done : never; }

  void settle(Cycle now);
  /// Nothing waits any more.
  void end_waits(Cycle now);

 private:
  struct Current {
    Command command{};
    Cycle done = 0;
    bool decoded = false;
  };
  /// True: the command has left the dispatcher.
  bool place(const Command& command, Cycle now, UnitQueues& queues);

  const Cycle cycles_;
  const CommandLimits limits_;
  Semaphores& semaphores_;
  CommandReports& reports_;
  SequencerStatistics& statistics_;
  std::optional<Current> current_;
  LastingState blocked_;  // for semaphores
  LastingState stalled_;  // for a queue
};

}  // namespace bvp
