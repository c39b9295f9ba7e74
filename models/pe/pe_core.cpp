// SPDX-License-Identifier: Apache-2.0
#include "models/pe/pe_core.h"

#include <algorithm>
#include <cstring>

#include "models/abi/image_header.h"
#include "models/base/report.h"

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

PeCore::UnitStats::UnitStats(StatGroup& parent, const char* name, const char* stall_description)
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

PeCore::PeCore(std::string name, u32 index, const ArrayParameters& array, const PeParameters& parameters,
               StatGroup& parent_stats, bool data, std::shared_ptr<CalSchedules> schedules)
    : name_(std::move(name)),
      index_(index),
      columns_(static_cast<u32>(array.columns)),
      limits_(limits_of(array, parameters)),
      data_(data),
      stats_(name_.substr(name_.rfind('.') + 1)),
      firings_(&stats_, "firings", "segments", "segments run"),
      lane_multiplies_(&stats_, "multiply_lane", "operations", "fp16 multiplications"),
      lane_adds_(&stats_, "add_lane", "operations", "fp16 additions and maxima"),
      lane_fused_(&stats_, "fma_lane", "operations", "fp16 fused multiply-adds"),
      lane_specials_(&stats_, "special_lane", "operations", "exp, erf, reciprocal, reciprocal square root"),
      lane_wide_specials_(&stats_, "wide_special_lane", "operations", "fp32 reciprocal square roots and scalings"),
      lane_accumulates_(&stats_, "accumulate_lane", "operations",
                        "additions and multiply-adds into fp32 accumulators, and subtractions of them"),
      lane_shuffles_(&stats_, "shuffle_lane", "moves", "fp16 values moved among the lanes"),
      operations_(&stats_, "operations", "operations", "arithmetic operations, a fused multiply-add counted as two"),
      operand_reads_(&stats_, "operand_read", "vectors", "vectors read from the operand memory"),
      operand_writes_(&stats_, "operand_write", "vectors", "vectors written to the operand memory"),
      scalar_reads_(&stats_, "scalar_read", "scalars", "scalars read from the operand memory and broadcast"),
      instructions_issued_(&stats_, "instruction", "instructions", "instructions fetched and issued, all units"),
      tokens_(&stats_, "token", "tokens", "dependency tokens handled"),
      configured_words_(&stats_, "configure_word", "words", "64-bit words of configuration received"),
      active_cycles_(&stats_, "active_cycle", "cycles", "cycles with a kernel"),
      idle_cycles_(&stats_, "idle_cycle", "cycles", "cycles without a kernel, clocked"),
      gated_cycles_(&stats_, "gated_cycle", "cycles", "cycles without a kernel, the clock stands still"),
      retention_cycles_(&stats_, "retention_cycle", "cycles", "cycles in retention"),
      memory_(limits_.operand_vectors, limits_.accumulators, limits_.lanes),
      cal_(parameters, limits_.lanes),
      clock_gating_(parameters.clock_gating),
      schedules_(std::move(schedules)) {
  constexpr std::array<const char*, unit_count> stalls{
      "cycles busy without issue: vectors waited for scratchpad banks",
      "cycles busy without issue: an operand was still in a pipeline of the unit, or its bank had no port left",
      "cycles busy without issue: vectors waited for operand banks, mesh links or credits",
      "cycles busy without issue: vectors waited for operand banks or scratchpad banks"};
  for (std::size_t unit = 0; unit < unit_count; ++unit) {
    unit_stats_[unit] = std::make_unique<UnitStats>(stats_, unit_names[unit], stalls[unit]);
  }
  parent_stats.add(&stats_);
}

// ---------------------------------------------------------------- configuration plane

