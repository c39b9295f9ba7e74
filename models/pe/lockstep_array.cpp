// SPDX-License-Identifier: Apache-2.0
#include "models/pe/lockstep_array.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace bvp {

namespace {

/// Kernels whose costs are remembered.
constexpr std::size_t known_kernels = 512;
constexpr Cycle no_cycle = ~Cycle{0};

}  // namespace

LockstepArray::LockstepArray(sc_core::sc_module_name module_name, const ArrayParameters& array,
                             const PeParameters& parameters, const ClockDomain& clock, StatGroup& parent_stats,
                             bool data)
    : sc_module(module_name),
      PeCore(name(), 0, array, parameters, parent_stats, data, std::make_shared<CalSchedules>()),
      config("config", static_cast<std::size_t>(array.rows * array.columns)),
      to_scratchpad("to_scratchpad", config.size()),
      to_mesh("to_mesh", config.size()),
      from_mesh("from_mesh", config.size()),
      to_sequencer("to_sequencer"),
      clock_(clock),
      rows_(static_cast<u32>(array.rows)),
      paces_(2 * config.size()) {
  for (std::size_t pe = 0; pe < config.size(); ++pe) {
    config[pe].register_b_transport(this, &LockstepArray::config_transport, static_cast<int>(pe));
    from_mesh[pe].register_b_transport(this, &LockstepArray::mesh_transport, static_cast<int>(pe));
    if (data) memories_.emplace_back(limits_.operand_vectors, limits_.accumulators, limits_.lanes);
  }
  SC_METHOD(run);
  sensitive << wake_;
  dont_initialize();
}

LockstepArray::~LockstepArray() = default;

// ---------------------------------------------------------------- sockets

void LockstepArray::config_transport(int pe, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  if (!payload.is_write() || payload.get_byte_enable_ptr() != nullptr) {
    payload.set_response_status(tlm::TLM_COMMAND_ERROR_RESPONSE);
    return;
  }
  if (payload.get_address() == stop_address) {
    if (pe == 0) stop(clock_.to_cycles(sc_core::sc_time_stamp() + delay));
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
    return;
  }
  const bool image = payload.get_address() == configure_address;
  if (!image && (payload.get_address() != launch_address || payload.get_data_length() != sizeof(LaunchRecord))) {
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    return;
  }
  // All PEs get the same; what PE 0 gets counts.
  bool ok = true;
  if (pe == 0 && image) {
    ok = configure(payload.get_data_ptr(), payload.get_data_length(),
                   clock_.to_cycles(sc_core::sc_time_stamp() + delay));
  } else if (pe == 0) {
    LaunchRecord record;
    std::memcpy(&record, payload.get_data_ptr(), sizeof(record));
    ok = launch(record, clock_.to_cycles(sc_core::sc_time_stamp() + delay));
  }
  payload.set_response_status(ok ? tlm::TLM_OK_RESPONSE : tlm::TLM_GENERIC_ERROR_RESPONSE);
}

