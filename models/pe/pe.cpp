// SPDX-License-Identifier: Apache-2.0
#include "models/pe/pe.h"

#include <algorithm>
#include <cstring>

#include "models/common/report.h"

namespace bvp {

namespace {

constexpr std::size_t as_index(Unit unit) { return static_cast<std::size_t>(unit); }

KernelLimits limits_of(const ArrayParameters& array, const PeParameters& parameters) {
  return {static_cast<u32>(array.lanes),
          static_cast<u32>(array.rows),
          static_cast<u32>(array.columns),
          static_cast<u32>(parameters.operand_vectors),
          static_cast<u32>(parameters.accumulators),
          static_cast<u32>(parameters.instruction_store)};
}

constexpr std::array<const char*, wait_count> wait_descriptions{
    "cycles without a segment to run: operands were still being loaded",
    "cycles without a segment to run: operands were still being computed",
    "cycles without a segment to run: vectors or tokens of other PEs were on their way",
    "cycles without a segment to run: the space for its results was not free",
    "cycles from the arrival of a launch to the first segment",
    "cycles from the unit's last segment to the end of the launch on this PE",
    "cycles without a launch"};

}  // namespace

Pe::UnitStats::UnitStats(StatGroup& parent, const char* name, const char* stall_description)
    : group(name),
      instructions(&group, "instructions", "instructions", "instructions issued"),
      issue(&group, "issue", "cycles", "cycles in which an instruction was issued"),
      special(&group, "special", "cycles", "further cycles of instructions on the special function unit"),
      stall(&group, "stall", "cycles", stall_description) {
  for (std::size_t i = 0; i < wait_count; ++i) {
    waits.push_back(
        std::make_unique<Counter>(&group, std::string("wait_") + wait_names[i], "cycles", wait_descriptions[i]));
  }
  parent.add(&group);
}

Pe::Pe(sc_core::sc_module_name name, u32 index, const ArrayParameters& array, const PeParameters& parameters,
       const ClockDomain& clock, StatGroup& parent_stats)
    : sc_module(name),
      config("config"),
      to_scratchpad("to_scratchpad"),
      to_mesh("to_mesh"),
      from_mesh("from_mesh"),
      to_sequencer("to_sequencer"),
      index_(index),
      columns_(static_cast<u32>(array.columns)),
      limits_(limits_of(array, parameters)),
      clock_(clock),
      stats_(basename(), "pe"),
      firings_(&stats_, "firings", "segments", "segments run"),
      lane_multiplies_(&stats_, "multiply_lane", "operations", "fp16 multiplications", Counter::Role::energy_action),
      lane_adds_(&stats_, "add_lane", "operations", "fp16 additions and maxima", Counter::Role::energy_action),
      lane_fused_(&stats_, "fma_lane", "operations", "fp16 fused multiply-adds", Counter::Role::energy_action),
      lane_specials_(&stats_, "special_lane", "operations", "exp, erf, reciprocal, reciprocal square root",
                     Counter::Role::energy_action),
      lane_accumulates_(&stats_, "accumulate_lane", "operations", "additions and multiply-adds into fp32 accumulators",
                        Counter::Role::energy_action),
      operations_(&stats_, "operations", "operations", "arithmetic operations, a fused multiply-add counted as two"),
      operand_reads_(&stats_, "operand_read", "vectors", "vectors read from the operand memory",
                     Counter::Role::energy_action),
      operand_writes_(&stats_, "operand_write", "vectors", "vectors written to the operand memory",
                      Counter::Role::energy_action),
      scalar_reads_(&stats_, "scalar_read", "scalars", "scalars read from the operand memory and broadcast",
                    Counter::Role::energy_action),
      instructions_issued_(&stats_, "instruction", "instructions", "instructions fetched and issued, all units",
                           Counter::Role::energy_action),
      tokens_(&stats_, "token", "tokens", "dependency tokens handled", Counter::Role::energy_action),
      configured_words_(&stats_, "configure_word", "words", "64-bit words of configuration received",
                        Counter::Role::energy_action),
      memory_(limits_.operand_vectors, limits_.accumulators, limits_.lanes),
      cal_(parameters, limits_.lanes) {
  constexpr std::array<const char*, unit_count> stalls{
      "cycles busy without issue: vectors waited for scratchpad banks",
      "cycles busy without issue: an operand was still in a pipeline of the unit",
      "cycles busy without issue: vectors waited for mesh links or credits",
      "cycles busy without issue: vectors waited for scratchpad banks"};
  for (std::size_t unit = 0; unit < unit_count; ++unit) {
    unit_stats_[unit] = std::make_unique<UnitStats>(stats_, unit_names[unit], stalls[unit]);
  }
  parent_stats.add(&stats_);
  config.register_b_transport(this, &Pe::config_transport);
  from_mesh.register_b_transport(this, &Pe::flow_transport);
  SC_METHOD(run);
  sensitive << wake_;
  dont_initialize();
}

// ---------------------------------------------------------------- configuration plane

void Pe::config_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  if (!payload.is_write() || payload.get_byte_enable_ptr() != nullptr) {
    payload.set_response_status(tlm::TLM_COMMAND_ERROR_RESPONSE);
    return;
  }
  if (payload.get_address() == configure_address) {
    payload.set_response_status(configure(payload.get_data_ptr(), payload.get_data_length()));
  } else if (payload.get_address() == launch_address && payload.get_data_length() == sizeof(LaunchRecord)) {
    LaunchRecord record;
    std::memcpy(&record, payload.get_data_ptr(), sizeof(record));
    payload.set_response_status(launch(record, clock_.to_cycles(sc_core::sc_time_stamp() + delay)));
  } else {
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
  }
}