bool PeCore::configure(const u8* image, std::size_t size, Cycle now) {
  if (power_ != ArrayPower::on) {
    report_warning(name_.c_str(), "a kernel image came while the array is not on");
    return false;
  }
  const auto known = std::find_if(cache_.begin(), cache_.end(), [&](const CachedContext& cached) {
    return cached.image.size() == size && std::memcmp(cached.image.data(), image, size) == 0;
  });
  if (known != cache_.end()) {
    accept(known->context, now);
    return true;
  }
  try {
    const Kernel kernel = Kernel::decode(image, size);
    kernel.check(limits_);
    const u32 x = index_ % columns_, y = index_ / columns_;
    if (x >= kernel.pe_columns || y >= kernel.pe_rows) throw KernelError("kernel: this PE is outside of its array");
    auto context = std::make_shared<Context>();
    ImageHeader header;
    std::memcpy(&header, image, sizeof header);
    context->words = (u64{header.common_bytes} + header.per_pe_bytes + 7) / 8;
    context->program = make_program(kernel, y * kernel.pe_columns + x);
    context->schedules.reserve(context->program.segments.size());
    for (const SegmentProgram& segment : context->program.segments) {
      context->schedules.push_back(segment.unit == Unit::cal ? schedules_->of(segment) : nullptr);
    }
    if (stands_for_all()) add_all_pes(*context, kernel);
    accept(std::move(context), now);
  } catch (const KernelError& error) {
    report_warning(name_.c_str(), "{}", error.what());
    return false;
  }
  if (cache_.size() < cached_contexts) cache_.emplace_back();
  cache_[next_cached_] = {{image, image + size}, shadow_};
  next_cached_ = (next_cached_ + 1) % cached_contexts;
  return true;
}

void PeCore::accept(std::shared_ptr<const Context> context, Cycle now) {
  // They have come over the configuration network, a word a cycle.
  configured_words_.add(context->words * std::max<std::size_t>(context->all_pes.size(), 1),
                        now - std::min(now, context->words), now);
  shadow_ = std::move(context);
}

void PeCore::add_all_pes(Context& context, const Kernel& kernel) {
  const u32 count = kernel.pe_rows * kernel.pe_columns;
  context.all_pes.reserve(count);
  for (u32 pe = 0; pe < count; ++pe) {
    const FirstIteration& first = context.all_pes.emplace_back(first_iteration(kernel, pe));
    context.uniform = context.uniform && first == context.program.start;
    for (std::size_t level = 0; level < instance_levels; ++level) {
      context.latest[level] = std::max(context.latest[level], first[level]);
    }
  }
  context.bases.reserve(kernel.segments.size());
  for (const Segment& segment : kernel.segments) {
    FirstBases& bases = context.bases.emplace_back();
    bases.of_pe.reserve(count);
    for (u32 pe = 0; pe < count; ++pe) {
      const StreamBases& own = bases.of_pe.emplace_back(first_bases(kernel, segment, pe, context.all_pes[pe]));
      for (std::size_t s = 0; s < streams_per_segment; ++s) {
        bases.lowest[s] = pe == 0 ? own[s] : std::min(bases.lowest[s], own[s]);
        bases.highest[s] = pe == 0 ? own[s] : std::max(bases.highest[s], own[s]);
      }
    }
  }
}

bool PeCore::launch(const LaunchRecord& record, Cycle when) {
  if (power_ != ArrayPower::on) {
    report_warning(name_.c_str(), "a launch came while the array is not on");
    return false;
  }
  if (launches_.empty()) book_rest(nullptr, when);
  if (shadow_ && launches_.empty()) activate_shadow();
  if (!context_ || !error_.empty() || std::count(record.counts.begin(), record.counts.end(), 0u) != 0) {
    return false;
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
  if (launches_.empty()) book_cycles(when);
  const std::optional<Cycle> end = begin_launch(launch);
  if (!error_.empty()) return false;
  launches_.push_back(std::move(launch));
  post_launch(end.value_or(when), end ? Event::Kind::launch_end : Event::Kind::wake);
  reschedule();
  return true;
}

void PeCore::stop(Cycle now) {
  book_cycles(now);
  if (!launches_.empty()) book_rest(&launches_.back(), now);
  launches_.clear();
  context_.reset();
  shadow_.reset();
  ++generation_;  // nothing that is on its way arrives
  weights_loaded_ = false;
  state_.clear();
  error_.clear();
  for (UnitState& unit : units_) {
    unit.ready = 0;
    unit.wake_booked = false;
  }
}

void PeCore::post_launch(Cycle when, Event::Kind kind) {
  Event event;
  event.time = when;
  event.kind = kind;
  event.index = unit_count;
  post(event);
}

void PeCore::restart_events(Cycle arrival) {
  events_.clear();
  post_launch(arrival, Event::Kind::wake);
}

void PeCore::activate_shadow() {
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
    unit.wake_booked = false;
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

void PeCore::post(Event event) {
  event.order = order_++;
  event.generation = generation_;
  events_.push_back(event);
  std::push_heap(events_.begin(), events_.end(), std::greater<>());
}

void PeCore::reschedule() {
  if (!events_.empty()) wake_at(events_.front().time);
}

void PeCore::advance_to(Cycle now) {
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
      case Event::Kind::launch_end:
        end_known_launch(now);
        complete_launches(now);
        break;
    }
  }
  reschedule();
}

