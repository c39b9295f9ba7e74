// SPDX-License-Identifier: Apache-2.0
#include "models/scratchpad/bank_queues.h"

#include <algorithm>

namespace bvp {

namespace {

u64 power_of_two_above(u64 number) {
  u64 power = 1;
  while (power <= number) power *= 2;
  return power;
}

}  // namespace

BankQueues::BankQueues(const ArrayParameters& array, const ScratchpadParameters& parameters,
                       std::vector<SlotCalendar>& ports, std::vector<u64>& bank_accesses)
    : columns_(static_cast<u32>(array.columns)),
      ports_per_bank_(static_cast<u32>(parameters.ports)),
      return_ports_(static_cast<u32>(parameters.return_ports)),
      queue_entries_(static_cast<u64>(parameters.queue_entries)),
      request_latency_(static_cast<Cycle>(parameters.request_latency)),
      array_latency_(static_cast<Cycle>(parameters.array_latency)),
      response_latency_(static_cast<Cycle>(parameters.response_latency)),
      hop_latency_(static_cast<Cycle>(parameters.hop_latency)),
      ports_(ports),
      bank_accesses_(bank_accesses),
      channels_(static_cast<std::size_t>(array.rows * array.columns) * 2),
      travel_(power_of_two_above(to_bank(columns_ - 1))),
      waiting_(static_cast<std::size_t>(parameters.banks)),
      returned_at_(channels_.size() / 2, never),
      returned_(channels_.size() / 2, 0),
      seen_(channels_.size(), 0) {
  arbiter_ = make_bank_arbiter(parameters.arbiter, static_cast<u32>(parameters.banks),
                               static_cast<u32>(channels_.size()));
  for (u32 number = 0; number < channels_.size(); ++number) {
    Channel& channel = channels_[number];
    channel.returns.assign(static_cast<std::size_t>(parameters.outstanding), 0);
    channel.there = to_bank(number / 2);
    channel.back = from_bank(number / 2, direction_of(number));
  }
}

// ---------------------------------------------------------------- firings

BankQueues::Firing& BankQueues::begin(u32 pe, Direction direction, Cycle start) {
  const u32 number = 2 * pe + (direction == Direction::read ? 0 : 1);
  Channel& channel = channels_[number];
  // Nothing is under way: who runs ahead of the simulated time may have had later cycles worked out.
  if (next_cycle() == never) now_ = start;
  // Firings that nobody has asked for since long will not be asked for.
  constexpr std::size_t most_firings = 256;
  while (channel.firings.size() > most_firings && channel.firings.front()->done()) {
    forget(channel.firings.front()->ticket);
  }
  if (spare_.empty()) spare_.push_back(std::make_unique<Firing>());
  channel.firings.push_back(std::move(spare_.back()));
  spare_.pop_back();
  Firing& firing = *channel.firings.back();
  firing.ticket = ++firings_ * channels_.size() + number;
  firing.start = firing.issue_end = firing.end = start;
  firing.banks.clear();
  firing.times.clear();
  firing.issued = firing.served = 0;
  firing.conflict_cycles = firing.blocked_cycles = 0;
  if (!channel.active) {
    channel.active = true;
    active_.insert(std::lower_bound(active_.begin(), active_.end(), number), number);
  }
  return firing;
}

BankQueues::Firing* BankQueues::lookup(u64 ticket) {
  for (const auto& firing : channels_[channel_of(ticket, channels_.size())].firings) {
    if (firing->ticket == ticket) return firing.get();
  }
  return nullptr;
}

const BankQueues::Firing* BankQueues::find(u64 ticket) const { return const_cast<BankQueues*>(this)->lookup(ticket); }

void BankQueues::forget(u64 ticket) {
  Channel& channel = channels_[channel_of(ticket, channels_.size())];
  const auto found = std::find_if(channel.firings.begin(), channel.firings.end(),
                                  [&](const auto& firing) { return firing->ticket == ticket; });
  if (found == channel.firings.end() || !(*found)->done()) return;
  spare_.push_back(std::move(*found));
  channel.firings.erase(found);
  --channel.issuing;
}

Cycle BankQueues::issue_end(u64 ticket) const {
  const Firing& firing = *find(ticket);
  if (firing.all_issued()) return firing.issue_end;
  return std::max(now_, firing.start) + (firing.banks.size() - firing.issued);
}

Cycle BankQueues::end(u64 ticket) const {
  const Firing& firing = *find(ticket);
  if (firing.done()) return firing.end;
  const u32 number = channel_of(ticket, channels_.size());
  const Channel& channel = channels_[number];
  Cycle last = firing.all_issued() ? now_ : issue_end(ticket) - 1 + channel.there;
  // As many come back in a cycle at most. Those of earlier firings of the channel may be later.
  const u64 left = firing.banks.size() - firing.served;
  if (direction_of(number) == Direction::read) last = std::max(last, now_ + (left - 1) / return_ports_);
  return std::max(firing.end, last + channel.back);
}

// ---------------------------------------------------------------- cycles

Cycle BankQueues::issue_time(const Channel& channel) const {
  const Firing& firing = *channel.firings[channel.issuing];
  Cycle time = std::max({channel.next_issue, firing.start, channel.returns[channel.oldest]});
  if (channel.queued >= queue_entries_) {
    if (channel.credits.empty()) return never;
    time = std::max(time, channel.credits.front());
  }
  return time;
}

Cycle BankQueues::next_cycle() {
  if (waiting_banks_ != 0 || travelling_ != 0) return now_;
  Cycle next = never;
  for (const u32 number : active_) next = std::min(next, issue_time(channels_[number]));
  return next == never ? never : std::max(next, now_);
}

void BankQueues::issue(u32 number) {
  Channel& channel = channels_[number];
  if (channel.next_issue > now_ || issue_time(channel) > now_) return;
  Firing& firing = *channel.firings[channel.issuing];
  Cycle wanted = std::max(channel.next_issue, firing.start);
  if (direction_of(number) == Direction::write && !firing.times.empty()) {
    wanted = std::max(wanted, firing.times[firing.issued]);
    if (wanted > now_) return;
  }
  while (!channel.credits.empty() && channel.credits.front() <= now_) {
    channel.credits.pop_front();
    --channel.queued;
  }
  const Cycle arrival = now_ + channel.there;
  travel_[arrival & (travel_.size() - 1)].push_back(
      {&firing, arrival, number, firing.banks[firing.issued], static_cast<u32>(firing.issued), channel.oldest});
  ++travelling_;
  firing.blocked_cycles += now_ - wanted;
  channel.returns[channel.oldest] = never;
  if (++channel.oldest == channel.returns.size()) channel.oldest = 0;
  ++channel.queued;
  channel.next_issue = now_ + 1;
  firing.issue_end = now_ + 1;
  if (++firing.issued != firing.banks.size()) return;
  if (++channel.issuing == channel.firings.size()) channel.active = false;
}

void BankQueues::serve(u32 bank) {
  std::vector<Vector>& waiting = waiting_[bank];
  for (u32 port = 0; port < ports_per_bank_ && !waiting.empty(); ++port) {
    SlotCalendar& calendar = ports_[std::size_t{bank} * ports_per_bank_ + port];
    if (calendar.probe(now_) != now_) continue;
    requests_.clear();
    request_index_.clear();
    ++search_;
    for (u32 i = 0; i < waiting.size(); ++i) {
      const Vector& vector = waiting[i];
      if (seen_[vector.channel] == search_) continue;
      seen_[vector.channel] = search_;
      const u32 pe = vector.channel / 2;
      const bool read = direction_of(vector.channel) == Direction::read;
      if (read && returned_at_[pe] == now_ && returned_[pe] == return_ports_) continue;
      requests_.push_back({vector.channel, vector.arrived, vector.firing->ticket});
      request_index_.push_back(i);
    }
    if (requests_.empty()) return;
    const std::size_t chosen = request_index_[arbiter_->choose(bank, requests_)];
    const Vector vector = waiting[chosen];
    waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(chosen));
    calendar.reserve(now_);
    ++bank_accesses_[bank];
    const u32 pe = vector.channel / 2;
    const Direction direction = direction_of(vector.channel);
    Channel& channel = channels_[vector.channel];
    const Cycle done = now_ + channel.back;
    channel.returns[vector.returns] = done;
    channel.credits.push_back(now_ + std::max<Cycle>(1, channel.there));
    Firing& firing = *vector.firing;
    firing.conflict_cycles += now_ - vector.arrived;
    ++firing.served;
    firing.end = std::max(firing.end, done);
    if (direction == Direction::read) {
      if (!firing.times.empty()) firing.times[vector.index] = done;
      returned_[pe] = returned_at_[pe] == now_ ? returned_[pe] + 1 : 1;
      returned_at_[pe] = now_;
    }
    if (observer_) observer_(pe, direction, bank, now_);
  }
}