tlm::tlm_response_status Pe::configure(const u8* image, std::size_t size) {
  try {
    const Kernel kernel = Kernel::decode(image, size);
    kernel.check(limits_);
    const u32 x = index_ % columns_, y = index_ / columns_;
    if (x >= kernel.pe_columns || y >= kernel.pe_rows) throw KernelError("kernel: this PE is outside of its array");
    Context context;
    context.program = make_program(kernel, y * kernel.pe_columns + x);
    for (const SegmentProgram& segment : context.program.segments) {
      context.schedules.push_back(segment.unit == Unit::cal ? cal_.schedule(segment) : CalSchedule{});
    }
    shadow_ = std::move(context);
    configured_words_ += size / 8;
    return tlm::TLM_OK_RESPONSE;
  } catch (const KernelError& error) {
    report_warning(name(), "{}", error.what());
    return tlm::TLM_GENERIC_ERROR_RESPONSE;
  }
}

tlm::tlm_response_status Pe::launch(const LaunchRecord& record, Cycle when) {
  if (shadow_ && launches_.empty()) activate_shadow();
  if (!context_ || !error_.empty() || std::count(record.counts.begin(), record.counts.end(), 0u) != 0) {
    return tlm::TLM_GENERIC_ERROR_RESPONSE;
  }
  const PeProgram& program = context_->program;
  Launch launch;
  launch.record = record;
  launch.arrival = when;
  launch.resident = (record.flags & command_flag_resident) != 0 && weights_loaded_;
  weights_loaded_ = true;
  for (std::size_t level = 0; level < instance_levels; ++level) {
    const u32 count = record.counts[level], start = program.start[level], step = program.step[level];
    launch.iterations[level] = start >= count ? 0 : (count - start + step - 1) / step;
    launch.empty = launch.empty || launch.iterations[level] == 0;
  }
  launch.unfinished = program.segments.size();
  if (launches_.empty()) {
    for (std::size_t unit = 0; unit < unit_count; ++unit) book_wait(static_cast<Unit>(unit), when, Wait::no_kernel);
  }
  launches_.push_back(launch);
  Event event;
  event.time = when;
  event.kind = Event::Kind::wake;
  event.index = unit_count;
  post(event);
  reschedule();
  return tlm::TLM_OK_RESPONSE;
}