// ---------------------------------------------------------------- scheduling

std::vector<PeCore::TokenOnItsWay> PeCore::tokens_on_their_way() const {
  std::vector<TokenOnItsWay> tokens;
  for (const Event& event : events_) {
    const bool token = event.kind == Event::Kind::arrival && event.generation == generation_;
    if (token && event.index != FlowPacket::no_edge) tokens.push_back({event.index, event.time});
  }
  return tokens;
}

bool PeCore::at_rest() const {
  const auto idle = [](const UnitState& unit) { return unit.ready == 0 && !unit.wake_booked; };
  if (!context_ || !launches_.empty() || !std::all_of(units_.begin(), units_.end(), idle)) return false;
  const std::vector<TokenOnItsWay> late = tokens_on_their_way();
  if (late.size() != events_.size()) return false;
  for (u32 edge = 0; edge < edges_.size(); ++edge) {
    const auto arriving =
        std::count_if(late.begin(), late.end(), [&](const auto& token) { return token.edge == edge; });
    if (edges_[edge].tokens + static_cast<u64>(arriving) != context_->program.edges[edge].initial) return false;
  }
  return true;
}

void PeCore::delay_token(u32 edge, Cycle until) {
  --edges_[edge].tokens;
  expect_token(edge, until);
}

bool PeCore::vacuous(const SegmentProgram& segment, const Launch& launch) const {
  return segment.scope == 0 ? launch.resident : launch.empty;
}

unsigned PeCore::outermost_first(const SegmentProgram& segment, const SegmentState& state) const {
  unsigned scope = segment.scope;
  while (scope > 0 && state.iteration[scope - 1] == 0) --scope;
  return scope;
}

unsigned PeCore::outermost_last(const SegmentProgram& segment, const SegmentState& state, const Launch& launch) const {
  unsigned scope = segment.scope;
  while (scope > 0 && state.iteration[scope - 1] + 1 == launch.iterations[scope - 1]) --scope;
  return scope;
}