void LockstepArray::mesh_transport(int, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  packet_arrival_ = clock_.to_cycles(sc_core::sc_time_stamp() + delay);
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

void LockstepArray::run() {
  running_ = true;
  now_ = clock_.now();
  for (;;) {
    wake_pending_ = false;
    advance_to(now_);
    if (!wake_pending_) break;
    const sc_core::sc_time next = clock_.to_time(wake_at_);
    if (next >= horizon_ || next - sc_core::sc_time_stamp() >= sc_core::sc_time_to_pending_activity()) break;
    now_ = wake_at_;
  }
  running_ = false;
  if (wake_pending_) wake_.notify(clock_.to_time(wake_at_) - sc_core::sc_time_stamp());
}

void LockstepArray::wake_at(Cycle cycle) {
  if (wake_pending_ && wake_at_ <= cycle) return;
  wake_pending_ = true;
  wake_at_ = cycle;
  if (!running_) wake_.notify(clock_.to_time(cycle) - sc_core::sc_time_stamp());
}

void LockstepArray::report_completion(u32 launch_number, u32 status) {
  if (status == 0) {
    end_journal();
  } else {
    close_journal();
    replay_.reset();
  }
  const u32 pes = context_ ? static_cast<u32>(context_->all_pes.size()) : 1;
  for (u32 pe = 0; pe < pes; ++pe) {
    LaunchCompletion completion{launch_number, status};
    tlm::tlm_generic_payload payload;
    payload.set_command(tlm::TLM_WRITE_COMMAND);
    payload.set_address(u64{array_index(pe)} * sizeof(completion));
    payload.set_data_ptr(reinterpret_cast<unsigned char*>(&completion));
    payload.set_data_length(sizeof(completion));
    payload.set_streaming_width(sizeof(completion));
    sc_core::sc_time delay = running_ ? ahead() : sc_core::SC_ZERO_TIME;
    to_sequencer->b_transport(payload, delay);
  }
}

// ---------------------------------------------------------------- the PEs of a kernel

u32 LockstepArray::array_index(u32 kernel_pe) const {
  if (!context_) return kernel_pe;
  const u32 columns = context_->program.pe_columns;
  return kernel_pe / columns * columns_ + kernel_pe % columns;
}

void LockstepArray::find_costs() {
  if (costed_ == context_.get()) return;
  if (costs_.size() >= known_kernels) {
    costs_.clear();
    entries_kept_ = 0;
  }
  KernelCosts& costs = costs_[context_];
  costs.segments.resize(context_->program.segments.size());
  costed_ = context_.get();
  known_ = &costs;
}

void LockstepArray::begin_firing(u32 segment, Cycle now, Wait waited_for) {
  find_active();
  if (caught_up_ != nullptr) {
    multiplicity_ = 0;
    all_active_ = nullptr;
  }
  if (journal_) write_firing(segment, now, waited_for);
}

std::optional<Cycle> LockstepArray::begin_launch(Launch& launch) {
  find_costs();
  ++known_->launches;
  add_shares(launch);
  for (VectorPace& pace : paces_) pace.reset();
  return begin_replay(launch);
}

void LockstepArray::add_shares(Launch& launch) const {
  if (context_->uniform) return;
  const auto& segments = context_->program.segments;
  for (const FirstIteration& first : context_->all_pes) {
    bool empty = false;
    for (std::size_t level = 0; level < instance_levels; ++level) {
      empty = empty || first[level] >= launch.record.counts[level];
    }
    const auto fires = [&](const SegmentProgram& segment) { return segment.scope == 0 ? !launch.resident : !empty; };
    launch.shares.push_back({static_cast<u32>(std::count_if(segments.begin(), segments.end(), fires)), launch.arrival});
  }
}

void LockstepArray::end_firing(Launch& launch, Cycle done) {
  if (journal_) complete_firing();
  if (context_->uniform) return;
  for (const u32 pe : ending_) {
    Share& share = launch.shares[pe];
    --share.unfinished;
    share.end = std::max(share.end, done);
    if (journal_) journal_->shares[pe] = {share.unfinished, share.end - launch.arrival};
  }
}

void LockstepArray::book(Unit unit, Cycle now, u64 issue, u64 special, u64 stall) {
  if (journal_) {
    LaunchJournal::Firing& firing = journal_->firings.back();
    firing.issue = issue;
    firing.special = special;
    firing.stall = stall;
  }
  book_busy(unit, now, issue, special, stall);
  const auto number = static_cast<std::size_t>(unit);
  if (!booked_[number].alike()) booked_[number].set(active_, units_[number].free_at);
}

void LockstepArray::book_wait(Unit unit, Cycle now, Wait reason) {
  const auto number = static_cast<std::size_t>(unit);
  BookedUntil& booked = booked_[number];
  Cycle& free_at = units_[number].free_at;
  u64 cycles = 0;
  if (booked.alike() && active_.size() == context_->all_pes.size()) {
    if (now > free_at) cycles = (now - free_at) * active_.size();
  } else {
    booked.differ(context_->all_pes.size(), free_at);
    cycles = booked.advance(active_, now);
  }
  free_at = std::max(free_at, now);
  if (journal_) journal_->firings.back().waited = cycles;
  if (caught_up_ == nullptr) count_wait(unit, reason, cycles);
}

void LockstepArray::book_rest(const Launch* ended, Cycle now) {
  const std::size_t pes = context_ ? context_->all_pes.size() : 0;
  for (std::size_t number = 0; number < unit_count; ++number) {
    BookedUntil& booked = booked_[number];
    Cycle& free_at = units_[number].free_at;
    if (ended != nullptr && journal_) {
      for (const Cycle until : booked.of_pe()) journal_->booked[number].push_back(until - launch_arrival_);
    }
    u64 drain = 0, rest = 0;
    const bool all_alike = booked.alike() && (ended == nullptr || ended->shares.empty());
    for (std::size_t pe = 0; pe < (all_alike ? std::min<std::size_t>(pes, 1) : pes); ++pe) {
      const Cycle begin = booked.alike() ? free_at : booked.of_pe()[pe];
      if (now <= begin) continue;
      Cycle end = ended != nullptr ? now : begin;
      if (ended != nullptr && !ended->shares.empty() && ended->shares[pe].unfinished == 0) {
        end = std::min(std::max(ended->shares[pe].end, begin), now);
      }
      drain += end - begin;
      rest += now - end;
    }
    const u64 each = all_alike ? pes : 1;
    count_wait(static_cast<Unit>(number), Wait::drain, drain * each);
    count_wait(static_cast<Unit>(number), Wait::no_kernel, rest * each);
    booked.unite();
    free_at = std::max(free_at, now);
  }
  book_outside(now);
}

void LockstepArray::book_outside(Cycle now) {
  if (now <= outside_booked_) return;
  const u64 outside = pes() - (context_ ? context_->all_pes.size() : 0);
  for (std::size_t number = 0; number < unit_count; ++number) {
    count_wait(static_cast<Unit>(number), Wait::no_kernel, (now - outside_booked_) * outside);
  }
  outside_booked_ = now;
}

u64 LockstepArray::take_active_cycles(Cycle from, Cycle now) {
  if (launches_.empty()) return 0;
  if (context_->uniform) return (now - from) * context_->all_pes.size();
  active_until_.resize(std::max(active_until_.size(), context_->all_pes.size()), 0);
  u64 cycles = 0;
  for (const Launch& launch : launches_) {
    for (std::size_t pe = 0; pe < launch.shares.size(); ++pe) {
      const Share& share = launch.shares[pe];
      const Cycle begin = std::max({from, launch.arrival, active_until_[pe]});
      const Cycle end = share.unfinished == 0 ? std::min(share.end, now) : now;
      if (end <= begin) continue;
      cycles += end - begin;
      active_until_[pe] = end;
    }
  }
  return cycles;
}

bool LockstepArray::all_go_on() const {
  const unsigned scope = context_->program.segments[firing_].scope;
  const SegmentState& state = state_[firing_];
  const LaunchRecord& record = launches_[state.launch - first_launch_].record;
  bool go_on = false;
  for (std::size_t level = 0; level < instance_levels; ++level) {
    const u64 iteration = level < scope ? state.iteration[level] : 0;
    const u64 step = context_->program.step[level], latest = context_->latest[level] + iteration * step;
    if (latest >= record.counts[level]) return false;
    go_on = go_on || (level < scope && latest + step < record.counts[level]);
  }
  return go_on;
}

void LockstepArray::find_active() {
  const bool all = context_->uniform || all_go_on();
  if (all && all_active_ == context_.get()) {
    ending_.clear();
    return;
  }
  all_active_ = all ? context_.get() : nullptr;
  const SegmentProgram& segment = context_->program.segments[firing_];
  const SegmentState& state = state_[firing_];
  const LaunchRecord& record = launches_[state.launch - first_launch_].record;
  active_.clear();
  ending_.clear();
  active_hops_ = 0;
  for (u32 pe = 0; pe < context_->all_pes.size(); ++pe) {
    const auto& start = context_->all_pes[pe];
    bool takes_part = true, last = true;
    for (std::size_t level = 0; level < instance_levels && segment.scope > 0; ++level) {
      // A PE without any iteration of a level has nothing to do in the launch.
      const u64 iteration = level < segment.scope ? state.iteration[level] : 0;
      const u64 step = context_->program.step[level], at = start[level] + iteration * step;
      takes_part = takes_part && at < record.counts[level];
      last = last && (level >= segment.scope || at + step >= record.counts[level]);
    }
    if (!takes_part) continue;
    active_.push_back(pe);
    if (last) ending_.push_back(pe);
    active_hops_ += array_index(pe) % columns_;
  }
  multiplicity_ = active_.size();
}

bool LockstepArray::all_within_bounds() const {
  const SegmentProgram& segment = context_->program.segments[firing_];
  const FirstBases& first = context_->bases[firing_];
  return within_bounds(segment, bases_at(first.lowest, distance_)) &&
         (first.lowest == first.highest || within_bounds(segment, bases_at(first.highest, distance_)));
}

// ---------------------------------------------------------------- costs

Cycle LockstepArray::Cost::mean_issue() const {
  return samples == 0 ? 0 : static_cast<Cycle>(std::lround(issue / samples));
}
Cycle LockstepArray::Cost::mean_latency() const {
  return samples == 0 ? 0 : static_cast<Cycle>(std::lround(latency / samples));
}

void LockstepArray::Cost::add(Cycle of_issue, Cycle of_latency) {
  ++samples;
  issue += static_cast<double>(of_issue);
  latency += static_cast<double>(of_latency);
}

bool LockstepArray::in_step() const {
  const auto& iteration = state_[firing_].iteration;
  const bool first = std::all_of(iteration.begin(), iteration.end(), [](u32 i) { return i == 0; });
  return first || known_->exchanges != known_->segments[firing_].exchanges;
}

void LockstepArray::begin_learning() {
  close_journal();
  KernelCosts::OfSegment& costs = known_->segments[firing_];
  if (costs.slowest.samples == 0) costs.first_launch = known_->launches;
}

bool LockstepArray::learns() const {
  const KernelCosts::OfSegment& costs = known_->segments[firing_];
  if (costs.slowest.samples == 0) return true;
  return costs.slowest.samples < learning_firings && known_->launches < costs.first_launch + learning_launches;
}

LockstepArray::Time LockstepArray::unhindered_cost(Cycle alone) const {
  const KernelCosts::OfSegment& costs = known_->segments[firing_];
  if (in_step()) return {costs.slowest.mean_issue(), costs.slowest.mean_latency()};
  return {costs.least_hindered.mean_issue() + alone, costs.least_hindered.mean_latency() + alone - 1 + costs.unloaded};
}

Cycle LockstepArray::issue_alone(Unit unit, Cycle now) {
  const KernelCosts::OfSegment& costs = known_->segments[firing_];
  return pace(unit, costs.farthest).issue(costs.limits, now, context_->program.segments[firing_].transfers.size());
}

LockstepArray::Time LockstepArray::cost_now(Cycle alone) const {
  Time cost = unhindered_cost(alone);
  const KernelCosts::OfSegment& costs = known_->segments[firing_];
  const bool in_turn = vector_access_.turns != nullptr;
  if (in_step()) {
    const Cycle turn = in_turn ? vector_access_.turn_cycles : costs.turn.mean_latency();
    cost.issue += turn;
    cost.latency += turn;
  }
  if (last_of_launch()) {
    cost.latency = std::max(cost.latency, in_turn ? vector_access_.drain_cycles : costs.drain.mean_latency());
  }
  return cost;
}

bool LockstepArray::last_of_launch() const {
  const auto& iteration = state_[firing_].iteration;
  const auto& iterations = launches_[state_[firing_].launch - first_launch_].iterations;
  const unsigned scope = context_->program.segments[firing_].scope;
  return std::equal(iteration.begin(), iteration.begin() + scope, iterations.begin(),
                    [](u32 i, u32 count) { return i + 1 == count; });
}

// ---------------------------------------------------------------- Load and Store

bool LockstepArray::within_memory(const SegmentProgram& segment, const StreamBases& bases, bool all_sound) {
  if (all_sound || within_bounds(segment, bases)) return true;
  fail(fmt::format("segment {} reaches outside of the operand memory", firing_));
  return false;
}

void LockstepArray::prepare_access(Unit unit, u16* words) {
  vector_access_.addresses = addresses_.data();
  vector_access_.lanes = limits_.lanes;
  payload_.set_command(unit == Unit::load ? tlm::TLM_READ_COMMAND : tlm::TLM_WRITE_COMMAND);
  payload_.set_address(addresses_.front() & ~VectorAccess::column_flag);
  payload_.set_data_ptr(reinterpret_cast<unsigned char*>(words));
  payload_.set_data_length(vector_access_.count * limits_.lanes * 2);
  payload_.set_streaming_width(payload_.get_data_length());
  payload_.set_byte_enable_ptr(nullptr);
  payload_.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  payload_.set_extension(&vector_access_);
}

bool LockstepArray::access_scratchpad(Unit unit, u32 pe, u16* words, sc_core::sc_time& delay) {
  prepare_access(unit, words);
  to_scratchpad[array_index(pe)]->b_transport(payload_, delay);
  payload_.clear_extension(&vector_access_);
  if (!payload_.is_response_error()) return true;
  fail(fmt::format("the scratchpad refused a {} at {:#x}: {}", unit_names[static_cast<std::size_t>(unit)],
                   payload_.get_address(), payload_.get_response_string()));
  return false;
}

bool LockstepArray::transfer(Unit unit, u32 pe, const SegmentProgram& segment, const StreamBases& bases,
                             Transaction& transaction) {
  const bool load = unit == Unit::load;
  const std::size_t count = segment.transfers.size();
  place_vectors(unit, segment, bases);
  vector_access_.untimed_copies = 0;
  const u32 lanes = limits_.lanes;
  const auto vector = [&](std::size_t i) {
    const Access& access = load ? segment.transfers[i].d : segment.transfers[i].a;
    return memories_[pe].vector(bases[access.stream] + access.offset);
  };
  buffer_.resize(std::max(buffer_.size(), count * lanes));
  for (std::size_t i = 0; data_ && !load && i < count; ++i)
    std::memcpy(buffer_.data() + i * lanes, vector(i), std::size_t{lanes} * 2);
  sc_core::sc_time delay = ahead();
  vector_access_.deferred = true;
  const bool taken = access_scratchpad(unit, pe, buffer_.data(), delay);
  vector_access_.deferred = false;
  if (!taken) return false;
  for (std::size_t i = 0; data_ && load && i < count; ++i)
    std::memcpy(vector(i), buffer_.data() + i * lanes, std::size_t{lanes} * 2);
  transaction = {pe,
                 vector_access_.ticket,
                 std::max<u64>(count, vector_access_.issue_cycles),
                 clock_.to_cycles(delay - ahead()),
                 vector_access_.unloaded_cycles,
                 vector_access_.limits};
  return true;
}

void LockstepArray::conclude(Transaction& transaction) {
  if (transaction.ticket == 0) return;
  vector_access_.ticket = transaction.ticket;
  vector_access_.times = nullptr;
  payload_.set_command(tlm::TLM_IGNORE_COMMAND);
  payload_.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  payload_.set_extension(&vector_access_);
  vector_access_.count = 0;
  sc_core::sc_time delay = ahead();
  to_scratchpad[array_index(transaction.pe)]->b_transport(payload_, delay);
  payload_.clear_extension(&vector_access_);
  transaction.issue = std::max(transaction.issue, vector_access_.progress.issue_end - now_);
  transaction.latency = vector_access_.progress.end - now_;
}

std::optional<Cycle> LockstepArray::transfer_timed(Unit unit) {
  KernelCosts::OfSegment& costs = known_->segments[firing_];
  const SegmentProgram& segment = context_->program.segments[firing_];
  Cycle least_issue = no_cycle, least_latency = no_cycle, most_issue = 0, most_latency = 0, longest = 0;
  const bool sound = all_within_bounds();
  transactions_.resize(active_.size());
  for (std::size_t i = 0; i < active_.size(); ++i) {
    const StreamBases bases = bases_at(context_->bases[firing_].of_pe[active_[i]], distance_);
    if (!within_memory(segment, bases, sound) || !transfer(unit, active_[i], segment, bases, transactions_[i])) {
      return std::nullopt;
    }
  }
  for (Transaction& transaction : transactions_) {
    conclude(transaction);
    const Cycle alone = pace(unit, transaction.pe).issue(transaction.limits, now_, segment.transfers.size());
    const auto beyond = [](Cycle cycles, Cycle unhindered) { return cycles - std::min(cycles, unhindered); };
    least_issue = std::min(least_issue, beyond(transaction.issue, alone));
    least_latency = std::min(least_latency, beyond(transaction.latency, alone - 1 + transaction.unloaded));
    longest = std::max(longest, alone);
    most_issue = std::max(most_issue, transaction.issue);
    most_latency = std::max(most_latency, transaction.latency);
    if (transaction.unloaded > costs.unloaded) {
      costs.farthest = transaction.pe;
      costs.unloaded = transaction.unloaded;
      costs.limits = transaction.limits;
    }
  }
  costs.slowest.add(most_issue, most_latency);
  costs.least_hindered.add(least_issue, least_latency);
  return longest;
}

void LockstepArray::place_vectors(Unit unit, const SegmentProgram& segment, const StreamBases& bases) {
  const std::size_t count = segment.transfers.size();
  addresses_.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const Access& access = unit == Unit::load ? segment.transfers[i].a : segment.transfers[i].d;
    addresses_[i] = static_cast<u32>(bases[access.stream] + access.offset);
  }
  vector_access_.count = static_cast<u32>(count);
  vector_access_.untimed_places = nullptr;
  vector_access_.turns = nullptr;
}