void Pe::activate_shadow() {
  context_ = std::move(shadow_);
  shadow_.reset();
  ++generation_;
  weights_loaded_ = false;
  error_.clear();
  first_launch_ = 0;
  const PeProgram& program = context_->program;
  state_.assign(program.segments.size(), {});
  edges_.assign(program.edges.size(), {});
  for (std::size_t i = 0; i < program.edges.size(); ++i) edges_[i].tokens = program.edges[i].initial;
  number_.assign(program.segments.size(), 0);
  for (UnitState& unit : units_) {
    unit.ready = 0;
    unit.last_served = 0;
    unit.segments.clear();
  }
  for (u32 i = 0; i < program.segments.size(); ++i) units_[as_index(program.segments[i].unit)].segments.push_back(i);
  for (UnitState& unit : units_) {
    std::stable_sort(unit.segments.begin(), unit.segments.end(),
                     [&](u32 a, u32 b) { return program.segments[a].tag < program.segments[b].tag; });
    for (u32 i = 0; i < unit.segments.size(); ++i) number_[unit.segments[i]] = i;
  }
}

// ---------------------------------------------------------------- events

void Pe::post(Event event) {
  event.order = order_++;
  event.generation = generation_;
  events_.push_back(event);
  std::push_heap(events_.begin(), events_.end(), std::greater<>());
}

void Pe::reschedule() {
  if (events_.empty()) return;
  const Cycle next = events_.front().time;
  if (wake_pending_ && wake_at_ <= next) return;
  wake_pending_ = true;
  wake_at_ = next;
  wake_.notify(clock_.to_time(next) - sc_core::sc_time_stamp());
}

void Pe::run() {
  wake_pending_ = false;
  const Cycle now = clock_.now();
  while (!events_.empty() && events_.front().time <= now) {
    std::pop_heap(events_.begin(), events_.end(), std::greater<>());
    const Event event = events_.back();
    events_.pop_back();
    if (event.generation != generation_ || !error_.empty()) {
      if (event.vectors != no_vectors) free_incoming_.push_back(event.vectors);
      continue;
    }
    switch (event.kind) {
      case Event::Kind::arrival:
        deliver(event.vectors);
        if (event.index == FlowPacket::no_edge) break;
        ++edges_[event.index].tokens;
        edges_[event.index].last_arrival = now;
        arm(context_->program.edges[event.index].to, now);
        break;
      case Event::Kind::finished:
        finish(event, now);
        break;
      case Event::Kind::wake:
        if (event.index == unit_count) {
          arm_all(now);
          complete_launches(now);
        } else {
          units_[event.index].wake_booked = false;
          try_start(static_cast<Unit>(event.index), now);
        }
        break;
    }
  }
  reschedule();
}

// ---------------------------------------------------------------- scheduling

bool Pe::vacuous(const SegmentProgram& segment, const Launch& launch) const {
  return segment.scope == 0 ? launch.resident : launch.empty;
}

unsigned Pe::outermost_first(const SegmentProgram& segment, const SegmentState& state) const {
  unsigned scope = segment.scope;
  while (scope > 0 && state.iteration[scope - 1] == 0) --scope;
  return scope;
}

unsigned Pe::outermost_last(const SegmentProgram& segment, const SegmentState& state, const Launch& launch) const {
  unsigned scope = segment.scope;
  while (scope > 0 && state.iteration[scope - 1] + 1 == launch.iterations[scope - 1]) --scope;
  return scope;
}