void BankQueues::step() {
  bool emptied = false;
  for (const u32 number : active_) {
    issue(number);
    emptied |= !channels_[number].active;
  }
  if (emptied) {
    active_.erase(std::remove_if(active_.begin(), active_.end(), [&](u32 number) { return !channels_[number].active; }),
                  active_.end());
  }
  std::vector<Vector>& arrived = travel_[now_ & (travel_.size() - 1)];
  if (!arrived.empty()) {
    if (arrived.size() > 1) {
      std::sort(arrived.begin(), arrived.end(), [](const Vector& a, const Vector& b) { return a.channel < b.channel; });
    }
    for (const Vector& vector : arrived) {
      waiting_[vector.bank].push_back(vector);
      waiting_banks_ |= u64{1} << vector.bank;
    }
    travelling_ -= arrived.size();
    arrived.clear();
  }
  // The banks choose one after another, another one first in each cycle, so that none has a PE's return port for good.
  if (waiting_banks_ != 0) {
    const auto first = static_cast<u32>(now_ & (waiting_.size() - 1));
    const u64 later = waiting_banks_ & (~u64{0} << first);
    for (u64 banks : {later, waiting_banks_ & ~later}) {
      for (; banks != 0; banks &= banks - 1) {
        const auto bank = static_cast<u32>(__builtin_ctzll(banks));
        serve(bank);
        if (waiting_[bank].empty()) waiting_banks_ &= ~(u64{1} << bank);
      }
    }
  }
  ++now_;
}

void BankQueues::advance(Cycle now) {
  while (now_ < now) {
    const Cycle next = next_cycle();
    if (next >= now) break;
    now_ = next;
    step();
  }
  if (next_cycle() != never || now_ < now) now_ = std::max(now_, now);
}

void BankQueues::finish(u64 ticket) {
  for (const Firing* firing = find(ticket); firing != nullptr && !firing->done();) {
    now_ = next_cycle();
    step();
  }
}

}  // namespace bvp
