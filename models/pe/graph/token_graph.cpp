// SPDX-License-Identifier: Apache-2.0
#include "models/pe/graph/token_graph.h"

#include <fmt/format.h>

#include <algorithm>

namespace bvp {

void TokenGraph::start(const PeProgram& program) {
  stop();
  program_ = &program;
  state_.assign(program.segments.size(), {});
  edges_.assign(program.edges.size(), {});
  for (std::size_t i = 0; i < program.edges.size(); ++i) edges_[i].tokens = program.edges[i].initial;
  number_.assign(program.segments.size(), 0);
  for (u32 i = 0; i < program.segments.size(); ++i) unit_of(program.segments[i]).segments.push_back(i);
  for (UnitState& unit : units_) {
    std::stable_sort(unit.segments.begin(), unit.segments.end(),
                     [&](u32 a, u32 b) { return program.segments[a].tag < program.segments[b].tag; });
    for (u32 i = 0; i < unit.segments.size(); ++i) number_[unit.segments[i]] = i;
  }
}

void TokenGraph::stop() {
  program_ = nullptr;
  state_.clear();
  edges_.clear();
  for (UnitState& unit : units_) {
    unit.ready = 0;
    unit.last_served = 0;
    unit.segments.clear();
  }
  launches_.clear();
  first_launch_ = 0;
  weights_loaded_ = false;
  todo_.clear();
}

// ---------------------------------------------------------------- launches

const TokenGraph::Launch& TokenGraph::launch(const LaunchRecord& record, Cycle arrival) {
  Launch& launch = launches_.emplace_back();
  launch.record = record;
  launch.arrival = arrival;
  launch.resident = (record.flags & command_flag_resident) != 0 && weights_loaded_;
  weights_loaded_ = true;
  for (std::size_t level = 0; level < instance_levels; ++level) {
    const u32 count = record.counts[level], start = program_->start[level], step = program_->step[level];
    launch.iterations[level] = start >= count ? 0 : (count - start + step - 1) / step;
    launch.empty = launch.empty || launch.iterations[level] == 0;
  }
  launch.unfinished = program_->segments.size();
  return launch;
}

void TokenGraph::pop_launch() {
  launches_.pop_front();
  ++first_launch_;
}

void TokenGraph::skip_launch(const LastServed& last_served) {
  // The numbers of iterations begun are not updated: they matter only where data are moved, and such launches are run.
  for (SegmentState& state : state_) ++state.launch;
  for (std::size_t unit = 0; unit < unit_count; ++unit) units_[unit].last_served = last_served[unit];
  launches_.front().unfinished = 0;
}

bool TokenGraph::segment_done(u64 launch) {
  const u64 position = launch - first_launch_;
  return position < launches_.size() && --launches_[position].unfinished == 0;
}

// ---------------------------------------------------------------- what has happened

void TokenGraph::produce(u32 edge, Cycle now) {
  ++edges_[edge].tokens;
  edges_[edge].last_arrival = now;
  todo_.push_back({Pending::Kind::arm, program_->edges[edge].to, 0});
}

void TokenGraph::arrive(u32 edge, Cycle now) { produce(edge, now); }

void TokenGraph::end_firing(const GraphEvent& event) {
  if (event.last_of_launch) todo_.push_back({Pending::Kind::segment_done, 0, event.launch});
  const std::vector<u32>& edges = program_->segments[event.index].out_edges;
  for (auto edge = edges.rbegin(); edge != edges.rend(); ++edge) {
    const EdgeProgram& target = program_->edges[*edge];
    if (target.scope >= event.produces && !target.rides) todo_.push_back({Pending::Kind::produce, *edge, 0});
  }
}

void TokenGraph::arm_all() {
  for (auto unit = units_.rbegin(); unit != units_.rend(); ++unit) {
    for (auto segment = unit->segments.rbegin(); segment != unit->segments.rend(); ++segment) {
      todo_.push_back({Pending::Kind::arm, *segment, 0});
    }
  }
}

// ---------------------------------------------------------------- firing

unsigned TokenGraph::outermost_first(const SegmentProgram& segment, const SegmentState& state) const {
  unsigned scope = segment.scope;
  while (scope > 0 && state.iteration[scope - 1] == 0) --scope;
  return scope;
}

unsigned TokenGraph::outermost_last(const SegmentProgram& segment, const SegmentState& state) const {
  const Launch& launch = launches_[state.launch - first_launch_];
  unsigned scope = segment.scope;
  while (scope > 0 && state.iteration[scope - 1] + 1 == launch.iterations[scope - 1]) --scope;
  return scope;
}

bool TokenGraph::tokens_ready(u32 segment) const {
  const SegmentProgram& program = program_->segments[segment];
  const SegmentState& state = state_[segment];
  const bool skip = skips(program, launches_[state.launch - first_launch_]);
  const unsigned first = outermost_first(program, state);
  return std::all_of(program.in_edges.begin(), program.in_edges.end(), [&](u32 edge) {
    const unsigned scope = program_->edges[edge].scope;
    const bool needed = skip ? scope == 0 : scope >= first;
    return !needed || edges_[edge].tokens > 0;
  });
}

void TokenGraph::arm(u32 segment, Cycle now) {
  const SegmentProgram& program = program_->segments[segment];
  UnitState& unit = unit_of(program);
  const u64 bit = u64{1} << number_[segment];
  if ((unit.ready & bit) != 0) return;
  const u64 position = state_[segment].launch - first_launch_;
  if (position >= launches_.size() || launches_[position].arrival > now || !tokens_ready(segment)) return;
  if (skips(program, launches_[position])) {
    skip(segment);
    return;
  }
  unit.ready |= bit;
  look_at(program.unit);
}

void TokenGraph::skip(u32 segment) {
  const SegmentProgram& program = program_->segments[segment];
  for (const u32 edge : program.in_edges) {
    if (program_->edges[edge].scope == 0) --edges_[edge].tokens;
  }
  todo_.push_back({Pending::Kind::arm, segment, 0});
  todo_.push_back({Pending::Kind::empty_segment_done, 0, state_[segment].launch++});
  // Of a segment that skips an empty launch only the edges of scope 0 fire; a scope-0 segment has no others.
  for (auto edge = program.out_edges.rbegin(); edge != program.out_edges.rend(); ++edge) {
    if (program_->edges[*edge].scope == 0) todo_.push_back({Pending::Kind::produce, *edge, 0});
  }
}

u32 TokenGraph::choose(UnitState& unit) const {
  // The smallest tag first; among equal tags the next one after the one served last.
  const auto& segments = program_->segments;
  auto chosen = static_cast<unsigned>(__builtin_ctzll(unit.ready));
  const u8 tag = segments[unit.segments[chosen]].tag;
  for (unsigned i = chosen; i < unit.segments.size() && segments[unit.segments[i]].tag == tag; ++i) {
    if ((unit.ready >> i & 1) != 0 && i > unit.last_served) {
      chosen = i;
      break;
    }
  }
  unit.last_served = chosen;
  unit.ready &= ~(u64{1} << chosen);
  return unit.segments[chosen];
}

std::vector<u32> TokenGraph::drop_launches() {
  std::vector<u32> numbers;
  for (const Launch& launch : launches_) numbers.push_back(launch.record.launch_number);
  launches_.clear();
  return numbers;
}

TokenGraph::Step TokenGraph::take(Unit unit, Cycle now) {
  Step step(std::in_place_type<Firing>);
  Firing& firing = std::get<Firing>(step);
  firing.segment = choose(units_[static_cast<std::size_t>(unit)]);
  firing.unit = unit;
  firing.now = now;
  const SegmentProgram& program = program_->segments[firing.segment];
  const SegmentState& state = state_[firing.segment];
  firing.tag = program.tag;
  firing.launch = state.launch;
  firing.iteration = state.iteration;
  const unsigned first = outermost_first(program, state);
  firing.waited_for = wait_reason(firing.segment, first);
  for (const u32 edge : program.in_edges) {
    if (program_->edges[edge].scope < first) continue;
    --edges_[edge].tokens;
    ++firing.tokens;
  }
  firing.distance = distance(firing.segment);
  firing.bases = bases_at(program.first, firing.distance);
  firing.produces = static_cast<u8>(outermost_last(program, state));
  firing.last_of_launch = firing.produces == 0;
  advance(firing.segment);
  look_at(unit);
  todo_.push_back({Pending::Kind::arm, firing.segment, 0});
  return step;
}

void TokenGraph::advance(u32 segment) {
  const SegmentProgram& program = program_->segments[segment];
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

Wait TokenGraph::wait_reason(u32 segment, unsigned first) const {
  Wait reason = Wait::launch;
  Cycle latest = launches_[state_[segment].launch - first_launch_].arrival;
  for (const u32 index : program_->segments[segment].in_edges) {
    const EdgeProgram& edge = program_->edges[index];
    if (edge.scope < first || edges_[index].last_arrival <= latest) continue;
    latest = edges_[index].last_arrival;
    if (edge.kind == EdgeKind::space) {
      reason = Wait::space;
    } else if (edge.peer_mask != 0) {
      reason = Wait::flow;
    } else {
      constexpr std::array<Wait, unit_count> of_producer{Wait::load, Wait::compute, Wait::flow, Wait::space};
      reason = of_producer[static_cast<std::size_t>(program_->segments[edge.from].unit)];
    }
  }
  return reason;
}

StreamBases TokenGraph::distance(u32 segment) const {
  const SegmentProgram& program = program_->segments[segment];
  const SegmentState& state = state_[segment];
  StreamBases distance = bases_at(launch_bases(program, launches_[state.launch - first_launch_].record),
                                  instance_bases(*program_, program, state.iteration));
  for (std::size_t s = 0; s < streams_per_segment; ++s) {
    const Stream& stream = program.streams[s];
    if (stream.rotation_depth == 0) continue;
    const auto phase = static_cast<i64>(state.begun[stream.rotation_scope] % stream.rotation_depth);
    distance[s] = static_cast<i64>(static_cast<u64>(distance[s]) + static_cast<u64>(phase * stream.rotation_stride));
  }
  return distance;
}

// ---------------------------------------------------------------- looking at it

bool TokenGraph::at_rest(const std::vector<u32>& arriving) const {
  const auto idle = [](const UnitState& unit) { return unit.ready == 0; };
  if (program_ == nullptr || !launches_.empty() || !std::all_of(units_.begin(), units_.end(), idle)) return false;
  for (u32 edge = 0; edge < edges_.size(); ++edge) {
    const auto late = static_cast<u64>(std::count(arriving.begin(), arriving.end(), edge));
    if (edges_[edge].tokens + late != program_->edges[edge].initial) return false;
  }
  return true;
}

TokenGraph::LastServed TokenGraph::last_served() const {
  LastServed served{};
  for (std::size_t unit = 0; unit < unit_count; ++unit) served[unit] = units_[unit].last_served;
  return served;
}

std::vector<u32> TokenGraph::pending_segments() const {
  std::vector<u32> pending;
  for (u32 i = 0; i < state_.size(); ++i) {
    if (state_[i].launch - first_launch_ < launches_.size()) pending.push_back(i);
  }
  return pending;
}

std::string TokenGraph::pending(const std::string& name) const {
  std::string text;
  for (const u32 i : pending_segments()) {
    const SegmentState& state = state_[i];
    const SegmentProgram& program = program_->segments[i];
    text +=
        fmt::format("{}: segment {} ({}, tag {}) at iteration {}:", name, i,
                    unit_names[static_cast<std::size_t>(program.unit)], program.tag, fmt::join(state.iteration, ","));
    for (const u32 edge : program.in_edges) {
      const EdgeProgram& target = program_->edges[edge];
      text += fmt::format(" {}->{}^{}: {}", target.from, target.to, target.peer_mask, edges_[edge].tokens);
    }
    text += "\n";
  }
  return text;
}

}  // namespace bvp