bool Pe::tokens_ready(u32 segment) const {
  const SegmentProgram& program = context_->program.segments[segment];
  const SegmentState& state = state_[segment];
  const Launch& launch = launches_[state.launch - first_launch_];
  const bool skip = vacuous(program, launch);
  const unsigned first = outermost_first(program, state);
  return std::all_of(program.in_edges.begin(), program.in_edges.end(), [&](u32 edge) {
    const unsigned scope = context_->program.edges[edge].scope;
    const bool needed = skip ? scope == 0 : scope >= first;
    return !needed || edges_[edge].tokens > 0;
  });
}

void Pe::arm(u32 segment, Cycle now) {
  const SegmentProgram& program = context_->program.segments[segment];
  UnitState& unit = units_[as_index(program.unit)];
  const u64 bit = u64{1} << number_[segment];
  if ((unit.ready & bit) != 0) return;
  const u64 position = state_[segment].launch - first_launch_;
  if (position >= launches_.size() || launches_[position].arrival > now || !tokens_ready(segment)) return;
  if (vacuous(program, launches_[position])) {
    fire_vacuously(segment, now);
    return;
  }
  unit.ready |= bit;
  try_start(program.unit, now);
}

void Pe::arm_all(Cycle now) {
  for (const UnitState& unit : units_) {
    for (std::size_t i = 0; i < unit.segments.size() && error_.empty(); ++i) arm(unit.segments[i], now);
  }
}

void Pe::try_start(Unit unit, Cycle now) {
  UnitState& state = units_[as_index(unit)];
  if (state.ready == 0) return;
  if (state.free_at > now) {
    if (!state.wake_booked) {
      state.wake_booked = true;
      Event event;
      event.time = state.free_at;
      event.kind = Event::Kind::wake;
      event.index = static_cast<u32>(unit);
      post(event);
    }
    return;
  }
  // The smallest tag first; among equal tags the next one after the one served last.
  const auto& segments = context_->program.segments;
  unsigned chosen = static_cast<unsigned>(__builtin_ctzll(state.ready));
  const u8 tag = segments[state.segments[chosen]].tag;
  for (unsigned i = chosen; i < state.segments.size() && segments[state.segments[i]].tag == tag; ++i) {
    if ((state.ready >> i & 1) != 0 && i > state.last_served) {
      chosen = i;
      break;
    }
  }
  state.last_served = chosen;
  state.ready &= ~(u64{1} << chosen);
  start(state.segments[chosen], now);
  if (error_.empty()) try_start(unit, now);
}

void Pe::start(u32 segment, Cycle now) {
  const SegmentProgram& program = context_->program.segments[segment];
  const SegmentState& state = state_[segment];
  const Launch& launch = launches_[state.launch - first_launch_];
  book_wait(program.unit, now, wait_reason(segment));

  const unsigned first = outermost_first(program, state);
  for (const u32 edge : program.in_edges) {
    if (context_->program.edges[edge].scope >= first) {
      --edges_[edge].tokens;
      ++tokens_;
    }
  }
  ++firings_;
  const StreamBases bases = bases_of(segment);
  if (!within_bounds(program, bases)) {
    fail(fmt::format("segment {} reaches outside of the operand memory", segment));
    return;
  }
  const unsigned last = outermost_last(program, state, launch);
  std::optional<Cycle> done;
  u32 vectors = no_vectors;
  switch (program.unit) {
    case Unit::load:
      done = start_load(program, bases, now, vectors);
      break;
    case Unit::store:
      done = start_store(program, bases, now);
      break;
    case Unit::flow:
      done = start_flow(program, bases, last, now);
      break;
    case Unit::cal:
      done = start_cal(segment, bases, now);
      break;
  }
  if (!done) return;
  Event event;
  event.time = *done;
  event.kind = Event::Kind::finished;
  event.index = segment;
  event.vectors = vectors;
  event.produced_scope = static_cast<u8>(last);
  event.last_of_launch = last == 0;
  event.launch = state.launch;
  post(event);
  advance(segment);
  arm(segment, now);
}

