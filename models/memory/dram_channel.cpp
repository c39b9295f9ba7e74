// SPDX-License-Identifier: Apache-2.0
#include "models/memory/dram_channel.h"

#include <algorithm>

#include "models/base/report.h"

namespace bvp {

DramChannel::DramChannel(const DramParameters& parameters, DramStatistics& statistics)
    : timing_(parameters),
      group_mask_(static_cast<u32>(parameters.geometry.bank_groups.get() - 1)),
      posted_writes_(parameters.writes.posted),
      page_policy_(make_dram_page_policy(parameters)),
      refresh_policy_(make_dram_refresh_policy(parameters)),
      refresh_(refresh_policy_->times(0)),
      next_refresh_(refresh_policy_->command(0)),
      write_drain_(make_dram_write_drain(parameters)),
      write_idle_(write_drain_->idle_clocks()),
      statistics_(statistics),
      bus_(timing_),
      activates_(timing_),
      banks_(static_cast<std::size_t>(parameters.geometry.banks.get())),
      turns_(banks_.size()),
      reads_{std::vector<InFlight>(static_cast<std::size_t>(parameters.queue_entries.get()))},
      writes_{std::vector<InFlight>(static_cast<std::size_t>(parameters.writes.queue_entries.get()))} {
  if (parameters.geometry.bank_groups > parameters.geometry.banks) {
    report_error(parameters.name().c_str(), "bank_groups is {}, expected at most the number of banks, {}",
                 parameters.geometry.bank_groups.get(), parameters.geometry.banks.get());
  }
  const Cycle access = timing_.access() + (timing_.bursts - 1) * timing_.ccd[1];
  const Cycle longest =
      refresh_.busy + timing_.ras + timing_.rcd + timing_.cl + timing_.cwl + access + timing_.wr + timing_.rtp;
  if (timing_.refi <= longest) {
    report_error(parameters.name().c_str(),
                 "refresh_interval is {}, expected more than the {} clocks of a refresh and one access", timing_.refi,
                 longest);
  }
  for (u32 bank = 0; bank < banks_.size(); ++bank) banks_[bank].first_refresh = refresh_policy_->times(bank).first;
  waiting_.reserve(writes_.places.size());
}

Cycle DramChannel::period_of(const Bank& bank, Cycle cycle) const {
  if (cycle < bank.first_refresh) return 0;
  return cycle - (cycle - bank.first_refresh) % refresh_.interval;
}

void DramChannel::plan_bursts(Plan& plan, bool write, u32 group) const {
  const Cycle latency = write ? timing_.cwl : timing_.cl;
  plan.data = bus_.probe(plan.column + latency, write, group);
  plan.column = plan.data - latency;
  Cycle last = plan.data;
  for (u32 i = 1; i < timing_.bursts; ++i) {
    last = bus_.probe(last + timing_.ccd[1], write, group);
    plan.further[i - 1] = last;
  }
  plan.end = last + timing_.burst;
}

Cycle DramChannel::plan_activate(Cycle earliest, u32 group) const {
  for (;;) {
    const Cycle start = activates_.probe(earliest, group);
    earliest = refresh_policy_->activate_from(start);
    if (earliest == start) return start;
  }
}

DramChannel::Plan DramChannel::plan(u32 bank_index, u64 row, bool write, Cycle earliest) const {
  const Bank& bank = banks_[bank_index];
  const u32 group = bank_index & group_mask_;
  Plan plan{};
  plan.period = bank.period;
  earliest = std::max(earliest, plan.period);
  // Once in every tREFI the bank is precharged and refreshed. An access that would leave the bank too late for that
  // waits until after the refresh.
  for (;;) {
    if (earliest >= next_refresh(bank, plan.period)) plan.period = period_of(bank, earliest);
    if (plan.period != 0) earliest = std::max(earliest, plan.period + refresh_.busy);
    const bool current = bank.period == plan.period;
    Cycle closing = 0;
    if (current && bank.open && bank.row == row) {
      plan.outcome = Outcome::hit;
      plan.column = std::max(earliest, bank.column_from);
      closing = bank.precharge_from;
    } else {
      if (current && bank.open) {
        plan.outcome = Outcome::conflict;
        plan.precharge = std::max(earliest, bank.precharge_from);
        plan.activate = plan.precharge + timing_.rp;
      } else {
        plan.outcome = Outcome::miss;
        plan.activate = current ? std::max(earliest, bank.activate_from) : earliest;
      }
      plan.activate = plan_activate(plan.activate, group);
      plan.column = plan.activate + timing_.rcd;
      closing = plan.activate + timing_.ras;
    }
    plan.ready = plan.column;
    plan_bursts(plan, write, group);
    plan.closing =
        std::max(closing, write ? plan.end + timing_.wr : plan.end - timing_.burst - timing_.cl + timing_.rtp);
    const Cycle refresh = next_refresh(bank, plan.period);
    if (plan.closing <= refresh) break;
    earliest = std::max(refresh, plan.column);
  }
  return plan;
}

void DramChannel::commit(u32 bank_index, u64 row, bool write, const Plan& plan) {
  Bank& bank = banks_[bank_index];
  const u32 group = bank_index & group_mask_;
  if (plan.outcome == Outcome::hit) {
    ++statistics_.row_hits;
  } else {
    if (plan.outcome == Outcome::conflict) {
      ++statistics_.row_conflicts;
      tell(DramCommand::Kind::precharge, plan.precharge, bank_index, bank.row);
    } else {
      ++statistics_.row_misses;
    }
    statistics_.activate.add(1, plan.activate, plan.activate);
    activates_.take(plan.activate, group);
    tell(DramCommand::Kind::activate, plan.activate, bank_index, row);
    bank.row = row;
    bank.open = true;
    bank.accesses = 0;
    bank.column_from = plan.activate + timing_.rcd;
  }
  const auto kind = write ? DramCommand::Kind::write : DramCommand::Kind::read;
  bus_.take(plan.data, write, group);
  tell(kind, plan.column, bank_index, row);
  for (u32 i = 1; i < timing_.bursts; ++i) {
    const Cycle data = plan.further[i - 1];
    bus_.take(data, write, group);
    tell(kind, data - (write ? timing_.cwl : timing_.cl), bank_index, row);
  }
  bank.period = plan.period;
  bank.precharge_from = plan.closing;
  if (!page_policy_->keep_open(++bank.accesses)) {
    bank.open = false;
    bank.activate_from = plan.closing + timing_.rp;
    tell(DramCommand::Kind::precharge, plan.closing, bank_index, row);
  }
  (write ? statistics_.write_64b : statistics_.read_64b).add(1, plan.data, plan.end);
  statistics_.busy_cycles += timing_.access();
  last_activity_ = std::max(last_activity_, plan.end);
  count_refreshes(plan.period);
}

DramChannel::Access DramChannel::access(u32 bank, u64 row, bool write, Cycle earliest) {
  const Plan planned = plan(bank, row, write, earliest);
  const Waits waits = waits_of(banks_[bank], planned, earliest);
  commit(bank, row, write, planned);
  return {planned.end, waits};
}

/// An access that the bus keeps waiting, although its bank is ready, waits for what the access before it on the bus has
/// waited for; one that cannot close a row yet, for what the last access to that row has waited for.
DramChannel::Waits DramChannel::waits_of(Bank& bank, const Plan& planned, Cycle earliest) {
  Waits waits;
  if (planned.column > planned.ready) {
    waits = last_waits_.scaled(planned.column - earliest);
  } else {
    const bool closes = planned.outcome != Outcome::hit && bank.precharge_from > earliest;
    const Cycle behind = closes ? std::min(bank.precharge_from, planned.ready) - earliest : 0;
    waits = bank.waits.scaled(behind);
    waits.rows += planned.ready - earliest - behind;
  }
  waits.bus += planned.end - planned.data;
  return bank.waits = last_waits_ = waits;
}

DramChannel::Waits DramChannel::Waits::scaled(Cycle clocks) const {
  if (rows + bus == 0) return {};
  const Cycle of_rows = clocks * rows / (rows + bus);
  return {of_rows, clocks - of_rows};
}

/// A place in a queue becomes free when the access in it is done. An access that arrives later than the new one
/// (because its initiator runs ahead) does not occupy its place yet.
DramChannel::Access DramChannel::enter(Queue& queue, Cycle arrival) {
  InFlight& place = queue.places[queue.count++ % queue.places.size()];
  const Cycle entered = place.arrival <= arrival ? std::max(arrival, place.done) : arrival;
  place.arrival = arrival;
  return {entered, place.waits.scaled(entered - arrival)};
}

DramChannel::Access DramChannel::access_in_turn(u32 bank, u64 row, bool write, Cycle arrival) {
  InFlight& place = reads_.places[reads_.count % reads_.places.size()];
  const Access entered = enter(reads_, arrival);
  const Access served = access(bank, row, write, entered.done);
  place.done = served.done;
  place.waits = {entered.waits.rows + served.waits.rows, entered.waits.bus + served.waits.bus};
  return {place.done, place.waits};
}

DramChannel::Access DramChannel::read(u32 bank, u64 row, u64 block, u32 bytes, Cycle arrival) {
  write_if_idle(arrival);
  if (waiting(block) != nullptr) {
    ++statistics_.forwarded;
    statistics_.bytes_read.add(bytes, arrival, arrival + timing_.access());
    return {arrival, {}};
  }
  const Access served = access_in_turn(bank, row, false, arrival);
  statistics_.bytes_read.add(bytes, served.done - timing_.access(), served.done);
  return served;
}

DramChannel::Access DramChannel::write(u32 bank, u64 row, u64 block, u32 bytes, Cycle arrival) {
  if (!posted_writes_) {
    const Access served = access_in_turn(bank, row, true, arrival);
    statistics_.bytes_written.add(bytes, served.done - timing_.access(), served.done);
    return served;
  }
  write_if_idle(arrival);
  if (WaitingWrite* const other = waiting(block)) {
    ++statistics_.merged;
    statistics_.bytes_written.add(bytes, other->counted, other->counted);
    other->bytes += bytes;
    return {arrival, {}};
  }
  const Access place = enter(writes_, arrival);
  const Cycle entered = place.done;
  ++waiting_per_hash_[hash(block)];
  statistics_.bytes_written.add(bytes, entered, entered);
  waiting_.push_back({block, row, bank, bytes, entered, entered});
  last_activity_ = std::max(last_activity_, entered);
  if (const u32 batch = write_drain_->batch(waiting_writes()); batch > 0) write_waiting(entered, batch);
  return place;
}

DramChannel::WaitingWrite* DramChannel::waiting(u64 block) {
  if (waiting_per_hash_[hash(block)] == 0) return nullptr;
  const auto found =
      std::find_if(waiting_.begin(), waiting_.end(), [&](const WaitingWrite& write) { return write.block == block; });
  return found == waiting_.end() ? nullptr : &*found;
}

void DramChannel::write_if_idle(Cycle arrival) {
  if (!waiting_.empty() && arrival > last_activity_ + write_idle_)
    write_waiting(last_activity_ + write_idle_, waiting_writes());
}

/// First ready, first come, first served. In each turn a bank serves the writes to one row: its open row if a write
/// asks for it, otherwise the row of its oldest write. So a batch opens no row twice, and the banks open their rows in
/// parallel.
void DramChannel::write_waiting(Cycle from, u32 batch) {
  ++statistics_.write_batches;
  const auto batch_end = waiting_.begin() + batch;
  constexpr u32 done = ~u32{0};
  for (auto first = waiting_.begin(); first != batch_end;) {
    ++turn_;
    for (auto write = first; write != batch_end; ++write) {
      if (write->bank == done || !banks_[write->bank].open || banks_[write->bank].row != write->row) continue;
      turns_[write->bank] = {turn_, write->row};
    }
    for (auto write = first; write != batch_end; ++write) {
      if (write->bank == done) continue;
      Turn& turn = turns_[write->bank];
      if (turn.number != turn_) turn = {turn_, write->row};
      if (turn.row != write->row) continue;
      const Cycle end = access(write->bank, write->row, true, std::max(from, write->arrival)).done;
      ends_.push_back(end);
      statistics_.bytes_written.move(write->bytes, write->counted, end - timing_.access(), end);
      --waiting_per_hash_[hash(write->block)];
      write->bank = done;
    }
    while (first != batch_end && first->bank == done) ++first;
  }
  waiting_.erase(waiting_.begin(), batch_end);
  // The place that becomes free first belongs to the write that has waited longest for a place.
  std::sort(ends_.begin(), ends_.end());
  // The banks open their rows in parallel, so that the sum of the writes' own waits would say too much.
  const Cycle all = ends_.back() - std::min(from, ends_.back());
  const Cycle data = std::min(all, batch * timing_.access());
  for (const Cycle end : ends_) {
    InFlight& place = writes_.places[written_count_++ % writes_.places.size()];
    place.done = end;
    place.waits = {all - data, data};
  }
  ends_.clear();
}

void DramChannel::carry_on(Cycle clocks) {
  last_activity_ += clocks;
  for (WaitingWrite& write : waiting_) write.arrival += clocks;
  for (auto* const queue : {&reads_, &writes_}) {
    for (InFlight& access : queue->places) {
      access.arrival += clocks;
      access.done += clocks;
    }
  }
}

void DramChannel::count_refreshes(Cycle now) {
  while (next_refresh_.due <= now) {
    const bool all = next_refresh_.bank == DramRefreshPolicy::all_banks;
    if (next_refresh_.completes) statistics_.refresh.add(1, next_refresh_.begin, next_refresh_.end);
    tell(all ? DramCommand::Kind::refresh : DramCommand::Kind::refresh_bank, next_refresh_.begin,
         all ? 0 : next_refresh_.bank, 0);
    next_refresh_ = refresh_policy_->command(++refreshes_);
  }
}

}  // namespace bvp
