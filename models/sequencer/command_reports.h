// SPDX-License-Identifier: Apache-2.0
// What the machines of the sequencer say of commands and errors, and where that is seen: registers, semaphores,
// statistics, observers.
#pragma once

#include <string>

#include "models/sequencer/command_observer.h"
#include "models/sequencer/semaphores.h"
#include "models/sequencer/sequencer_registers.h"
#include "models/sequencer/sequencer_statistics.h"

namespace bvp {

class CommandReports {
 public:
  /// The tag of an error that no command is to blame for.
  static constexpr u32 no_tag = 0xffffffff;

  /// @param name  of whom warnings come from
  CommandReports(std::string name, SequencerRegisters& registers, Semaphores& semaphores,
                 SequencerStatistics& statistics);

  void started(const Command& command, Cycle now);
  void launched(const Command& command, const LaunchPhases& phases, Cycle now);
  /// Counts the command, tells the observers and signals its semaphore; its interrupt is pending then.
  void completed(const Command& command, Cycle now);
  void kernel_failed(const Command& command, Cycle now);
  /// The first error is what firmware reads; it halts the sequencer. Further ones are counted.
  /// @param tag   of the command at fault, or no_tag
  /// @param info  what the error's description names
  void raise(SequencerError error, u32 tag, u64 info);

  /// No machine begins anything.
  [[nodiscard]] bool halted() const { return registers_.first_error() != SequencerError::none; }

  CommandSignals commands;
  Signal<> halts;              ///< the first error has been raised
  Signal<> interrupt_pending;  ///< INTERRUPT_STATUS has a further bit

 private:
  const std::string name_;
  SequencerRegisters& registers_;
  Semaphores& semaphores_;
  SequencerStatistics& statistics_;
};

}  // namespace bvp