bool PeCore::tokens_ready(u32 segment) const {
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

void PeCore::arm(u32 segment, Cycle now) {
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

void PeCore::arm_all(Cycle now) {
  for (const UnitState& unit : units_) {
    for (std::size_t i = 0; i < unit.segments.size() && error_.empty(); ++i) arm(unit.segments[i], now);
  }
}

void PeCore::try_start(Unit unit, Cycle now) {
  UnitState& state = units_[as_index(unit)];
  if (state.ready == 0 || state.unknown_end) return;
  if (state.free_at <= now) confirm_free(unit, now);
  if (!error_.empty()) return;
  if (state.free_at > now) {
    book_wake(unit);
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

void PeCore::book_wake(Unit unit) {
  UnitState& state = units_[as_index(unit)];
  if (state.wake_booked) return;
  state.wake_booked = true;
  Event event;
  event.time = state.free_at;
  event.kind = Event::Kind::wake;
  event.index = static_cast<u32>(unit);
  post(event);
}

void PeCore::start(u32 segment, Cycle now) {
  const SegmentProgram& program = context_->program.segments[segment];
  const SegmentState& state = state_[segment];
  Launch& launch = launches_[state.launch - first_launch_];
  const Wait waited_for = wait_reason(segment);
  firing_ = segment;
  begin_firing(segment, now, waited_for);
  book_wait(program.unit, now, waited_for);

  const unsigned first = outermost_first(program, state);
  for (const u32 edge : program.in_edges) {
    if (context_->program.edges[edge].scope >= first) {
      --edges_[edge].tokens;
      tokens_ += multiplicity_;
    }
  }
  firings_ += multiplicity_;
  distance_ = distance(segment);
  const StreamBases bases = bases_at(program.first, distance_);
  if (!within_bounds(program, bases)) {
    fail(fmt::format("segment {} reaches outside of the operand memory", segment));
    return;
  }
  const unsigned last = outermost_last(program, state, launch);
  std::optional<Cycle> done;
  u32 vectors = no_vectors;
  ticket_ = 0;
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
  if (!done || !error_.empty()) return;
  end_firing(launch, *done);
  Event event;
  event.time = *done;
  event.kind = Event::Kind::finished;
  event.index = segment;
  event.vectors = vectors;
  event.produced_scope = static_cast<u8>(last);
  event.last_of_launch = last == 0;
  event.launch = state.launch;
  if (*done == unknown) {
    open_flow_.finished = event;
    open_flow_.finished.generation = generation_;
    units_[as_index(program.unit)].unknown_end = true;
  } else if (ticket_ != 0) {
    event.generation = generation_;
    open_firings(program.unit).push_back({ticket_, event, false, false});
  } else {
    post(event);
  }
  advance(segment);
  arm(segment, now);
}

void PeCore::advance(u32 segment) {
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

void PeCore::fire_vacuously(u32 segment, Cycle now) {
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

void PeCore::finish(const Event& event, Cycle now) {
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

void PeCore::end_open_firing(Unit unit, OpenFiring& firing, Cycle end) {
  firing.issued = firing.ends = true;
  firing.event.time = end;
  auto& open = open_firings(unit);
  Cycle& in_order = units_[as_index(unit)].last_done;
  for (; !open.empty() && open.front().ends; open.pop_front()) {
    Event& event = open.front().event;
    in_order = event.time = std::max(in_order, event.time);
    post(event);
  }
  reschedule();
}

void PeCore::forget_open_firings() {
  for (auto& open : open_firings_) {
    for (const OpenFiring& firing : open) {
      if (firing.event.vectors != no_vectors) free_incoming_.push_back(firing.event.vectors);
    }
    open.clear();
  }
}

void PeCore::complete_launches(Cycle now) {
  while (!launches_.empty() && launches_.front().unfinished == 0) {
    const u32 number = launches_.front().record.launch_number;
    book_cycles(now);
    if (launches_.size() == 1) book_rest(&launches_.front(), now);
    launches_.pop_front();
    ++first_launch_;
    report_completion(number, 0);
  }
}

void PeCore::produce(u32 edge, Cycle now) {
  const EdgeProgram& program = context_->program.edges[edge];
  if (program.peer_mask != 0) {
    send_token(edge, now);
    return;
  }
  ++edges_[edge].tokens;
  edges_[edge].last_arrival = now;
  arm(program.to, now);
}

// ---------------------------------------------------------------- addresses

StreamBases PeCore::launch_bases(const SegmentProgram& segment, const LaunchRecord& record) {
  StreamBases bases{};
  for (std::size_t s = 0; s < streams_per_segment; ++s) {
    const u8 number = segment.streams[s].launch_register;
    if (number != 0) bases[s] = static_cast<i32>(record.registers[number - 1u]);
  }
  return bases;
}

StreamBases PeCore::instance_bases(u32 segment) const {
  const SegmentProgram& program = context_->program.segments[segment];
  const SegmentState& state = state_[segment];
  StreamBases bases{};
  for (std::size_t s = 0; s < streams_per_segment; ++s) {
    // Modulo 2^64: a launch's counts may be anything.
    u64 wrapping = 0;
    for (unsigned level = 0; level < program.scope; ++level) {
      const u64 steps = u64{state.iteration[level]} * context_->program.step[level];
      wrapping += steps * static_cast<u64>(i64{program.streams[s].instance_stride[level]});
    }
    bases[s] = static_cast<i64>(wrapping);
  }
  return bases;
}

StreamBases PeCore::distance(u32 segment) const {
  const SegmentProgram& program = context_->program.segments[segment];
  const SegmentState& state = state_[segment];
  StreamBases distance =
      bases_at(launch_bases(program, launches_[state.launch - first_launch_].record), instance_bases(segment));
  for (std::size_t s = 0; s < streams_per_segment; ++s) {
    const Stream& stream = program.streams[s];
    if (stream.rotation_depth == 0) continue;
    const auto phase = static_cast<i64>(state.begun[stream.rotation_scope] % stream.rotation_depth);
    distance[s] = static_cast<i64>(static_cast<u64>(distance[s]) + static_cast<u64>(phase * stream.rotation_stride));
  }
  return distance;
}

bool PeCore::within_bounds(const SegmentProgram& segment, const StreamBases& bases) const {
  constexpr i64 nowhere = i64{1} << 40;  // far beyond all memories, and no sum with an offset overflows
  return std::all_of(segment.bounds.begin(), segment.bounds.end(), [&](const Bound& bound) {
    if (bases[bound.stream] > nowhere || bases[bound.stream] < -nowhere) return false;
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

// ---------------------------------------------------------------- vectors on their way

u32 PeCore::take_incoming() {
  if (free_incoming_.empty()) {
    incoming_.emplace_back();
    return static_cast<u32>(incoming_.size() - 1);
  }
  const u32 vectors = free_incoming_.back();
  free_incoming_.pop_back();
  return vectors;
}

void PeCore::deliver(u32 vectors) {
  if (vectors == no_vectors) return;
  const Incoming& incoming = incoming_[vectors];
  const u32 lanes = memory_.lanes();
  for (std::size_t i = 0; data_ && i < incoming.slots.size(); ++i) {
    std::memcpy(memory_.vector(incoming.slots[i]), incoming.data.data() + i * lanes, std::size_t{lanes} * 2);
  }
  free_incoming_.push_back(vectors);
}

bool PeCore::takes(const FlowPacket& packet) const {
  if (!context_ || (packet.edge != FlowPacket::no_edge && packet.edge >= edges_.size())) return false;
  const auto inside = [&](u16 slot) { return slot < limits_.operand_vectors; };
  return std::all_of(packet.slots, packet.slots + packet.count, inside);
}

void PeCore::arrive(const FlowPacket& packet, const u16* data, Cycle when) {
  Event event;
  event.time = when;
  event.kind = Event::Kind::arrival;
  event.index = packet.edge;
  if (packet.count > 0) {
    event.vectors = take_incoming();
    Incoming& incoming = incoming_[event.vectors];
    incoming.slots.assign(packet.slots, packet.slots + packet.count);
    if (data_) incoming.data.assign(data, data + std::size_t{packet.count} * memory_.lanes());
    operand_writes_.add(packet.count, when - std::min<Cycle>(when, packet.count), when);
  }
  if (packet.number != 0) {
    event.generation = generation_;
    open_packets_.push_back({packet.number, event});
    return;
  }
  post(event);
  reschedule();
}

const std::vector<u16>* PeCore::slots_of_packet(u64 number) const {
  const auto open = std::find_if(open_packets_.begin(), open_packets_.end(),
                                 [&](const OpenPacket& each) { return each.number == number; });
  if (open == open_packets_.end() || open->arrival.generation != generation_) return nullptr;
  return &incoming_[open->arrival.vectors].slots;
}

void PeCore::end_packet(u64 number, Cycle when) {
  const auto open = std::find_if(open_packets_.begin(), open_packets_.end(),
                                 [&](const OpenPacket& each) { return each.number == number; });
  if (open == open_packets_.end()) return;
  Event event = open->arrival;
  *open = open_packets_.back();
  open_packets_.pop_back();
  if (event.generation != generation_) {
    free_incoming_.push_back(event.vectors);
    return;
  }
  event.time = when;
  post(event);
  reschedule();
}

void PeCore::end_flow(u64 number, Cycle when) {
  if (open_flow_.packet != number) return;
  open_flow_.packet = 0;
  UnitState& unit = units_[as_index(Unit::flow)];
  unit.unknown_end = false;
  book_stall_until(Unit::flow, when);
  Event event = open_flow_.finished;
  if (event.generation == generation_ && error_.empty()) {
    event.time = when;
    post(event);
  }
  if (context_ && unit.ready != 0) book_wake(Unit::flow);
  reschedule();
}

void PeCore::expect_token(u32 edge, Cycle when) {
  Event event;
  event.time = when;
  event.kind = Event::Kind::arrival;
  event.index = edge;
  post(event);
  reschedule();
}

// ---------------------------------------------------------------- bookkeeping

void PeCore::count_cal(const CalSchedule& schedule, Cycle begin, Cycle end) {
  const u64 lanes = memory_.lanes() * multiplicity_;
  lane_multiplies_.add(schedule.multiplies * lanes, begin, end);
  lane_adds_.add(schedule.adds * lanes, begin, end);
  lane_fused_.add(schedule.fused * lanes, begin, end);
  lane_specials_.add(schedule.specials * lanes, begin, end);
  lane_wide_specials_.add(schedule.wide_specials * lanes, begin, end);
  lane_accumulates_.add(schedule.accumulates * lanes, begin, end);
  lane_shuffles_.add(schedule.shuffles * lanes, begin, end);
  operations_ += schedule.operations * lanes;
  operand_reads_.add(schedule.vector_reads * multiplicity_, begin, end);
  operand_writes_.add(schedule.vector_writes * multiplicity_, begin, end);
  scalar_reads_.add(schedule.scalar_reads * multiplicity_, begin, end);
}

void PeCore::fail(std::string message) {
  if (!error_.empty()) return;
  error_ = std::move(message);
  report_warning(name_.c_str(), "{}", error_);
  std::vector<u32> numbers;
  for (const Launch& launch : launches_) numbers.push_back(launch.record.launch_number);
  if (numbers.empty()) numbers.push_back(0);
  launches_.clear();
  for (const u32 number : numbers) report_completion(number, 1);
}

void PeCore::book_busy(Unit unit, Cycle now, u64 issue, u64 special, u64 stall) {
  UnitStats& stats = *unit_stats_[as_index(unit)];
  const Cycle end = now + issue + special + stall;
  stats.instructions += issue * multiplicity_;
  stats.issue.add(issue * multiplicity_, now, end);
  stats.special += special * multiplicity_;
  stats.stall += stall * multiplicity_;
  instructions_issued_.add(issue * multiplicity_, now, end);
  UnitState& state = units_[as_index(unit)];
  state.free_at = end;
  state.last_tag = context_->program.segments[firing_].tag;
  if (unit_busy.connected()) unit_busy({index_, unit, state.last_tag, now, end});
}

void PeCore::book_stall_until(Unit unit, Cycle end) {
  UnitState& state = units_[as_index(unit)];
  if (end <= state.free_at) return;
  unit_stats_[as_index(unit)]->stall += (end - state.free_at) * multiplicity_;
  if (unit_busy.connected()) unit_busy({index_, unit, state.last_tag, state.free_at, end});
  state.free_at = end;
}

void PeCore::book_wait(Unit unit, Cycle now, Wait reason) {
  UnitState& state = units_[as_index(unit)];
  if (state.unknown_end) book_stall_until(unit, now);
  if (now <= state.free_at) return;
  count_wait(unit, reason, now - state.free_at);
  state.free_at = now;
}

void PeCore::book_rest(const Launch* ended, Cycle now) {
  for (std::size_t unit = 0; unit < unit_count; ++unit) {
    PeCore::book_wait(static_cast<Unit>(unit), now, ended != nullptr ? Wait::drain : Wait::no_kernel);
  }
}

void PeCore::count_wait(Unit unit, Wait reason, u64 cycles) {
  *unit_stats_[as_index(unit)]->waits[static_cast<std::size_t>(reason)] += cycles;
}

Wait PeCore::wait_reason(u32 segment) const {
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

std::string PeCore::pending() const {
  std::string text;
  for (u32 i = 0; i < state_.size(); ++i) {
    const SegmentState& state = state_[i];
    if (state.launch - first_launch_ >= launches_.size()) continue;
    const SegmentProgram& program = context_->program.segments[i];
    text += fmt::format("{}: segment {} ({}, tag {}) at iteration {}:", name_, i, unit_names[as_index(program.unit)],
                        program.tag, fmt::join(state.iteration, ","));
    for (const u32 edge : program.in_edges) {
      const EdgeProgram& target = context_->program.edges[edge];
      text += fmt::format(" {}->{}^{}: {}", target.from, target.to, target.peer_mask, edges_[edge].tokens);
    }
    text += "\n";
  }
  return text;
}

void PeCore::book_cycles(Cycle now) {
  if (now <= cycles_booked_) return;
  const u64 cycles = (now - cycles_booked_) * pes();
  if (power_ != ArrayPower::on) {
    (power_ == ArrayPower::retention ? retention_cycles_ : gated_cycles_).add(cycles, cycles_booked_, now);
  } else {
    const u64 active = take_active_cycles(cycles_booked_, now);
    active_cycles_.add(active, cycles_booked_, now);
    (clock_gating_ ? gated_cycles_ : idle_cycles_).add(cycles - active, cycles_booked_, now);
  }
  cycles_booked_ = now;
}

void PeCore::set_power(ArrayPower power, Cycle now) {
  if (power == power_) return;
  book_cycles(now);
  power_ = power;
  if (power != ArrayPower::on && !launches_.empty()) fail("the clock went while a kernel ran");
}

void PeCore::settle(Cycle now) {
  book_cycles(now);
  if (launches_.empty()) book_rest(nullptr, now);
}

}  // namespace bvp