bool LockstepArray::count_vectors(Unit unit, u32 pe, const SegmentProgram& segment, const StreamBases& bases,
                                  u32 copies, u64 hops, CycleSpan when) {
  place_vectors(unit, segment, bases);
  vector_access_.untimed_copies = copies;
  vector_access_.untimed_hops = hops;
  vector_access_.untimed_span = when;
  sc_core::sc_time delay = ahead();
  return access_scratchpad(unit, pe, nullptr, delay);
}

bool LockstepArray::transfer_untimed(Unit unit, Cycle alone) {
  const bool load = unit == Unit::load;
  const SegmentProgram& segment = context_->program.segments[firing_];
  const std::size_t count = segment.transfers.size();
  KernelCosts::OfSegment& costs = known_->segments[firing_];
  const bool in_turn = costs.drain.samples < turn_launches;
  const bool sound = all_within_bounds();
  const auto bases_of = [&](u32 pe) { return bases_at(context_->bases[firing_].of_pe[pe], distance_); };
  const CycleSpan when{now_, now_ + std::max<Cycle>(count, unhindered_cost(alone).issue)};
  if (!data_ && !in_turn) {
    // One PE's addresses stand for those of all.
    const u32 pe = active_.front();
    const StreamBases bases = bases_of(pe);
    return within_memory(segment, bases, sound) &&
           count_vectors(unit, pe, segment, bases, static_cast<u32>(active_.size()), active_hops_, when);
  }
  addresses_.resize(count * active_.size());
  places_.resize(data_ ? addresses_.size() : 0);
  for (std::size_t i = 0; i < active_.size(); ++i) {
    const u32 pe = active_[i];
    const StreamBases bases = bases_of(pe);
    if (!within_memory(segment, bases, sound)) return false;
    u32* address = addresses_.data() + i * count;
    for (const Transfer& transfer : segment.transfers) {
      const Access& access = load ? transfer.a : transfer.d;
      *address++ = static_cast<u32>(bases[access.stream] + access.offset);
    }
    if (!data_) continue;
    u16** place = places_.data() + i * count;
    OperandMemory& memory = memories_[pe];
    for (const Transfer& transfer : segment.transfers) {
      const Access& access = load ? transfer.d : transfer.a;
      *place++ = memory.vector(bases[access.stream] + access.offset);
    }
  }
  vector_access_.count = static_cast<u32>(count);
  vector_access_.untimed_copies = static_cast<u32>(active_.size());
  vector_access_.untimed_hops = active_hops_;
  vector_access_.untimed_span = when;
  vector_access_.untimed_places = data_ ? places_.data() : nullptr;
  vector_access_.turns = in_turn ? &costs.turns : nullptr;
  sc_core::sc_time delay = ahead();
  if (!access_scratchpad(unit, active_.front(), nullptr, delay)) return false;
  if (in_turn) close_journal();
  if (in_turn && in_step()) costs.turn.add(0, vector_access_.turn_cycles);
  if (in_turn && last_of_launch()) costs.drain.add(0, vector_access_.drain_cycles);
  return true;
}

