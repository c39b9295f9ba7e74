// SPDX-License-Identifier: Apache-2.0
// The DMA channels as units of the sequencer.
#pragma once

#include <optional>
#include <vector>

#include "models/sequencer/command_queue.h"
#include "models/sequencer/command_reports.h"
#include "models/sequencer/sequencer_ports.h"

namespace bvp {

/// Each channel has one transfer at a time. The transfer's completion is a message that takes effect at a later cycle.
/// A transfer that takes longer than the limit is aborted, which is an error.
class DmaChannels {
 public:
  DmaChannels(u32 count, SequencerPorts& ports, Semaphores& semaphores, CommandReports& reports);

  [[nodiscard]] u32 count() const { return static_cast<u32>(channels_.size()); }
  /// One bit for each channel: whether a transfer runs on it.
  [[nodiscard]] u32 running() const;

  /// The command whose transfer runs on the channel; null if there is none.
  [[nodiscard]] const Command* command(u32 channel) const {
    const auto& running = channels_[channel].running;
    return running ? &*running : nullptr;
  }

  /// Starts the first command of the channel's queue if the channel is free and the command's tokens are there. Must
  /// not be called while halted. Returns true if something has changed.
  bool start(u32 channel, CommandQueue& queue, Cycle now);
  /// Receives a completion message, which takes effect by finish(). Returns false if the channel expects none.
  [[nodiscard]] bool take_completion(u32 channel);
  /// @param status  as the DMA engine reports it; 0: the command completes; otherwise it fails with an error
  void finish(u32 channel, u32 status, Cycle now);
  /// Drops the commands of all channels. A running transfer goes on and keeps its channel busy; its completion has no
  /// effect.
  void abandon();

  /// Sets how long transfers that start from now on may take; 0: any time.
  void set_limit(Cycle cycles) { limit_ = cycles; }
  /// Aborts the transfer of the channel, if one runs; its command fails with this error.
  void abort(u32 channel, SequencerError error, u64 info);
  /// Aborts the transfers that have reached the limit. Returns true if something has changed.
  bool expire(Cycle now);
  /// The cycle in which the next transfer reaches the limit; `never` if none can.
  [[nodiscard]] Cycle next() const;

 private:
  struct Channel {
    std::optional<Command> running;
    bool reported = false;   // the completion message has come and has not taken effect yet
    bool abandoned = false;  // the completion will not be reported
    Cycle deadline = never;  // when the transfer reaches the limit
  };

  /// Starts the command's transfer. Returns false if the engine refuses it.
  [[nodiscard]] bool send(u32 index, const Command& command);

  SequencerPorts& ports_;
  Semaphores& semaphores_;
  CommandReports& reports_;
  std::vector<Channel> channels_;
  Cycle limit_ = 0;
};

}  // namespace bvp
