// SPDX-License-Identifier: Apache-2.0
// The machines of the sequencer report completed commands and errors here. The reports become visible in registers,
// semaphores, statistics and to observers.
#pragma once

#include <string>

#include "models/sequencer/command_observer.h"
#include "models/sequencer/semaphores.h"
#include "models/sequencer/sequencer_registers.h"
#include "models/sequencer/sequencer_statistics.h"

namespace bvp {

class CommandReports {
 public:
  /// The tag of an error that belongs to no command.
  static constexpr u32 no_tag = 0xffffffff;

  /// @param name  the name that warnings are reported with
  CommandReports(std::string name, SequencerRegisters& registers, Semaphores& semaphores,
                 SequencerStatistics& statistics);

  void started(const Command& command, Cycle now);
  void launched(const Command& command, const LaunchPhases& phases, Cycle now);
  /// Reports a completed command: counts it, tells the observers, signals its semaphore and makes its interrupt
  /// pending.
  void completed(const Command& command, Cycle now);
  void kernel_failed(const Command& command, Cycle now);
  /// Reports an error. Firmware reads the first one, which halts the sequencer; further ones are only counted.
  /// @param tag   of the command at fault, or no_tag
  /// @param info  the value that the error's description names
  /// @param address  on the bus, at fault; 0: none
  /// @param rows  of the array, with the PEs that the error is about, a bit each
  void raise(SequencerError error, u32 tag, u64 info, u64 address = 0, u32 rows = 0);

  /// Whether the sequencer is halted: then no machine begins anything.
  [[nodiscard]] bool halted() const { return registers_.first_error() != SequencerError::none; }

  CommandSignals commands;
  Signal<> halts;              ///< emitted when the first error has been raised
  Signal<> interrupt_pending;  ///< emitted when INTERRUPT_STATUS has a further bit

 private:
  const std::string name_;
  SequencerRegisters& registers_;
  Semaphores& semaphores_;
  SequencerStatistics& statistics_;
};

}  // namespace bvp
