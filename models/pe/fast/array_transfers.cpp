// SPDX-License-Identifier: Apache-2.0
#include "models/pe/fast/array_transfers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace bvp {

bool all_within_bounds(const KernelLimits& limits, const Context& context, const Firing& firing) {
  const SegmentProgram& segment = context.program.segments[firing.segment];
  const FirstBases& first = context.pes.bases[firing.segment];
  return within_bounds(limits, segment, bases_at(first.lowest, firing.distance)) &&
         (first.lowest == first.highest || within_bounds(limits, segment, bases_at(first.highest, firing.distance)));
}

std::string out_of_memory(u32 segment) {
  return fmt::format("segment {} reaches outside of the operand memory", segment);
}

ArrayTransfers::ArrayTransfers(std::vector<tlm::tlm_initiator_socket<>*> sockets, const ClockDomain& clock,
                               const KernelLimits& limits)
    : sockets_(std::move(sockets)), clock_(clock), limits_(limits), paces_(2 * sockets_.size()) {
  access_.lanes = limits.lanes;
}

void ArrayTransfers::begin_launch() {
  for (VectorPace& pace : paces_) pace.reset();
}

Cycle ArrayTransfers::issue_alone(const Firing& firing, std::size_t vectors, const LearnedCosts& costs) {
  return pace(firing.unit, costs.farthest(firing.segment)).issue(costs.limits(firing.segment), firing.now, vectors);
}

// ---------------------------------------------------------------- accesses

std::string ArrayTransfers::out_of_bounds(u32 segment, const SegmentProgram& program, const StreamBases& bases,
                                          bool all_sound) const {
  return all_sound || within_bounds(limits_, program, bases) ? std::string() : out_of_memory(segment);
}

void ArrayTransfers::reset_access() {
  addresses_.clear();
  access_.untimed_copies = 0;
  access_.untimed_places = nullptr;
  access_.turns = nullptr;
  access_.deferred = false;
}

void ArrayTransfers::add_addresses(const SegmentProgram& segment, const StreamBases& bases) {
  for (const Transfer& transfer : segment.transfers) {
    const Access& access = segment.unit == Unit::load ? transfer.a : transfer.d;
    addresses_.push_back(static_cast<u32>(bases[access.stream] + access.offset));
  }
}

void ArrayTransfers::add_places(const SegmentProgram& segment, const StreamBases& bases, OperandMemory& memory) {
  for (const Transfer& transfer : segment.transfers) {
    const Access& access = segment.unit == Unit::load ? transfer.d : transfer.a;
    places_.push_back(memory.vector(bases[access.stream] + access.offset));
  }
}

std::string ArrayTransfers::send(Unit unit, u32 array_pe, std::size_t vectors, u16* words, sc_core::sc_time& delay) {
  access_.addresses = addresses_.data();
  access_.count = static_cast<u32>(vectors);
  const u64 address = addresses_.front() & ~VectorAccess::column_flag;
  payload_.set_extension(&access_);
  access(*sockets_[array_pe], payload_, unit == Unit::load ? tlm::TLM_READ_COMMAND : tlm::TLM_WRITE_COMMAND, address,
         words, static_cast<u32>(vectors * limits_.lanes * 2), delay);
  payload_.clear_extension(&access_);
  if (!payload_.is_response_error()) return {};
  return fmt::format("the scratchpad refused a {} at {:#x}: {}", unit_names[static_cast<std::size_t>(unit)], address,
                     payload_.get_response_string());
}

// ---------------------------------------------------------------- with all PEs at once

std::string ArrayTransfers::begin(const Request& request, u32 pe, const StreamBases& bases, Transaction& transaction) {
  const SegmentProgram& segment = request.segment();
  const std::size_t count = segment.transfers.size();
  const bool load = segment.unit == Unit::load, data = request.memories != nullptr;
  const u32 lanes = limits_.lanes;
  const auto vector = [&](std::size_t i) {
    const Access& access = load ? segment.transfers[i].d : segment.transfers[i].a;
    return (*request.memories)[pe].vector(bases[access.stream] + access.offset);
  };
  reset_access();
  add_addresses(segment, bases);
  words_.resize(std::max(words_.size(), count * lanes));
  for (std::size_t i = 0; data && !load && i < count; ++i) {
    std::memcpy(words_.data() + i * lanes, vector(i), std::size_t{lanes} * 2);
  }
  sc_core::sc_time delay = ahead(request.firing.now);
  access_.deferred = true;
  std::string error = send(segment.unit, request.context.pes.places[pe], count, words_.data(), delay);
  access_.deferred = false;
  if (!error.empty()) return error;
  for (std::size_t i = 0; data && load && i < count; ++i) {
    std::memcpy(vector(i), words_.data() + i * lanes, std::size_t{lanes} * 2);
  }
  transaction.pe = pe;
  transaction.ticket = access_.ticket;
  transaction.time.issue = std::max<u64>(count, access_.issue_cycles);
  transaction.time.latency = clock_.to_cycles(delay - ahead(request.firing.now));
  transaction.unloaded = access_.unloaded_cycles;
  transaction.limits = access_.limits;
  return {};
}

