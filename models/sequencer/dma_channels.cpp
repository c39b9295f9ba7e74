// SPDX-License-Identifier: Apache-2.0
#include "models/sequencer/dma_channels.h"

#include <algorithm>
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
  if (limit_ != 0) channel.deadline = now + limit_;
  reports_.started(command, now);
  if (!send(index, command)) {
    channel.running.reset();
    reports_.raise(SequencerError::dma_refused, command.tag, index);
  }
  return true;
}

bool DmaChannels::send(u32 index, const Command& command) {
  DmaDescriptor descriptor;
  static_assert(sizeof(descriptor) == sizeof(command.registers));
  std::memcpy(&descriptor, command.registers.data(), sizeof(descriptor));
  if ((command.flags & command_flag_indexed) == 0) return ports_.start_transfer(index, descriptor);
  return ports_.start_transfer(index, IndexedDescriptor{descriptor, {command.image, command.image_bytes}});
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
    reports_.raise(SequencerError::dma_failed, command.tag, join_words(index, status), ports_.transfer_address(index));
  }
}

void DmaChannels::abort(u32 index, SequencerError error, u64 info) {
  Channel& channel = channels_[index];
  if (!channel.running) return;
  const u32 tag = channel.running->tag;
  const bool failed = channel.abandoned;
  channel.abandoned = true;
  channel.deadline = never;
  const bool ends = ports_.abort_transfer(index) || channel.reported;
  if (!failed) reports_.raise(error, tag, info, ports_.transfer_address(index));
  // A transfer that the engine does not know of any more will not be reported.
  if (!ends) channel.running.reset();
}

bool DmaChannels::expire(Cycle now) {
  bool progress = false;
  for (u32 index = 0; index < count(); ++index) {
    if (!channels_[index].running || channels_[index].deadline > now) continue;
    abort(index, SequencerError::dma_timeout, index);
    progress = true;
  }
  return progress;
}

Cycle DmaChannels::next() const {
  Cycle next = never;
  for (const Channel& channel : channels_) {
    if (channel.running) next = std::min(next, channel.deadline);
  }
  return next;
}

void DmaChannels::abandon() {
  for (Channel& channel : channels_) channel.abandoned = channel.running.has_value();
}

}  // namespace bvp
