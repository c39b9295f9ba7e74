// SPDX-License-Identifier: Apache-2.0
// The counters of the sequencer. Each counter belongs to one of its machines.
#pragma once

#include <string>

#include "models/base/statistics.h"

namespace bvp {

struct SequencerStatistics {
  /// @param name  of the group
  explicit SequencerStatistics(std::string name);

  StatGroup group;
  Counter commands_sync, commands_dma, commands_launch;
  Counter launches_same_image, launches_overlapped;
  Counter launch_wait_cycles, launch_cycles, image_fetch_cycles, config_cycles, exposed_cycles, array_busy;
  Counter semaphore_wait_cycles, dispatch_stall_cycles, idle_cycles;
  Counter ring_bytes, image_bytes;
  Counter errors;
  Counter commands_decoded, config_words;
};

}  // namespace bvp
