// SPDX-License-Identifier: Apache-2.0
#include "models/dma/fast/paced_transfers.h"

#include <algorithm>
#include <cmath>

namespace bvp {

PacedTransfers::PacedTransfers(const Channels& channels, tlm::tlm_initiator_socket<>& socket, const ClockDomain& clock,
                               bool data)
    : channels_(channels),
      clock_(clock),
      data_(data),
      outstanding_(channels.front()->outstanding()),
      mover_(socket),
      courses_(channels.size()) {
  for (const auto& channel : channels_) {
    if (!data_) channel->payload.set_extension(&timing_only_);
  }
}

PacedTransfers::~PacedTransfers() {
  for (const auto& channel : channels_) {
    channel->payload.clear_extension(&timing_only_);
    channel->payload.clear_extension(&sampled_);
  }
}

// ---------------------------------------------------------------- learning

void PacedTransfers::find_busy_transfers() {
  std::vector<const DmaChannel*> transfers;
  for (const auto& channel : channels_) {
    course(*channel).bursts = 0;
    transfers.push_back(channel->busy ? channel.get() : nullptr);
  }
  busy_ = &paces_.find(transfers, channels_.front()->transfer.burst_bytes());
}

void PacedTransfers::has_begun(DmaChannel& channel) {
  course(channel).movable = channel.status == DmaStatus::ok && !channel.reads_indices && can_be_moved(channel);
  find_busy_transfers();
}

/// Indices are read with their data in any case, because they say what is moved.
void PacedTransfers::before_indices(DmaChannel& channel) {
  channel.payload.clear_extension(&sampled_);
  if (!data_) channel.payload.clear_extension(&timing_only_);
}

void PacedTransfers::after_indices(DmaChannel& channel) {
  if (!data_) channel.payload.set_extension(&timing_only_);
  course(channel).movable = channel.status == DmaStatus::ok && can_be_moved(channel);
}

void PacedTransfers::before_burst(DmaChannel& channel) {
  channel.payload.clear_extension(&sampled_);
  if (!pace_is_measured()) return;
  sampled_.pattern = busy_->pattern;
  channel.payload.set_extension(&sampled_);
}

void PacedTransfers::after_burst(DmaChannel& channel, const DmaPoint& issue) {
  Course& measured = course(channel);
  // The first bursts fill the pipeline, so the pace is measured only from the burst after them.
  if (measured.bursts == pace_bursts()) {
    measured.pace_begin = issue;
    measured.reads = measured.writes = measured.bytes = 0;
  }
  ++measured.bursts;
  measured.reads += channel.burst.source.size();
  measured.writes += channel.burst.destination.size();
  measured.bytes += channel.burst.bytes;
  if (channel.burst_count == outstanding_ && measured.bursts == outstanding_) {
    busy_->paces[channel.number].fill.add(channel.next_issue().at - channel.first_issue);
  }
}

bool PacedTransfers::pace_is_measured() const {
  if (busy_ == nullptr || busy_->learnt) return false;
  return std::all_of(channels_.begin(), channels_.end(),
                     [this](const auto& channel) { return !channel->busy || course(*channel).bursts > pace_bursts(); });
}

bool PacedTransfers::sample_is_large() const {
  u64 bursts = 0, busy = 0;
  for (const auto& channel : channels_) {
    if (!channel->busy) continue;
    const u64 own = pace(*channel).bursts + course(*channel).bursts;
    if (own < pace_bursts() + least_learning_bursts) return false;
    bursts += own - pace_bursts();
    ++busy;
  }
  return bursts >= busy * learning_bursts;
}

/// Adds the bursts of the busy transfers to the sample of their pace, if these transfers were busy together for long
/// enough.
void PacedTransfers::before_change() {
  if (busy_ == nullptr || busy_->learnt) return;
  for (const auto& channel : channels_) {
    if (channel->busy && course(*channel).bursts < pace_bursts() + outstanding_) return;
  }
  busy_->learnt = sample_is_large();
  for (const auto& channel : channels_) {
    if (!channel->busy) continue;
    const Course& measured = course(*channel);
    Pace& sample = busy_->paces[channel->number];
    sample.bursts += measured.bursts - pace_bursts();
    const DmaPoint& next = channel->next_issue();
    sample.cycles += next.at - measured.pace_begin.at;
    sample.spent += next.spent - measured.pace_begin.spent;
    sample.reads += measured.reads;
    sample.writes += measured.writes;
    sample.bytes += measured.bytes;
  }
}

/// Adds the duration of the channel's drain (from its last issue to its end) to the samples, if its last bursts were
/// timed with the present set of busy transfers.
void PacedTransfers::before_end(DmaChannel& channel) {
  const u64 timed = std::min(channel.burst_count, course(channel).bursts);
  if (channel.status != DmaStatus::ok || timed < outstanding_) return;
  busy_->paces[channel.number].drain.add(channel.finished.at - std::min(channel.finished.at, channel.next_issue().at));
}

// ---------------------------------------------------------------- moving

bool PacedTransfers::can_be_moved(DmaChannel& channel) {
  mover_.act_for(channel.source);
  BulkTraffic nothing;
  const bool source = channel.fills() || mover_.send(channel.transfer.source_span(), nothing);
  nothing.write = true;
  return source && mover_.send(channel.transfer.destination_span(), nothing);
}

u64 PacedTransfers::skippable(const DmaChannel& channel) const {
  const u64 bursts = pace(channel).bursts_of(channel.transfer.remaining());
  if (pace(channel).drain.known()) return bursts;
  return bursts > outstanding_ ? bursts - outstanding_ : 0;
}

bool PacedTransfers::can_move(const DmaChannel& channel) const {
  if (!course(channel).movable) return false;
  if (channel.burst_count != 0) return channel.burst_count >= outstanding_ && skippable(channel) != 0;
  return pace(channel).fill.known() && pace(channel).drain.known() && skippable(channel) > outstanding_;
}

double PacedTransfers::begin_to_move(const DmaChannel& channel) {
  const Cycle now = clock_.now();
  Course& moving = course(channel);
  moving.moving_from = now;
  moving.fill = 0;
  u64 bursts = skippable(channel);
  if (channel.burst_count == 0) {
    moving.moving_from = std::max(now, channel.issue_from.at);
    moving.fill = pace(channel).fill.mean();
    bursts -= outstanding_;
  }
  return static_cast<double>(moving.moving_from - now) + moving.fill +
         static_cast<double>(bursts) * pace(channel).of_burst();
}

u64 PacedTransfers::bursts_moved(const DmaChannel& channel) const {
  const Cycle now = clock_.now();
  const Course& moving = course(channel);
  if (now <= moving.moving_from) return 0;
  const auto cycles = static_cast<double>(now - moving.moving_from);
  if (cycles < moving.fill) return static_cast<u64>(cycles / moving.fill * static_cast<double>(outstanding_)) + 1;
  const u64 at_first = channel.burst_count == 0 ? outstanding_ : 0;
  const auto then = static_cast<u64>(std::llround((cycles - moving.fill) / pace(channel).of_burst()));
  return std::min(skippable(channel), at_first + then);
}

bool PacedTransfers::start() {
  if (busy_ == nullptr || !busy_->learnt) return false;
  std::optional<double> cycles;
  for (const auto& channel : channels_) {
    if (!channel->busy || channel->drains()) continue;
    if (!can_move(*channel)) return false;
    const double of_channel = begin_to_move(*channel);
    cycles = std::min(cycles.value_or(of_channel), of_channel);
  }
  if (!cycles) return false;
  moving_since_ = clock_.now();
  for (const auto& channel : channels_) {
    if (!channel->busy || channel->drains()) continue;
    channel->wake.cancel();
    channel->wake.notify(clock_.to_time(static_cast<Cycle>(std::ceil(*cycles))));
  }
  return true;
}

bool PacedTransfers::stop() {
  if (!moving_since_) return false;
  for (const auto& channel : channels_) {
    if (channel->busy && !channel->drains()) catch_up(*channel, bursts_moved(*channel));
  }
  moving_since_.reset();
  return true;
}

void PacedTransfers::catch_up_first(DmaChannel& channel, u64 bursts) {
  const Course& moving = course(channel);
  const DmaTime& rate = pace(channel).spent;
  const auto outstanding = static_cast<double>(outstanding_);
  const double drain = pace(channel).drain.known() ? pace(channel).drain.mean() : 0;
  channel.burst_count = std::min(bursts, outstanding_);
  const auto next = static_cast<Cycle>(std::ceil(moving.fill * static_cast<double>(channel.burst_count) / outstanding));
  const Cycle issue_from = std::max(clock_.now(), moving.moving_from + next);
  channel.issue_from = channel.issue_from.later(issue_from - channel.issue_from.at, rate);
  for (u64 i = 0; i < outstanding_; ++i) {
    channel.done[i] = channel.issue_from.later(static_cast<Cycle>(drain * static_cast<double>(i) / outstanding), rate);
  }
  channel.finished = channel.done.back();
}

void PacedTransfers::catch_up(DmaChannel& channel, u64 bursts) {
  const DmaTime& rate = pace(channel).spent;
  const double drain = pace(channel).drain.known() ? pace(channel).drain.mean() : 0;
  const Cycle cycles = clock_.now() - *moving_since_;
  if (channel.burst_count == 0) {
    catch_up_first(channel, bursts);
  } else {
    channel.issue_from = channel.issue_from.later(cycles, rate);
    channel.finished = channel.finished.later(cycles, rate);
    for (DmaPoint& done : channel.done) done = done.later(cycles, rate);
  }
  const u64 remaining = channel.transfer.remaining();
  const bool all = bursts == pace(channel).bursts_of(remaining);
  const u64 bytes = all ? remaining : std::min(bursts * pace(channel).bytes / pace(channel).bursts, remaining - 1);
  if (bytes != 0) move(channel, bursts, bytes, cycles);
  if (all) channel.finished = channel.next_issue().later(static_cast<Cycle>(std::lround(drain)), rate);
  channel.wake_when_due(clock_);
}

void PacedTransfers::move(DmaChannel& channel, u64 bursts, u64 bytes, Cycle cycles) {
  mover_.act_for(channel.source);
  DmaStatistics& statistics = channel.statistics;
  const Pace& known = pace(channel);
  const u64 reads = known.reads * bursts / known.bursts, writes = known.writes * bursts / known.bursts;
  if (data_) {
    channel.status = mover_.move(channel.transfer, channel.descriptor.fill, bytes);
    if (channel.status != DmaStatus::ok) {
      channel.error_address = mover_.failed_at();
      return;
    }
  } else {
    channel.transfer.skip(bytes);
  }
  BulkTraffic bulk;
  bulk.pattern = busy_->pattern;
  bulk.bytes = bytes;
  bulk.duration = clock_.to_time(cycles);
  if (!channel.fills()) {
    bulk.requests = reads;
    mover_.send(channel.transfer.source_span(), bulk);
    statistics.bytes_read += bytes;
  }
  bulk.write = true;
  bulk.requests = writes;
  mover_.send(channel.transfer.destination_span(), bulk);
  statistics.bytes_written += bytes;
  statistics.bus_requests += reads + writes;
  const Cycle now = clock_.now();
  statistics.burst.add(bursts, now - cycles, now);
  statistics.byte.add(bytes, now - cycles, now);
}

}  // namespace bvp
