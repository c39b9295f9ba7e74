// SPDX-License-Identifier: Apache-2.0
#include "models/pe/fast/lockstep_array.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "models/base/report.h"
#include "models/pe/ports/delivery.h"

namespace bvp {

namespace {

template <class Sockets>
std::vector<tlm::tlm_initiator_socket<>*> pointers(Sockets& sockets) {
  std::vector<tlm::tlm_initiator_socket<>*> all;
  for (auto& socket : sockets) all.push_back(&socket);
  return all;
}

}  // namespace

LockstepArray::LockstepArray(sc_core::sc_module_name module_name, const ArrayParameters& array,
                             const PeParameters& parameters, const ClockDomain& clock, StatGroup& parent_stats,
                             bool data)
    : sc_module(module_name),
      config("config", static_cast<std::size_t>(array.rows * array.columns)),
      to_scratchpad("to_scratchpad", config.size()),
      to_mesh("to_mesh", config.size()),
      from_mesh("from_mesh", config.size()),
      to_sequencer("to_sequencer"),
      data_(data),
      clock_(clock),
      account_(basename(), config.size(), static_cast<u32>(array.lanes), parameters.clock_gating, parent_stats),
      contexts_(kernel_limits(array, parameters), 0, Contexts::For::all_pes, std::make_shared<CalSchedules>()),
      cal_(parameters, contexts_.limits().lanes),
      participants_(contexts_.limits().columns),
      transfers_(pointers(to_scratchpad), clock, contexts_.limits()),
      exchanges_(pointers(to_mesh), clock, contexts_.limits()) {
  const KernelLimits& limits = contexts_.limits();
  for (std::size_t pe = 0; pe < config.size(); ++pe) {
    config[pe].register_b_transport(this, &LockstepArray::config_transport, static_cast<int>(pe));
    from_mesh[pe].register_b_transport(this, &LockstepArray::mesh_transport, static_cast<int>(pe));
    if (data) memories_.emplace_back(limits.operand_vectors, limits.accumulators, limits.lanes);
  }
  SC_METHOD(run);
  sensitive << wake_.event;
  dont_initialize();
}

LockstepArray::~LockstepArray() = default;

// ---------------------------------------------------------------- sockets

void LockstepArray::config_transport(int pe, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  const Delivery delivery = read_delivery(payload);
  // The PEs of a kernel get the same deliveries, and the first of them takes these for all.
  const bool of_kernel = delivery.kind == Delivery::Kind::image || delivery.kind == Delivery::Kind::launch;
  const u32 first = of_kernel ? contexts_.rows().in_array(0) * contexts_.limits().columns : 0;
  if (static_cast<u32>(pe) != first) return;
  const Cycle when = clock_.to_cycles(sc_core::sc_time_stamp() + delay);
  bool ok = true;
  switch (delivery.kind) {
    case Delivery::Kind::refused:
      return;
    case Delivery::Kind::image:
      ok = take_image(name(), delivery, when, contexts_, account_.sum());
      break;
    case Delivery::Kind::launch:
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

void LockstepArray::mesh_transport(int, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  exchanges_.arrives(clock_.to_cycles(sc_core::sc_time_stamp() + delay));
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

void LockstepArray::report_completion(u32 launch_number, u32 status) {
  const u64 pes = std::max<u64>(kernel_pes(), 1);
  for (u32 pe = 0; pe < pes; ++pe) {
    LaunchCompletion completion{launch_number, status};
    const u32 index = contexts_.active() ? contexts_.active()->pes.places[pe] : pe;
    sc_core::sc_time delay =
        wake_.running ? clock_.to_time(wake_.now) - sc_core::sc_time_stamp() : sc_core::SC_ZERO_TIME;
    access(to_sequencer, tlm::TLM_WRITE_COMMAND, u64{index} * sizeof completion, &completion, sizeof completion, delay);
  }
}

// ---------------------------------------------------------------- configuration and launches

bool LockstepArray::launch(const LaunchRecord& record, Cycle when) {
  if (account_.sum().power() != ArrayPower::on) {
    report_warning(name(), "a launch came while the array is not on");
    return false;
  }
  const bool idle = graph_.launches().empty();
  if (idle) account_.rest_until(when, kernel_pes(), nullptr);
  if (idle && contexts_.has_shadow()) {
    contexts_.activate();
    graph_.start(contexts_.active()->program);
    events_.begin_generation();
    shares_.clear();
    participants_.forget();
    error_.clear();
  }
  const bool counts = std::count(record.counts.begin(), record.counts.end(), 0u) == 0;
  if (!contexts_.active() || !error_.empty() || !counts) return false;
  if (idle) book_cycles(when);
  known_ = &kernels_.find(contexts_.active());
  known_->costs.begin_launch();
  transfers_.begin_launch();
  recorder_.close();
  if (!idle) {
    known_->overlaps = true;
    if (replay_) catch_up();
    if (!error_.empty()) return false;
  }
  const bool replayable = can_be_replayed();
  const TokenGraph::Launch& launch = graph_.launch(record, when);
  shares_.add(*contexts_.active(), launch);
  const std::optional<Cycle> end = replayable ? begin_replay(launch) : std::nullopt;
  events_.post_launch(end.value_or(when), end ? GraphEvent::Kind::launch_ends : GraphEvent::Kind::launch);
  reschedule();
  return true;
}

void LockstepArray::stop(Cycle now) {
  if (replay_) replay_until(now);
  replay_.reset();
  recorder_.close();
  book_cycles(now);
  if (!graph_.launches().empty()) account_.rest_until(now, kernel_pes(), &shares_.back());
  graph_.stop();
  shares_.clear();
  participants_.forget();
  contexts_.clear();
  events_.begin_generation();  // nothing that is on its way arrives
  error_.clear();
}

bool LockstepArray::leave_out(u32 rows, Cycle now) {
  if (!graph_.launches().empty()) return false;
  stop(now);
  if (!contexts_.leave_out(rows)) return false;
  // What kernels cost depends on where their PEs lie.
  kernels_.forget();
  known_ = nullptr;
  return true;
}

void LockstepArray::complete_launches(Cycle now) {
  while (graph_.launch_has_ended()) {
    const u32 number = graph_.launches().front().record.launch_number;
    book_cycles(now);
    if (graph_.launches().size() == 1) {
      if (recorder_.recording()) recorder_.write(account_.booked());
      account_.rest_until(now, kernel_pes(), &shares_.front());
    }
    graph_.pop_launch();
    shares_.pop();
    keep_journal();
    report_completion(number, 0);
  }
}

void LockstepArray::fail(std::string message) {
  if (!error_.empty()) return;
  error_ = std::move(message);
  report_warning(name(), "{}", error_);
  std::vector<u32> numbers = graph_.drop_launches();
  if (numbers.empty()) numbers.push_back(0);
  recorder_.close();
  replay_.reset();
  for (const u32 number : numbers) report_completion(number, 1);
}

void LockstepArray::book_cycles(Cycle now) {
  const Cycle booked = account_.sum().cycles_booked();
  if (now <= booked) return;
  const u64 active = graph_.launches().empty() ? 0 : shares_.take_active(*contexts_.active(), booked, now);
  account_.sum().book_cycles(now, config.size(), active);
}

void LockstepArray::set_power(ArrayPower power, Cycle now) {
  if (replay_) replay_until(now);
  if (power == account_.sum().power()) return;
  book_cycles(now);
  account_.sum().set_power(power);
  if (power != ArrayPower::on && !graph_.launches().empty()) fail("the clock went while a kernel ran");
}

void LockstepArray::settle() {
  const Cycle now = present();
  if (replay_) replay_until(now);
  book_cycles(now);
  if (graph_.launches().empty()) account_.rest_until(now, kernel_pes(), nullptr);
  account_.outside_until(now, kernel_pes());
}

std::string LockstepArray::pending() const {
  if (!replay_) return graph_.pending(name());
  return fmt::format("{}: a launch that arrived at cycle {} ends at cycle {}\n", name(), replay_->arrival(),
                     replay_->end());
}

// ---------------------------------------------------------------- time

void LockstepArray::run() {
  wake_.running = true;
  wake_.now = clock_.now();
  for (;;) {
    wake_.pending = false;
    advance(wake_.now, nullptr);
    if (!wake_.pending) break;
    const sc_core::sc_time next = clock_.to_time(wake_.at);
    if (next >= wake_.horizon || next - sc_core::sc_time_stamp() >= sc_core::sc_time_to_pending_activity()) break;
    wake_.now = wake_.at;
  }
  wake_.running = false;
  if (wake_.pending) wake_.event.notify(clock_.to_time(wake_.at) - sc_core::sc_time_stamp());
}

void LockstepArray::wake_at(Cycle cycle) {
  if (wake_.pending && wake_.at <= cycle) return;
  wake_.pending = true;
  wake_.at = cycle;
  if (!wake_.running) wake_.event.notify(clock_.to_time(cycle) - sc_core::sc_time_stamp());
}

void LockstepArray::reschedule() {
  if (const std::optional<Cycle> next = events_.next()) wake_at(*next);
}

void LockstepArray::advance(Cycle now, Repetition* repetition) {
  while (const std::optional<GraphEvent> event = events_.pop(now)) {
    if (!events_.stale(*event) && error_.empty()) handle(*event, now, repetition);
  }
  reschedule();
}

void LockstepArray::handle(const GraphEvent& event, Cycle now, Repetition* repetition) {
  bool may_end = false;
  switch (event.kind) {
    case GraphEvent::Kind::arrival:
      graph_.arrive(event.index, now);
      break;
    case GraphEvent::Kind::firing_ends:
      graph_.end_firing(event);
      may_end = true;
      break;
    case GraphEvent::Kind::unit_is_free:
      graph_.look_at(static_cast<Unit>(event.index));
      break;
    case GraphEvent::Kind::launch:
      graph_.arm_all();
      may_end = true;
      break;
    case GraphEvent::Kind::launch_ends:
      end_replay(now);
      may_end = true;
      break;
  }
  run_graph(now, repetition);
  if (may_end) complete_launches(now);
}

void LockstepArray::run_graph(Cycle now, Repetition* repetition) {
  for (;;) {
    const TokenGraph::Step step = graph_.next(now, [&](Unit unit) { return is_free(unit, now); });
    if (const auto* const firing = std::get_if<Firing>(&step)) {
      begin(*firing, repetition);
    } else if (const auto* const token = std::get_if<TokenGraph::Token>(&step)) {
      send_token(token->edge, now, repetition);
    } else if (std::holds_alternative<TokenGraph::EmptyLaunch>(step)) {
      events_.post_launch(now);
    } else {
      return;
    }
  }
}

bool LockstepArray::is_free(Unit unit, Cycle now) {
  const Cycle until = account_.sum().counted_until(unit);
  if (until <= now) return true;
  events_.post_free(unit, until);
  return false;
}

// ---------------------------------------------------------------- firings

void LockstepArray::begin(const Firing& firing, Repetition* repetition) {
  const Context& context = *contexts_.active();
  const Participants& active = participants_.find(context, firing, graph_.launch(firing.launch).record);
  const Begun begun{context, firing, active, repetition != nullptr ? 0 : active.count()};
  const u64 waited = account_.wait_until(firing.unit, firing.now, active, context.pes.count());
  if (repetition == nullptr) account_.sum().count_wait(firing.unit, firing.waited_for, waited);
  account_.sum().count_firings(begun.counted, firing.tokens);
  if (!within_bounds(contexts_.limits(), begun.segment(), firing.bases)) return fail(out_of_memory(firing.segment));
  Course course;
  switch (firing.unit) {
    case Unit::load:
    case Unit::store:
      course = begin_transfer(begun, repetition);
      break;
    case Unit::flow:
      course = begin_flow(begun, repetition);
      break;
    case Unit::cal:
      course = begin_cal(begun);
      break;
  }
  if (!course.error.empty()) return fail(std::move(course.error));
  account_.busy(firing, course.busy, active, begun.counted);
  if (recorder_.recording()) {
    recorder_.write(firing, active, waited, course.busy,
                    instance_bases(context.program, begun.segment(), firing.iteration));
  }
  if (!context.pes.uniform) {
    shares_.end_segment(firing.launch, active.ending, course.done);
    recorder_.write(active.ending, shares_.launch(firing.launch).of_pe);
  }
  GraphEvent event;
  event.time = course.done;
  event.kind = GraphEvent::Kind::firing_ends;
  event.index = firing.segment;
  event.produces = firing.produces;
  event.last_of_launch = firing.last_of_launch;
  event.launch = firing.launch;
  events_.post(event);
}

LockstepArray::Course LockstepArray::begin_transfer(const Begun& begun, const Repetition* repetition) {
  const Firing& firing = begun.firing;
  LearnedCosts& costs = known_->costs;
  const std::size_t count = begun.segment().transfers.size();
  Course course;
  FiringTime time;
  if (repetition == nullptr && costs.learns(firing.segment)) {
    recorder_.close();
    costs.begin_learning(firing.segment);
    ArrayTransfers::Timed timed = transfers_.timed(request(begun));
    course.error = std::move(timed.error);
    if (!course.error.empty()) return course;
    costs.add(firing.segment, timed.sample);
    time = costs.unhindered(firing, timed.alone);
  } else {
    const Cycle alone = transfers_.issue_alone(firing, count, costs);
    BankWait wait = costs.bank_wait(firing.segment);
    if (repetition == nullptr) {
      const bool learns = costs.learns_bank_waits(firing.segment);
      const Cycle issue = costs.unhindered(firing, alone).issue;
      course.error = transfers_.untimed(request(begun), issue, learns ? &costs.turns(firing.segment) : nullptr, wait);
      if (!course.error.empty()) return course;
      if (learns) {
        recorder_.close();
        costs.add(firing, wait);
      }
    }
    time = costs.with_waits(firing, alone, wait);
  }
  costs.has_moved(firing.segment);
  const Cycle busy = std::max<u64>(time.issue, count);
  const CycleSpan when{firing.now, firing.now + busy};
  const u64 vectors = count * begun.counted;
  firing.unit == Unit::load ? account_.sum().count_writes(vectors, when) : account_.sum().count_reads(vectors, when);
  course.busy = {count, 0, busy - count};
  Cycle& in_order = under_way_.last_end[static_cast<std::size_t>(firing.unit)];
  in_order = std::max(in_order, firing.now + time.latency);
  course.done = in_order;
  under_way_.add(count, firing.unit == Unit::load ? CycleSpan{in_order - busy, in_order} : when);
  return course;
}

LockstepArray::Course LockstepArray::begin_flow(const Begun& begun, Repetition* repetition) {
  const Firing& firing = begun.firing;
  const SegmentProgram& segment = begun.segment();
  LearnedCosts& costs = known_->costs;
  const bool timed = costs.learns(firing.segment);
  if (timed) {
    recorder_.close();
    costs.begin_learning(firing.segment);
  }
  costs.begin_exchange();
  Course course;
  course.error = exchanges_.move(request(begun));
  if (!course.error.empty()) return course;
  const FiringTime sent = send_packets(begun, timed, repetition);
  if (timed) costs.add_exchange(firing.segment, sent);
  const FiringTime time = costs.exchange(firing.segment);
  for (const u32 edge : segment.out_edges) {
    const EdgeProgram& target = begun.context.program.edges[edge];
    if (target.rides && target.scope >= firing.produces) events_.post_token(edge, firing.now + time.latency);
  }
  const u64 count = segment.transfers.size(), busy = std::max<u64>(count, time.issue);
  const CycleSpan when{firing.now, firing.now + busy};
  account_.sum().count_reads(count * begun.counted, when);
  account_.sum().count_writes(count * begun.counted, when);
  course.busy = {count, 0, busy - count};
  course.done = firing.now + busy;
  under_way_.add(2 * count, when);  // what the PE sends, and as much that it receives
  return course;
}

FiringTime LockstepArray::send_packets(const Begun& begun, bool timed, Repetition* repetition) {
  const Firing& firing = begun.firing;
  const std::vector<Transfer>& transfers = begun.segment().transfers;
  const CycleSpan when{firing.now,
                       firing.now + std::max<u64>(transfers.size(), known_->costs.exchange(firing.segment).issue)};
  // Packets to the same destination go one after the other; all PEs send their packets at the same time.
  FiringTime sum;
  for (std::size_t begin = 0, end = 0; begin < transfers.size(); begin = end) {
    const u32 mask = transfers[begin].peer_mask;
    for (end = begin; end < transfers.size() && transfers[end].peer_mask == mask;) ++end;
    const auto vectors = static_cast<u32>(end - begin);
    if (timed) {
      const FiringTime slowest = exchanges_.send_all(request(begun), mask, vectors);
      sum.issue += slowest.issue;
      sum.latency += slowest.latency;
    } else {
      const u64 hops = exchanges_.hops(begun.context, begun.active.pes, mask);
      count_packets({mask, vectors, static_cast<u32>(begun.active.count()), hops, when}, firing.now, repetition);
    }
  }
  return sum;
}

void LockstepArray::count_packets(const ArrayExchanges::Count& count, Cycle now, Repetition* repetition) {
  if (repetition != nullptr) {
    ++repetition->packets;
    return;
  }
  recorder_.write({now, count.mask, count.vectors, count.packets, count.hops, 0});
  exchanges_.count(*contexts_.active(), count, now);
}

void LockstepArray::send_token(u32 edge, Cycle now, Repetition* repetition) {
  // All partners send their packets at the same time: one of them is timed, the others are counted.
  const Context& context = *contexts_.active();
  const u32 mask = context.program.edges[edge].peer_mask;
  const Cycle latency = repetition != nullptr ? repetition->journal.packets.at(repetition->packets++).latency
                                              : exchanges_.send_token(context, 0, mask, now).latency;
  recorder_.write({now, mask, 0, 1, exchanges_.hops(context, {0}, mask), latency});
  std::vector<u32> others(context.pes.count() - 1);
  std::iota(others.begin(), others.end(), 1);
  const u64 hops = exchanges_.hops(context, others, mask);
  count_packets({mask, 0, static_cast<u32>(others.size()), hops, {now, now}}, now, repetition);
  events_.post_token(edge, now + latency);
}

LockstepArray::Course LockstepArray::begin_cal(const Begun& begun) {
  const Firing& firing = begun.firing;
  const SegmentProgram& segment = begun.segment();
  Course course;
  const bool sound = all_within_bounds(contexts_.limits(), begun.context, firing);
  for (std::size_t i = 0; data_ && i < begun.active.pes.size(); ++i) {
    const u32 pe = begun.active.pes[i];
    const StreamBases bases = bases_at(begun.context.pes.bases[firing.segment].of_pe[pe], firing.distance);
    if (!sound && !within_bounds(contexts_.limits(), segment, bases)) {
      course.error = out_of_memory(firing.segment);
      return course;
    }
    cal_.execute(segment, bases, memories_[pe]);
  }
  const CalSchedule& schedule = begun.context.schedule(cal_, firing.segment, firing.bases);
  const u64 halts = under_way_.halts(schedule, firing.now);
  course.busy = {schedule.issue, schedule.special, schedule.latency + halts};
  account_.sum().count_cal(schedule, begun.counted, {firing.now, firing.now + course.busy.sum()});
  course.done = firing.now + schedule.completion + halts;
  return course;
}

// ---------------------------------------------------------------- launches whose course is known

std::vector<LaunchJournal::Token> LockstepArray::tokens_on_their_way() const {
  std::vector<LaunchJournal::Token> tokens;
  for (const GraphEvent& event : events_.all()) {
    if (event.kind == GraphEvent::Kind::arrival && !events_.stale(event)) tokens.push_back({event.index, event.time});
  }
  return tokens;
}

bool LockstepArray::at_rest(const std::vector<LaunchJournal::Token>& late) const {
  if (events_.any_unit_waits() || late.size() != events_.all().size()) return false;
  std::vector<u32> edges;
  for (const LaunchJournal::Token& token : late) edges.push_back(token.edge);
  return graph_.at_rest(edges);
}

bool LockstepArray::can_be_replayed() const {
  return !data_ && !account_.sum().unit_busy.connected() && !known_->overlaps && at_rest({});
}

std::optional<Cycle> LockstepArray::begin_replay(const TokenGraph::Launch& launch) {
  const LaunchJournal::Key key{launch.record.counts, launch.resident, graph_.last_served()};
  std::vector<LaunchShares::Share>& shares = shares_.front().of_pe;
  const LaunchJournal* const journal = known_->find(key);
  if (journal == nullptr) {
    if (kernels_.has_room(*known_)) {
      recorder_.begin(key, launch.arrival, shares, contexts_.active()->program.segments.size());
    }
    return std::nullopt;
  }
  if (!stays_within_bounds(*journal, launch.record)) return std::nullopt;
  replay_.emplace(*journal, launch.arrival);
  for (std::size_t pe = 0; pe < shares.size(); ++pe) {
    shares[pe] = {journal->shares[pe].unfinished, launch.arrival + journal->shares[pe].end};
  }
  return replay_->end();
}

bool LockstepArray::stays_within_bounds(const LaunchJournal& journal, const LaunchRecord& record) {
  const Context& context = *contexts_.active();
  for (u32 i = 0; i < journal.segments.size(); ++i) {
    const LaunchJournal::OfSegment& course = journal.segments[i];
    if (!course.fires) continue;
    const SegmentProgram& segment = context.program.segments[i];
    const StreamBases launched = launch_bases(segment, record);
    StreamBases lowest = bases_at(course.lowest, launched), highest = bases_at(course.highest, launched);
    for (std::size_t s = 0; s < streams_per_segment; ++s) {
      // The launch may begin at any of the places through which the stream rotates.
      const Stream& stream = segment.streams[s];
      const i64 farthest = i64{stream.rotation_stride} * std::max(0, stream.rotation_depth - 1);
      (farthest < 0 ? lowest : highest)[s] += farthest;
    }
    const FirstBases& first = context.pes.bases[i];
    const KernelLimits& limits = contexts_.limits();
    if (!within_bounds(limits, segment, bases_at(first.lowest, lowest))) return false;
    if (!within_bounds(limits, segment, bases_at(first.highest, highest))) return false;
    if (segment.unit != Unit::load && segment.unit != Unit::store) continue;
    // The addresses of PE 0 stand for those of all PEs, as in a launch that is run.
    if (!transfers_.would_take(context, i, bases_at(first.of_pe.front(), lowest))) return false;
    if (!transfers_.would_take(context, i, bases_at(first.of_pe.front(), highest))) return false;
  }
  return true;
}

void LockstepArray::replay_until(Cycle until) {
  const std::vector<SegmentProgram>& segments = contexts_.active()->program.segments;
  PeAccount& account = account_.sum();
  replay_->advance(until, sums_, [&](const LaunchJournal::Entry& entry, Cycle now) {
    const SegmentProgram& segment = segments[entry.segment];
    account.count_wait(segment.unit, entry.waited_for, entry.waited);
    account.count_firings(entry.pes, entry.tokens);
    account.busy(segment.unit, segment.tag, now, entry.busy, entry.pes);
  });
  for (const auto& [sum, when] : sums_.packets) {
    exchanges_.count(*contexts_.active(), {sum.mask, sum.vectors, sum.packets, sum.hops, when}, present());
  }
  count_segments(sums_);
}

void LockstepArray::count_segments(const LaunchReplay::Sums& sums) {
  const Context& context = *contexts_.active();
  for (u32 segment = 0; segment < sums.segments.size(); ++segment) {
    const LaunchReplay::SegmentSum& sum = sums.segments[segment];
    if (sum.firings == 0) continue;
    const SegmentProgram& program = context.program.segments[segment];
    const u64 vectors = sum.firings * program.transfers.size();
    if (program.unit == Unit::cal) {
      account_.sum().count_cal(context.schedules[segment]->any(), sum.firings, sum.when);
      continue;
    }
    if (program.unit != Unit::load) account_.sum().count_reads(vectors, sum.when);
    if (program.unit != Unit::store) account_.sum().count_writes(vectors, sum.when);
    if (program.unit == Unit::flow) continue;
    const StreamBases launched = launch_bases(program, graph_.launches().front().record);
    const StreamBases bases = bases_at(context.pes.bases[segment].of_pe.front(), launched);
    const std::string error = transfers_.count({context, segment, bases, sum.firings, sum.hops, sum.when}, present());
    if (!error.empty()) return fail(error);
  }
}

void LockstepArray::end_replay(Cycle now) {
  replay_until(now + 1);
  if (!replay_) return;  // after fail()
  const LaunchJournal& journal = replay_->journal();
  const Cycle arrival = replay_->arrival();
  for (const LaunchJournal::Token& token : journal.late_tokens) {
    graph_.take_token(token.edge);
    events_.post_token(token.edge, arrival + token.at);
  }
  graph_.skip_launch(journal.last_served);
  account_.repeat(journal.booked, arrival);
  replay_.reset();
}

void LockstepArray::catch_up() {
  const Cycle now = clock_.now();
  replay_until(now);
  if (!replay_) return;  // after fail()
  const Cycle arrival = replay_->arrival();
  Repetition repetition{replay_->journal()};
  replay_.reset();
  account_.restart(arrival);
  shares_.restart(*contexts_.active(), graph_.launches().front());
  wake_.running = true;
  wake_.pending = true;
  wake_.at = arrival;
  events_.clear();
  events_.post_launch(arrival);
  while (wake_.pending && wake_.at < now) {
    wake_.now = wake_.at;
    wake_.pending = false;
    advance(wake_.now, &repetition);
  }
  wake_.running = false;
  if (!wake_.pending) return;
  wake_.pending = false;
  wake_at(wake_.at);
}

void LockstepArray::keep_journal() {
  if (!recorder_.recording()) return;
  std::vector<LaunchJournal::Token> late = tokens_on_their_way();
  if (at_rest(late)) {
    kernels_.keep(*known_, recorder_.end(present(), graph_.last_served(), std::move(late)));
  }
  recorder_.close();
}

}  // namespace bvp