std::optional<Cycle> LockstepArray::transfer_all(Unit unit, Cycle now) {
  const std::size_t count = context_->program.segments[firing_].transfers.size();
  const bool timed = learns();
  if (timed) begin_learning();
  Cycle alone = 0;
  if (caught_up_ != nullptr) vector_access_.turns = nullptr;
  if (timed && caught_up_ == nullptr) {
    const std::optional<Cycle> longest = transfer_timed(unit);
    if (!longest) return std::nullopt;
    alone = *longest;
  } else {
    alone = issue_alone(unit, now);
    if (caught_up_ == nullptr && !transfer_untimed(unit, alone)) return std::nullopt;
  }
  const Time cost = timed ? unhindered_cost(alone) : cost_now(alone);
  const Cycle busy = std::max<u64>(cost.issue, count);
  (unit == Unit::load ? operand_writes_ : operand_reads_).add(count * multiplicity_, now, now + busy);
  known_->segments[firing_].exchanges = known_->exchanges;
  book(unit, now, count, 0, busy - count);
  Cycle& in_order = units_[static_cast<std::size_t>(unit)].last_done;
  in_order = std::max(in_order, now + cost.latency);
  return in_order;
}

std::optional<Cycle> LockstepArray::start_load(const SegmentProgram&, const StreamBases&, Cycle now, u32&) {
  return transfer_all(Unit::load, now);
}

