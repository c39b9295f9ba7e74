// SPDX-License-Identifier: Apache-2.0
#include "models/pe/pe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "models/base/report.h"
#include "models/pe/ports/delivery.h"
#include "models/transport/check.h"

namespace bvp {

Pe::Pe(sc_core::sc_module_name module_name, u32 index, const ArrayParameters& array, const PeParameters& parameters,
       const ClockDomain& clock, CycleAgenda& agenda, StatGroup& parent_stats, bool data,
       std::shared_ptr<CalSchedules> schedules)
    : sc_module(module_name),
      config("config"),
      to_scratchpad("to_scratchpad"),
      to_mesh("to_mesh"),
      from_mesh("from_mesh"),
      to_sequencer("to_sequencer"),
      index_(index),
      data_(data),
      clock_(clock),
      agenda_(agenda),
      agenda_number_(agenda.add(*this)),
      account_(basename(), index, static_cast<u32>(array.lanes), parameters.clock_gating, parent_stats),
      contexts_(kernel_limits(array, parameters), index, Contexts::For::one_pe,
                schedules ? std::move(schedules) : std::make_shared<CalSchedules>()),
      memory_(contexts_.limits().operand_vectors, contexts_.limits().accumulators, contexts_.limits().lanes),
      cal_(parameters, contexts_.limits().lanes),
      ports_(cal_.banks()),
      scratchpad_(to_scratchpad, clock, contexts_.limits().lanes, *this),
      mesh_(to_mesh, clock, index),
      last_arrival_(static_cast<std::size_t>(array.rows * array.columns), 0) {
  config.register_b_transport(this, &Pe::config_transport);
  from_mesh.register_b_transport(this, &Pe::flow_transport);
}

Pe::~Pe() = default;

// ---------------------------------------------------------------- configuration plane

void Pe::config_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  const Delivery delivery = read_delivery(payload);
  const Cycle when = clock_.to_cycles(sc_core::sc_time_stamp() + delay);
  bool ok = true;
  switch (delivery.kind) {
    case Delivery::Kind::refused:
      return;
    case Delivery::Kind::image:
      ok = take_image(name(), delivery, when, contexts_, account_);
      break;
    case Delivery::Kind::launch:
      if (!error_.empty()) forget_open_firings();
      ok = launch(delivery.record, when);
      break;
    case Delivery::Kind::stop:
      stop(when);
      break;
    case Delivery::Kind::rows:
      ok = leave_out(delivery.rows_left_out, when);
      break;
  }
  if (!ok) payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
}

bool Pe::launch(const LaunchRecord& record, Cycle when) {
  if (account_.power() != ArrayPower::on) {
    report_warning(name(), "a launch came while the array is not on");
    return false;
  }
  const bool idle = graph_.launches().empty();
  if (idle) account_.rest_until(when, Wait::no_kernel);
  if (idle && contexts_.has_shadow()) {
    contexts_.activate();
    graph_.start(contexts_.active()->program);
    events_.begin_generation();
    error_.clear();
  }
  const bool counts = std::count(record.counts.begin(), record.counts.end(), 0u) == 0;
  if (!contexts_.active() || !error_.empty() || !counts) return false;
  if (idle) book_cycles(when);
  graph_.launch(record, when);
  events_.post_launch(when);
  reschedule();
  return true;
}

void Pe::stop(Cycle now) {
  book_cycles(now);
  if (!graph_.launches().empty()) account_.rest_until(now, Wait::drain);
  graph_.stop();
  contexts_.clear();
  events_.begin_generation();  // nothing that is on its way arrives
  error_.clear();
  forget_open_firings();
}

bool Pe::leave_out(u32 rows, Cycle now) {
  if (!graph_.launches().empty()) return false;
  stop(now);
  return contexts_.leave_out(rows);
}

void Pe::forget_open_firings() {
  for (const Unit unit : {Unit::load, Unit::store}) {
    for (const OpenFirings::OpenFiring& firing : open_firings_.of(unit)) {
      if (firing.event.vectors != GraphEvent::no_vectors) incoming_.release(firing.event.vectors);
    }
    open_firings_.of(unit).clear();
  }
}

void Pe::complete_launches(Cycle now) {
  while (graph_.launch_has_ended()) {
    const u32 number = graph_.launches().front().record.launch_number;
    book_cycles(now);
    if (graph_.launches().size() == 1) account_.rest_until(now, Wait::drain);
    graph_.pop_launch();
    report_completion(number, 0);
  }
}

