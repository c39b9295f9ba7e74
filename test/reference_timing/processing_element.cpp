// SPDX-License-Identifier: Apache-2.0
#include "test/reference_timing/processing_element.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace bvp::ticking {

ProcessingElement::ProcessingElement(const Machine& machine, const KernelImage& kernel, unsigned index)
    : machine_(machine),
      kernel_(kernel),
      index_(index),
      edges_of_(kernel.segments.size()),
      place_(kernel.segments.size()),
      token_arrival_(kernel.edges.size()),
      vector_ready_(machine.operand_vectors),
      accumulator_ready_(machine.accumulators) {
  for (unsigned i = 0; i < kernel.edges.size(); ++i) {
    tokens_.push_back(kernel.edges[i].initial);
    edges_of_[kernel.edges[i].from].out.push_back(i);
    edges_of_[kernel.edges[i].to].in.push_back(i);
  }
  for (unsigned i = 0; i < kernel.segments.size(); ++i) unit_[kernel.segments[i].unit].order.push_back(i);
  for (UnitState& unit : unit_) {
    std::stable_sort(unit.order.begin(), unit.order.end(),
                     [&](unsigned a, unsigned b) { return kernel.segments[a].tag < kernel.segments[b].tag; });
  }
}

void ProcessingElement::launch(const Launch& launch, Cycle now) {
  if (launches_.empty()) {
    for (UnitState& unit : unit_) unit.accounted = now;
  }
  ActiveLaunch active;
  active.launch = launch;
  active.arrival = now;
  active.unfinished = static_cast<unsigned>(kernel_.segments.size());
  active.keeps_weights = launch.keeps_weights && has_weights_;
  has_weights_ = true;
  for (unsigned level = 0; level < loop_levels; ++level) {
    const Loop& loop = kernel_.loops[level];
    std::int64_t start = 0;
    if (loop.start_register != 0) start = kernel_.pe_registers[index_][loop.start_register - 1];
    for (std::int64_t i = start; i < launch.counts[level]; i += loop.step) ++active.iterations[level];
    active.empty = active.empty || active.iterations[level] == 0;
  }
  launches_.push_back(active);
}

// ---------------------------------------------------------------- tokens

ProcessingElement::ActiveLaunch* ProcessingElement::launch_of(unsigned segment) {
  const std::uint64_t position = place_[segment].launch - first_launch_;
  return position < launches_.size() ? &launches_[position] : nullptr;
}

bool ProcessingElement::is_first(unsigned segment, unsigned scope) const {
  for (unsigned level = scope; level < kernel_.segments[segment].scope; ++level) {
    if (place_[segment].iteration[level] != 0) return false;
  }
  return true;
}

bool ProcessingElement::is_last(unsigned segment, unsigned scope) const {
  const ActiveLaunch& launch = launches_[place_[segment].launch - first_launch_];
  for (unsigned level = scope; level < kernel_.segments[segment].scope; ++level) {
    if (place_[segment].iteration[level] + 1 != launch.iterations[level]) return false;
  }
  return true;
}

bool ProcessingElement::is_skipped(unsigned segment, const ActiveLaunch& launch) const {
  return kernel_.segments[segment].scope == 0 ? launch.keeps_weights : launch.empty;
}

bool ProcessingElement::ready(unsigned segment) {
  const ActiveLaunch* const launch = launch_of(segment);
  if (launch == nullptr) return false;
  const bool skipped = is_skipped(segment, *launch);
  const auto& edges = edges_of_[segment].in;
  return std::all_of(edges.begin(), edges.end(), [&](unsigned edge) {
    const unsigned scope = kernel_.edges[edge].scope;
    const bool needed = skipped ? scope == 0 : is_first(segment, scope);
    return !needed || tokens_[edge] > 0;
  });
}

void ProcessingElement::skip(unsigned segment, Cycle now) {
  --launch_of(segment)->unfinished;
  ++place_[segment].launch;
  for (const unsigned edge : edges_of_[segment].in) {
    if (kernel_.edges[edge].scope == 0) --tokens_[edge];
  }
  for (const unsigned edge : edges_of_[segment].out) {
    if (kernel_.edges[edge].scope == 0) produce(edge, now);
  }
}