void Pe::advance(u32 segment) {
  const SegmentProgram& program = context_->program.segments[segment];
  SegmentState& state = state_[segment];
  const Launch& launch = launches_[state.launch - first_launch_];
  unsigned scope = program.scope;
  while (scope > 0) {
    if (++state.iteration[scope - 1] < launch.iterations[scope - 1]) break;
    state.iteration[scope - 1] = 0;
    --scope;
  }
  if (scope == 0) {
    ++state.launch;
    scope = 1;
  }
  for (unsigned inner = scope; inner <= program.scope; ++inner) ++state.begun[inner];
}

void Pe::fire_vacuously(u32 segment, Cycle now) {
  const SegmentProgram& program = context_->program.segments[segment];
  for (const u32 edge : program.in_edges) {
    if (context_->program.edges[edge].scope == 0) --edges_[edge].tokens;
  }
  Event event;
  event.index = segment;
  event.produced_scope = 0;
  event.last_of_launch = true;
  event.launch = state_[segment].launch++;
  // Of a segment that skips an empty launch only the edges of scope 0 fire; a scope-0 segment has no others.
  for (const u32 edge : program.out_edges) {
    if (context_->program.edges[edge].scope == 0) produce(edge, now);
  }
  if (!error_.empty()) return;
  Launch& launch = launches_[event.launch - first_launch_];
  if (--launch.unfinished == 0) {
    event.kind = Event::Kind::wake;
    event.time = now;
    event.index = unit_count;
    post(event);
  }
  arm(segment, now);
}

void Pe::finish(const Event& event, Cycle now) {
  deliver(event.vectors);
  const SegmentProgram& program = context_->program.segments[event.index];
  for (const u32 edge : program.out_edges) {
    const EdgeProgram& target = context_->program.edges[edge];
    if (target.scope >= event.produced_scope && !target.rides) produce(edge, now);
  }
  if (!error_.empty()) return;
  if (event.last_of_launch) --launches_[event.launch - first_launch_].unfinished;
  complete_launches(now);
}

void Pe::complete_launches(Cycle now) {
  while (!launches_.empty() && launches_.front().unfinished == 0) {
    const u32 number = launches_.front().record.launch_number;
    launches_.pop_front();
    ++first_launch_;
    if (launches_.empty()) {
      for (std::size_t unit = 0; unit < unit_count; ++unit) book_wait(static_cast<Unit>(unit), now, Wait::drain);
    }
    report_completion(number, 0);
  }
}

void Pe::produce(u32 edge, Cycle now) {
  const EdgeProgram& program = context_->program.edges[edge];
  if (program.peer_mask != 0) {
    send_token(edge);
    return;
  }
  ++edges_[edge].tokens;
  edges_[edge].last_arrival = now;
  arm(program.to, now);
}

// ---------------------------------------------------------------- addresses

StreamBases Pe::bases_of(u32 segment) const {
  const SegmentProgram& program = context_->program.segments[segment];
  const SegmentState& state = state_[segment];
  const Launch& launch = launches_[state.launch - first_launch_];
  StreamBases bases{};
  for (std::size_t s = 0; s < streams_per_segment; ++s) {
    const Stream& stream = program.streams[s];
    i64 base = stream.base;
    if (stream.launch_register != 0) base += static_cast<i32>(launch.record.registers[stream.launch_register - 1u]);
    if (stream.rotation_depth != 0) {
      base += static_cast<i64>(state.begun[stream.rotation_scope] % stream.rotation_depth) * stream.rotation_stride;
    }
    for (unsigned level = 0; level < program.scope; ++level) {
      const u64 index = context_->program.start[level] + u64{state.iteration[level]} * context_->program.step[level];
      base += static_cast<i64>(index) * stream.instance_stride[level];
    }
    bases[s] = base;
  }
  return bases;
}

