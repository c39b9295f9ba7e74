// SPDX-License-Identifier: Apache-2.0
// For measurement: who wants to know what the sequencer does, and when.
#pragma once

#include "models/abi/records.h"

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

/// Called from within the simulation, at the cycle given; implementations only take notes.
class CommandObserver {
 public:
  virtual ~CommandObserver() = default;
  /// The command's waits are met and its unit works on it (for a launch: the launch cycles begin).
  virtual void command_started(const Command& command, Cycle cycle) = 0;
  /// The command is done; its semaphore is signalled in the same cycle. Failed commands do not complete.
  virtual void command_completed(const Command& command, Cycle cycle) = 0;
  /// The PEs of the sub-array have been told to start the command's kernel.
  virtual void kernel_launched(const Command& command, const LaunchPhases& phases, Cycle cycle) = 0;
  /// A kernel that was launched has ended, and its command will not complete: an error, or a reset that stopped it.
  virtual void kernel_failed(const Command& command, Cycle cycle) { (void)command, (void)cycle; }
};

}  // namespace bvp