void ProcessingElement::skip_all(Cycle now) {
  for (bool again = true; again;) {
    again = false;
    for (unsigned segment = 0; segment < place_.size(); ++segment) {
      const ActiveLaunch* const launch = launch_of(segment);
      if (launch == nullptr || !is_skipped(segment, *launch) || !ready(segment)) continue;
      skip(segment, now);
      again = true;
    }
  }
}

void ProcessingElement::token_arrived(unsigned edge, Cycle now) {
  ++tokens_.at(edge);
  token_arrival_[edge] = now;
}

void ProcessingElement::produce(unsigned edge, Cycle now) {
  if (kernel_.edges[edge].peer_mask == 0) {
    token_arrived(edge, now);
  } else {
    tokens_out_.push_back({edge, kernel_.edges[edge].peer_mask});
  }
}

// ---------------------------------------------------------------- firings

void ProcessingElement::vector_returned(bool store, std::uint64_t number) {
  Channel& channel = unit_[store ? store_unit : load_unit].channel;
  channel.returned.at(number - channel.oldest()) = true;
  while (!channel.returned.empty() && channel.returned.front()) channel.returned.pop_front();
}

void ProcessingElement::end_of_firings(Cycle now) {
  for (unsigned number = 0; number < units; ++number) {
    UnitState& unit = unit_[number];
    const auto is_done = [&](const Firing& firing) {
      const bool transfers = number == load_unit || number == store_unit;
      // Its vectors and all before them: so segments of Load and of Store complete in the order of their start.
      return transfers ? unit.channel.oldest() >= firing.vectors_end : firing.done <= now;
    };
    for (const Firing& firing : unit.in_flight) {
      if (is_done(firing)) finish(firing, now);
    }
    unit.in_flight.erase(std::remove_if(unit.in_flight.begin(), unit.in_flight.end(), is_done), unit.in_flight.end());
  }
  skip_all(now);
  while (!launches_.empty() && launches_.front().unfinished == 0) {
    if (launches_.size() == 1) {
      for (unsigned unit = 0; unit < units; ++unit) count_wait(unit, now, wait_drain);
    }
    launches_.pop_front();
    ++first_launch_;
  }
}

void ProcessingElement::finish(const Firing& firing, Cycle now) {
  for (const unsigned index : edges_of_[firing.segment].out) {
    const Edge& edge = kernel_.edges[index];
    if (edge.scope >= firing.ends && !edge.rides) produce(index, now);
  }
  if (firing.ends == 0) --launches_[firing.launch - first_launch_].unfinished;
}

void ProcessingElement::start_firings(Cycle now, std::uint64_t& next_number) {
  for (unsigned number = 0; number < units; ++number) {
    UnitState& unit = unit_[number];
    if (unit.firing || unit.free > now) continue;
    // The smallest tag; among equal ones the next behind the one served last, or else the first.
    std::optional<unsigned> chosen;
    unsigned tag = 0;
    for (unsigned position = 0; position < unit.order.size(); ++position) {
      const unsigned segment = unit.order[position];
      const unsigned own_tag = kernel_.segments[segment].tag;
      if (chosen && own_tag != tag) break;
      if (!ready(segment)) continue;
      const auto behind_last = [&](unsigned which) { return static_cast<int>(which) > unit.last_served; };
      if (!chosen || (!behind_last(*chosen) && behind_last(position))) chosen = position;
      tag = own_tag;
    }
    if (!chosen) continue;
    unit.last_served = static_cast<int>(*chosen);
    start(number, unit.order[*chosen], next_number++, now);
  }
}

