// SPDX-License-Identifier: Apache-2.0
#include "models/dma/dma.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "models/bus/bulk_traffic.h"

namespace bvp {

Dma::Channel::Channel(u32 channel_number, const DmaParameters& parameters)
    : number(channel_number),
      stats(fmt::format("channel{}", channel_number)),
      transfer(static_cast<u32>(parameters.burst_bytes.get())),
      done(static_cast<std::size_t>(parameters.outstanding.get())),
      data(static_cast<std::size_t>(parameters.burst_bytes.get()) + 1) {
  payload.set_byte_enable_ptr(nullptr);
}

Dma::Dma(sc_core::sc_module_name name, const DmaParameters& parameters, const ClockDomain& clock,
         StatGroup& parent_statistics, Mode mode)
    : sc_module(name),
      descriptors("descriptors"),
      to_bus("to_bus"),
      completions("completions"),
      clock_(clock),
      stats_(basename()),
      mode_(mode),
      outstanding_(static_cast<u32>(parameters.outstanding.get())),
      bytes_per_cycle_(static_cast<u32>(parameters.bytes_per_cycle.get())),
      setup_cycles_(static_cast<Cycle>(parameters.setup_cycles.get())) {
  parent_statistics.add(&stats_);
  for (u32 i = 0; i < static_cast<u32>(parameters.channels.get()); ++i) {
    channels_.push_back(std::make_unique<Channel>(i, parameters));
    Channel& channel = *channels_.back();
    stats_.add(&channel.stats);
    sc_core::sc_spawn_options options;
    options.spawn_method();
    options.dont_initialize();
    options.set_sensitivity(&channel.wake);
    sc_core::sc_spawn([this, &channel] { run(channel); }, fmt::format("channel{}", i).c_str(), &options);
  }
  descriptors.register_b_transport(this, &Dma::b_transport);
  descriptors.register_transport_dbg(this, &Dma::transport_dbg);
}

void Dma::b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  const u64 number = payload.get_address() / dma_channel_stride;
  const u64 offset = payload.get_address() % dma_channel_stride;
  const u32 length = payload.get_data_length();
  if (payload.get_byte_enable_ptr() != nullptr) {
    payload.set_response_status(tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
  } else if (number >= channels_.size() || (offset != 0 && offset != dma_status_offset)) {
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
  } else if (payload.get_command() != (offset == 0 ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND)) {
    payload.set_response_status(tlm::TLM_COMMAND_ERROR_RESPONSE);
  } else if (length != (offset == 0 ? sizeof(DmaDescriptor) : sizeof(u32)) || payload.get_streaming_width() < length) {
    payload.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
  } else {
    Channel& channel = *channels_[number];
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
    if (offset == dma_status_offset) {
      const u32 word = status_word(channel);
      std::memcpy(payload.get_data_ptr(), &word, sizeof word);
    } else if (channel.busy) {
      payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
    } else {
      submit(channel, payload.get_data_ptr(), delay);
    }
  }
}

u32 Dma::transport_dbg(tlm::tlm_generic_payload& payload) {
  const u64 number = payload.get_address() / dma_channel_stride;
  if (!payload.is_read() || number >= channels_.size() ||
      payload.get_address() % dma_channel_stride != dma_status_offset || payload.get_data_length() < sizeof(u32)) {
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    return 0;
  }
  const u32 word = status_word(*channels_[number]);
  std::memcpy(payload.get_data_ptr(), &word, sizeof word);
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
  return sizeof word;
}

u32 Dma::status_word(const Channel& channel) const {
  return static_cast<u32>(channel.status) | (channel.busy ? dma_status_busy : 0);
}

void Dma::submit(Channel& channel, const u8* descriptor, const sc_core::sc_time& delay) {
  stop_moving();
  if (mode_.fast) learn_paces();
  std::memcpy(&channel.descriptor, descriptor, sizeof channel.descriptor);
  channel.busy = true;
  channel.submitted = clock_.to_cycles(sc_core::sc_time_stamp() + delay);
  channel.issue_from = channel.submitted + setup_cycles_;
  channel.finished = channel.issue_from;
  channel.burst_count = 0;
  ++channel.statistics.descriptors;
  channel.statistics.setup_cycles += setup_cycles_;
  channel.status = validate(channel.descriptor);
  if (channel.status == DmaStatus::ok) {
    channel.transfer.start(channel.descriptor);
    // Even addresses get the low byte of the fill word; the pattern is read from its byte 0 or 1.
    for (std::size_t i = 0; channel.descriptor.fill != 0 && i < channel.data.size(); ++i) {
      channel.data[i] = static_cast<u8>(channel.descriptor.fill >> (i % 2 * 8));
    }
  }
  if (mode_.fast) find_busy_transfers();
  channel.wake.notify(clock_.to_time(channel.issue_from) - sc_core::sc_time_stamp());
}

Cycle Dma::next_issue(const Channel& channel) const {
  if (channel.burst_count < outstanding_) return channel.issue_from;
  return std::max(channel.issue_from, channel.done[channel.burst_count % channel.done.size()]);
}

/// Performs bursts whose issue lies a little ahead, at most as many as may be in flight, then sleeps until the
/// next may be issued. So what it reserves and reads is never much later than the present.
void Dma::run(Channel& channel) {
  // Two channels that are due at the same time start to move once.
  if (moving_since_ && *moving_since_ == clock_.now() && !drains(channel)) return;
  const bool moved = stop_moving();
  if (!drains(channel)) {
    if (moved || start_moving()) return;
    for (u32 i = 0; i < outstanding_ && !drains(channel); ++i) perform_burst(channel, next_issue(channel));
  }
  if (drains(channel) && clock_.to_time(channel.finished) <= sc_core::sc_time_stamp()) return complete(channel);
  wake_when_due(channel);
  start_moving();
}

void Dma::wake_when_due(Channel& channel) {
  const sc_core::sc_time now = sc_core::sc_time_stamp();
  const sc_core::sc_time due = clock_.to_time(drains(channel) ? channel.finished : next_issue(channel));
  channel.wake.cancel();
  channel.wake.notify(due > now ? due - now : sc_core::SC_ZERO_TIME);
}

void Dma::perform_burst(Channel& channel, Cycle issue) {
  DmaBurst& burst = channel.burst;
  DmaStatistics& statistics = channel.statistics;
  const bool fill = channel.descriptor.fill != 0;
  channel.transfer.next(burst);
  Cycle done = issue;
  Cycle request = issue;
  u8* data = channel.data.data();
  for (const DmaSegment& segment : burst.source) {
    if (!access(channel, tlm::TLM_READ_COMMAND, segment, data, request++, done)) {
      channel.status = DmaStatus::source_error;
      break;
    }
    statistics.bytes_read += segment.bytes;
    data += segment.bytes;
  }
  if (channel.status == DmaStatus::ok) {
    data = channel.data.data();
    request = done;
    for (const DmaSegment& segment : burst.destination) {
      u8* from = fill ? channel.data.data() + segment.address % 2 : data;
      if (!access(channel, tlm::TLM_WRITE_COMMAND, segment, from, request++, done)) {
        channel.status = DmaStatus::destination_error;
        break;
      }
      statistics.bytes_written += segment.bytes;
      data += segment.bytes;
    }
  }
  ++statistics.burst;
  statistics.byte += burst.bytes;
  const Cycle requests = std::max(burst.source.size(), burst.destination.size());
  channel.issue_from = issue + std::max(requests, Cycle{(burst.bytes + bytes_per_cycle_ - 1) / bytes_per_cycle_});
  channel.done[channel.burst_count++ % channel.done.size()] = done;
  // The first bursts fill the pipeline; the pace is measured from then on.
  if (channel.paced_bursts == pace_bursts()) {
    channel.pace_begin = issue;
    channel.paced_reads = channel.paced_writes = channel.paced_bytes = 0;
  }
  ++channel.paced_bursts;
  channel.paced_reads += burst.source.size();
  channel.paced_writes += burst.destination.size();
  channel.paced_bytes += burst.bytes;
  if (busy_ != nullptr && channel.burst_count == outstanding_ && channel.paced_bursts == outstanding_) {
    busy_->paces[channel.number].fill.add(next_issue(channel) - (channel.submitted + setup_cycles_));
  }
  if (channel.paced_bursts == pace_bursts() + 1 && pace_is_measured()) mark_sample(BulkTraffic::Kind::sample_begins);
  channel.finished = std::max(channel.finished, done);
}

bool Dma::access(Channel& channel, tlm::tlm_command command, const DmaSegment& segment, u8* data, Cycle issue,
                 Cycle& done) {
  tlm::tlm_generic_payload& payload = channel.payload;
  payload.set_command(command);
  payload.set_address(segment.address);
  payload.set_data_ptr(data);
  payload.set_data_length(segment.bytes);
  payload.set_streaming_width(segment.bytes);
  payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  payload.set_dmi_allowed(false);
  if (moves_nothing()) payload.set_extension(&timing_only_);
  const sc_core::sc_time now = sc_core::sc_time_stamp();
  sc_core::sc_time delay = clock_.to_time(issue) - now;
  to_bus->b_transport(payload, delay);
  if (moves_nothing()) payload.clear_extension(&timing_only_);
  done = std::max(done, clock_.to_cycles(now + delay));
  ++channel.statistics.bus_requests;
  return payload.is_response_ok();
}

void Dma::complete(Channel& channel) {
  if (mode_.fast) {
    learn_drain(channel);
    learn_paces();
  }
  channel.busy = false;
  if (mode_.fast) find_busy_transfers();
  channel.statistics.busy_cycles += channel.finished - channel.submitted;
  if (channel.status != DmaStatus::ok) ++channel.statistics.errors;
  // The receiver may answer with the next descriptor, which uses channel.payload only once it runs.
  std::array<u32, 2> words{static_cast<u32>(channel.status), 0};
  tlm::tlm_generic_payload& payload = channel.payload;
  payload.set_command(tlm::TLM_WRITE_COMMAND);
  payload.set_address(u64{channel.number} * 8);
  payload.set_data_ptr(reinterpret_cast<u8*>(words.data()));
  payload.set_data_length(sizeof words);
  payload.set_streaming_width(sizeof words);
  payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
  completions->b_transport(payload, delay);
}

// ---------------------------------------------------------------- fast

void Dma::find_busy_transfers() {
  std::vector<const DmaDescriptor*> transfers;
  for (const auto& channel : channels_) {
    channel->paced_bursts = 0;
    transfers.push_back(channel->busy ? &channel->descriptor : nullptr);
  }
  busy_ = &paces_.find(transfers, channels_.front()->transfer.burst_bytes());
}

/// All that is busy has filled its pipeline, and the pace of it is not known yet.
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

/// If what has been busy was so for long enough.
void Dma::learn_paces() {
  if (busy_ == nullptr || busy_->learnt) return;
  for (const auto& channel : channels_) {
    if (channel->busy && channel->paced_bursts < pace_bursts() + outstanding_) return;
  }
  mark_sample(BulkTraffic::Kind::sample_ends);
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

/// If its last bursts were timed while the busy transfers were these.
void Dma::learn_drain(const Channel& channel) {
  if (channel.status != DmaStatus::ok || std::min(channel.burst_count, channel.paced_bursts) < outstanding_) return;
  busy_->paces[channel.number].drain.add(channel.finished - std::min(channel.finished, next_issue(channel)));
}

/// Unless it is known how long they take, the last bursts are timed: what is in flight then has to end by itself.
u64 Dma::skippable(const Channel& channel) const {
  const Pace& pace = busy_->paces[channel.number];
  const u64 bursts = pace.bursts_of(channel.transfer.remaining());
  if (pace.drain.known()) return bursts;
  return bursts > outstanding_ ? bursts - outstanding_ : 0;
}

bool Dma::can_move(const Channel& channel) const {
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
  if (cycles < channel.fill) return static_cast<u64>(cycles / channel.fill * static_cast<double>(outstanding_));
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
    if (channel->busy && !drains(*channel)) skip(*channel, bursts_moved(*channel));
  }
  moving_since_.reset();
  return true;
}

void Dma::skip(Channel& channel, u64 bursts) {
  const Pace& pace = busy_->paces[channel.number];
  const Cycle now = clock_.now();
  const Cycle cycles = now - *moving_since_;
  if (channel.burst_count == 0) {
    channel.issue_from = std::max(channel.issue_from, now);
    channel.burst_count = std::min(bursts, u64{outstanding_});
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
  } else {
    channel.transfer.skip(bytes);
  }
  BulkTraffic bulk;
  bulk.pattern = busy_->pattern;
  bulk.bytes = bytes;
  bulk.duration = clock_.to_time(cycles);
  if (!fill) {
    bulk.requests = reads;
    if (!send_bulk(channel.transfer.source_span(), bulk)) channel.status = DmaStatus::source_error;
  }
  bulk.write = true;
  bulk.requests = writes;
  if (channel.status != DmaStatus::ok) return;
  if (!send_bulk(channel.transfer.destination_span(), bulk)) channel.status = DmaStatus::destination_error;
  statistics.bytes_read += fill ? 0 : bytes;
  statistics.bytes_written += bytes;
  statistics.bus_requests += reads + writes;
  statistics.burst += bursts;
  statistics.byte += bytes;
}

void Dma::mark_sample(BulkTraffic::Kind kind) {
  BulkTraffic bulk;
  bulk.kind = kind;
  bulk.pattern = busy_->pattern;
  for (const auto& channel : channels_) {
    if (!channel->busy) continue;
    if (channel->descriptor.fill == 0) send_bulk(channel->transfer.source_span(), bulk);
    send_bulk(channel->transfer.destination_span(), bulk);
  }
}

bool Dma::send_bulk(const DmaSpan& span, BulkTraffic& bulk) {
  tlm::tlm_generic_payload payload;
  payload.set_command(tlm::TLM_IGNORE_COMMAND);
  payload.set_address(span.first);
  bulk.span = span.last - span.first + 1;
  payload.set_extension(&bulk);
  sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
  to_bus->b_transport(payload, delay);
  payload.clear_extension(&bulk);
  return payload.get_response_status() != tlm::TLM_ADDRESS_ERROR_RESPONSE;
}

void Dma::move_data(Channel& channel, u64 bytes) {
  // What the host's first cache holds easily.
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
  payload.set_command(tlm::TLM_IGNORE_COMMAND);
  payload.set_address(first);
  payload.set_data_ptr(data);
  payload.set_extension(&bulk);
  sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
  to_bus->b_transport(payload, delay);
  payload.clear_extension(&bulk);
  return bulk.done;
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
