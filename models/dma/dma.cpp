// SPDX-License-Identifier: Apache-2.0
#include "models/dma/dma.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "models/dma/fast/paced_transfers.h"
#include "models/transport/check.h"
#include "models/transport/initiator.h"

namespace bvp {

namespace {

/// The most bursts that an event performs ahead of the present, so that channels and other initiators contend at the
/// grain of a few bursts however many may be in flight.
constexpr u64 bursts_of_event = 8;

/// Where a burst is done, if bursts in front of it are done by `before`. A burst that would have been done by then, had
/// it not waited for a memory, was not held up by its issue but by the memory, which served the others first: so what
/// lies between the two points was spent on the memory.
DmaPoint done_behind(const DmaPoint& before, const DmaPoint& issue, const DmaPoint& done) {
  if (before.at <= issue.at || before.at >= done.at) return done;
  const DmaTime own = done.spent - issue.spent;
  const Cycle behind = done.at - before.at;
  if (own.rows + own.bus < static_cast<double>(behind)) return done;
  DmaTime memory;
  memory.rows = own.rows;
  memory.bus = own.bus;
  return before.later(behind, memory);
}

}  // namespace

Dma::Dma(sc_core::sc_module_name name, const DmaParameters& parameters, const ClockDomain& clock,
         StatGroup& parent_statistics, Mode mode)
    : sc_module(name),
      descriptors("descriptors"),
      to_bus("to_bus"),
      completions("completions"),
      clock_(clock),
      stats_(basename()),
      bytes_per_cycle_(static_cast<u32>(parameters.bytes_per_cycle.get())),
      setup_cycles_(static_cast<Cycle>(parameters.setup_cycles.get())),
      most_indices_(static_cast<u32>(parameters.index_entries.get())) {
  parent_statistics.add(&stats_);
  for (u32 i = 0; i < static_cast<u32>(parameters.channels.get()); ++i) {
    channels_.push_back(std::make_unique<DmaChannel>(i, parameters));
    DmaChannel& channel = *channels_.back();
    stats_.add(&channel.stats);
    sc_core::sc_spawn_options options;
    options.spawn_method();
    options.dont_initialize();
    options.set_sensitivity(&channel.wake);
    sc_core::sc_spawn([this, &channel] { run(channel); }, fmt::format("channel{}", i).c_str(), &options);
  }
  if (mode.fast) {
    course_ = std::make_unique<PacedTransfers>(channels_, to_bus, clock, mode.data);
  } else {
    course_ = std::make_unique<DmaCourse>();
  }
  descriptors.register_b_transport(this, &Dma::b_transport);
  to_bus.register_invalidate_direct_mem_ptr(this, &Dma::invalidate);
  descriptors.register_transport_dbg(this, &Dma::transport_dbg);
}

Dma::~Dma() = default;

/// The rules of an access at this offset of a channel; false: nothing is mapped there.
bool Dma::rules_of(u64 offset, PayloadRules& rules) {
  rules.least_bytes = rules.most_bytes = sizeof(u32);
  switch (offset) {
    case 0:
      rules.read = false;
      rules.least_bytes = sizeof(DmaDescriptor);
      rules.most_bytes = sizeof(IndexedDescriptor);
      rules.multiple = sizeof(IndexedDescriptor) - sizeof(DmaDescriptor);
      return true;
    case dma_status_offset:
      rules.write = false;
      return true;
    case dma_abort_offset:
      rules.read = false;
      return true;
    case dma_error_address_offset:
      rules.write = false;
      rules.least_bytes = rules.most_bytes = sizeof(u64);
      return true;
    default:
      return false;
  }
}

void Dma::b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  const u64 number = payload.get_address() / dma_channel_stride;
  const u64 offset = payload.get_address() % dma_channel_stride;
  PayloadRules rules;
  if (number >= channels_.size() || !rules_of(offset, rules)) {
    // Nothing is mapped there: the response is an address error, whatever the command.
    rules = PayloadRules{};
    rules.alignment = dma_channel_stride;
  }
  rules.span = channels_.size() * dma_channel_stride;
  payload.set_response_status(check(payload, rules));
  if (!payload.is_response_ok()) return;
  DmaChannel& channel = *channels_[number];
  if (offset == dma_status_offset) {
    const u32 word = status_word(channel);
    std::memcpy(payload.get_data_ptr(), &word, sizeof word);
  } else if (offset == dma_error_address_offset) {
    std::memcpy(payload.get_data_ptr(), &channel.error_address, sizeof channel.error_address);
  } else if (channel.busy != (offset == dma_abort_offset)) {
    payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
  } else if (channel.busy) {
    abort(channel);
  } else {
    IndexedDescriptor descriptor;
    std::memcpy(&descriptor, payload.get_data_ptr(), payload.get_data_length());
    submit(channel, descriptor, payload.get_data_length() == sizeof descriptor, delay);
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

u32 Dma::status_word(const DmaChannel& channel) const {
  return static_cast<u32>(channel.status) | (channel.busy ? dma_status_busy : 0);
}

void Dma::submit(DmaChannel& channel, const IndexedDescriptor& descriptor, bool indexed,
                 const sc_core::sc_time& delay) {
  course_->stop();
  course_->before_change();
  channel.descriptor = descriptor.descriptor;
  channel.indices = descriptor.indices;
  channel.busy = true;
  channel.submitted = clock_.to_cycles(sc_core::sc_time_stamp() + delay);
  channel.taken.begin(channel.submitted);
  channel.set_up.begin(channel.submitted);
  channel.first_issue = channel.submitted + setup_cycles_;
  channel.issue_from = {channel.first_issue, {}};
  channel.issue_from.spent.setup = static_cast<double>(setup_cycles_);
  channel.finished = channel.issue_from;
  channel.burst_count = 0;
  ++channel.statistics.descriptors;
  channel.status = indexed ? validate(descriptor, most_indices_) : validate(channel.descriptor);
  channel.reads_indices = indexed && channel.status == DmaStatus::ok;
  channel.error_address = 0;
  if (channel.status == DmaStatus::ok && !indexed) {
    channel.transfer.start(channel.descriptor);
    // Bytes at even addresses get the low byte of the fill word, so the pattern is read from its byte 0 or its byte 1.
    for (std::size_t i = 0; channel.fills() && i < channel.data.size(); ++i) {
      channel.data[i] = static_cast<u8>(channel.descriptor.fill >> (i % 2 * 8));
    }
  }
  course_->has_begun(channel);
  channel.wake.notify(clock_.to_time(channel.issue_from.at) - sc_core::sc_time_stamp());
}

void Dma::abort(DmaChannel& channel) {
  course_->stop();
  const Cycle now = clock_.now();
  channel.error_address = channel.status != DmaStatus::ok ? channel.error_address
                          : channel.reads_indices         ? channel.descriptor.destination
                          : channel.transfer.finished()   ? channel.transfer.destination_span().last
                                                          : channel.transfer.destination();
  channel.status = DmaStatus::aborted;
  const Cycle stopped = std::max(now, channel.submitted);
  if (channel.burst_count == 0) {
    channel.finished = {stopped, {}};
    channel.finished.spent.setup = static_cast<double>(stopped - channel.submitted);
  }
  channel.first_issue = std::min(channel.first_issue, stopped);
  channel.wake_when_due(clock_);
}

/// Performs the bursts whose issue lies a little ahead of the present, at most as many as may be in flight and no more
/// than `bursts_of_event`, then sleeps until the next burst may be issued. So the channel never reserves or reads much
/// later than the present.
void Dma::run(DmaChannel& channel) {
  // Two channels may be due at the same time: the first of them may have set all channels moving, and then nothing is
  // left to do here.
  if (course_->has_just_started(channel)) return;
  const bool moved = course_->stop();
  if (channel.reads_indices && channel.status == DmaStatus::ok) {
    read_indices(channel);
  } else if (!channel.drains()) {
    if (moved || course_->start()) return;
    const u64 bursts = std::min<u64>(channel.outstanding(), bursts_of_event);
    for (u64 i = 0; i < bursts && !channel.drains(); ++i) perform_burst(channel, DmaPoint{channel.next_issue()});
  }
  if (channel.drains() && clock_.to_time(channel.finished.at) <= sc_core::sc_time_stamp()) return complete(channel);
  channel.wake_when_due(clock_);
  course_->start();
}

void Dma::read_indices(DmaChannel& channel) {
  std::vector<u32> indices(channel.descriptor.count[2]);
  const u32 burst_bytes = channel.transfer.burst_bytes();
  auto* data = reinterpret_cast<u8*>(indices.data());
  DmaTime of_path;
  of_path.path = 1;
  DmaPoint request = channel.issue_from, done = request;
  course_->before_indices(channel);
  u64 remaining = indices.size() * sizeof(u32), count = 0;
  while (remaining != 0 && channel.status == DmaStatus::ok) {
    const u64 address = channel.indices.address + (indices.size() * sizeof(u32) - remaining);
    const auto bytes = static_cast<u32>(std::min<u64>(remaining, burst_bytes - address % burst_bytes));
    // No more bursts are in flight than of data.
    DmaPoint& place = channel.done[count++ % channel.done.size()];
    if (count > channel.done.size() && place.at > request.at) request = place;
    place = request;
    if (!move_segment(channel, tlm::TLM_READ_COMMAND, {address, bytes}, data, request, place)) {
      channel.status = DmaStatus::source_error;
    }
    if (place.at > done.at) done = place;
    const DmaPoint next = request.later(std::max<Cycle>(1, (bytes + bytes_per_cycle_ - 1) / bytes_per_cycle_), of_path);
    channel.statistics.bytes_read += bytes;
    channel.statistics.burst.add(1, request.at, request.at);
    channel.statistics.byte.add(bytes, request.at, next.at);
    request = next;
    data += bytes;
    remaining -= bytes;
  }
  channel.reads_indices = false;
  channel.issue_from = channel.finished = done;
  channel.first_issue = done.at;
  const auto bad =
      std::find_if(indices.begin(), indices.end(), [&](u32 index) { return index >= channel.indices.bound; });
  if (channel.status == DmaStatus::ok && bad != indices.end()) {
    channel.status = DmaStatus::bad_index;
    channel.error_address = channel.indices.address + static_cast<u64>(bad - indices.begin()) * sizeof(u32);
  }
  if (channel.status == DmaStatus::ok) channel.transfer.start(channel.descriptor, std::move(indices));
  course_->after_indices(channel);
}

void Dma::perform_burst(DmaChannel& channel, const DmaPoint& issue) {
  DmaBurst& burst = channel.burst;
  DmaStatistics& statistics = channel.statistics;
  channel.transfer.next(burst);
  course_->before_burst(channel);
  DmaTime of_path;
  of_path.path = 1;
  DmaPoint done = issue;
  DmaPoint request = issue;
  u8* data = channel.data.data();
  for (const DmaSegment& segment : burst.source) {
    if (!move_segment(channel, tlm::TLM_READ_COMMAND, segment, data, request, done)) {
      channel.status = DmaStatus::source_error;
      break;
    }
    request = request.later(1, of_path);
    statistics.bytes_read += segment.bytes;
    data += segment.bytes;
  }
  if (channel.status == DmaStatus::ok) {
    data = channel.data.data();
    request = done;
    for (const DmaSegment& segment : burst.destination) {
      u8* from = channel.fills() ? channel.data.data() + segment.address % 2 : data;
      if (!move_segment(channel, tlm::TLM_WRITE_COMMAND, segment, from, request, done)) {
        channel.status = DmaStatus::destination_error;
        break;
      }
      request = request.later(1, of_path);
      statistics.bytes_written += segment.bytes;
      data += segment.bytes;
    }
  }
  const Cycle requests = std::max(burst.source.size(), burst.destination.size());
  channel.issue_from =
      issue.later(std::max(requests, Cycle{(burst.bytes + bytes_per_cycle_ - 1) / bytes_per_cycle_}), of_path);
  statistics.burst.add(1, issue.at, issue.at);
  statistics.byte.add(burst.bytes, issue.at, channel.issue_from.at);
  done = done_behind(channel.finished, issue, done);
  channel.done[channel.burst_count++ % channel.done.size()] = done;
  if (done.at > channel.finished.at) channel.finished = done;
  course_->after_burst(channel, issue);
}

bool Dma::move_segment(DmaChannel& channel, tlm::tlm_command command, const DmaSegment& segment, u8* data,
                       const DmaPoint& issue, DmaPoint& done) {
  tlm::tlm_generic_payload& payload = channel.payload;
  const sc_core::sc_time now = sc_core::sc_time_stamp();
  sc_core::sc_time delay = clock_.to_time(issue.at) - now;
  channel.memory_time.rows = channel.memory_time.bus = sc_core::SC_ZERO_TIME;
  access(to_bus, payload, command, segment.address, data, segment.bytes, delay);
  const Cycle end = clock_.to_cycles(now + delay);
  if (end > done.at) {
    DmaTime rate;
    const double cycles = static_cast<double>(end - issue.at);
    rate.rows = std::min(cycles, channel.memory_time.rows / clock_.period());
    rate.bus = std::min(cycles - rate.rows, channel.memory_time.bus / clock_.period());
    rate.latency = cycles - rate.rows - rate.bus;
    done = issue.later(end - issue.at, rate);
  }
  ++channel.statistics.bus_requests;
  if (!payload.is_response_ok()) channel.error_address = segment.address;
  return payload.is_response_ok();
}

void Dma::settle() {
  const Cycle now = clock_.now();
  for (const auto& channel : channels_) {
    channel->taken.settle(channel->statistics.busy_cycles,
                          channel->drains() ? std::min(now, channel->finished.at) : now);
    channel->set_up.settle(channel->statistics.setup_cycles, std::min(now, channel->first_issue));
  }
}

void Dma::complete(DmaChannel& channel) {
  course_->before_end(channel);
  course_->before_change();
  channel.wake.cancel();
  channel.busy = false;
  course_->has_ended();
  channel.taken.end(channel.statistics.busy_cycles, channel.finished.at);
  channel.set_up.end(channel.statistics.setup_cycles, channel.first_issue);
  if (channel.status != DmaStatus::ok) ++channel.statistics.errors;
  DmaCompletion completion{static_cast<u32>(channel.status)};
  sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
  access(completions, tlm::TLM_WRITE_COMMAND, u64{channel.number} * sizeof completion, &completion, sizeof completion,
         delay);
}

}  // namespace bvp