void ProcessingElement::start(unsigned unit, unsigned segment, std::uint64_t number, Cycle now) {
  count_wait(unit, now, reason_of(segment));
  const Segment& code = kernel_.segments[segment];
  const ActiveLaunch& launch = *launch_of(segment);
  Firing firing;
  firing.segment = segment;
  firing.number = number;
  firing.launch = place_[segment].launch;
  for (firing.ends = code.scope; firing.ends > 0 && is_last(segment, firing.ends - 1);) --firing.ends;
  firing.total = code.code.size();
  for (const unsigned trips : code.trips) firing.total *= trips;
  for (unsigned s = 0; s < streams; ++s) {
    const Stream& stream = code.stream[s];
    std::int64_t base = stream.base;
    if (stream.pe_register != 0) base += kernel_.pe_registers[index_][stream.pe_register - 1];
    if (stream.launch_register != 0) {
      base += static_cast<std::int32_t>(launch.launch.registers[stream.launch_register - 1]);
    }
    for (unsigned level = 0; level < code.scope; ++level) {
      const Loop& loop = kernel_.loops[level];
      std::int64_t i = std::int64_t{place_[segment].iteration[level]} * loop.step;
      if (loop.start_register != 0) i += kernel_.pe_registers[index_][loop.start_register - 1];
      base += i * stream.loop_stride[level];
    }
    if (stream.rotation_depth != 0) {
      const std::uint64_t begun = place_[segment].begun[stream.rotation_scope];
      base += static_cast<std::int64_t>(begun % stream.rotation_depth) * stream.rotation_stride;
    }
    firing.base[s] = base;
  }
  for (const unsigned edge : edges_of_[segment].in) {
    if (is_first(segment, kernel_.edges[edge].scope)) --tokens_[edge];
  }
  move_on(segment);
  if (unit == cal_unit && !machine_.hazards_across_segments) {
    std::fill(vector_ready_.begin(), vector_ready_.end(), 0);
    std::fill(accumulator_ready_.begin(), accumulator_ready_.end(), 0);
  }
  unit_[unit].firing = firing;
}

void ProcessingElement::move_on(unsigned segment) {
  Place& place = place_[segment];
  const ActiveLaunch& launch = *launch_of(segment);
  const unsigned scope = kernel_.segments[segment].scope;
  unsigned changed = scope;  // the outermost level that goes on is changed - 1
  while (changed > 0 && ++place.iteration[changed - 1] == launch.iterations[changed - 1]) {
    place.iteration[changed - 1] = 0;
    --changed;
  }
  if (changed == 0) {
    ++place.launch;
    changed = 1;
  }
  for (unsigned i = changed; i <= scope; ++i) ++place.begun[i];
}

// ---------------------------------------------------------------- units

ProcessingElement::Operation ProcessingElement::operation(const Firing& firing) const {
  const Segment& segment = kernel_.segments[firing.segment];
  std::uint64_t rest = firing.issued;
  std::array<std::uint64_t, trip_levels> trip{};
  trip[0] = rest % segment.trips[0];
  rest /= segment.trips[0];
  Operation operation{segment.code[rest % segment.code.size()], firing.base};
  rest /= segment.code.size();
  for (unsigned level = 1; level < trip_levels; ++level) {
    trip[level] = rest % segment.trips[level];
    rest /= segment.trips[level];
  }
  for (unsigned s = 0; s < streams; ++s) {
    for (unsigned level = 0; level < trip_levels; ++level) {
      operation.base[s] += static_cast<std::int64_t>(trip[level]) * segment.stream[s].trip_stride[level];
    }
  }
  return operation;
}

std::vector<ProcessingElement::MemoryVector> ProcessingElement::issue(Cycle now) {
  std::vector<MemoryVector> vectors;
  for (const unsigned unit : {load_unit, store_unit}) {
    if (unit_[unit].firing) issue_memory(unit, vectors, now);
  }
  issue_cal(now);
  return vectors;
}

void ProcessingElement::issue_memory(unsigned number, std::vector<MemoryVector>& vectors, Cycle now) {
  UnitState& unit = unit_[number];
  Channel& channel = unit.channel;
  Firing& firing = *unit.firing;
  unit.accounted = now + 1;
  if (channel.returned.size() >= machine_.outstanding) {
    ++cycles_[number].stall;
    return;
  }
  ++cycles_[number].issue;
  const Operation transfer = operation(firing);
  const bool store = number == store_unit;
  const Operand& place = store ? transfer.instruction.d : transfer.instruction.a;
  vectors.push_back({store, channel.next, static_cast<std::uint32_t>(transfer.address(place)), firing.number});
  ++channel.next;
  channel.returned.push_back(false);
  if (++firing.issued < firing.total) return;
  firing.vectors_end = channel.next;
  unit.in_flight.push_back(firing);
  unit.firing.reset();
  unit.free = now + 1;
}

Cycle* ProcessingElement::ready_cycle(const Operation& operation, const Operand& operand) {
  const std::int64_t address = operation.address(operand);
  switch (operand.space) {
    case Space::vector:
      return &vector_ready_.at(static_cast<std::size_t>(address));
    case Space::scalar:
      return &vector_ready_.at(static_cast<std::size_t>(address) / machine_.lanes);
    case Space::accumulator:
      return &accumulator_ready_.at(static_cast<std::size_t>(address));
    default:
      return nullptr;
  }
}