bool Pe::within_bounds(const SegmentProgram& segment, const StreamBases& bases) {
  return std::all_of(segment.bounds.begin(), segment.bounds.end(), [&](const Bound& bound) {
    i64 limit = 0;
    switch (bound.space) {
      case Space::vector:
        limit = limits_.operand_vectors;
        break;
      case Space::scalar:
        limit = i64{limits_.operand_vectors} * limits_.lanes;
        break;
      case Space::accumulator:
        limit = limits_.accumulators;
        break;
      default:
        return true;
    }
    return bases[bound.stream] + bound.min >= 0 && bases[bound.stream] + bound.max < limit;
  });
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
  operand_writes_ += count;
  return access_scratchpad(Unit::load, incoming.data.data(), now);
}

std::optional<Cycle> Pe::start_store(const SegmentProgram& segment, const StreamBases& bases, Cycle now) {
  const u32 lanes = memory_.lanes();
  const std::size_t count = segment.transfers.size();
  addresses_.resize(count);
  buffer_.resize(count * lanes);
  for (std::size_t i = 0; i < count; ++i) {
    const Transfer& transfer = segment.transfers[i];
    addresses_[i] = static_cast<u32>(bases[transfer.d.stream] + transfer.d.offset);
    std::memcpy(buffer_.data() + i * lanes, memory_.vector(bases[transfer.a.stream] + transfer.a.offset), lanes * 2u);
  }
  operand_reads_ += count;
  return access_scratchpad(Unit::store, buffer_.data(), now);
}

std::optional<Cycle> Pe::access_scratchpad(Unit unit, u16* data, Cycle now) {
  const std::size_t count = addresses_.size();
  vector_access_.addresses = addresses_.data();
  vector_access_.count = static_cast<u32>(count);
  vector_access_.lanes = memory_.lanes();
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
    fail(fmt::format("the scratchpad refused a {} at {:#x}: {}", unit_names[as_index(unit)], payload_.get_address(),
                     payload_.get_response_string()));
    return std::nullopt;
  }
  const u64 busy = std::max<u64>(count, vector_access_.issue_cycles);
  book_busy(unit, now, count, 0, busy - count);
  // Banks may serve a later segment first; its completion waits for the one before, as tokens are in order.
  Cycle& in_order = units_[as_index(unit)].last_done;
  in_order = std::max(in_order, now + clock_.to_cycles(delay));
  return in_order;
}

u32 Pe::take_incoming() {
  if (free_incoming_.empty()) {
    incoming_.emplace_back();
    return static_cast<u32>(incoming_.size() - 1);
  }
  const u32 vectors = free_incoming_.back();
  free_incoming_.pop_back();
  return vectors;
}

void Pe::deliver(u32 vectors) {
  if (vectors == no_vectors) return;
  const Incoming& incoming = incoming_[vectors];
  const u32 lanes = memory_.lanes();
  for (std::size_t i = 0; i < incoming.slots.size(); ++i) {
    std::memcpy(memory_.vector(incoming.slots[i]), incoming.data.data() + i * lanes, lanes * 2u);
  }
  free_incoming_.push_back(vectors);
}