std::optional<Cycle> LockstepArray::start_store(const SegmentProgram&, const StreamBases&, Cycle now) {
  return transfer_all(Unit::store, now);
}

// ---------------------------------------------------------------- Flow

u32 LockstepArray::hops(const std::vector<u32>& pes, u32 mask) const {
  const auto apart = [](u32 a, u32 b) { return a > b ? a - b : b - a; };
  u32 sum = 0;
  for (const u32 pe : pes) {
    const u32 a = array_index(pe), b = array_index(pe ^ mask);
    sum += apart(a % columns_, b % columns_) + apart(a / columns_, b / columns_);
  }
  return sum;
}

void LockstepArray::send_packet(u32 pe, u32 mask, u32 vectors, sc_core::sc_time& delay) {
  const u32 from = array_index(pe), to = array_index(pe ^ mask);
  flow_packet_.source = from;
  flow_packet_.destination = to;
  flow_packet_.count = vectors;
  flow_packet_.slots = slots_.data();
  flow_packet_.edge = FlowPacket::no_edge;
  payload_.set_command(tlm::TLM_WRITE_COMMAND);
  payload_.set_address(to);
  payload_.set_data_ptr(vectors == 0 ? nullptr : reinterpret_cast<unsigned char*>(buffer_.data()));
  payload_.set_data_length(vectors * limits_.lanes * 2);
  payload_.set_streaming_width(payload_.get_data_length());
  payload_.set_byte_enable_ptr(nullptr);
  payload_.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  payload_.set_extension(&flow_packet_);
  to_mesh[from]->b_transport(payload_, delay);
  payload_.clear_extension(&flow_packet_);
}