void Pe::fail(std::string message) {
  if (!error_.empty()) return;
  error_ = std::move(message);
  report_warning(name(), "{}", error_);
  std::vector<u32> numbers = graph_.drop_launches();
  if (numbers.empty()) numbers.push_back(0);
  for (const u32 number : numbers) report_completion(number, 1);
}

void Pe::report_completion(u32 launch_number, u32 status) {
  LaunchCompletion completion{launch_number, status};
  sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
  access(to_sequencer, tlm::TLM_WRITE_COMMAND, u64{index_} * sizeof completion, &completion, sizeof completion, delay);
}

void Pe::book_cycles(Cycle now) {
  const Cycle booked = account_.cycles_booked();
  if (now > booked) account_.book_cycles(now, 1, graph_.launches().empty() ? 0 : now - booked);
}

void Pe::set_power(ArrayPower power, Cycle now) {
  if (power == account_.power()) return;
  book_cycles(now);
  account_.set_power(power);
  if (power != ArrayPower::on && !graph_.launches().empty()) fail("the clock went while a kernel ran");
}

void Pe::settle() {
  const Cycle now = clock_.now();
  book_cycles(now);
  if (graph_.launches().empty()) account_.rest_until(now, Wait::no_kernel);
}

// ---------------------------------------------------------------- events

void Pe::reschedule() {
  if (const std::optional<Cycle> next = events_.next()) agenda_.wake_at(agenda_number_, *next);
}

void Pe::wake(Cycle now) {
  while (const std::optional<GraphEvent> event = events_.pop(now)) {
    if (events_.stale(*event) || !error_.empty()) {
      if (event->vectors != GraphEvent::no_vectors) incoming_.release(event->vectors);
    } else {
      handle(*event, now);
    }
  }
  reschedule();
}

void Pe::handle(const GraphEvent& event, Cycle now) {
  deliver(event.vectors);
  switch (event.kind) {
    case GraphEvent::Kind::arrival:
      if (event.index != FlowPacket::no_edge) graph_.arrive(event.index, now);
      break;
    case GraphEvent::Kind::firing_ends:
      graph_.end_firing(event);
      break;
    case GraphEvent::Kind::unit_is_free:
      graph_.look_at(static_cast<Unit>(event.index));
      break;
    case GraphEvent::Kind::launch:
    case GraphEvent::Kind::launch_ends:
      graph_.arm_all();
      break;
  }
  run_graph(now);
  const bool may_end = event.kind == GraphEvent::Kind::firing_ends || event.kind == GraphEvent::Kind::launch;
  if (may_end) complete_launches(now);
}

void Pe::deliver(u32 vectors) {
  if (vectors == GraphEvent::no_vectors) return;
  if (data_) incoming_.deliver(vectors, memory_);
  incoming_.release(vectors);
}

void Pe::run_graph(Cycle now) {
  for (;;) {
    const TokenGraph::Step step = graph_.next(now, [&](Unit unit) { return is_free(unit, now); });
    if (const auto* const firing = std::get_if<Firing>(&step)) {
      begin(*firing);
    } else if (const auto* const token = std::get_if<TokenGraph::Token>(&step)) {
      send_token(token->edge, now);
    } else if (std::holds_alternative<TokenGraph::EmptyLaunch>(step)) {
      events_.post_launch(now);
    } else {
      return;
    }
  }
}

bool Pe::is_free(Unit unit, Cycle now) {
  if (account_.busy_beyond(unit)) return false;
  if (account_.counted_until(unit) <= now) ask_scratchpad(unit, now);
  if (!error_.empty()) return false;
  if (account_.counted_until(unit) <= now) return true;
  events_.post_free(unit, account_.counted_until(unit));
  return false;
}

void Pe::ask_scratchpad(Unit unit, Cycle now) {
  if (unit != Unit::load && unit != Unit::store) return;
  auto& open = open_firings_.of(unit);
  if (open.empty() || open.back().issued) return;
  const u64 ticket = open.back().ticket;
  bool refused = false;
  const VectorAccess::Progress progress = scratchpad_.ask(ticket, refused);
  if (refused) {
    fail(fmt::format("the scratchpad has forgotten a {}", unit_names[static_cast<std::size_t>(unit)]));
    return;
  }
  account_.stall_until(unit, progress.issued ? progress.issue_end : std::max(progress.issue_end, now + 1));
  // The answer may have come together with the end of the firing.
  if (!open.empty() && open.back().ticket == ticket) open.back().issued = progress.issued;
}

// ---------------------------------------------------------------- firings