std::optional<Cycle> Pe::start_flow(const SegmentProgram& segment, const StreamBases& bases, unsigned last, Cycle now) {
  const PeProgram& program = context_->program;
  const u32 lanes = memory_.lanes();
  const u32 pes = program.pe_rows * program.pe_columns;
  const u32 own = index_ / columns_ * program.pe_columns + index_ % columns_;
  sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
  const std::size_t count = segment.transfers.size();
  for (std::size_t begin = 0; begin < count;) {
    const u32 mask = segment.transfers[begin].peer_mask;
    std::size_t end = begin;
    while (end < count && segment.transfers[end].peer_mask == mask) ++end;
    if (mask >= pes) {
      fail(fmt::format("a vector is sent to PE {}, the kernel has {}", own ^ mask, pes));
      return std::nullopt;
    }
    slots_.resize(end - begin);
    buffer_.resize((end - begin) * lanes);
    for (std::size_t i = begin; i < end; ++i) {
      const Transfer& transfer = segment.transfers[i];
      slots_[i - begin] = static_cast<u16>(bases[transfer.d.stream] + transfer.d.offset);
      std::memcpy(buffer_.data() + (i - begin) * lanes, memory_.vector(bases[transfer.a.stream] + transfer.a.offset),
                  lanes * 2u);
    }
    const bool final_packet =
        std::none_of(segment.transfers.begin() + static_cast<std::ptrdiff_t>(end), segment.transfers.end(),
                     [&](const Transfer& transfer) { return transfer.peer_mask == mask; });
    flow_packet_.edge = FlowPacket::no_edge;
    if (final_packet) {
      for (const u32 edge : segment.out_edges) {
        const EdgeProgram& target = program.edges[edge];
        if (!target.rides || target.peer_mask != mask || target.scope < last) continue;
        flow_packet_.edge = edge;
      }
    }
    const u32 peer = own ^ mask;
    flow_packet_.source = index_;
    flow_packet_.destination = peer / program.pe_columns * columns_ + peer % program.pe_columns;
    flow_packet_.slots = slots_.data();
    flow_packet_.count = static_cast<u32>(end - begin);
    payload_.set_command(tlm::TLM_WRITE_COMMAND);
    payload_.set_address(flow_packet_.destination);
    payload_.set_data_ptr(reinterpret_cast<unsigned char*>(buffer_.data()));
    payload_.set_data_length(static_cast<unsigned>(buffer_.size() * 2));
    payload_.set_streaming_width(payload_.get_data_length());
    payload_.set_byte_enable_ptr(nullptr);
    payload_.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    payload_.set_extension(&flow_packet_);
    to_mesh->b_transport(payload_, delay);
    payload_.clear_extension(&flow_packet_);
    if (payload_.is_response_error()) {
      fail(fmt::format("the mesh refused vectors for PE {}: {}", flow_packet_.destination,
                       payload_.get_response_string()));
      return std::nullopt;
    }
    begin = end;
  }
  operand_reads_ += count;
  const u64 busy = std::max<u64>(count, clock_.to_cycles(delay));
  book_busy(Unit::flow, now, count, 0, busy - count);
  return now + busy;
}

Cycle Pe::start_cal(u32 segment, const StreamBases& bases, Cycle now) {
  const CalSchedule& schedule = context_->schedules[segment];
  cal_.execute(context_->program.segments[segment], bases, memory_);
  const u64 lanes = memory_.lanes();
  lane_multiplies_ += schedule.multiplies * lanes;
  lane_adds_ += schedule.adds * lanes;
  lane_fused_ += schedule.fused * lanes;
  lane_specials_ += schedule.specials * lanes;
  lane_accumulates_ += schedule.accumulates * lanes;
  operations_ += schedule.operations * lanes;
  operand_reads_ += schedule.vector_reads;
  operand_writes_ += schedule.vector_writes;
  scalar_reads_ += schedule.scalar_reads;
  book_busy(Unit::cal, now, schedule.issue, schedule.special, schedule.latency);
  return now + schedule.completion;
}

