// SPDX-License-Identifier: Apache-2.0
#include "models/sequencer/dma_channels.h"

#include <cstring>

namespace bvp {

DmaChannels::DmaChannels(u32 count, SequencerPorts& ports, Semaphores& semaphores, CommandReports& reports)
    : ports_(ports), semaphores_(semaphores), reports_(reports), channels_(count) {}

u32 DmaChannels::running() const {
  u32 bits = 0;
  for (std::size_t i = 0; i < channels_.size(); ++i) bits |= u32{channels_[i].running.has_value()} << i;
  return bits;
}

bool DmaChannels::start(u32 index, CommandQueue& queue, Cycle now) {
  Channel& channel = channels_[index];
  if (channel.running || queue.empty()) return false;
  if (!semaphores_.acquire(queue.front(), queue.blocked, now)) return false;
  const Command command = queue.pop();
  channel = Channel{command};
  reports_.started(command, now);
  DmaDescriptor descriptor;
  static_assert(sizeof(descriptor) == sizeof(command.registers));
  std::memcpy(&descriptor, command.registers.data(), sizeof(descriptor));
  if (!ports_.start_transfer(index, descriptor)) {
    channel.running.reset();
    reports_.raise(SequencerError::dma_refused, command.tag, index);
  }
  return true;
}

bool DmaChannels::take_completion(u32 index) {
  Channel& channel = channels_[index];
  if (!channel.running || channel.reported) return false;
  channel.reported = true;
  return true;
}

void DmaChannels::finish(u32 index, u32 status, Cycle now) {
  Channel& channel = channels_[index];
  if (!channel.running) return;
  const Command command = *channel.running;
  channel.running.reset();
  if (channel.abandoned) return;
  if (status == 0) {
    reports_.completed(command, now);
  } else {
    reports_.raise(SequencerError::dma_failed, command.tag, join_words(index, status));
  }
}

void DmaChannels::abandon() {
  for (Channel& channel : channels_) channel.abandoned = channel.running.has_value();
}

}  // namespace bvp