void Pe::begin(const Firing& firing) {
  const SegmentProgram& segment = contexts_.active()->program.segments[firing.segment];
  account_.wait_until(firing.unit, firing.now, firing.waited_for);
  account_.count_firings(1, firing.tokens);
  if (!within_bounds(contexts_.limits(), segment, firing.bases)) {
    fail(fmt::format("segment {} reaches outside of the operand memory", firing.segment));
    return;
  }
  End end;
  switch (firing.unit) {
    case Unit::load:
      end = begin_load(firing, segment);
      break;
    case Unit::store:
      end = begin_store(firing, segment);
      break;
    case Unit::flow:
      end = begin_flow(firing, segment);
      break;
    case Unit::cal:
      end = begin_cal(firing, segment);
      break;
  }
  if (end.failed || !error_.empty()) return;
  GraphEvent event;
  event.kind = GraphEvent::Kind::firing_ends;
  event.index = firing.segment;
  event.vectors = end.vectors;
  event.produces = firing.produces;
  event.last_of_launch = firing.last_of_launch;
  event.launch = firing.launch;
  event.generation = events_.generation();
  if (end.at) {
    event.time = *end.at;
    events_.post(event);
  } else if (firing.unit == Unit::flow) {
    account_.set_busy_beyond(Unit::flow, true);
    open_packets_.open_firing(end.packet, event);
  } else {
    open_firings_.of(firing.unit).push_back({end.ticket, event, false, false});
  }
}

Pe::End Pe::begin_load(const Firing& firing, const SegmentProgram& segment) {
  const std::size_t count = segment.transfers.size();
  const u32 vectors = incoming_.take();
  IncomingVectors::Group& group = incoming_.group(vectors);
  group.slots.resize(count);
  group.data.resize(count * memory_.lanes());
  buffers_.addresses.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const Transfer& transfer = segment.transfers[i];
    buffers_.addresses[i] = static_cast<u32>(firing.bases[transfer.a.stream] + transfer.a.offset);
    group.slots[i] = static_cast<u16>(firing.bases[transfer.d.stream] + transfer.d.offset);
  }
  ports_.begin(firing.now);
  buffers_.times.assign(count, 0);
  return begin_transfer(firing, group.data.data(), vectors);
}

Pe::End Pe::begin_store(const Firing& firing, const SegmentProgram& segment) {
  const u32 lanes = memory_.lanes();
  const std::size_t count = segment.transfers.size();
  const auto source = [&](std::size_t i) {
    const Access& vector = segment.transfers[i].a;
    return firing.bases[vector.stream] + vector.offset;
  };
  buffers_.addresses.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const Transfer& transfer = segment.transfers[i];
    buffers_.addresses[i] = static_cast<u32>(firing.bases[transfer.d.stream] + transfer.d.offset);
  }
  ports_.begin(firing.now);
  std::vector<Cycle>& times = buffers_.times;
  times.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    times[i] = ports_.access(source(i), i == 0 ? firing.now : times[i - 1] + 1);
  }
  if (segment.consecutive && memory_.pitch() == lanes) {
    return begin_transfer(firing, memory_.vector(source(0)), GraphEvent::no_vectors);
  }
  buffers_.words.resize(count * lanes);
  for (std::size_t i = 0; data_ && i < count; ++i) {
    std::memcpy(buffers_.words.data() + i * lanes, memory_.vector(source(i)), std::size_t{lanes} * 2);
  }
  return begin_transfer(firing, buffers_.words.data(), GraphEvent::no_vectors);
}

Pe::End Pe::begin_transfer(const Firing& firing, u16* data, u32 vectors) {
  const bool load = firing.unit == Unit::load;
  const std::size_t count = buffers_.addresses.size();
  const ScratchpadPort::Answer answer =
      scratchpad_.begin({firing.unit, buffers_.addresses, buffers_.times, data}, firing.now);
  if (!answer.refused.empty()) {
    fail(answer.refused);
    return failure();
  }
  const CycleSpan when{firing.now, firing.now + answer.busy};
  load ? account_.count_writes(count, when) : account_.count_reads(count, when);
  account_.busy(firing.unit, firing.tag, firing.now, {count, 0, answer.busy - count});
  End end;
  end.vectors = vectors;
  end.ticket = answer.ticket;
  if (answer.ticket != 0) return end;
  Cycle last = answer.end;
  if (load) last = write_operands(count, incoming_.group(vectors).slots.data(), buffers_.times.data(), last);
  // Banks may serve a later segment first; its completion waits for the one before, as tokens are in order.
  end.at = open_firings_.end_in_order(firing.unit, last);
  return end;
}

