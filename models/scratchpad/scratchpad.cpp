// SPDX-License-Identifier: Apache-2.0
// The scratchpad's data and timing.
#include "models/scratchpad/scratchpad.h"

#include <algorithm>
#include <cstring>

#include "models/base/report.h"
#include "models/transport/bulk_traffic.h"
#include "models/transport/check.h"

namespace bvp {

namespace {

/// Initiators that run ahead of simulated time make reservations, too: this many cycles are remembered.
constexpr u64 calendar_window = 65536;

u64 checked_size(const char* name, const ScratchpadParameters& parameters, u32 lanes) {
  const auto size = static_cast<u64>(parameters.size_bytes), tile_bytes = 2 * u64{lanes} * lanes;
  if (size % tile_bytes != 0) {
    report_error(name, "size_bytes is {}, it must be a multiple of a tile of {} x {} fp16 values, {} bytes", size,
                 lanes, lanes, tile_bytes);
  }
  return size;
}

/// The exclusive-or of all digits of a tile's index to the base of the number of banks: power-of-two strides spread.
u8 fold(u64 tile, u64 banks) {
  u64 bank = 0;
  if (banks > 1) {
    for (; tile != 0; tile /= banks) bank ^= tile % banks;
  }
  return static_cast<u8>(bank);
}

}  // namespace

Scratchpad::Counters::Counters(StatGroup* group)
    : vector_reads(group, "vector_reads", "vectors", "vectors read by the PEs"),
      vector_writes(group, "vector_writes", "vectors", "vectors written by the PEs"),
      column_accesses(group, "column_accesses", "vectors", "of these, the column-wise ones"),
      conflict_cycles(group, "conflict_cycles", "cycles",
                      "cycles that vectors waited for a bank or the PE's return port, summed"),
      outstanding_cycles(
          group, "outstanding_cycles", "cycles",
          "cycles that a PE issued nothing because too many vectors were under way or waited for banks, summed"),
      linear_bytes_read(group, "linear_bytes_read", "bytes", "bytes read through the linear port"),
      linear_bytes_written(group, "linear_bytes_written", "bytes", "bytes written through the linear port"),
      linear_conflict_cycles(group, "linear_conflict_cycles", "cycles",
                             "cycles that rows of the linear port waited for the port or a bank, summed"),
      ecc_corrected(group, "ecc_corrected", "words", "words of 64 bits with one wrong bit that the code corrected"),
      ecc_detected(group, "ecc_detected", "words", "accesses to words that the code could not correct") {}

Scratchpad::Scratchpad(sc_core::sc_module_name name, const ArrayParameters& array,
                       const ScratchpadParameters& parameters, const ClockDomain& clock, CycleAgenda& agenda,
                       StatGroup& parent_stats, bool data)
    : sc_module(name),
      linear("linear"),
      vector("vector", static_cast<std::size_t>(array.rows * array.columns)),
      clock_(clock),
      lanes_(static_cast<u32>(array.lanes)),
      row_bytes_(2 * lanes_),
      linear_beat_{std::max(row_bytes_, static_cast<u32>(parameters.linear_bytes)),
                   static_cast<Cycle>(parameters.request_latency), static_cast<Cycle>(parameters.array_latency),
                   static_cast<Cycle>(parameters.response_latency)},
      vector_port_{static_cast<u32>(parameters.queue_entries), static_cast<u32>(parameters.outstanding)},
      column_access_(parameters.column_access),
      data_(data),
      stats_(basename()),
      counters_(&stats_),
      storage_(checked_size(basename(), parameters, lanes_), lanes_),
      bank_of_tile_(storage_.size() >> storage_.tile_shift()),
      bank_ports_(parameters, calendar_window),
      bank_accesses_(static_cast<std::size_t>(parameters.banks), 0),
      turns_(bank_accesses_.size(), static_cast<u32>(parameters.ports)),
      linear_port_(calendar_window),
      queues_(array, parameters, bank_ports_, bank_accesses_),
      listeners_(vector.size(), nullptr),
      safety_{parameters.ecc.get() == "secded"},
      agenda_(agenda),
      agenda_number_(agenda.add(*this)) {
  if (std::string(parameters.arbiter) == "oldest_firing") {
    bookings_.emplace(array, parameters, bank_ports_, bank_accesses_);
  }
  for (u64 tile = 0; tile < bank_of_tile_.size(); ++tile) {
    bank_of_tile_[tile] = fold(tile, static_cast<u64>(parameters.banks));
  }
  linear.register_b_transport(this, &Scratchpad::linear_transport);
  linear.register_transport_dbg(this, &Scratchpad::linear_debug);
  for (std::size_t pe = 0; pe < vector.size(); ++pe) {
    vector[pe].register_b_transport(this, &Scratchpad::vector_transport, static_cast<int>(pe));
    vector[pe].register_transport_dbg(this, &Scratchpad::vector_debug, static_cast<int>(pe));
  }
  parent_stats.add(&stats_);
}

Scratchpad::~Scratchpad() = default;

// ---------------------------------------------------------------- vector ports

tlm::tlm_response_status Scratchpad::check_vectors(const tlm::tlm_generic_payload& payload,
                                                   const VectorAccess* access) const {
  if (access == nullptr || access->lanes != lanes_) return tlm::TLM_GENERIC_ERROR_RESPONSE;
  const tlm::tlm_response_status status = check(payload, PayloadRules::of_length(u64{access->count} * row_bytes_));
  if (status != tlm::TLM_OK_RESPONSE || access->count == 0) return status;
  const bool no_data = payload.get_data_ptr() == nullptr && access->untimed_copies == 0;
  if (no_data || access->addresses == nullptr) return tlm::TLM_GENERIC_ERROR_RESPONSE;
  const u32 size = static_cast<u32>(storage_.size());
  const u32 tile_mask = (u32{1} << storage_.tile_shift()) - 1;
  const u32 within_row = row_bytes_ - 1;
  bool wrong = false;
  u32 columns = 0;
  const std::size_t entries = access->entries();
  for (std::size_t i = 0; i < entries; ++i) {
    const u32 entry = access->addresses[i];
    const u32 offset = entry & ~VectorAccess::column_flag;
    const bool column = (entry & VectorAccess::column_flag) != 0;
    // A row begins at a multiple of its length; a column is named by its word in the tile's first row.
    const u32 forbidden = column ? tile_mask & ~(within_row & ~u32{1}) : within_row;
    wrong |= offset >= size || (offset & forbidden) != 0;
    columns |= entry & VectorAccess::column_flag;
  }
  if (columns != 0 && !column_access_) {
    report_warning(basename(), "a column-wise access, which it has not got (soc.scratchpad.column_access is false)");
    return tlm::TLM_COMMAND_ERROR_RESPONSE;
  }
  if (wrong || (safety_.guard != nullptr && !safety_.guard->admits(payload.is_write(), *access)))
    return tlm::TLM_ADDRESS_ERROR_RESPONSE;
  return tlm::TLM_OK_RESPONSE;
}

VectorAccess::Limits Scratchpad::limits(u32 pe, Direction direction) const {
  // An entry of the queue is free when the PE has learned that its vector has been served.
  const Cycle there = queues_.to_bank(pe);
  return {{{vector_port_.queue_entries, there + std::max<Cycle>(1, there)},
           {vector_port_.most_under_way, unloaded_latency(pe, direction)}}};
}

void Scratchpad::book(u32 pe, Direction direction, VectorAccess& access, sc_core::sc_time& delay) {
  const Cycle start = clock_.to_cycles(sc_core::sc_time_stamp() + delay);
  banks_.resize(access.count);
  u64 columns = 0;
  for (u32 i = 0; i < access.count; ++i) {
    banks_[i] = static_cast<u8>(bank_of(access.addresses[i] & ~VectorAccess::column_flag));
    columns += access.addresses[i] >> 31;
  }
  const BankBookings::Placed placed = bookings_->place(pe, direction, start, banks_, access.times);
  counters_.column_accesses += columns;
  (direction == Direction::read ? counters_.vector_reads : counters_.vector_writes) += access.count;
  counters_.conflict_cycles += placed.conflict_cycles;
  counters_.outstanding_cycles += placed.blocked_cycles;
  access.ticket = 0;
  access.unloaded_cycles = unloaded_latency(pe, direction);
  access.limits = limits(pe, direction);
  access.conflict_cycles = placed.conflict_cycles;
  access.progress = {true, true, placed.issue_end, placed.end};
  access.issue_cycles = placed.issue_end - start;
  access.served = {start + queues_.to_bank(pe), placed.end - queues_.from_bank(pe, direction) + 1};
  delay = clock_.to_time(placed.end) - sc_core::sc_time_stamp();
}

void Scratchpad::begin(u32 pe, Direction direction, VectorAccess& access, sc_core::sc_time& delay) {
  if (bookings_) return book(pe, direction, access, delay);
  const Cycle start = clock_.to_cycles(sc_core::sc_time_stamp() + delay);
  queues_.advance(clock_.now());
  report_ends();
  BankQueues::QueuedFiring& firing = queues_.begin(pe, direction, start);
  firing.banks.resize(access.count);
  u64 columns = 0;
  for (u32 i = 0; i < access.count; ++i) {
    firing.banks[i] = static_cast<u8>(bank_of(access.addresses[i] & ~VectorAccess::column_flag));
    columns += access.addresses[i] >> 31;
  }
  if (access.times != nullptr) firing.times.assign(access.times, access.times + access.count);
  firing.listed = access.deferred && access.listener != nullptr;
  if (firing.listed) listeners_[pe] = access.listener;
  Cycle end = queues_.begun(firing);
  counters_.column_accesses += columns;
  (direction == Direction::read ? counters_.vector_reads : counters_.vector_writes) += access.count;
  access.ticket = firing.ticket;
  access.unloaded_cycles = unloaded_latency(pe, direction);
  access.limits = limits(pe, direction);
  access.conflict_cycles = 0;
  if (!access.deferred) {
    queues_.finish(firing);
    end = firing.end;
  }
  access.progress = {firing.all_issued(), firing.done(), queues_.issue_end(firing), end};
  access.issue_cycles = access.progress.issue_end - start;
  access.served = {start + queues_.to_bank(pe), access.progress.end - queues_.from_bank(pe, direction) + 1};
  delay = clock_.to_time(access.progress.end) - sc_core::sc_time_stamp();
  if (firing.listed) agenda_.wake_at(agenda_number_, access.progress.end);
  if (!access.deferred) complete(access, firing);
}

bool Scratchpad::answer(VectorAccess& access, Cycle now) {
  const BankQueues::QueuedFiring* const firing = queues_.find(access.ticket);
  if (firing == nullptr) return false;
  if (access.deferred) {
    queues_.advance(now);
  } else {
    queues_.finish(*firing);
  }
  access.progress = {firing->all_issued(), firing->done(), queues_.issue_end(*firing), queues_.end(*firing)};
  if (firing->done() && !firing->listed) complete(access, *firing);
  report_ends();
  return true;
}

void Scratchpad::complete(VectorAccess& access, const BankQueues::QueuedFiring& firing) {
  if (access.times != nullptr) std::copy(firing.times.begin(), firing.times.end(), access.times);
  access.conflict_cycles = firing.conflict_cycles;
  access.ticket = 0;
  forget(firing);
}

void Scratchpad::forget(const BankQueues::QueuedFiring& firing) {
  counters_.conflict_cycles += firing.conflict_cycles;
  counters_.outstanding_cycles += firing.blocked_cycles;
  queues_.forget(firing.ticket);
}

void Scratchpad::report_ends() {
  for (const u64 ticket : queues_.done()) {
    const BankQueues::QueuedFiring& firing = *queues_.find(ticket);
    listeners_[BankQueues::pe_of(firing)]->vectors_served({ticket, firing.issue_end, firing.end, firing.times.data()});
    forget(firing);
  }
  queues_.done().clear();
}

void Scratchpad::wake(Cycle now) {
  queues_.advance(now);
  report_ends();
  const Cycle next = queues_.next_end();
  if (next != BankQueues::never) agenda_.wake_at(agenda_number_, next);
}

template <u32 lanes>
void Scratchpad::move_vectors(const VectorAccess& access, bool read, u8* data) {
  constexpr std::size_t bytes = 2 * std::size_t{lanes};
  const std::size_t entries = access.entries();
  for (std::size_t i = 0; i < entries; ++i) {
    const u32 entry = access.addresses[i];
    const u32 offset = entry & ~VectorAccess::column_flag;
    u8* const here = offset == entry ? storage_.row(offset) : storage_.column(offset);
    u8* const there =
        access.untimed_places != nullptr ? reinterpret_cast<u8*>(access.untimed_places[i]) : data + i * bytes;
    std::memcpy(read ? there : here, read ? here : there, bytes);
  }
}

void Scratchpad::move_vectors(const VectorAccess& access, bool read, u8* data) {
  switch (lanes_) {
    case 1:
      return move_vectors<1>(access, read, data);
    case 2:
      return move_vectors<2>(access, read, data);
    case 4:
      return move_vectors<4>(access, read, data);
    case 8:
      return move_vectors<8>(access, read, data);
    case 16:
      return move_vectors<16>(access, read, data);
    case 32:
      return move_vectors<32>(access, read, data);
    default:
      return move_vectors<64>(access, read, data);
  }
}

void Scratchpad::count_untimed(const VectorAccess& access, bool read) {
  const std::size_t entries = access.entries();
  u64 columns = 0;
  for (std::size_t i = 0; i < entries; ++i) columns += access.addresses[i] >> 31;
  if (entries == access.count) columns *= access.untimed_copies;
  const u64 vectors = u64{access.count} * access.untimed_copies;
  counters_.column_accesses += columns;
  (read ? counters_.vector_reads : counters_.vector_writes) += vectors;
}

void Scratchpad::vector_transport(int pe, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  auto* access = payload.get_extension<VectorAccess>();
  if (payload.get_command() == tlm::TLM_IGNORE_COMMAND && access != nullptr && access->ticket != 0) {
    const bool known = answer(*access, clock_.to_cycles(sc_core::sc_time_stamp() + delay));
    payload.set_response_status(known ? tlm::TLM_OK_RESPONSE : tlm::TLM_GENERIC_ERROR_RESPONSE);
    return;
  }
  const tlm::tlm_response_status status = check_vectors(payload, access);
  payload.set_response_status(status);
  if (status != tlm::TLM_OK_RESPONSE) {
    const bool legal = status == tlm::TLM_ADDRESS_ERROR_RESPONSE && safety_.guard != nullptr;
    if (legal && !safety_.guard->admits(payload.is_write(), *access))
      safety_.guard->refused(payload.is_write(), *access);
    return;
  }
  if (!safety_.words.empty() && !check_words(payload.is_write(), *access)) {
    payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
    return;
  }
  access->conflict_cycles = 0;
  access->issue_cycles = 0;
  access->ticket = 0;
  if (access->count == 0) return;
  if (access->untimed_copies != 0) {
    if (access->untimed_places != nullptr) move_vectors(pe, *access, payload.is_read(), nullptr);
    count_untimed(*access, payload.is_read());
    if (access->turns != nullptr) {
      turns_.take(*access, bank_of_tile_, storage_.tile_shift(), clock_.to_cycles(sc_core::sc_time_stamp() + delay));
    }
    return;
  }
  if (data_) move_vectors(pe, *access, payload.is_read(), payload.get_data_ptr());
  begin(static_cast<u32>(pe), payload.is_read() ? Direction::read : Direction::write, *access, delay);
}

void Scratchpad::move_vectors(int pe, const VectorAccess& access, bool read, u8* data) {
  move_vectors(access, read, data);
  if (!read && vectors_written.connected()) vectors_written(static_cast<u32>(pe), access);
}

bool Scratchpad::flip(u64 offset, u32 bit) {
  if (offset >= storage_.size()) return false;
  if (safety_.ecc) {
    safety_.words.flip(offset, bit);
    return true;
  }
  u8 byte = 0;
  storage_.read(offset, 1, &byte);
  byte ^= static_cast<u8>(1 << bit);
  storage_.write(offset, 1, &byte);
  return true;
}

bool Scratchpad::check_words(bool write, u64 offset, u64 bytes) {
  const EccWords::Found found = write ? safety_.words.write(offset, bytes) : safety_.words.read(offset, bytes);
  counters_.ecc_corrected += found.corrected;
  counters_.ecc_detected += found.detected;
  return found.detected == 0;
}

bool Scratchpad::check_words(bool write, const VectorAccess& access) {
  bool sound = true;
  const std::size_t entries = access.entries();
  for (std::size_t i = 0; i < entries; ++i) {
    const u64 offset = access.addresses[i] & ~VectorAccess::column_flag;
    if (offset == access.addresses[i]) {
      sound &= check_words(write, offset, row_bytes_);
      continue;
    }
    for (u32 lane = 0; lane < lanes_; ++lane) sound &= check_words(write, offset + u64{lane} * row_bytes_, 2);
  }
  return sound;
}

u32 Scratchpad::vector_debug(int, tlm::tlm_generic_payload& payload) {
  const tlm::tlm_response_status status = check_vectors(payload, payload.get_extension<VectorAccess>());
  payload.set_response_status(status);
  return status == tlm::TLM_OK_RESPONSE ? payload.get_data_length() : 0;
}

// ---------------------------------------------------------------- linear port

tlm::tlm_response_status Scratchpad::check_linear(const tlm::tlm_generic_payload& payload) const {
  PayloadRules rules;
  rules.most_bytes = max_linear_bytes;
  rules.span = storage_.size();
  return check(payload, rules);
}

bool Scratchpad::untimed_linear(tlm::tlm_generic_payload& payload) {
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
  if (const auto* const bulk = payload.get_extension<BulkTraffic>()) {
    const u64 address = payload.get_address();
    if (address >= storage_.size() || bulk->span > storage_.size() - address) {
      payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    } else {
      (bulk->write ? counters_.linear_bytes_written : counters_.linear_bytes_read) += bulk->bytes;
    }
    return true;
  }
  auto* const bulk = payload.get_extension<BulkData>();
  if (bulk == nullptr) return false;
  u8* data = payload.get_data_ptr();
  for (std::size_t i = 0; i < bulk->count; ++i) {
    const u64 address = payload.get_address() + bulk->runs[i].distance;
    const u64 bytes = bulk->runs[i].bytes;
    if (address >= storage_.size() || bytes > storage_.size() - address) {
      payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
      return true;
    }
    if (!safety_.words.empty() && !check_words(bulk->write, address, bytes)) {
      payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
      return true;
    }
    if (bulk->write) {
      storage_.write(address, bytes, data);
    } else {
      storage_.read(address, bytes, data);
    }
    data += bytes;
  }
  bulk->done = true;
  return true;
}

void Scratchpad::linear_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  if (payload.get_command() == tlm::TLM_IGNORE_COMMAND && untimed_linear(payload)) return;
  const tlm::tlm_response_status status = check_linear(payload);
  payload.set_response_status(status);
  if (status != tlm::TLM_OK_RESPONSE) return;
  const u64 begin = payload.get_address();
  const u64 end = begin + payload.get_data_length();
  const bool read = payload.is_read();
  if (!safety_.words.empty() && !check_words(!read, begin, end - begin)) {
    payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
    return;
  }
  if (payload.get_extension<TimingOnly>() != nullptr) {
    // An empty payload moves nothing.
  } else if (read) {
    storage_.read(begin, end - begin, payload.get_data_ptr());
  } else {
    storage_.write(begin, end - begin, payload.get_data_ptr());
  }

