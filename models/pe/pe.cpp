// SPDX-License-Identifier: Apache-2.0
#include "models/pe/pe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace bvp {

Pe::Pe(sc_core::sc_module_name module_name, u32 index, const ArrayParameters& array, const PeParameters& parameters,
       const ClockDomain& clock, CycleAgenda& agenda, StatGroup& parent_stats, bool data,
       std::shared_ptr<CalSchedules> schedules)
    : sc_module(module_name),
      PeCore(name(), index, array, parameters, parent_stats, data,
             schedules ? std::move(schedules) : std::make_shared<CalSchedules>()),
      config("config"),
      to_scratchpad("to_scratchpad"),
      to_mesh("to_mesh"),
      from_mesh("from_mesh"),
      to_sequencer("to_sequencer"),
      clock_(clock),
      agenda_(agenda),
      agenda_number_(agenda.add(*this)),
      ports_(cal_.banks()),
      last_arrival_(static_cast<std::size_t>(array.rows * array.columns), 0) {
  config.register_b_transport(this, &Pe::config_transport);
  from_mesh.register_b_transport(this, &Pe::flow_transport);
}

Pe::~Pe() = default;

namespace {

void respond(tlm::tlm_generic_payload& payload, bool ok) {
  payload.set_response_status(ok ? tlm::TLM_OK_RESPONSE : tlm::TLM_GENERIC_ERROR_RESPONSE);
}

}  // namespace

void Pe::config_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  if (!payload.is_write() || payload.get_byte_enable_ptr() != nullptr) {
    payload.set_response_status(tlm::TLM_COMMAND_ERROR_RESPONSE);
    return;
  }
  if (payload.get_address() == configure_address) {
    respond(payload, configure(payload.get_data_ptr(), payload.get_data_length(),
                               clock_.to_cycles(sc_core::sc_time_stamp() + delay)));
  } else if (payload.get_address() == launch_address && payload.get_data_length() == sizeof(LaunchRecord)) {
    LaunchRecord record;
    std::memcpy(&record, payload.get_data_ptr(), sizeof(record));
    if (!error().empty()) forget_open_firings();
    respond(payload, launch(record, clock_.to_cycles(sc_core::sc_time_stamp() + delay)));
  } else if (payload.get_address() == stop_address) {
    stop(clock_.to_cycles(sc_core::sc_time_stamp() + delay));
    forget_open_firings();
    respond(payload, true);
  } else {
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
  }
}

// ---------------------------------------------------------------- units

std::optional<Cycle> Pe::start_load(const SegmentProgram& segment, const StreamBases& bases, Cycle now, u32& vectors) {
  const std::size_t count = segment.transfers.size();
  vectors = take_incoming();
  Incoming& incoming = incoming_[vectors];
  incoming.slots.resize(count);
  incoming.data.resize(count * memory_.lanes());
  addresses_.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const Transfer& transfer = segment.transfers[i];
    addresses_[i] = static_cast<u32>(bases[transfer.a.stream] + transfer.a.offset);
    incoming.slots[i] = static_cast<u16>(bases[transfer.d.stream] + transfer.d.offset);
  }
  ports_.begin(now);
  times_.assign(count, 0);
  return access_scratchpad(Unit::load, incoming.data.data(), now, vectors);
}

Cycle Pe::write_operands(std::size_t count, const u16* slots, const Cycle* arrivals, Cycle last) {
  Cycle readable = last;
  for (std::size_t i = 0; i < count; ++i) {
    // Whoever does not say when each vector comes sends one a cycle.
    const Cycle arrival =
        arrivals != nullptr && arrivals[i] != 0 ? arrivals[i] : last + 1 - std::min<Cycle>(last, count - i);
    readable = std::max(readable, ports_.access(slots[i], std::max<Cycle>(arrival, 1) - 1) + 1);
  }
  return readable;
}

Cycle Pe::write_packet(const FlowPacket& packet, std::size_t count, const u16* slots, Cycle last) {
  const Cycle* const arrivals = packet.arrivals.size() == count ? packet.arrivals.data() : nullptr;
  // A vector may have waited longer for a port than those of a later packet: its token must not overtake it.
  Cycle& in_order = last_arrival_.at(packet.source);
  in_order = std::max(in_order, write_operands(count, slots, arrivals, last));
  return in_order;
}