u32 Pe::riding_edge(const Firing& firing, const SegmentProgram& segment, u32 mask) const {
  u32 riding = FlowPacket::no_edge;
  for (const u32 edge : segment.out_edges) {
    const EdgeProgram& target = contexts_.active()->program.edges[edge];
    if (target.rides && target.peer_mask == mask && target.scope >= firing.produces) riding = edge;
  }
  return riding;
}

Pe::End Pe::begin_flow(const Firing& firing, const SegmentProgram& segment) {
  const PeProgram& program = contexts_.active()->program;
  const u32 pes = program.pe_rows * program.pe_columns;
  const std::vector<Transfer>& transfers = segment.transfers;
  ports_.begin(firing.now);
  MeshPort::Answer sent{false, 0, firing.now};
  for (std::size_t begin = 0, end = 0; begin < transfers.size(); begin = end) {
    const u32 mask = transfers[begin].peer_mask;
    for (end = begin; end < transfers.size() && transfers[end].peer_mask == mask;) ++end;
    if (mask >= pes) {
      fail(fmt::format("a vector is sent to PE {}, the kernel has {}", own_number() ^ mask, pes));
      return failure();
    }
    const bool last_for_peer = std::none_of(transfers.begin() + static_cast<std::ptrdiff_t>(end), transfers.end(),
                                            [&](const Transfer& transfer) { return transfer.peer_mask == mask; });
    const u32 edge = last_for_peer ? riding_edge(firing, segment, mask) : FlowPacket::no_edge;
    sent = send(firing, segment, {begin, end, array_index(own_number() ^ mask), edge}, sent.sent);
    if (sent.refused) return failure();
  }
  const u64 count = transfers.size(), busy = std::max<u64>(count, sent.sent - firing.now);
  account_.count_reads(count, {firing.now, firing.now + busy});
  account_.busy(Unit::flow, firing.tag, firing.now, {count, 0, busy - count});
  if (sent.number == 0) return at(firing.now + busy);
  End end;
  end.packet = sent.number;
  return end;
}

MeshPort::Answer Pe::send(const Firing& firing, const SegmentProgram& segment, const Stretch& stretch, Cycle next) {
  const u32 lanes = memory_.lanes();
  const auto source = [&](std::size_t i) {
    const Access& vector = segment.transfers[i].a;
    return firing.bases[vector.stream] + vector.offset;
  };
  MeshPort::Packet& packet = buffers_.packet;
  packet.destination = stretch.destination;
  MeshPort::Answer sent;
  // Vectors that are read in consecutive cycles travel as one packet.
  Cycle first = ports_.access(source(stretch.begin), next);
  for (std::size_t begin = stretch.begin; begin < stretch.end;) {
    std::size_t end = begin + 1;
    Cycle following = 0;
    for (; end < stretch.end; ++end) {
      const Cycle expected = first + (end - begin);
      following = ports_.access(source(end), expected);
      if (following != expected) break;
    }
    packet.edge = end == stretch.end ? stretch.edge : FlowPacket::no_edge;
    packet.slots.resize(end - begin);
    packet.data.resize((end - begin) * lanes);
    for (std::size_t i = begin; i < end; ++i) {
      const Access& slot = segment.transfers[i].d;
      packet.slots[i - begin] = static_cast<u16>(firing.bases[slot.stream] + slot.offset);
      if (data_) {
        std::memcpy(packet.data.data() + (i - begin) * lanes, memory_.vector(source(i)), std::size_t{lanes} * 2);
      }
    }
    sent = mesh_.send(packet, first, firing.now);
    if (sent.refused) {
      fail(fmt::format("the mesh refused vectors for PE {}: {}", packet.destination, mesh_.response()));
      return sent;
    }
    first = following;
    begin = end;
  }
  return sent;
}

Pe::End Pe::begin_cal(const Firing& firing, const SegmentProgram& segment) {
  const CalSchedule& schedule = contexts_.active()->schedule(cal_, firing.segment, firing.bases);
  if (data_) cal_.execute(segment, firing.bases, memory_);
  ports_.begin(firing.now);
  const OperandPorts::Placement placement = ports_.place(schedule.ports, firing.now, schedule.occupancy);
  const BusyCycles cycles{schedule.issue, schedule.special, schedule.latency + placement.issue_halts};
  account_.count_cal(schedule, 1, {firing.now, firing.now + cycles.sum()});
  account_.busy(Unit::cal, firing.tag, firing.now, cycles);
  return at(firing.now + schedule.completion + placement.halts);
}

void Pe::send_token(u32 edge, Cycle now) {
  MeshPort::Packet token;
  token.destination = array_index(own_number() ^ contexts_.active()->program.edges[edge].peer_mask);
  token.edge = edge;
  if (mesh_.send(token, now, now).refused) {
    fail(fmt::format("the mesh refused a token for PE {}", token.destination));
  }
}

