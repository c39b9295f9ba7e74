// SPDX-License-Identifier: Apache-2.0
#include "models/sequencer/sequencer_statistics.h"

#include <utility>

namespace bvp {

SequencerStatistics::SequencerStatistics(std::string name)
    : group(std::move(name)),
      commands_sync(&group, "commands_sync", "commands", "sync commands completed"),
      commands_dma(&group, "commands_dma", "commands", "DMA commands completed"),
      commands_launch(&group, "commands_launch", "commands", "launches completed"),
      launches_same_image(&group, "launches_same_image", "launches",
                          "launches that needed no configuration because the image was there"),
      launches_overlapped(&group, "launches_overlapped", "launches",
                          "launches sent while the one before was still running"),
      launch_wait_cycles(&group, "launch_wait", "cycles", "from a launch becoming the head of its queue to its start"),
      launch_cycles(&group, "launch", "cycles", "spent starting kernels"),
      image_fetch_cycles(&group, "image_fetch", "cycles", "spent reading kernel images"),
      config_cycles(&group, "config", "cycles", "in which the configuration network was busy"),
      exposed_cycles(&group, "config_exposed", "cycles", "of image_fetch and config in which no kernel was running"),
      array_busy(&group, "array_busy", "cycles", "in which a launch was in the PEs"),
      semaphore_wait_cycles(&group, "semaphore_wait", "cycles",
                            "that commands otherwise able to start waited for semaphores, over all units"),
      dispatch_stall_cycles(&group, "dispatch_stall", "cycles", "that the dispatcher waited for a full queue"),
      idle_cycles(&group, "idle", "cycles", "with nothing fetched, queued or running"),
      ring_bytes(&group, "ring_fetch_bytes", "bytes", "read from the command ring"),
      image_bytes(&group, "image_fetch_bytes", "bytes", "read of kernel images"),
      errors(&group, "errors", "errors", "found, also while already halted"),
      commands_decoded(&group, "command", "commands", "commands decoded"),
      config_words(&group, "config_word", "words", "words sent over the configuration network") {}

}  // namespace bvp