  const Cycle start = clock_.to_cycles(sc_core::sc_time_stamp() + delay);
  Cycle wanted = start;
  Cycle last = start;
  u64 conflicts = 0;
  for (u64 offset = begin & ~u64{row_bytes_ - 1}; offset < end;) {
    const u64 beat_end = std::min(end, (offset | (linear_beat_.bytes - 1)) + 1);
    const Cycle beat = linear_port_.reserve(wanted);
    for (; offset < beat_end; offset += row_bytes_) {
      const u32 bank = bank_of(offset);
      ++bank_accesses_[bank];
      const Cycle slot = bank_ports_.reserve(bank, beat + linear_beat_.request_latency);
      conflicts += slot - (wanted + linear_beat_.request_latency);
      last = std::max(last, slot);
    }
    wanted = beat + 1;
  }
  (read ? counters_.linear_bytes_read : counters_.linear_bytes_written) += end - begin;
  counters_.linear_conflict_cycles += conflicts;
  const Cycle done = last + linear_beat_.array_latency + (read ? linear_beat_.response_latency : 0);
  delay = clock_.to_time(done) - sc_core::sc_time_stamp();
}

u32 Scratchpad::linear_debug(tlm::tlm_generic_payload& payload) {
  const u64 address = payload.get_address();
  const bool read = payload.is_read();
  if (address >= storage_.size() || (!read && !payload.is_write()) || payload.get_data_ptr() == nullptr) {
    payload.set_response_status(address >= storage_.size() ? tlm::TLM_ADDRESS_ERROR_RESPONSE
                                                           : tlm::TLM_COMMAND_ERROR_RESPONSE);
    return 0;
  }
  const u64 length = std::min<u64>(payload.get_data_length(), storage_.size() - address);
  if (read) {
    storage_.read(address, length, payload.get_data_ptr());
  } else {
    storage_.write(address, length, payload.get_data_ptr());
  }
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
  return static_cast<u32>(length);
}

}  // namespace bvp