void LockstepArray::exchange(u32 pe, u32 mask, u32 vectors, Cycle& issue, Cycle& latency) {
  flow_packet_.untimed_copies = 0;
  flow_packet_.untimed_hops = 0;
  sc_core::sc_time delay = ahead();
  packet_arrival_.reset();
  send_packet(pe, mask, vectors, delay);
  issue += clock_.to_cycles(delay - ahead());
  if (packet_arrival_) latency += *packet_arrival_ - now_;
}

void LockstepArray::count_packets(u32 mask, u32 vectors, u32 packets, u64 hops, CycleSpan when) {
  if (caught_up_ != nullptr) {
    ++caught_packets_;
    return;
  }
  if (journal_) write_packets(mask, vectors, packets, hops, 0);
  flow_packet_.untimed_copies = packets;
  flow_packet_.untimed_hops = hops;
  flow_packet_.untimed_span = when;
  sc_core::sc_time delay = ahead();
  send_packet(0, mask, vectors, delay);
}

std::optional<Cycle> LockstepArray::start_flow(const SegmentProgram& segment, const StreamBases&, unsigned last,
                                               Cycle now) {
  const u32 lanes = limits_.lanes;
  const auto pes = static_cast<u32>(context_->all_pes.size());
  const std::size_t count = segment.transfers.size();
  Cost& cost = known_->segments[firing_].slowest;
  const bool timed = learns();
  if (timed) begin_learning();
  ++known_->exchanges;
  // What all PEs send is read before anything is written.
  sent_.clear();
  const std::size_t pitch = data_ ? memories_.front().pitch() : 0;
  sent_words_.resize(active_.size() * count * pitch);
  u16* words = sent_words_.data();
  const bool sound = all_within_bounds();
  const auto peer_exists = [&](const Transfer& transfer) { return transfer.peer_mask < pes; };
  const bool all_the_same =
      !data_ && sound && std::all_of(segment.transfers.begin(), segment.transfers.end(), peer_exists);
  for (std::size_t i = 0; i < active_.size() && !all_the_same; ++i) {
    const u32 pe = active_[i];
    const StreamBases bases = bases_at(context_->bases[firing_].of_pe[pe], distance_);
    if (!within_memory(segment, bases, sound)) return std::nullopt;
    for (const Transfer& transfer : segment.transfers) {
      const i64 slot = bases[transfer.d.stream] + transfer.d.offset;
      if (!peer_exists(transfer) || slot < 0 || slot >= i64{limits_.operand_vectors}) {
        fail(fmt::format("a vector is sent to vector {} of PE {}, the kernel has {}", slot, pe ^ transfer.peer_mask,
                         pes));
        return std::nullopt;
      }
      if (!data_) continue;
      memories_[pe].read(bases[transfer.a.stream] + transfer.a.offset, words);
      words += pitch;
      sent_.push_back({pe ^ transfer.peer_mask, slot});
    }
  }
  for (std::size_t i = 0; i < sent_.size(); ++i) {
    memories_[sent_[i].pe].write(sent_[i].slot, sent_words_.data() + i * pitch);
  }

  // Packets of equal destination, in order; all PEs send theirs at the same time.
  slots_.assign(count, 0);
  buffer_.resize(std::max(buffer_.size(), count * lanes));
  Cycle issue = 0, latency = 0;
  for (std::size_t begin = 0, end = 0; begin < count; begin = end) {
    const u32 mask = segment.transfers[begin].peer_mask;
    for (end = begin; end < count && segment.transfers[end].peer_mask == mask;) ++end;
    const auto vectors = static_cast<u32>(end - begin);
    if (!timed) {
      count_packets(mask, vectors, static_cast<u32>(active_.size()), hops(active_, mask),
                    {now, now + std::max<u64>(count, cost.mean_issue())});
      continue;
    }
    Cycle slowest_sent = 0, slowest_there = 0;
    for (const u32 pe : active_) {
      Cycle sent = 0, there = 0;
      exchange(pe, mask, vectors, sent, there);
      slowest_sent = std::max(slowest_sent, sent);
      slowest_there = std::max(slowest_there, there);
    }
    issue += slowest_sent;
    latency += slowest_there;
  }
  if (timed) cost.add(issue, latency);
  const Cycle arrival = now + cost.mean_latency();
  for (const u32 edge : segment.out_edges) {
    const EdgeProgram& target = context_->program.edges[edge];
    if (target.rides && target.scope >= last) expect_token(edge, arrival);
  }
  const u64 busy = std::max<u64>(count, cost.mean_issue());
  operand_reads_.add(count * multiplicity_, now, now + busy);
  operand_writes_.add(count * multiplicity_, now, now + busy);
  book(Unit::flow, now, count, 0, busy - count);
  return now + busy;
}

