// SPDX-License-Identifier: Apache-2.0
// For measurement: who wants to know what the sequencer does, and when.
#pragma once

#include <vector>

#include "models/abi/records.h"
#include "models/base/signal.h"

namespace bvp {

/// Where the time before a kernel's start went. Fetch and configuration may lie behind the kernel before.
struct LaunchPhases {
  u64 fetch_cycles = 0;     ///< reading the image; 0 if it was configured already
  u64 config_cycles = 0;    ///< sending it over the configuration network
  u64 launch_cycles = 0;    ///< the launch itself
  u64 exposed_cycles = 0;   ///< of fetch and configuration: cycles in which no kernel ran
  u32 launch_number = 0;    ///< as in the PEs' LaunchRecord
  bool overlapped = false;  ///< sent while the launch before, of the same image, was still running
};

/// What the sequencer tells of commands. Slots are called from within the simulation, at the cycle given, and only take
/// notes.
struct CommandSignals {
  /// The command's waits are met and its unit works on it (for a launch: the launch cycles begin).
  Signal<const Command&, Cycle> started;
  /// The command is done; its semaphore is signalled in the same cycle. Failed commands do not complete.
  Signal<const Command&, Cycle> completed;
  /// The PEs of the sub-array are told to start the command's kernel.
  Signal<const Command&, const LaunchPhases&, Cycle> launched;
  /// A kernel that was launched has ended, and its command will not complete: an error, or a reset that stopped it.
  Signal<const Command&, Cycle> kernel_failed;
};

/// For those that want to hear all of these signals.
class CommandObserver {
 public:
  CommandObserver() = default;
  virtual ~CommandObserver();
  CommandObserver(const CommandObserver&) = delete;
  CommandObserver& operator=(const CommandObserver&) = delete;

  /// Hears the signals from now on for as long as it lives.
  void watch(CommandSignals& signals);

 private:
  virtual void command_started(const Command& command, Cycle cycle) = 0;
  virtual void command_completed(const Command& command, Cycle cycle) = 0;
  virtual void kernel_launched(const Command& command, const LaunchPhases& phases, Cycle cycle) = 0;
  virtual void kernel_failed(const Command& command, Cycle cycle) { (void)command, (void)cycle; }

  std::vector<Connection> connections_;
};

}  // namespace bvp