void ArrayTransfers::conclude(const Context& context, Transaction& transaction, Cycle now) {
  if (transaction.ticket == 0) return;
  access_.ticket = transaction.ticket;
  access_.times = nullptr;
  access_.count = 0;
  payload_.set_extension(&access_);
  sc_core::sc_time delay = ahead(now);
  access(*sockets_[context.pes.places[transaction.pe]], payload_, tlm::TLM_IGNORE_COMMAND, 0, nullptr, 0, delay);
  payload_.clear_extension(&access_);
  transaction.time.issue = std::max(transaction.time.issue, access_.progress.issue_end - now);
  transaction.time.latency = access_.progress.end - now;
}

ArrayTransfers::Timed ArrayTransfers::timed(const Request& request) {
  const Firing& firing = request.firing;
  const SegmentProgram& segment = request.segment();
  const bool sound = all_within_bounds(limits_, request.context, firing);
  const std::vector<u32>& pes = request.active.pes;
  Timed result;
  transactions_.resize(pes.size());
  for (std::size_t i = 0; i < pes.size(); ++i) {
    const StreamBases bases = bases_at(request.context.pes.bases[firing.segment].of_pe[pes[i]], firing.distance);
    result.error = out_of_bounds(firing.segment, segment, bases, sound);
    if (result.error.empty()) result.error = begin(request, pes[i], bases, transactions_[i]);
    if (!result.error.empty()) return result;
  }
  TransferSample& sample = result.sample;
  sample.least_hindered = {~Cycle{0}, ~Cycle{0}};
  for (Transaction& transaction : transactions_) {
    conclude(request.context, transaction, firing.now);
    const FiringTime& time = transaction.time;
    const Cycle alone =
        pace(firing.unit, transaction.pe).issue(transaction.limits, firing.now, segment.transfers.size());
    const auto beyond = [](Cycle cycles, Cycle unhindered) { return cycles - std::min(cycles, unhindered); };
    FiringTime& least = sample.least_hindered;
    least.issue = std::min(least.issue, beyond(time.issue, alone));
    least.latency = std::min(least.latency, beyond(time.latency, alone - 1 + transaction.unloaded));
    result.alone = std::max(result.alone, alone);
    sample.slowest.issue = std::max(sample.slowest.issue, time.issue);
    sample.slowest.latency = std::max(sample.slowest.latency, time.latency);
    if (transaction.unloaded <= sample.unloaded) continue;
    sample.farthest = transaction.pe;
    sample.unloaded = transaction.unloaded;
    sample.limits = transaction.limits;
  }
  return result;
}

// ---------------------------------------------------------------- without time

std::string ArrayTransfers::count(const Count& count, Cycle now) {
  const SegmentProgram& segment = count.context.program.segments[count.segment];
  reset_access();
  add_addresses(segment, count.bases);
  access_.untimed_copies = static_cast<u32>(count.firings);
  access_.untimed_hops = count.hops;
  access_.untimed_span = count.when;
  sc_core::sc_time delay = ahead(now);
  return send(segment.unit, 0, segment.transfers.size(), nullptr, delay);
}

std::string ArrayTransfers::untimed(const Request& request, Cycle issue, std::vector<Cycle>* turns, BankWait& wait) {
  const Firing& firing = request.firing;
  const SegmentProgram& segment = request.segment();
  const std::vector<u32>& pes = request.active.pes;
  const std::size_t count = segment.transfers.size();
  const bool data = request.memories != nullptr;
  const bool sound = all_within_bounds(limits_, request.context, firing);
  reset_access();
  places_.clear();
  // If neither data nor banks matter, the addresses of one PE stand for those of all PEs.
  const std::size_t looked_at = data || turns != nullptr ? pes.size() : 1;
  for (std::size_t i = 0; i < looked_at; ++i) {
    const StreamBases bases = bases_at(request.context.pes.bases[firing.segment].of_pe[pes[i]], firing.distance);
    std::string error = out_of_bounds(firing.segment, segment, bases, sound);
    if (!error.empty()) return error;
    add_addresses(segment, bases);
    if (data) add_places(segment, bases, (*request.memories)[pes[i]]);
  }
  access_.untimed_copies = static_cast<u32>(pes.size());
  access_.untimed_hops = request.active.hops;
  access_.untimed_span = {firing.now, firing.now + std::max<Cycle>(count, issue)};
  access_.untimed_places = data ? places_.data() : nullptr;
  access_.turns = turns;
  sc_core::sc_time delay = ahead(firing.now);
  std::string error = send(firing.unit, request.context.pes.places[pes.front()], count, nullptr, delay);
  if (error.empty() && turns != nullptr) wait = {access_.turn_cycles, access_.drain_cycles};
  return error;
}

bool ArrayTransfers::would_take(const Context& context, u32 segment, const StreamBases& bases) {
  const SegmentProgram& program = context.program.segments[segment];
  reset_access();
  add_addresses(program, bases);
  access_.untimed_copies = 1;
  access_.addresses = addresses_.data();
  access_.count = static_cast<u32>(addresses_.size());
  const u32 bytes = access_.count * limits_.lanes * 2;
  prepare(payload_, program.unit == Unit::load ? tlm::TLM_READ_COMMAND : tlm::TLM_WRITE_COMMAND,
          addresses_.front() & ~VectorAccess::column_flag, nullptr, bytes);
  payload_.set_extension(&access_);
  const unsigned taken = (*sockets_[0])->transport_dbg(payload_);
  payload_.clear_extension(&access_);
  return taken == bytes;
}

}  // namespace bvp