void LockstepArray::send_token(u32 edge, Cycle now) {
  // All partners send theirs at the same time: one is timed, the others are counted.
  const u32 mask = context_->program.edges[edge].peer_mask;
  Cycle issue = 0, latency = 0;
  if (caught_up_ != nullptr) {
    latency = caught_up_->packets.at(caught_packets_++).latency;
  } else {
    exchange(0, mask, 0, issue, latency);
  }
  others_.resize(context_->all_pes.size() - 1);
  std::iota(others_.begin(), others_.end(), 1);
  if (journal_) write_packets(mask, 0, 1, hops({0}, mask), latency);
  count_packets(mask, 0, static_cast<u32>(others_.size()), hops(others_, mask), {now, now});
  expect_token(edge, now + latency);
}

// ---------------------------------------------------------------- Cal

Cycle LockstepArray::start_cal(u32 segment, const StreamBases& first, Cycle now) {
  const SegmentProgram& program = context_->program.segments[segment];
  const bool sound = all_within_bounds();
  for (std::size_t i = 0; data_ && i < active_.size(); ++i) {
    const StreamBases bases = bases_at(context_->bases[segment].of_pe[active_[i]], distance_);
    if (!within_memory(program, bases, sound)) break;
    cal_.execute(program, bases, memories_[active_[i]]);
  }
  const CalSchedule& schedule = schedule_of(segment, first);
  count_cal(schedule, now, now + schedule.issue + schedule.special + schedule.latency);
  book(Unit::cal, now, schedule.issue, schedule.special, schedule.latency);
  return now + schedule.completion;
}

}  // namespace bvp