void ProcessingElement::issue_cal(Cycle now) {
  UnitState& unit = unit_[cal_unit];
  if (now < unit.free) {
    ++cycles_[cal_unit].special;
    unit.accounted = now + 1;
  }
  if (!unit.firing || now < unit.free) return;
  unit.accounted = now + 1;
  Firing& firing = *unit.firing;
  const Operation operation = this->operation(firing);
  const Instruction& instruction = operation.instruction;
  const auto available = [&](const Operand& operand) {
    const Cycle* const ready = ready_cycle(operation, operand);
    return ready == nullptr || *ready <= now;
  };
  if (!available(instruction.a) || !available(instruction.b) || !available(instruction.c) ||
      (instruction.accumulates && !available(instruction.d))) {
    ++cycles_[cal_unit].stall;
    return;
  }
  ++cycles_[cal_unit].issue;
  Cycle slots = 1, latency = machine_.cal_latency;
  if (instruction.kind == Instruction::Kind::maximum) latency = machine_.max_latency;
  if (instruction.kind == Instruction::Kind::special) {
    slots = std::min(machine_.special_divisor, machine_.lanes);
    latency = machine_.special_latency + slots - 1;
  }
  *ready_cycle(operation, instruction.d) = now + latency;
  unit.free = now + slots;
  firing.done = std::max({firing.done, now + latency, now + slots});
  if (++firing.issued < firing.total) return;
  unit.in_flight.push_back(firing);
  unit.firing.reset();
}

std::optional<ProcessingElement::FlowVector> ProcessingElement::flow_vector(Cycle now) const {
  const UnitState& unit = unit_[flow_unit];
  if (!unit.firing || unit.free > now) return std::nullopt;
  const Firing& firing = *unit.firing;
  const auto mask_at = [&](std::uint64_t number) {
    Firing at = firing;
    at.issued = number;
    return static_cast<unsigned>(operation(at).instruction.b.offset);
  };
  FlowVector vector{mask_at(firing.issued), firing.number, firing.issued, std::nullopt};
  bool is_last = true;
  for (std::uint64_t later = firing.issued + 1; later < firing.total && is_last; ++later) {
    is_last = mask_at(later) != vector.peer_mask;
  }
  if (!is_last) return vector;
  for (const unsigned index : edges_of_[firing.segment].out) {
    const Edge& edge = kernel_.edges[index];
    if (edge.rides && edge.peer_mask == vector.peer_mask && edge.scope >= firing.ends) vector.edge = index;
  }
  return vector;
}

void ProcessingElement::end_of_cycle(bool sent, Cycle width, Cycle now) {
  UnitState& unit = unit_[flow_unit];
  if (!unit.firing && unit.free <= now) return;
  unit.accounted = now + 1;
  if (!sent) {
    ++cycles_[flow_unit].stall;
    return;
  }
  ++cycles_[flow_unit].issue;
  unit.free = now + width;
  Firing& firing = *unit.firing;
  firing.done = unit.free;
  if (++firing.issued < firing.total) return;
  unit.in_flight.push_back(firing);
  unit.firing.reset();
}

// ---------------------------------------------------------------- bookkeeping

void ProcessingElement::count_wait(unsigned unit, Cycle now, WaitReason reason) {
  if (now <= unit_[unit].accounted) return;
  cycles_[unit].wait[reason] += now - unit_[unit].accounted;
  unit_[unit].accounted = now;
}

WaitReason ProcessingElement::reason_of(unsigned segment) {
  constexpr std::array<WaitReason, units> by_producer{wait_load, wait_compute, wait_flow, wait_space};
  WaitReason reason = wait_launch;
  Cycle latest = launch_of(segment)->arrival;
  for (const unsigned index : edges_of_[segment].in) {
    const Edge& edge = kernel_.edges[index];
    if (!is_first(segment, edge.scope) || token_arrival_[index] <= latest) continue;
    latest = token_arrival_[index];
    reason = edge.space ? wait_space : edge.peer_mask != 0 ? wait_flow : by_producer[kernel_.segments[edge.from].unit];
  }
  return reason;
}

}  // namespace bvp::ticking
