// SPDX-License-Identifier: Apache-2.0
// The part of the DMA engine that only fast mode uses: it learns the pace of transfers and moves them at that pace.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "models/dma/dma.h"
#include "models/transport/bulk_traffic.h"
#include "models/transport/initiator.h"

namespace bvp {

void Dma::find_busy_transfers() {
  std::vector<const DmaDescriptor*> transfers;
  for (const auto& channel : channels_) {
    channel->paced_bursts = 0;
    transfers.push_back(channel->busy ? &channel->descriptor : nullptr);
  }
  busy_ = &paces_.find(transfers, channels_.front()->transfer.burst_bytes());
}

void Dma::count_for_pace(Channel& channel, Cycle issue) {
  // The first bursts fill the pipeline, so the pace is measured only from the burst after them.
  if (channel.paced_bursts == pace_bursts()) {
    channel.pace_begin = issue;
    channel.paced_reads = channel.paced_writes = channel.paced_bytes = 0;
  }
  ++channel.paced_bursts;
  channel.paced_reads += channel.burst.source.size();
  channel.paced_writes += channel.burst.destination.size();
  channel.paced_bytes += channel.burst.bytes;
  if (channel.burst_count == outstanding_ && channel.paced_bursts == outstanding_) {
    busy_->paces[channel.number].fill.add(next_issue(channel) - (channel.submitted + setup_cycles_));
  }
}

/// True if all busy channels have filled their pipelines and the pace of these transfers is not known yet.
bool Dma::pace_is_measured() const {
  if (busy_ == nullptr || busy_->learnt) return false;
  return std::all_of(channels_.begin(), channels_.end(),
                     [this](const auto& channel) { return !channel->busy || channel->paced_bursts > pace_bursts(); });
}

bool Dma::sample_is_large() const {
  if (busy_ == nullptr || busy_->learnt) return false;
  u64 bursts = 0, busy = 0;
  for (const auto& channel : channels_) {
    if (!channel->busy) continue;
    const u64 own = busy_->paces[channel->number].bursts + channel->paced_bursts;
    if (own < pace_bursts() + least_learning_bursts) return false;
    bursts += own - pace_bursts();
    ++busy;
  }
  return bursts >= busy * learning_bursts;
}

/// Adds the bursts of the busy transfers to the sample of their pace, if these transfers were busy together for long
/// enough.
void Dma::learn_paces() {
  if (busy_ == nullptr || busy_->learnt) return;
  for (const auto& channel : channels_) {
    if (channel->busy && channel->paced_bursts < pace_bursts() + outstanding_) return;
  }
  busy_->learnt = sample_is_large();
  for (const auto& channel : channels_) {
    if (!channel->busy) continue;
    Pace& pace = busy_->paces[channel->number];
    pace.bursts += channel->paced_bursts - pace_bursts();
    pace.cycles += next_issue(*channel) - channel->pace_begin;
    pace.reads += channel->paced_reads;
    pace.writes += channel->paced_writes;
    pace.bytes += channel->paced_bytes;
  }
}

/// Adds the duration of the channel's drain (from its last issue to its end) to the samples, if its last bursts were
/// timed with the present set of busy transfers.
void Dma::learn_drain(const Channel& channel) {
  if (channel.status != DmaStatus::ok || std::min(channel.burst_count, channel.paced_bursts) < outstanding_) return;
  busy_->paces[channel.number].drain.add(channel.finished - std::min(channel.finished, next_issue(channel)));
}

bool Dma::can_be_moved(const Channel& channel) {
  BulkTraffic nothing;
  const bool source = channel.descriptor.fill != 0 || send_bulk(channel.transfer.source_span(), nothing);
  nothing.write = true;
  return source && send_bulk(channel.transfer.destination_span(), nothing);
}

/// Bursts that need not be timed. Until the duration of the drain is known, the last bursts must be timed: the drain of
/// bursts that were skipped cannot be measured.
u64 Dma::skippable(const Channel& channel) const {
  const Pace& pace = busy_->paces[channel.number];
  const u64 bursts = pace.bursts_of(channel.transfer.remaining());
  if (pace.drain.known()) return bursts;
  return bursts > outstanding_ ? bursts - outstanding_ : 0;
}

bool Dma::can_move(const Channel& channel) const {
  if (!channel.movable) return false;
  const Pace& pace = busy_->paces[channel.number];
  if (channel.burst_count != 0) return channel.burst_count >= outstanding_ && skippable(channel) != 0;
  return pace.fill.known() && pace.drain.known() && skippable(channel) > outstanding_;
}

double Dma::cycles_to_move(Channel& channel) const {
  const Pace& pace = busy_->paces[channel.number];
  const Cycle now = clock_.now();
  channel.moving_from = now;
  channel.fill = 0;
  u64 bursts = skippable(channel);
  if (channel.burst_count == 0) {
    channel.moving_from = std::max(now, channel.issue_from);
    channel.fill = pace.fill.mean();
    bursts -= outstanding_;
  }
  return static_cast<double>(channel.moving_from - now) + channel.fill + static_cast<double>(bursts) * pace.of_burst();
}

u64 Dma::bursts_moved(const Channel& channel) const {
  const Cycle now = clock_.now();
  if (now <= channel.moving_from) return 0;
  const auto cycles = static_cast<double>(now - channel.moving_from);
  if (cycles < channel.fill) return static_cast<u64>(cycles / channel.fill * outstanding_) + 1;
  const Pace& pace = busy_->paces[channel.number];
  const u64 at_first = channel.burst_count == 0 ? outstanding_ : 0;
  const auto then = static_cast<u64>(std::llround((cycles - channel.fill) / pace.of_burst()));
  return std::min(skippable(channel), at_first + then);
}

bool Dma::start_moving() {
  if (busy_ == nullptr || !busy_->learnt) return false;
  std::optional<double> cycles;
  for (const auto& channel : channels_) {
    if (!channel->busy || drains(*channel)) continue;
    if (!can_move(*channel)) return false;
    const double of_channel = cycles_to_move(*channel);
    cycles = std::min(cycles.value_or(of_channel), of_channel);
  }
  if (!cycles) return false;
  moving_since_ = clock_.now();
  for (const auto& channel : channels_) {
    if (!channel->busy || drains(*channel)) continue;
    channel->wake.cancel();
    channel->wake.notify(clock_.to_time(static_cast<Cycle>(std::ceil(*cycles))));
  }
  return true;
}

bool Dma::stop_moving() {
  if (!moving_since_) return false;
  for (const auto& channel : channels_) {
    if (channel->busy && !drains(*channel)) catch_up(*channel, bursts_moved(*channel));
  }
  moving_since_.reset();
  return true;
}

void Dma::catch_up(Channel& channel, u64 bursts) {
  const Pace& pace = busy_->paces[channel.number];
  const Cycle now = clock_.now();
  const Cycle cycles = now - *moving_since_;
  if (channel.burst_count == 0) {
    channel.burst_count = std::min(bursts, u64{outstanding_});
    const auto next =
        static_cast<Cycle>(std::ceil(channel.fill * static_cast<double>(channel.burst_count) / outstanding_));
    channel.issue_from = std::max(now, channel.moving_from + next);
    for (u32 i = 0; i < outstanding_; ++i) {
      channel.done[i] = channel.issue_from + static_cast<Cycle>(pace.drain.mean() * i / outstanding_);
    }
    channel.finished = channel.done.back();
  } else {
    channel.issue_from += cycles;
    channel.finished += cycles;
    for (Cycle& done : channel.done) done += cycles;
  }
  const u64 remaining = channel.transfer.remaining();
  const bool all = bursts == pace.bursts_of(remaining);
  const u64 bytes = all ? remaining : std::min(bursts * pace.bytes / pace.bursts, remaining - 1);
  if (bytes != 0) move(channel, bursts, bytes, cycles);
  if (all) channel.finished = next_issue(channel) + static_cast<Cycle>(std::lround(pace.drain.mean()));
  wake_when_due(channel);
}

void Dma::move(Channel& channel, u64 bursts, u64 bytes, Cycle cycles) {
  const Pace& pace = busy_->paces[channel.number];
  DmaStatistics& statistics = channel.statistics;
  const bool fill = channel.descriptor.fill != 0;
  const u64 reads = pace.reads * bursts / pace.bursts, writes = pace.writes * bursts / pace.bursts;
  if (mode_.data) {
    move_data(channel, bytes);
    if (channel.status != DmaStatus::ok) return;
  } else {
    channel.transfer.skip(bytes);
  }
  BulkTraffic bulk;
  bulk.pattern = busy_->pattern;
  bulk.bytes = bytes;
  bulk.duration = clock_.to_time(cycles);
  if (!fill) {
    bulk.requests = reads;
    send_bulk(channel.transfer.source_span(), bulk);
  }
  bulk.write = true;
  bulk.requests = writes;
  send_bulk(channel.transfer.destination_span(), bulk);
  statistics.bytes_read += fill ? 0 : bytes;
  statistics.bytes_written += bytes;
  statistics.bus_requests += reads + writes;
  const Cycle now = clock_.now();
  statistics.burst.add(bursts, now - cycles, now);
  statistics.byte.add(bytes, now - cycles, now);
}

bool Dma::send_bulk(const DmaSpan& span, BulkTraffic& bulk) {
  tlm::tlm_generic_payload payload;
  bulk.span = span.last - span.first + 1;
  payload.set_extension(&bulk);
  sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
  const tlm::tlm_response_status status =
      access(to_bus, payload, tlm::TLM_IGNORE_COMMAND, span.first, nullptr, 0, delay);
  payload.clear_extension(&bulk);
  return status == tlm::TLM_OK_RESPONSE;
}

void Dma::move_data(Channel& channel, u64 bytes) {
  // A size that fits easily into the host's first-level cache.
  constexpr u64 most_at_once = 16384;
  moved_data_.resize(most_at_once);
  while (bytes != 0 && channel.status == DmaStatus::ok) {
    const u64 part = std::min(bytes, most_at_once);
    bytes -= part;
    moved_.clear();
    channel.transfer.skip(part, moved_);
    if (channel.descriptor.fill != 0) {
      fill_moved(static_cast<u16>(channel.descriptor.fill));
    } else if (!access_moved(false)) {
      channel.status = DmaStatus::source_error;
      return;
    }
    if (!access_moved(true)) channel.status = DmaStatus::destination_error;
  }
}

void Dma::fill_moved(u16 pattern) {
  const auto low = static_cast<u8>(pattern), high = static_cast<u8>(pattern >> 8);
  u8* data = moved_data_.data();
  for (const DmaRun& run : moved_) {
    if (low == high) {
      std::memset(data, low, run.bytes);
    } else {
      for (u64 i = 0; i < run.bytes; ++i) data[i] = (run.destination + i) % 2 == 0 ? low : high;
    }
    data += run.bytes;
  }
}

bool Dma::access_moved(bool write) {
  const u64 first = write ? moved_.front().destination : moved_.front().source;
  bulk_runs_.clear();
  for (const DmaRun& run : moved_) {
    const u64 distance = (write ? run.destination : run.source) - first;
    if (!bulk_runs_.empty() && bulk_runs_.back().distance + bulk_runs_.back().bytes == distance) {
      bulk_runs_.back().bytes += run.bytes;
    } else {
      bulk_runs_.push_back({distance, run.bytes});
    }
  }
  u8* data = moved_data_.data();
  if (const tlm::tlm_dmi* const region = direct_memory(first)) {
    for (const BulkData::Run& run : bulk_runs_) {
      const u64 begin = first + run.distance - region->get_start_address();
      const u64 last = region->get_end_address() - region->get_start_address();
      if (begin > last || run.bytes - 1 > last - begin) return false;
      u8* const memory = region->get_dmi_ptr() + begin;
      std::memcpy(write ? memory : data, write ? data : memory, run.bytes);
      data += run.bytes;
    }
    return true;
  }
  BulkData bulk;
  bulk.write = write;
  bulk.runs = bulk_runs_.data();
  bulk.count = bulk_runs_.size();
  tlm::tlm_generic_payload payload;
  payload.set_extension(&bulk);
  sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
  access(to_bus, payload, tlm::TLM_IGNORE_COMMAND, first, data, 0, delay);
  payload.clear_extension(&bulk);
  if (bulk.done || payload.get_response_status() == tlm::TLM_ADDRESS_ERROR_RESPONSE) return bulk.done;
  for (const BulkData::Run& run : bulk_runs_) {
    if (!access_plainly(first + run.distance, data, run.bytes, write)) return false;
    data += run.bytes;
  }
  return true;
}

bool Dma::access_plainly(u64 address, u8* data, u32 bytes, bool write) {
  const tlm::tlm_command command = write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND;
  if (debug_access(to_bus, command, address, data, bytes) == bytes) return true;
  const u32 burst = channels_.front()->transfer.burst_bytes();
  while (bytes != 0) {
    const u32 part = std::min(bytes, burst);
    sc_core::sc_time ignored = sc_core::SC_ZERO_TIME;
    if (access(to_bus, command, address, data, part, ignored) != tlm::TLM_OK_RESPONSE) return false;
    address += part;
    data += part;
    bytes -= part;
  }
  return true;
}

const tlm::tlm_dmi* Dma::direct_memory(u64 address) {
  const auto holds = [&](const tlm::tlm_dmi& region) {
    return address >= region.get_start_address() && address <= region.get_end_address();
  };
  const auto known = std::find_if(regions_.begin(), regions_.end(), holds);
  if (known != regions_.end()) return &*known;
  tlm::tlm_generic_payload payload;
  payload.set_address(address);
  payload.set_command(tlm::TLM_WRITE_COMMAND);
  tlm::tlm_dmi region;
  if (!to_bus->get_direct_mem_ptr(payload, region) || !holds(region)) return nullptr;
  regions_.push_back(region);
  return &regions_.back();
}

}  // namespace bvp
