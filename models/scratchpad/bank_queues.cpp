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
      queue_entries_(static_cast<u32>(parameters.queue_entries)),
      request_latency_(static_cast<Cycle>(parameters.request_latency)),
      array_latency_(static_cast<Cycle>(parameters.array_latency)),
      response_latency_(static_cast<Cycle>(parameters.response_latency)),
      hop_latency_(static_cast<Cycle>(parameters.hop_latency)),
      ports_(ports),
      bank_accesses_(bank_accesses),
      channels_(static_cast<std::size_t>(array.rows * array.columns) * 2),
      words_((channels_.size() + 63) / 64),
      active_(words_, 0),
      issue_at_(channels_.size(), never),
      travel_mask_(power_of_two_above(to_bank(columns_ - 1)) - 1),
      travel_((travel_mask_ + 1) * words_, 0),
      travel_bank_((travel_mask_ + 1) * channels_.size(), 0),
      lines_(static_cast<std::size_t>(parameters.banks) * channels_.size()),
      requests_(static_cast<std::size_t>(parameters.banks) * words_, 0),
      first_(lines_.size()),
      blocked_(words_, 0),
      eligible_(words_, 0),
      returned_(channels_.size() / 2, 0),
      end_at_(channels_.size(), never) {
  arbiter_ =
      make_bank_arbiter(parameters.arbiter, static_cast<u32>(parameters.banks), static_cast<u32>(channels_.size()));
  for (u32 number = 0; number < channels_.size(); ++number) {
    Channel& channel = channels_[number];
    channel.returns.assign(static_cast<std::size_t>(parameters.outstanding), 0);
    channel.credits.assign(queue_entries_, 0);
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
  firing.listed = false;
  firing.issued = firing.served = 0;
  firing.conflict_cycles = firing.blocked_cycles = 0;
  return firing;
}

void BankQueues::begun(const Firing& firing) {
  const u32 number = channel_of(firing);
  u64& active = active_[number / 64];
  const u64 bit = u64{1} << (number % 64);
  if ((active & bit) == 0) {
    active |= bit;
    plan_issue(number);
  }
  if (firing.listed && end_at_[number] == never) end_at_[number] = end(firing);
}

const BankQueues::Firing* BankQueues::first_not_done(u32 channel) const {
  for (const auto& firing : channels_[channel].firings) {
    if (firing->listed && !firing->done()) return firing.get();
  }
  return nullptr;
}

Cycle BankQueues::next_end() {
  Cycle next = never;
  for (u32 channel = 0; channel < end_at_.size(); ++channel) {
    Cycle& end_at = end_at_[channel];
    if (end_at <= now_) {
      const Firing* const firing = first_not_done(channel);
      end_at = firing == nullptr ? never : end(*firing);
    }
    next = std::min(next, end_at);
  }
  return next;
}

const BankQueues::Firing* BankQueues::find(u64 ticket) const {
  for (const auto& firing : channels_[ticket % channels_.size()].firings) {
    if (firing->ticket == ticket) return firing.get();
  }
  return nullptr;
}

void BankQueues::forget(u64 ticket) {
  Channel& channel = channels_[ticket % channels_.size()];
  const auto found = std::find_if(channel.firings.begin(), channel.firings.end(),
                                  [&](const auto& firing) { return firing->ticket == ticket; });
  if (found == channel.firings.end() || !(*found)->done()) return;
  spare_.push_back(std::move(*found));
  channel.firings.erase(found);
  --channel.issuing;
}

Cycle BankQueues::issue_end(const Firing& firing) const {
  if (firing.all_issued()) return firing.issue_end;
  const u32 number = channel_of(firing);
  const Channel& channel = channels_[number];
  Cycle next = std::max(now_, firing.start);
  if (channel.firings[channel.issuing].get() == &firing) {
    const bool waits = issue_at_[number] == never;
    if (!waits) {
      next = std::max(next, issue_at_[number]);
    } else if (channel.returns[channel.oldest] == never) {
      next = std::max(next, now_ + channel.back);
    } else {
      next = std::max(next, now_ + std::max<Cycle>(1, channel.there));
    }
  }
  return next + (firing.banks.size() - firing.issued);
}

Cycle BankQueues::end(const Firing& firing) const {
  if (firing.done()) return firing.end;
  const u32 number = channel_of(firing);
  const Channel& channel = channels_[number];
  Cycle last = firing.all_issued() ? now_ : issue_end(firing) - 1 + channel.there;
  // As many come back in a cycle at most.
  const u64 left = firing.banks.size() - firing.served;
  if (direction_of(number) == Direction::read) last = std::max(last, now_ + (left - 1) / return_ports_);
  return std::max(firing.end, last + channel.back);
}

// ---------------------------------------------------------------- cycles

void BankQueues::plan_issue(u32 number) {
  const Channel& channel = channels_[number];
  const Firing& firing = *channel.firings[channel.issuing];
  Cycle time = std::max({channel.next_issue, firing.start, channel.returns[channel.oldest]});
  if (direction_of(number) == Direction::write && !firing.times.empty()) {
    time = std::max(time, firing.times[firing.issued]);
  }
  // The entries that are free again by then are not counted off before the issue.
  if (channel.queued == queue_entries_) {
    time = channel.credit_count == 0 ? never : std::max(time, channel.credits[channel.first_credit]);
  }
  issue_at_[number] = time;
}

Cycle BankQueues::next_cycle() const {
  if (waiting_banks_ != 0 || travelling_ != 0) return now_;
  Cycle next = never;
  for (std::size_t word = 0; word < words_; ++word) {
    for (u64 bits = active_[word]; bits != 0; bits &= bits - 1) {
      next = std::min(next, issue_at_[word * 64 + static_cast<std::size_t>(__builtin_ctzll(bits))]);
    }
  }
  return next == never ? never : std::max(next, now_);
}

void BankQueues::issue(u32 number) {
  Channel& channel = channels_[number];
  Firing& firing = *channel.firings[channel.issuing];
  while (channel.credit_count != 0 && channel.credits[channel.first_credit] <= now_) {
    if (++channel.first_credit == queue_entries_) channel.first_credit = 0;
    --channel.credit_count;
    --channel.queued;
  }
  Cycle wanted = std::max(channel.next_issue, firing.start);
  if (direction_of(number) == Direction::write && !firing.times.empty()) {
    wanted = std::max(wanted, firing.times[firing.issued]);
  }
  const u8 bank = firing.banks[firing.issued];
  const Cycle arrival = now_ + channel.there;
  if (free_.empty()) {
    free_.push_back(static_cast<u32>(vectors_.size()));
    vectors_.emplace_back();
  }
  const u32 place = free_.back();
  free_.pop_back();
  vectors_[place] = {&firing, arrival, static_cast<u32>(firing.issued), channel.oldest, nothing};
  Line& line = lines_[std::size_t{bank} * channels_.size() + number];
  (line.first == nothing ? line.first : vectors_[line.last].next) = place;
  line.last = place;
  const std::size_t at = arrival & travel_mask_;
  travel_[at * words_ + number / 64] |= u64{1} << (number % 64);
  travel_bank_[at * channels_.size() + number] = bank;
  ++travelling_;

  firing.blocked_cycles += now_ - wanted;
  channel.returns[channel.oldest] = never;
  if (++channel.oldest == channel.returns.size()) channel.oldest = 0;
  ++channel.queued;
  channel.next_issue = now_ + 1;
  firing.issue_end = now_ + 1;
  if (++firing.issued == firing.banks.size() && ++channel.issuing == channel.firings.size()) {
    active_[number / 64] &= ~(u64{1} << (number % 64));
    issue_at_[number] = never;
  } else {
    plan_issue(number);
  }
}

void BankQueues::arrive(u32 number, u32 bank) {
  --travelling_;
  u64& requests = requests_[bank * words_ + number / 64];
  const u64 bit = u64{1} << (number % 64);
  // One that has come before is served before.
  if ((requests & bit) != 0) return;
  requests |= bit;
  waiting_banks_ |= u64{1} << bank;
  const std::size_t line = std::size_t{bank} * channels_.size() + number;
  const Vector& vector = vectors_[lines_[line].first];
  first_[line] = {vector.arrived, vector.firing->ticket};
}

void BankQueues::serve_one(u32 bank, u32 number) {
  const std::size_t at = std::size_t{bank} * channels_.size() + number;
  Line& line = lines_[at];
  const u32 place = line.first;
  const Vector& vector = vectors_[place];
  line.first = vector.next;
  free_.push_back(place);
  ++bank_accesses_[bank];
  Channel& channel = channels_[number];
  Firing& firing = *vector.firing;
  const Cycle done = now_ + channel.back;
  channel.returns[vector.returns] = done;
  u32 credit = channel.first_credit + channel.credit_count++;
  if (credit >= queue_entries_) credit -= queue_entries_;
  channel.credits[credit] = now_ + std::max<Cycle>(1, channel.there);
  firing.conflict_cycles += now_ - vector.arrived;
  ++firing.served;
  firing.end = std::max(firing.end, done);
  if (firing.listed && firing.done()) {
    done_.push_back(firing.ticket);
    end_at_[number] = 0;  // that of the next one is found when it is asked for
  }
  const Direction direction = direction_of(number);
  if (direction == Direction::read) {
    if (!firing.times.empty()) firing.times[vector.index] = done;
    u32& returned = returned_[number / 2];
    if (return_ports_ != 1 && returned++ == 0) returned_to_.push_back(number / 2);
    if (return_ports_ == 1 || returned == return_ports_) blocked_[number / 64] |= u64{1} << (number % 64);
  }
  // The next one to this bank may have come already.
  if (line.first != nothing && vectors_[line.first].arrived <= now_) {
    first_[at] = {vectors_[line.first].arrived, vectors_[line.first].firing->ticket};
  } else {
    requests_[bank * words_ + number / 64] &= ~(u64{1} << (number % 64));
  }
  const bool issues = (active_[number / 64] >> (number % 64) & 1) != 0;
  if (issues && issue_at_[number] == never) plan_issue(number);
  if (observer_) observer_(number / 2, direction, bank, now_);
}

void BankQueues::serve(u32 bank, bool reserves) {
  const u64* const requests = &requests_[bank * words_];
  for (u32 port = 0; port < ports_per_bank_; ++port) {
    u64 any = 0;
    for (std::size_t word = 0; word < words_; ++word) any |= eligible_[word] = requests[word] & ~blocked_[word];
    if (any == 0) break;
    SlotCalendar& calendar = ports_[std::size_t{bank} * ports_per_bank_ + port];
    if (calendar.probe(now_) != now_) continue;
    if (reserves) calendar.reserve(now_);
    serve_one(bank, arbiter_->choose(bank, {eligible_.data(), words_, &first_[std::size_t{bank} * channels_.size()]}));
  }
  u64 left = 0;
  for (std::size_t word = 0; word < words_; ++word) left |= requests[word];
  if (left == 0) waiting_banks_ &= ~(u64{1} << bank);
}

void BankQueues::step(bool reserves) {
  for (std::size_t word = 0; word < words_; ++word) {
    for (u64 bits = active_[word]; bits != 0; bits &= bits - 1) {
      const auto number = static_cast<u32>(word * 64) + static_cast<u32>(__builtin_ctzll(bits));
      if (issue_at_[number] <= now_) issue(number);
    }
  }
  const std::size_t at = now_ & travel_mask_;
  for (std::size_t word = 0; word < words_; ++word) {
    u64& arriving = travel_[at * words_ + word];
    for (; arriving != 0; arriving &= arriving - 1) {
      const auto number = static_cast<u32>(word * 64) + static_cast<u32>(__builtin_ctzll(arriving));
      arrive(number, travel_bank_[at * channels_.size() + number]);
    }
  }
  if (waiting_banks_ != 0) {
    // The banks choose one after another, another one first in each cycle, so that none has a PE's return port for
    // good.
    const u64 later = waiting_banks_ & (~u64{0} << (now_ % bank_accesses_.size()));
    for (u64 banks : {later, waiting_banks_ & ~later}) {
      for (; banks != 0; banks &= banks - 1) serve(static_cast<u32>(__builtin_ctzll(banks)), reserves);
    }
    for (u64& blocked : blocked_) blocked = 0;
    for (const u32 pe : returned_to_) returned_[pe] = 0;
    returned_to_.clear();
  }
  ++now_;
}

void BankQueues::advance(Cycle now) {
  while (now_ < now) {
    const Cycle next = next_cycle();
    if (next >= now) {
      now_ = now;
      return;
    }
    now_ = next;
    step(false);
  }
}

void BankQueues::finish(const Firing& firing) {
  while (!firing.done()) {
    now_ = next_cycle();
    step(true);
  }
}

}  // namespace bvp