std::optional<Cycle> Pe::start_store(const SegmentProgram& segment, const StreamBases& bases, Cycle now) {
  const u32 lanes = memory_.lanes();
  const std::size_t count = segment.transfers.size();
  addresses_.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const Transfer& transfer = segment.transfers[i];
    addresses_[i] = static_cast<u32>(bases[transfer.d.stream] + transfer.d.offset);
  }
  ports_.begin(now);
  times_.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const Access& vector = segment.transfers[i].a;
    times_[i] = ports_.access(bases[vector.stream] + vector.offset, i == 0 ? now : times_[i - 1] + 1);
  }
  const Access& first = segment.transfers.front().a;
  if (segment.consecutive && memory_.pitch() == lanes) {
    return access_scratchpad(Unit::store, memory_.vector(bases[first.stream] + first.offset), now, no_vectors);
  }
  buffer_.resize(count * lanes);
  for (std::size_t i = 0; data_ && i < count; ++i) {
    const Access& vector = segment.transfers[i].a;
    std::memcpy(buffer_.data() + i * lanes, memory_.vector(bases[vector.stream] + vector.offset),
                std::size_t{lanes} * 2);
  }
  return access_scratchpad(Unit::store, buffer_.data(), now, no_vectors);
}

std::optional<Cycle> Pe::access_scratchpad(Unit unit, u16* data, Cycle now, u32 vectors) {
  const std::size_t count = addresses_.size();
  vector_access_.addresses = addresses_.data();
  vector_access_.count = static_cast<u32>(count);
  vector_access_.lanes = memory_.lanes();
  vector_access_.times = times_.data();
  vector_access_.deferred = true;
  vector_access_.listener = this;
  vector_access_.ticket = 0;
  payload_.set_command(unit == Unit::load ? tlm::TLM_READ_COMMAND : tlm::TLM_WRITE_COMMAND);
  payload_.set_address(addresses_.front() & ~VectorAccess::column_flag);
  payload_.set_data_ptr(reinterpret_cast<unsigned char*>(data));
  payload_.set_data_length(static_cast<unsigned>(count * memory_.lanes() * 2));
  payload_.set_streaming_width(payload_.get_data_length());
  payload_.set_byte_enable_ptr(nullptr);
  payload_.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  payload_.set_extension(&vector_access_);
  sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
  to_scratchpad->b_transport(payload_, delay);
  payload_.clear_extension(&vector_access_);
  if (payload_.is_response_error()) {
    fail(fmt::format("the scratchpad refused a {} at {:#x}: {}", unit_names[static_cast<std::size_t>(unit)],
                     payload_.get_address(), payload_.get_response_string()));
    return std::nullopt;
  }
  const u64 busy = std::max<u64>(count, vector_access_.issue_cycles);
  (unit == Unit::load ? operand_writes_ : operand_reads_).add(count, now, now + busy);
  book_busy(unit, now, count, 0, busy - count);
  const Cycle last = now + clock_.to_cycles(delay);
  if (vector_access_.ticket != 0) {
    ticket_ = vector_access_.ticket;
    return last;
  }
  // Banks may serve a later segment first; its completion waits for the one before, as tokens are in order.
  Cycle& in_order = units_[static_cast<std::size_t>(unit)].last_done;
  const Cycle end =
      vectors == no_vectors ? last : write_operands(count, incoming_[vectors].slots.data(), times_.data(), last);
  in_order = std::max(in_order, end);
  return in_order;
}

void Pe::vectors_served(const VectorAccess::End& end) {
  for (const Unit unit : {Unit::load, Unit::store}) {
    auto& open = open_firings(unit);
    const auto same = [&](const OpenFiring& each) { return each.ticket == end.ticket; };
    const auto served = std::find_if(open.begin(), open.end(), same);
    if (served == open.end()) continue;
    if (!served->issued) book_stall_until(unit, end.issue_end);
    Cycle readable = end.end;
    if (served->event.vectors != no_vectors) {
      const std::vector<u16>& slots = incoming_[served->event.vectors].slots;
      ports_.begin(clock_.now());
      readable = write_operands(slots.size(), slots.data(), end.times, end.end);
    }
    end_open_firing(unit, *served, readable);
    return;
  }
}

