// SPDX-License-Identifier: Apache-2.0
#include "models/memory/dram_channel.h"

#include <algorithm>

#include "models/base/report.h"

namespace bvp {

DramChannel::DramChannel(const DramParameters& parameters, DramStatistics& statistics)
    : timing_(parameters),
      group_mask_(static_cast<u32>(parameters.bank_groups.get() - 1)),
      write_high_(static_cast<u32>(parameters.write_queue_high.get())),
      write_low_(static_cast<u32>(parameters.write_queue_low.get())),
      write_idle_(static_cast<Cycle>(parameters.write_idle.get())),
      posted_writes_(parameters.posted_writes),
      page_policy_(make_dram_page_policy(parameters.page_policy)),
      statistics_(statistics),
      bus_(timing_),
      activates_(timing_),
      banks_(static_cast<std::size_t>(parameters.banks.get())),
      turns_(banks_.size()),
      reads_(static_cast<std::size_t>(parameters.queue_entries.get())),
      writes_(static_cast<std::size_t>(parameters.write_queue_entries.get())) {
  if (parameters.bank_groups > parameters.banks) {
    report_error("dram", "bank_groups is {}, expected at most the number of banks, {}", parameters.bank_groups.get(),
                 parameters.banks.get());
  }
  if (write_high_ > writes_.size() || write_low_ >= write_high_) {
    report_error("dram",
                 "write_queue_low, write_queue_high and write_queue_entries are {}, {} and {}, expected low < high <= "
                 "entries",
                 write_low_, write_high_, writes_.size());
  }
  const Cycle longest = timing_.rp + timing_.rfc + timing_.ras + timing_.rcd + timing_.cl + timing_.cwl +
                        timing_.burst + timing_.wr + timing_.rtp;
  if (timing_.refi <= longest) {
    report_error("dram", "refresh_interval is {}, expected more than the {} clocks of a refresh and one access",
                 timing_.refi, longest);
  }
  waiting_.reserve(writes_.size());
}

DramChannel::Plan DramChannel::plan(u32 bank_index, u64 row, bool write, Cycle earliest) const {
  const Bank& bank = banks_[bank_index];
  const u32 group = bank_index & group_mask_;
  Plan plan{};
  plan.period = bank.period;
  earliest = std::max(earliest, plan.period);
  // Every tREFI all banks are precharged and the channel is refreshed. An access that would not leave its bank
  // ready for that in time waits until afterwards.
  for (;;) {
    if (earliest >= plan.period + timing_.refi) plan.period = earliest / timing_.refi * timing_.refi;
    if (plan.period != 0) earliest = std::max(earliest, plan.period + timing_.rp + timing_.rfc);
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
      plan.activate = activates_.probe(plan.activate, group);
      plan.column = plan.activate + timing_.rcd;
      closing = plan.activate + timing_.ras;
    }
    const Cycle latency = write ? timing_.cwl : timing_.cl;
    plan.data = bus_.probe(plan.column + latency, write, group);
    plan.column = plan.data - latency;
    plan.closing = std::max(closing, write ? plan.data + timing_.burst + timing_.wr : plan.column + timing_.rtp);
    const Cycle refresh = plan.period + timing_.refi;
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
  bus_.take(plan.data, write, group);
  tell(write ? DramCommand::Kind::write : DramCommand::Kind::read, plan.column, bank_index, row);
  bank.period = plan.period;
  bank.precharge_from = plan.closing;
  if (!page_policy_->keep_open(++bank.accesses)) {
    bank.open = false;
    bank.activate_from = plan.closing + timing_.rp;
    tell(DramCommand::Kind::precharge, plan.closing, bank_index, row);
  }
  (write ? statistics_.write_64b : statistics_.read_64b).add(1, plan.data, plan.data + timing_.burst);
  statistics_.busy_cycles += timing_.burst;
  last_activity_ = std::max(last_activity_, plan.data + timing_.burst);
  count_refreshes(plan.period);
}

Cycle DramChannel::access(u32 bank, u64 row, bool write, Cycle earliest) {
  const Plan planned = plan(bank, row, write, earliest);
  commit(bank, row, write, planned);
  return planned.data + timing_.burst;
}

/// A place in a queue is free again when the access that had it is done. One that arrives later than this one
/// (its initiator runs ahead) is not in the queue yet.
Cycle DramChannel::enter(std::vector<InFlight>& queue, u64& count, Cycle arrival) const {
  InFlight& place = queue[count++ % queue.size()];
  const Cycle entered = place.arrival <= arrival ? std::max(arrival, place.done) : arrival;
  place.arrival = arrival;
  return entered;
}

Cycle DramChannel::read(u32 bank, u64 row, u64 block, u32 bytes, Cycle arrival) {
  write_if_idle(arrival);
  if (waiting(block) != nullptr) {
    ++statistics_.forwarded;
    statistics_.bytes_read.add(bytes, arrival, arrival + timing_.burst);
    return arrival;
  }
  const u64 index = read_count_ % reads_.size();
  const Cycle entered = enter(reads_, read_count_, arrival);
  const Cycle done = access(bank, row, false, entered);
  statistics_.bytes_read.add(bytes, done - timing_.burst, done);
  return reads_[index].done = done;
}

Cycle DramChannel::write(u32 bank, u64 row, u64 block, u32 bytes, Cycle arrival) {
  if (!posted_writes_) {
    const u64 index = read_count_ % reads_.size();
    const Cycle entered = enter(reads_, read_count_, arrival);
    const Cycle done = access(bank, row, true, entered);
    statistics_.bytes_written.add(bytes, done - timing_.burst, done);
    return reads_[index].done = done;
  }
  write_if_idle(arrival);
  if (WaitingWrite* const other = waiting(block)) {
    ++statistics_.merged;
    statistics_.bytes_written.add(bytes, other->counted, other->counted);
    other->bytes += bytes;
    return arrival;
  }
  const Cycle entered = enter(writes_, write_count_, arrival);
  ++waiting_per_hash_[hash(block)];
  statistics_.bytes_written.add(bytes, entered, entered);
  waiting_.push_back({block, row, bank, bytes, entered, entered});
  last_activity_ = std::max(last_activity_, entered);
  if (waiting_.size() >= write_high_) write_waiting(entered, write_low_);
  return entered;
}

DramChannel::WaitingWrite* DramChannel::waiting(u64 block) {
  if (waiting_per_hash_[hash(block)] == 0) return nullptr;
  const auto found =
      std::find_if(waiting_.begin(), waiting_.end(), [&](const WaitingWrite& write) { return write.block == block; });
  return found == waiting_.end() ? nullptr : &*found;
}

void DramChannel::write_if_idle(Cycle arrival) {
  if (!waiting_.empty() && arrival > last_activity_ + write_idle_) write_waiting(last_activity_ + write_idle_, 0);
}

/// First ready, first come: in each turn a bank serves the writes to one row, which is its open row if a write asks for
/// it and otherwise the row of its oldest write. So no row is opened twice, and banks open their rows side by side.
void DramChannel::write_waiting(Cycle from, u32 leave) {
  ++statistics_.write_batches;
  const auto batch_end = waiting_.end() - leave;
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
      const Cycle end = access(write->bank, write->row, true, std::max(from, write->arrival));
      ends_.push_back(end);
      statistics_.bytes_written.move(write->bytes, write->counted, end - timing_.burst, end);
      --waiting_per_hash_[hash(write->block)];
      write->bank = done;
    }
    while (first != batch_end && first->bank == done) ++first;
  }
  waiting_.erase(waiting_.begin(), batch_end);
  // The place that is free first goes to the write that has waited longest for one.
  std::sort(ends_.begin(), ends_.end());
  for (const Cycle end : ends_) writes_[written_count_++ % writes_.size()].done = end;
  ends_.clear();
}

void DramChannel::carry_on(Cycle clocks) {
  last_activity_ += clocks;
  for (WaitingWrite& write : waiting_) write.arrival += clocks;
  for (auto* const queue : {&reads_, &writes_}) {
    for (InFlight& access : *queue) {
      access.arrival += clocks;
      access.done += clocks;
    }
  }
}

void DramChannel::count_refreshes(Cycle now) {
  while ((refreshes_ + 1) * timing_.refi <= now) {
    ++refreshes_;
    const Cycle begin = refreshes_ * timing_.refi + timing_.rp;
    statistics_.refresh.add(1, begin, begin + timing_.rfc);
    tell(DramCommand::Kind::refresh, begin, 0, 0);
  }
}

}  // namespace bvp
