// SPDX-License-Identifier: Apache-2.0
// The DMA channels as units of the sequencer.
#pragma once

#include <optional>
#include <vector>

#include "models/sequencer/command_queue.h"
#include "models/sequencer/command_reports.h"
#include "models/sequencer/sequencer_ports.h"

namespace bvp {

/// Each channel has one transfer at a time, whose completion is a message that takes effect at a later cycle.
class DmaChannels {
 public:
  DmaChannels(u32 count, SequencerPorts& ports, Semaphores& semaphores, CommandReports& reports);

  [[nodiscard]] u32 count() const { return static_cast<u32>(channels_.size()); }
  /// A bit for each channel on which a transfer runs.
  [[nodiscard]] u32 running() const;

  /// Starts the first command of the channel's queue if the channel is free and the command's tokens are there; not
  /// while halted. True: something has changed.
  bool start(u32 channel, CommandQueue& queue, Cycle now);
  /// A completion message has come, whose effect follows by finish(); false: the channel waits for none.
  [[nodiscard]] bool take_completion(u32 channel);
  /// @param status  as the DMA reports it; 0: the command completes, otherwise it is an error
  void finish(u32 channel, u32 status, Cycle now);
  /// Transfers cannot be stopped: those that run keep their channel busy, and finish unheard.
  void abandon();

 private:
  struct Channel {
    std::optional<Command> running;
    bool reported = false;   // the completion is on its way
    bool abandoned = false;  // the completion is not signalled
  };

  SequencerPorts& ports_;
  Semaphores& semaphores_;
  CommandReports& reports_;
  std::vector<Channel> channels_;
};

}  // namespace bvp