void Pe::confirm_free(Unit unit, Cycle now) {
  if (unit != Unit::load && unit != Unit::store) return;
  auto& open = open_firings(unit);
  if (open.empty() || open.back().issued) return;
  question_.ticket = open.back().ticket;
  question_.deferred = true;
  payload_.set_command(tlm::TLM_IGNORE_COMMAND);
  payload_.set_data_ptr(nullptr);
  payload_.set_data_length(0);
  payload_.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  payload_.set_extension(&question_);
  sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
  to_scratchpad->b_transport(payload_, delay);
  payload_.clear_extension(&question_);
  if (!payload_.is_response_ok()) {
    fail(fmt::format("the scratchpad has forgotten a {}", unit_names[static_cast<std::size_t>(unit)]));
    return;
  }
  const VectorAccess::Progress& progress = question_.progress;
  book_stall_until(unit, progress.issued ? progress.issue_end : std::max(progress.issue_end, now + 1));
  // The answer may have come together with the end of the firing.
  if (!open.empty() && open.back().ticket == question_.ticket) open.back().issued = progress.issued;
}

std::optional<Cycle> Pe::start_flow(const SegmentProgram& segment, const StreamBases& bases, unsigned last, Cycle now) {
  const PeProgram& program = context_->program;
  const u32 pes = program.pe_rows * program.pe_columns;
  const u32 own = index_ / columns_ * program.pe_columns + index_ % columns_;
  const std::size_t count = segment.transfers.size();
  flow_packet_.deferred = true;
  ports_.begin(now);
  Cycle next = now;  // in which the unit may read and send the next vector
  for (std::size_t begin = 0; begin < count;) {
    const u32 mask = segment.transfers[begin].peer_mask;
    std::size_t end = begin;
    while (end < count && segment.transfers[end].peer_mask == mask) ++end;
    if (mask >= pes) {
      fail(fmt::format("a vector is sent to PE {}, the kernel has {}", own ^ mask, pes));
      return std::nullopt;
    }
    const bool final_packet =
        std::none_of(segment.transfers.begin() + static_cast<std::ptrdiff_t>(end), segment.transfers.end(),
                     [&](const Transfer& transfer) { return transfer.peer_mask == mask; });
    u32 edge_of_packet = FlowPacket::no_edge;
    if (final_packet) {
      for (const u32 edge : segment.out_edges) {
        const EdgeProgram& target = program.edges[edge];
        if (!target.rides || target.peer_mask != mask || target.scope < last) continue;
        edge_of_packet = edge;
      }
    }
    const u32 peer = own ^ mask;
    flow_packet_.source = index_;
    flow_packet_.destination = peer / program.pe_columns * columns_ + peer % program.pe_columns;
    // Vectors that are read in consecutive cycles travel as one packet.
    const auto read = [&](std::size_t i, Cycle earliest) {
      const Access& vector = segment.transfers[i].a;
      return ports_.access(bases[vector.stream] + vector.offset, earliest);
    };
    Cycle first = read(begin, next);
    while (begin < end) {
      std::size_t stop = begin + 1;
      Cycle following = 0;
      for (; stop < end; ++stop) {
        const Cycle expected = first + (stop - begin);
        following = read(stop, expected);
        if (following != expected) break;
      }
      flow_packet_.edge = stop == end ? edge_of_packet : FlowPacket::no_edge;
      const std::optional<Cycle> sent = send_vectors(segment, bases, begin, stop, first, now);
      if (!sent) return std::nullopt;
      next = *sent;
      first = following;
      begin = stop;
    }
  }
  const u64 busy = std::max<u64>(count, next - now);
  operand_reads_.add(count, now, now + busy);
  book_busy(Unit::flow, now, count, 0, busy - count);
  open_flow_.packet = flow_packet_.number;
  return flow_packet_.number != 0 ? unknown : now + busy;
}

std::optional<Cycle> Pe::send_vectors(const SegmentProgram& segment, const StreamBases& bases, std::size_t begin,
                                      std::size_t end, Cycle first, Cycle now) {
  const u32 lanes = memory_.lanes();
  slots_.resize(end - begin);
  buffer_.resize((end - begin) * lanes);
  for (std::size_t i = begin; i < end; ++i) {
    const Transfer& transfer = segment.transfers[i];
    slots_[i - begin] = static_cast<u16>(bases[transfer.d.stream] + transfer.d.offset);
    if (data_)
      std::memcpy(buffer_.data() + (i - begin) * lanes, memory_.vector(bases[transfer.a.stream] + transfer.a.offset),
                  std::size_t{lanes} * 2);
  }
  flow_packet_.slots = slots_.data();
  flow_packet_.count = static_cast<u32>(end - begin);
  flow_packet_.number = 0;
  payload_.set_command(tlm::TLM_WRITE_COMMAND);
  payload_.set_address(flow_packet_.destination);
  payload_.set_data_ptr(reinterpret_cast<unsigned char*>(buffer_.data()));
  payload_.set_data_length(static_cast<unsigned>(buffer_.size() * 2));
  payload_.set_streaming_width(payload_.get_data_length());
  payload_.set_byte_enable_ptr(nullptr);
  payload_.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  payload_.set_extension(&flow_packet_);
  sc_core::sc_time delay = clock_.to_time(first - now);
  to_mesh->b_transport(payload_, delay);
  payload_.clear_extension(&flow_packet_);
  if (payload_.is_response_error()) {
    fail(fmt::format("the mesh refused vectors for PE {}: {}", flow_packet_.destination,
                     payload_.get_response_string()));
    return std::nullopt;
  }
  return now + clock_.to_cycles(delay);
}

