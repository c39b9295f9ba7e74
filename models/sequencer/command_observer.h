// SPDX-License-Identifier: Apache-2.0
// Tells observers what the sequencer does, and when.
#pragma once

#include <vector>

#include "models/abi/records.h"
#include "models/base/signal.h"

namespace bvp {

/// Parts of the time before a kernel's start. Fetch and configuration may take place while the previous kernel runs.
struct LaunchPhases {
  u64 fetch_cycles = 0;     ///< reading the image; 0 if the PEs have it already
  u64 config_cycles = 0;    ///< sending it over the configuration network
  u64 launch_cycles = 0;    ///< the launch itself
  u64 exposed_cycles = 0;   ///< part of fetch and configuration: cycles in which no kernel ran
  u32 launch_number = 0;    ///< as in the PEs' LaunchRecord
  bool overlapped = false;  ///< sent while the previous launch, of the same image, was still running
};

/// The signals of the sequencer. They call their slots from within the simulation, at the cycle given; a slot must only
/// take notes.
struct CommandSignals {
  /// The waits of the command are met, and its unit begins to work on it (for a launch, the launch cycles begin).
  Signal<const Command&, Cycle> started;
  /// The command is done; its semaphore is signalled in the same cycle. Commands that fail do not complete.
  Signal<const Command&, Cycle> completed;
  /// The sequencer tells the PEs of the sub-array to start the command's kernel.
  Signal<const Command&, const LaunchPhases&, Cycle> launched;
  /// A kernel that was launched has ended, but its command will not complete, because of an error or a reset.
  Signal<const Command&, Cycle> kernel_failed;
};

/// For an observer of all of these signals.
class CommandObserver {
 public:
  CommandObserver() = default;
  virtual ~CommandObserver();
  CommandObserver(const CommandObserver&) = delete;
  CommandObserver& operator=(const CommandObserver&) = delete;

  /// From now on the observer receives the signals, as long as this object lives.
  void watch(CommandSignals& signals);

 private:
  virtual void command_started(const Command& command, Cycle cycle) = 0;
  virtual void command_completed(const Command& command, Cycle cycle) = 0;
  virtual void kernel_launched(const Command& command, const LaunchPhases& phases, Cycle cycle) = 0;
  virtual void kernel_failed(const Command& command, Cycle cycle) { (void)command, (void)cycle; }

  std::vector<Connection> connections_;
};

}  // namespace bvp
