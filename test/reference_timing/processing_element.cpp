// SPDX-License-Identifier: Apache-2.0
#include "test/reference_timing/processing_element.h"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <utility>

namespace bvp::ticking {

ProcessingElement::ProcessingElement(const Machine& machine, const KernelImage& kernel, unsigned index)
    : machine_(machine),
      kernel_(kernel),
      index_(index),
      edges_of_(kernel.segments.size()),
      place_(kernel.segments.size()),
      vector_ready_(machine.pe.operand_vectors),
      accumulator_ready_(machine.pe.accumulators),
      ports_taken_(machine.pe.operand_banks) {
  for (unsigned i = 0; i < kernel.edges.size(); ++i) {
    edge_state_.push_back({kernel.edges[i].initial});
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
    return !needed || edge_state_[edge].tokens > 0;
  });
}

void ProcessingElement::skip(unsigned segment, Cycle now) {
  --launch_of(segment)->unfinished;
  ++place_[segment].launch;
  for (const unsigned edge : edges_of_[segment].in) {
    if (kernel_.edges[edge].scope == 0) --edge_state_[edge].tokens;
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
  if (machine_.pe.token_latency != 0) {
    tokens_on_their_way_.push_back({edge, now + machine_.pe.token_latency});
    return;
  }
  EdgeState& state = edge_state_.at(edge);
  ++state.tokens;
  state.arrival = now;
}

void ProcessingElement::produce(unsigned edge, Cycle now) {
  if (kernel_.edges[edge].peer_mask == 0) {
    token_arrived(edge, now);
  } else {
    tokens_out_.push_back({edge, kernel_.edges[edge].peer_mask});
  }
}

// ---------------------------------------------------------------- firings

void ProcessingElement::end_of_firings(Cycle now) {
  for (unsigned number = 0; number < units; ++number) {
    UnitState& unit = unit_[number];
    const auto is_done = [&](const Firing& firing) {
      const bool transfers = number == load_unit || number == store_unit;
      // Its vectors and all before them: so segments of Load and of Store complete in the order of their start.
      if (!transfers) return firing.done <= now;
      return (number == load_unit ? unit.unwritten : unit.window).oldest() >= firing.vectors_end;
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
    if (is_first(segment, kernel_.edges[edge].scope)) --edge_state_[edge].tokens;
  }
  move_on(segment);
  unit_[unit].firing = firing;
  if (unit == cal_unit) cal_started_ = number;
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

void ProcessingElement::begin_cycle(Cycle now) {
  while (!tokens_on_their_way_.empty() && tokens_on_their_way_.front().arrival == now) {
    EdgeState& state = edge_state_.at(tokens_on_their_way_.front().edge);
    ++state.tokens;
    state.arrival = now;
    tokens_on_their_way_.pop_front();
  }
  for (const std::uint64_t number : std::exchange(loads_back_, {})) unit_[load_unit].window.remove(number);
  for (const Arrival& arrival : std::exchange(written_, {})) {
    if (arrival.load) unit_[load_unit].unwritten.remove(arrival.number);
    if (arrival.edge) token_arrived(*arrival.edge, now);
  }
}

void ProcessingElement::store_done(std::uint64_t number) { unit_[store_unit].window.remove(number); }

void ProcessingElement::load_arrives(std::uint64_t number) {
  loads_back_.push_back(number);
  arrivals_.push_back(loads_under_way_.at(number));
  loads_under_way_.erase(number);
}

void ProcessingElement::load_served(std::uint64_t number, std::uint64_t age) {
  if (machine_.scratchpad.arbiter == Arbiter::oldest_firing) return;
  const std::uint64_t firing = loads_under_way_.at(number).firing;
  if (--loads_unserved_.at(firing) != 0) return;
  loads_unserved_.erase(firing);
  for (auto& load : loads_under_way_) {
    if (load.second.firing == firing) load.second.age = age;
  }
  for (Arrival& arrival : arrivals_) {
    if (arrival.load && arrival.firing == firing) arrival.age = age;
  }
}

void ProcessingElement::flow_arrives(unsigned source, std::uint64_t firing, unsigned slot,
                                     std::optional<unsigned> edge) {
  Arrival arrival;
  arrival.firing = arrival.age = firing;
  arrival.slot = slot;
  arrival.source = source;
  arrival.edge = edge;
  arrivals_.push_back(arrival);
}

std::vector<ProcessingElement::MemoryVector> ProcessingElement::work(Cycle now, bool may_load, bool may_store) {
  std::fill(ports_taken_.begin(), ports_taken_.end(), 0);
  // Of firings that ask for a port in the same cycle the older one gets it.
  std::set<std::uint64_t> firings;
  for (const Arrival& arrival : arrivals_) firings.insert(arrival.age);
  for (const Result& result : results_) firings.insert(result.firing);
  for (const unsigned unit : {cal_unit, flow_unit, store_unit}) {
    if (unit_[unit].firing) firings.insert(unit_[unit].firing->number);
  }
  if (!unit_[cal_unit].firing && now < unit_[cal_unit].free) {
    ++cycles_[cal_unit].special;
    unit_[cal_unit].accounted = now + 1;
  }
  std::vector<MemoryVector> vectors;
  const auto works_on = [&](unsigned unit, std::uint64_t firing) {
    return unit_[unit].firing && unit_[unit].firing->number == firing;
  };
  for (const std::uint64_t firing : firings) {
    write_arrivals(firing);
    if (works_on(store_unit, firing)) issue_memory(store_unit, now, may_store, vectors);
    if (works_on(flow_unit, firing)) work_flow(now);
    const bool has_results =
        std::any_of(results_.begin(), results_.end(), [&](const Result& result) { return result.firing == firing; });
    if (has_results || works_on(cal_unit, firing)) work_cal(firing, now);
  }
  if (unit_[load_unit].firing) issue_memory(load_unit, now, may_load, vectors);
  return vectors;
}

unsigned ProcessingElement::bank_of(std::int64_t vector) const {
  auto rest = static_cast<std::uint64_t>(vector);
  const std::uint64_t banks = machine_.pe.operand_banks;
  std::uint64_t bank = rest % banks;
  if (banks == 1 || !machine_.pe.operand_bank_hash) return static_cast<unsigned>(bank);
  for (rest /= banks; rest != 0; rest /= banks) bank ^= rest % banks;
  return static_cast<unsigned>(bank);
}

bool ProcessingElement::take_port(std::int64_t vector) {
  if (!has_ports()) return true;
  unsigned& taken = ports_taken_[bank_of(vector)];
  if (taken == machine_.pe.operand_ports) return false;
  ++taken;
  return true;
}

void ProcessingElement::write_arrivals(std::uint64_t age) {
  for (auto arrival = arrivals_.begin(); arrival != arrivals_.end();) {
    if (arrival->age != age || !take_port(arrival->slot)) {
      ++arrival;
      continue;
    }
    Arrival written = *arrival;
    arrival = arrivals_.erase(arrival);
    if (written.edge) {
      // The token is there when all vectors before it are.
      const auto before = std::find_if(arrivals_.begin(), arrivals_.end(), [&](const Arrival& other) {
        return !other.load && other.firing == written.firing && other.source == written.source;
      });
      if (before != arrivals_.end()) std::swap(before->edge, written.edge);
    }
    written_.push_back(written);
  }
}

void ProcessingElement::issue_memory(unsigned number, Cycle now, bool has_room, std::vector<MemoryVector>& vectors) {
  UnitState& unit = unit_[number];
  Firing& firing = *unit.firing;
  const bool store = number == store_unit;
  const Operation transfer = operation(firing);
  const Operand& memory = store ? transfer.instruction.d : transfer.instruction.a;
  unit.accounted = now + 1;
  const Firing ahead = at(firing, firing.read);
  if (store && firing.read < firing.total) {
    const Operation read = operation(ahead);
    if (take_port(read.address(read.instruction.a))) ++firing.read;
  }
  const bool too_many = unit.window.next() - unit.window.oldest() >= machine_.scratchpad.outstanding;
  if (too_many || !has_room || (store && firing.read == firing.issued)) {
    ++cycles_[number].stall;
    return;
  }
  ++cycles_[number].issue;
  const std::uint64_t vector = unit.window.add();
  vectors.push_back({store, vector, static_cast<std::uint32_t>(transfer.address(memory)), firing.number});
  if (!store) {
    unit.unwritten.add();
    Arrival arrival;
    arrival.firing = firing.number;
    // Where the banks go by age its vectors do here too; or else they have none as long as not all have been served.
    arrival.age = machine_.scratchpad.arbiter == Arbiter::oldest_firing ? firing.number : ~std::uint64_t{0};
    if (firing.issued == 0) loads_unserved_[firing.number] = firing.total;
    arrival.slot = static_cast<unsigned>(transfer.address(transfer.instruction.d));
    arrival.load = true;
    arrival.number = vector;
    loads_under_way_[vector] = arrival;
  }
  if (++firing.issued < firing.total) return;
  firing.vectors_end = unit.window.next();
  unit.in_flight.push_back(firing);
  unit.firing.reset();
  unit.free = now + 1;
}

// ---------------------------------------------------------------- Cal

std::optional<std::int64_t> ProcessingElement::vector_of(const Operation& operation, const Operand& operand) const {
  const std::int64_t address = operation.address(operand);
  if (operand.space == Space::vector) return address;
  if (operand.space == Space::scalar) return address / machine_.lanes;
  return std::nullopt;
}

ProcessingElement::Ready* ProcessingElement::ready_of(const Operation& operation, const Operand& operand) {
  if (const auto vector = vector_of(operation, operand)) return &vector_ready_.at(static_cast<std::size_t>(*vector));
  if (operand.space != Space::accumulator) return nullptr;
  return &accumulator_ready_.at(static_cast<std::size_t>(operation.address(operand)));
}

bool ProcessingElement::is_there(const Operation& operation, const Operand& operand, Cycle now) {
  const Ready* const ready = ready_of(operation, operand);
  if (ready == nullptr || ready->cycle <= now) return true;
  return ready->firing != unit_[cal_unit].firing->number && !machine_.pe.hazards_across_segments;
}

void ProcessingElement::work_cal(std::uint64_t number, Cycle now) {
  UnitState& unit = unit_[cal_unit];
  const bool issues = unit.firing && unit.firing->number == number;
  if (issues) unit.accounted = now + 1;
  // What the firing wants of the ports in this cycle: it gets all or halts.
  std::vector<unsigned> wanted(ports_taken_.size());
  for (const Result& result : results_) {
    if (has_ports() && result.firing == number && result.written == now) ++wanted[result.bank];
  }
  std::vector<std::int64_t> read;
  bool all_read = false;
  std::optional<Operation> next;
  if (issues && now >= unit.free) {
    next.emplace(operation(*unit.firing));
    const Instruction& instruction = next->instruction;
    const auto operands = {&instruction.a, &instruction.b, &instruction.c};
    bool there = !instruction.accumulates || is_there(*next, instruction.d, now);
    for (const Operand* operand : operands) there = there && is_there(*next, *operand, now);
    all_read = there;
    for (const Operand* operand : operands) {
      const auto vector = vector_of(*next, *operand);
      const auto is_in = [&](const auto& list) { return std::find(list.begin(), list.end(), *vector) != list.end(); };
      if (!there || !vector || !has_ports() || is_in(collected_) || is_in(read)) continue;
      unsigned& of_bank = wanted[bank_of(*vector)];
      if (of_bank < machine_.pe.operand_ports) {
        ++of_bank;
        read.push_back(*vector);
      } else {
        all_read = false;
      }
    }
  }
  for (unsigned bank = 0; bank < wanted.size(); ++bank) {
    if (wanted[bank] != 0 && wanted[bank] + ports_taken_[bank] > machine_.pe.operand_ports) {
      if (issues) ++cycles_[cal_unit].stall;
      return halt(number, now);
    }
  }
  for (unsigned bank = 0; bank < wanted.size(); ++bank) ports_taken_[bank] += wanted[bank];
  results_.erase(std::remove_if(results_.begin(), results_.end(),
                                [&](const Result& result) { return result.firing == number && result.written <= now; }),
                 results_.end());
  if (!issues) return;
  if (now < unit.free) {
    ++cycles_[cal_unit].special;
    return;
  }
  collected_.insert(collected_.end(), read.begin(), read.end());
  if (!all_read || !issue_cal(*next, now)) ++cycles_[cal_unit].stall;
}

bool ProcessingElement::issue_cal(const Operation& operation, Cycle now) {
  const Instruction& instruction = operation.instruction;
  UnitState& unit = unit_[cal_unit];
  Firing& firing = *unit.firing;
  Cycle slots = 1, latency = machine_.pe.cal_latency;
  if (instruction.kind == Instruction::Kind::maximum) latency = machine_.pe.max_latency;
  if (instruction.kind == Instruction::Kind::special) {
    slots = std::min(machine_.pe.special_divisor, machine_.lanes);
    latency = machine_.pe.special_latency + slots - 1;
  }
  if (has_ports() && instruction.d.space == Space::vector) {
    const Result result{firing.number, now + latency - 1, bank_of(operation.address(instruction.d))};
    const auto others = std::count_if(results_.begin(), results_.end(), [&](const Result& other) {
      return other.firing == result.firing && other.written == result.written && other.bank == result.bank;
    });
    unsigned taken = static_cast<unsigned>(others);
    if (latency == 1) taken += ports_taken_[result.bank];
    if (taken >= machine_.pe.operand_ports) return false;
    results_.push_back(result);
  }
  ++cycles_[cal_unit].issue;
  collected_.clear();
  *ready_of(operation, instruction.d) = {now + latency, firing.number};
  unit.free = now + slots;
  firing.done = std::max({firing.done, now + latency, now + slots});
  if (++firing.issued < firing.total) return true;
  unit.in_flight.push_back(firing);
  unit.firing.reset();
  return true;
}

void ProcessingElement::halt(std::uint64_t number, Cycle now) {
  for (Result& result : results_) result.written += result.firing == number ? 1 : 0;
  for (auto* list : {&vector_ready_, &accumulator_ready_}) {
    for (Ready& ready : *list) ready.cycle += ready.firing == number && ready.cycle > now ? 1 : 0;
  }
  UnitState& unit = unit_[cal_unit];
  const bool is_last = cal_started_ == number;
  if (is_last && unit.free > now) {
    if (!unit.firing) {
      --cycles_[cal_unit].special;
      ++cycles_[cal_unit].stall;
    }
    ++unit.free;
  }
  if (unit.firing && is_last) unit.firing->done += unit.firing->done > now ? 1 : 0;
  for (Firing& firing : unit.in_flight) firing.done += firing.number == number ? 1 : 0;
}

// ---------------------------------------------------------------- Flow

void ProcessingElement::work_flow(Cycle now) {
  const UnitState& unit = unit_[flow_unit];
  Firing& firing = *unit_[flow_unit].firing;
  // The vectors of a packet are read one after the other, those of the next one when these have been sent.
  const bool sent = firing.read == firing.issued && unit.free <= now;
  const bool more = firing.read < firing.total;
  if (sent || (more && mask_at(firing, firing.read) == mask_at(firing, firing.read - 1))) {
    const Operation read = operation(at(firing, firing.read));
    if (more && take_port(read.address(read.instruction.a))) ++firing.read;
  }
  if (flow_vector_ || unit.free > now || firing.read == firing.issued) return;
  const Operation send = operation(firing);
  FlowVector vector;
  vector.peer_mask = mask_at(firing, firing.issued);
  if (vector.peer_mask == 0) throw std::runtime_error("a PE sends to itself, which is not ticked");
  vector.firing = firing.number;
  vector.slot = static_cast<unsigned>(send.address(send.instruction.d));
  bool is_last = true;
  for (std::uint64_t later = firing.issued + 1; later < firing.total && is_last; ++later) {
    is_last = mask_at(firing, later) != vector.peer_mask;
  }
  for (const unsigned index : edges_of_[firing.segment].out) {
    const Edge& edge = kernel_.edges[index];
    const bool with_it = edge.rides && edge.peer_mask == vector.peer_mask && edge.scope >= firing.ends;
    if (is_last && with_it) vector.edge = index;
  }
  flow_vector_ = vector;
}

void ProcessingElement::end_cycle(bool sent, Cycle width, Cycle now) {
  UnitState& unit = unit_[flow_unit];
  if (!unit.firing && unit.free <= now) return;
  unit.accounted = now + 1;
  if (!sent) {
    ++cycles_[flow_unit].stall;
    return;
  }
  ++cycles_[flow_unit].issue;
  flow_vector_.reset();
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
    if (!is_first(segment, edge.scope) || edge_state_[index].arrival <= latest) continue;
    latest = edge_state_[index].arrival;
    reason = edge.space ? wait_space : edge.peer_mask != 0 ? wait_flow : by_producer[kernel_.segments[edge.from].unit];
  }
  return reason;
}

}  // namespace bvp::ticking