Cycle Pe::start_cal(u32 segment, const StreamBases& bases, Cycle now) {
  const CalSchedule& schedule = schedule_of(segment, bases);
  if (data_) cal_.execute(context_->program.segments[segment], bases, memory_);
  ports_.begin(now);
  const OperandPorts::Placement placement = ports_.place(schedule.ports, now, schedule.occupancy);
  const u64 stall = schedule.latency + placement.issue_halts;
  count_cal(schedule, now, now + schedule.issue + schedule.special + stall);
  book_busy(Unit::cal, now, schedule.issue, schedule.special, stall);
  return now + schedule.completion + placement.halts;
}

void Pe::send_token(u32 edge, Cycle) {
  const PeProgram& program = context_->program;
  const u32 own = index_ / columns_ * program.pe_columns + index_ % columns_;
  const u32 peer = own ^ program.edges[edge].peer_mask;
  flow_packet_.source = index_;
  flow_packet_.destination = peer / program.pe_columns * columns_ + peer % program.pe_columns;
  flow_packet_.slots = nullptr;
  flow_packet_.count = 0;
  flow_packet_.number = 0;
  flow_packet_.edge = edge;
  payload_.set_command(tlm::TLM_WRITE_COMMAND);
  payload_.set_address(flow_packet_.destination);
  payload_.set_data_ptr(nullptr);
  payload_.set_data_length(0);
  payload_.set_streaming_width(0);
  payload_.set_byte_enable_ptr(nullptr);
  payload_.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  payload_.set_extension(&flow_packet_);
  sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
  to_mesh->b_transport(payload_, delay);
  payload_.clear_extension(&flow_packet_);
  if (payload_.is_response_error()) fail(fmt::format("the mesh refused a token for PE {}", flow_packet_.destination));
}

void Pe::flow_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  const auto* packet = payload.get_extension<FlowPacket>();
  if (packet != nullptr && packet->notice != FlowPacket::Notice::none) {
    const Cycle when = clock_.to_cycles(sc_core::sc_time_stamp() + delay);
    if (packet->notice == FlowPacket::Notice::sent) {
      end_flow(packet->number, when);
    } else if (const std::vector<u16>* const slots = slots_of_packet(packet->number)) {
      ports_.begin(clock_.now());
      end_packet(packet->number, write_packet(*packet, slots->size(), slots->data(), when));
    } else {
      end_packet(packet->number, when);
    }
    respond(payload, true);
    return;
  }
  const bool sound =
      packet != nullptr && payload.is_write() && payload.get_data_length() == u64{packet->count} * memory_.lanes() * 2;
  const auto* const words = reinterpret_cast<const u16*>(payload.get_data_ptr());
  if (!sound || !takes(*packet)) {
    respond(payload, false);
    return;
  }
  Cycle when = clock_.to_cycles(sc_core::sc_time_stamp() + delay);
  if (packet->count != 0 && packet->number == 0) {
    ports_.begin(clock_.now());
    when = write_packet(*packet, packet->count, packet->slots, when);
  }
  arrive(*packet, words, when);
  respond(payload, true);
}

void Pe::report_completion(u32 launch_number, u32 status) {
  LaunchCompletion completion{launch_number, status};
  tlm::tlm_generic_payload payload;
  payload.set_command(tlm::TLM_WRITE_COMMAND);
  payload.set_address(u64{index_} * sizeof(completion));
  payload.set_data_ptr(reinterpret_cast<unsigned char*>(&completion));
  payload.set_data_length(sizeof(completion));
  payload.set_streaming_width(sizeof(completion));
  sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
  to_sequencer->b_transport(payload, delay);
}

}  // namespace bvp