void Pe::send_token(u32 edge) {
  const PeProgram& program = context_->program;
  const u32 own = index_ / columns_ * program.pe_columns + index_ % columns_;
  const u32 peer = own ^ program.edges[edge].peer_mask;
  flow_packet_.source = index_;
  flow_packet_.destination = peer / program.pe_columns * columns_ + peer % program.pe_columns;
  flow_packet_.slots = nullptr;
  flow_packet_.count = 0;
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
  const u32 lanes = memory_.lanes();
  if (packet == nullptr || !payload.is_write() || !context_ ||
      payload.get_data_length() != u64{packet->count} * lanes * 2 ||
      (packet->edge != FlowPacket::no_edge && packet->edge >= edges_.size())) {
    payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
    return;
  }
  for (u32 i = 0; i < packet->count; ++i) {
    if (packet->slots[i] >= limits_.operand_vectors) {
      payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
      return;
    }
  }
  Event event;
  event.time = clock_.to_cycles(sc_core::sc_time_stamp() + delay);
  event.kind = Event::Kind::arrival;
  event.index = packet->edge;
  if (packet->count > 0) {
    event.vectors = take_incoming();
    Incoming& incoming = incoming_[event.vectors];
    incoming.slots.assign(packet->slots, packet->slots + packet->count);
    incoming.data.resize(std::size_t{packet->count} * lanes);
    std::memcpy(incoming.data.data(), payload.get_data_ptr(), payload.get_data_length());
    operand_writes_ += packet->count;
  }
  post(event);
  reschedule();
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

// ---------------------------------------------------------------- results and bookkeeping

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

void Pe::fail(std::string message) {
  if (!error_.empty()) return;
  error_ = std::move(message);
  report_warning(name(), "{}", error_);
  const u32 number = launches_.empty() ? 0 : launches_.front().record.launch_number;
  launches_.clear();
  report_completion(number, 1);
}

void Pe::book_busy(Unit unit, Cycle now, u64 issue, u64 special, u64 stall) {
  UnitStats& stats = *unit_stats_[as_index(unit)];
  stats.instructions += issue;
  stats.issue += issue;
  stats.special += special;
  stats.stall += stall;
  instructions_issued_ += issue;
  units_[as_index(unit)].free_at = now + issue + special + stall;
}

void Pe::book_wait(Unit unit, Cycle now, Wait reason) {
  UnitState& state = units_[as_index(unit)];
  if (now <= state.free_at) return;
  *unit_stats_[as_index(unit)]->waits[static_cast<std::size_t>(reason)] += now - state.free_at;
  state.free_at = now;
}

Wait Pe::wait_reason(u32 segment) const {
  const SegmentProgram& program = context_->program.segments[segment];
  const unsigned first = outermost_first(program, state_[segment]);
  Wait reason = Wait::launch;
  Cycle latest = launches_[state_[segment].launch - first_launch_].arrival;
  for (const u32 index : program.in_edges) {
    const EdgeProgram& edge = context_->program.edges[index];
    if (edge.scope < first || edges_[index].last_arrival <= latest) continue;
    latest = edges_[index].last_arrival;
    if (edge.kind == EdgeKind::space) {
      reason = Wait::space;
    } else if (edge.peer_mask != 0) {
      reason = Wait::flow;
    } else {
      constexpr std::array<Wait, unit_count> of_producer{Wait::load, Wait::compute, Wait::flow, Wait::space};
      reason = of_producer[as_index(context_->program.segments[edge.from].unit)];
    }
  }
  return reason;
}

std::string Pe::pending() const {
  std::string text;
  for (u32 i = 0; i < state_.size(); ++i) {
    const SegmentState& state = state_[i];
    if (state.launch - first_launch_ >= launches_.size()) continue;
    const SegmentProgram& program = context_->program.segments[i];
    text += fmt::format("{}: segment {} ({}, tag {}) at iteration {}:", name(), i, unit_names[as_index(program.unit)],
                        program.tag, fmt::join(state.iteration, ","));
    for (const u32 edge : program.in_edges) {
      const EdgeProgram& target = context_->program.edges[edge];
      text += fmt::format(" {}->{}^{}: {}", target.from, target.to, target.peer_mask, edges_[edge].tokens);
    }
    text += "\n";
  }
  return text;
}

void Pe::settle() {
  if (!launches_.empty()) return;
  const Cycle now = clock_.now();
  for (std::size_t unit = 0; unit < unit_count; ++unit) book_wait(static_cast<Unit>(unit), now, Wait::no_kernel);
}

}  // namespace bvp