u32 Pe::array_index(u32 number) const {
  const u32 columns = contexts_.active()->program.pe_columns;
  return contexts_.rows().in_array(number / columns) * contexts_.limits().columns + number % columns;
}

// ---------------------------------------------------------------- vectors that come

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

void Pe::vectors_served(const VectorAccess::End& end) {
  for (const Unit unit : {Unit::load, Unit::store}) {
    auto& open = open_firings_.of(unit);
    const auto served = std::find_if(open.begin(), open.end(),
                                     [&](const OpenFirings::OpenFiring& each) { return each.ticket == end.ticket; });
    if (served == open.end()) continue;
    if (!served->issued) account_.stall_until(unit, end.issue_end);
    Cycle readable = end.end;
    if (served->event.vectors != GraphEvent::no_vectors) {
      const std::vector<u16>& slots = incoming_.group(served->event.vectors).slots;
      ports_.begin(clock_.now());
      readable = write_operands(slots.size(), slots.data(), end.times, end.end);
    }
    open_firings_.end(unit, *served, readable, events_);
    reschedule();
    return;
  }
}

void Pe::flow_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  const auto* const packet = payload.get_extension<FlowPacket>();
  const Cycle when = clock_.to_cycles(sc_core::sc_time_stamp() + delay);
  if (packet != nullptr && packet->notice != FlowPacket::Notice::none) {
    take_notice(*packet, when);
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
    return;
  }
  payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
  if (packet == nullptr) return;
  PayloadRules rules = PayloadRules::of_length(u64{packet->count} * memory_.lanes() * 2);
  rules.read = false;
  if (check(payload, rules) != tlm::TLM_OK_RESPONSE || !contexts_.active()) return;
  const bool edge = packet->edge == FlowPacket::no_edge || packet->edge < contexts_.active()->program.edges.size();
  const bool slots =
      std::all_of(packet->slots, packet->slots + packet->count, [&](u16 slot) { return slot < memory_.vectors(); });
  if (!edge || !slots) return;
  const auto* const words = reinterpret_cast<const u16*>(payload.get_data_ptr());
  if (packet->count != 0 && packet->number == 0) {
    ports_.begin(clock_.now());
    arrive(*packet, words, write_packet(*packet, packet->count, packet->slots, when));
  } else {
    arrive(*packet, words, when);
  }
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

void Pe::arrive(const FlowPacket& packet, const u16* data, Cycle when) {
  GraphEvent event;
  event.time = when;
  event.kind = GraphEvent::Kind::arrival;
  event.index = packet.edge;
  if (packet.count > 0) {
    event.vectors = incoming_.take();
    IncomingVectors::Group& group = incoming_.group(event.vectors);
    group.slots.assign(packet.slots, packet.slots + packet.count);
    if (data_) group.data.assign(data, data + std::size_t{packet.count} * memory_.lanes());
    account_.count_writes(packet.count, {when - std::min<Cycle>(when, packet.count), when});
  }
  if (packet.number != 0) {
    event.generation = events_.generation();
    open_packets_.open(packet.number, event);
    return;
  }
  events_.post(event);
  reschedule();
}

void Pe::take_notice(const FlowPacket& packet, Cycle when) {
  if (packet.notice == FlowPacket::Notice::sent) {
    end_flow(packet.number, when);
  } else {
    end_packet(packet, when);
  }
}

void Pe::end_packet(const FlowPacket& packet, Cycle when) {
  const GraphEvent* const open = open_packets_.find(packet.number);
  if (open == nullptr) return;
  GraphEvent event = *open;
  open_packets_.close(packet.number);
  if (events_.stale(event)) {
    incoming_.release(event.vectors);
    return;
  }
  const std::vector<u16>& slots = incoming_.group(event.vectors).slots;
  ports_.begin(clock_.now());
  event.time = write_packet(packet, slots.size(), slots.data(), when);
  events_.post(event);
  reschedule();
}

void Pe::end_flow(u64 packet, Cycle when) {
  std::optional<GraphEvent> event = open_packets_.close_firing(packet);
  if (!event) return;
  account_.set_busy_beyond(Unit::flow, false);
  account_.stall_until(Unit::flow, when);
  if (!events_.stale(*event) && error_.empty()) {
    event->time = when;
    events_.post(*event);
  }
  if (graph_.waits_for(Unit::flow)) events_.post_free(Unit::flow, account_.counted_until(Unit::flow));
  reschedule();
}

}  // namespace bvp
