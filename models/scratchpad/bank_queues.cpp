// SPDX-License-Identifier: Apache-2.0
#include "models/scratchpad/bank_queues.h"

#include <algorithm>
#include <utility>

namespace bvp {

namespace {

u32 power_of_two_from(u32 number) {
  u32 power = 1;
  while (power < number) power *= 2;
  return power;
}

}  // namespace

Cycle BankPorts::reserve(u32 bank, Cycle earliest) {
  SlotCalendar* const ports = &calendars[std::size_t{bank} * per_bank];
  SlotCalendar* best = ports;
  if (per_bank != 1) {
    Cycle cycle = best->probe(earliest);
    for (u32 i = 1; i < per_bank && cycle > earliest; ++i) {
      const Cycle candidate = ports[i].probe(earliest);
      if (candidate >= cycle) continue;
      cycle = candidate;
      best = &ports[i];
    }
  }
  const Cycle taken = best->reserve(earliest);
  reserved_until[bank] = std::max(reserved_until[bank], taken + 1);
  return taken;
}

BankQueues::Shape BankQueues::shape_of(const ArrayParameters& array, const ScratchpadParameters& parameters) {
  Shape shape;
  shape.columns = static_cast<u32>(array.columns);
  shape.channels = static_cast<u32>(array.rows * array.columns) * 2;
  shape.words = (shape.channels + 63) / 64;
  shape.banks = static_cast<u32>(parameters.banks);
  shape.return_ports = static_cast<u32>(parameters.return_ports);
  shape.queue_entries = static_cast<u32>(parameters.queue_entries);
  shape.outstanding = static_cast<u32>(parameters.outstanding);
  shape.request_latency = static_cast<Cycle>(parameters.request_latency);
  shape.array_latency = static_cast<Cycle>(parameters.array_latency);
  shape.response_latency = static_cast<Cycle>(parameters.response_latency);
  shape.hop_latency = static_cast<Cycle>(parameters.hop_latency);
  shape.window_mask = power_of_two_from(shape.outstanding) - 1;
  shape.queue_mask = power_of_two_from(shape.queue_entries) - 1;
  return shape;
}

BankQueues::BankQueues(const ArrayParameters& array, const ScratchpadParameters& parameters, BankPorts& ports,
                       std::vector<u64>& bank_accesses)
    : shape_(shape_of(array, parameters)),
      ports_(ports),
      bank_accesses_(bank_accesses),
      arbiter_(make_bank_arbiter(parameters.arbiter, shape_.banks, shape_.channels)),
      channels_(shape_.channels),
      vectors_(channels_.size() * (shape_.window_mask + 1)),
      served_at_(channels_.size() * (shape_.queue_mask + 1), 0),
      arrivals_(std::size_t{horizon} * shape_.banks * shape_.words, shape_.words),
      lines_(channels_.size() * shape_.banks),
      requests_(std::size_t{shape_.banks} * shape_.words, 0),
      blocked_(shape_.words, 0),
      first_(channels_.size()),
      returned_(channels_.size() / 2, 0),
      listed_(shape_.words, 0),
      end_at_(channels_.size(), 0) {
  for (u32 number = 0; number < channels_.size(); ++number) {
    Channel& channel = channels_[number];
    channel.reads = number % 2 == 0;
    channel.there = to_bank(number / 2);
    channel.back = from_bank(number / 2, channel.reads ? Direction::read : Direction::write);
    channel.free = std::max<Cycle>(1, channel.there);
    channel.window = &vectors_[number * (shape_.window_mask + 1)];
    channel.served_at = &served_at_[number * (shape_.queue_mask + 1)];
    channel.bit = u64{1} << (number % 64);
    channel.word = number / 64;
  }
}

// ---------------------------------------------------------------- firings

namespace {

/// The low bits of a ticket tell the place of the firing.
constexpr u32 place_bits = 24;

}  // namespace

BankQueues::QueuedFiring& BankQueues::begin(u32 pe, Direction direction, Cycle start) {
  const u32 number = 2 * pe + (direction == Direction::read ? 0 : 1);
  Channel& channel = channels_[number];
  // A caller that runs ahead of the simulated time may have had later cycles worked out.
  if (is_idle()) now_ = std::min(now_, start);
  // A firing that no caller has asked about for long will not be asked about again.
  constexpr u32 most_firings = 256;
  while (channel.firings > most_firings && channel.first->done() && !channel.first->listed) forget(*channel.first);
  if (unused_.empty()) {
    unused_.push_back(static_cast<u32>(pool_.size()));
    pool_.push_back(std::make_unique<QueuedFiring>());
  }
  const u32 place = unused_.back();
  unused_.pop_back();
  QueuedFiring& firing = *pool_[place];
  firing.ticket = ++firings_ << place_bits | place;
  firing.start = firing.issue_end = firing.end = start;
  firing.banks.clear();
  firing.times.clear();
  firing.listed = false;
  firing.issued = firing.served = 0;
  firing.conflict_cycles = firing.blocked_cycles = 0;
  firing.channel = number;
  firing.before = channel.last;
  firing.behind = nullptr;
  (channel.last == nullptr ? channel.first : channel.last->behind) = &firing;
  channel.last = &firing;
  ++channel.firings;
  return firing;
}

Cycle BankQueues::begun(QueuedFiring& firing) {
  Channel& channel = channels_[firing.channel];
  if (channel.issuing == nullptr) {
    channel.next_issue = std::max(channel.next_issue, now_);
    take_up(channel, &firing);
    issue(firing.channel);
  }
  const Cycle earliest = end(firing);
  if (firing.listed && (listed_[channel.word] & channel.bit) == 0) {
    listed_[channel.word] |= channel.bit;
    end_at_[firing.channel] = earliest;
  }
  return earliest;
}

Cycle BankQueues::next_end() {
  Cycle next = never;
  for (u32 word = 0; word < shape_.words; ++word) {
    for (u64 bits = listed_[word]; bits != 0; bits &= bits - 1) {
      const u32 number = word * 64 + static_cast<u32>(__builtin_ctzll(bits));
      Cycle& end_at = end_at_[number];
      if (end_at <= now_) {
        const QueuedFiring* firing = channels_[number].first;
        while (firing != nullptr && (!firing->listed || firing->done())) firing = firing->behind;
        if (firing == nullptr) {
          listed_[word] &= ~channels_[number].bit;
          continue;
        }
        end_at = end(*firing);
      }
      next = std::min(next, end_at);
    }
  }
  return next;
}

const BankQueues::QueuedFiring* BankQueues::find(u64 ticket) const {
  const u64 place = ticket & ((u64{1} << place_bits) - 1);
  if (ticket == 0 || place >= pool_.size() || pool_[place]->ticket != ticket) return nullptr;
  return pool_[place].get();
}

void BankQueues::forget(u64 ticket) {
  const QueuedFiring* const firing = find(ticket);
  if (firing != nullptr && firing->done()) forget(*pool_[ticket & ((u64{1} << place_bits) - 1)]);
}

void BankQueues::forget(QueuedFiring& firing) {
  Channel& channel = channels_[firing.channel];
  (firing.before == nullptr ? channel.first : firing.before->behind) = firing.behind;
  (firing.behind == nullptr ? channel.last : firing.behind->before) = firing.before;
  --channel.firings;
  unused_.push_back(static_cast<u32>(firing.ticket & ((u64{1} << place_bits) - 1)));
  firing.ticket = 0;
}

Cycle BankQueues::issue_end(const QueuedFiring& firing) const {
  if (firing.all_issued()) return firing.issue_end;
  const Channel& channel = channels_[firing.channel];
  Cycle next = std::max(now_, firing.start);
  if (channel.issuing == &firing) {
    next = std::max(next, channel.next_issue);
    if (channel.window[(channel.issued - shape_.outstanding) & shape_.window_mask].done == never) {
      next = std::max(next, now_ + channel.back);
    } else if (channel.issued - channel.served >= shape_.queue_entries) {
      next = std::max(next, now_ + channel.free);
    }
  }
  return next + (firing.banks.size() - firing.issued);
}

Cycle BankQueues::end(const QueuedFiring& firing) const {
  if (firing.done()) return firing.end;
  const Channel& channel = channels_[firing.channel];
  Cycle last = std::max(now_, issue_end(firing) - 1 + channel.there);
  // At most this many vectors come back to a PE in a cycle.
  const u64 left = firing.banks.size() - firing.served;
  if (channel.reads) last = std::max(last, now_ + (left - 1) / shape_.return_ports);
  return std::max(firing.end, last + channel.back);
}

// ---------------------------------------------------------------- issue

void BankQueues::take_up(Channel& channel, QueuedFiring* firing) {
  channel.issuing = firing;
  if (firing == nullptr) return;
  channel.banks = firing->banks.data();
  channel.left = firing->banks.size();
  Cycle* const times = firing->times.empty() ? nullptr : firing->times.data();
  channel.not_before = channel.reads ? nullptr : times;
  channel.times = channel.reads ? times : nullptr;
  channel.next_issue = std::max(channel.next_issue, firing->start);
}

void BankQueues::issue(u32 number) {
  Channel& channel = channels_[number];
  Line* const lines = &lines_[number * shape_.banks];
  // A channel that waits for an entry of the queue, or for the end of an earlier vector, is looked at again when one of
  // its vectors is served.
  while (channel.issuing != nullptr && channel.issued - channel.served < shape_.queue_entries) {
    Cycle wanted = channel.next_issue;
    if (channel.not_before != nullptr) wanted = std::max(wanted, *channel.not_before);
    const Cycle returned = channel.window[(channel.issued - shape_.outstanding) & shape_.window_mask].done;
    if (returned == never) return;
    Cycle cycle = std::max(wanted, returned);
    if (channel.issued >= shape_.queue_entries) {
      const u64 leaves = channel.issued - shape_.queue_entries;
      cycle = std::max(cycle, channel.served_at[leaves & shape_.queue_mask] + channel.free);
    }
    const Cycle arrival = cycle + channel.there;
    if (arrival >= now_ + horizon) {
      arrivals_.far[channel.word] |= channel.bit;
      arrivals_.far_at = std::min(arrivals_.far_at, arrival + 1 - horizon);
      return;
    }

    QueuedFiring& firing = *channel.issuing;
    const u8 bank = *channel.banks++;
    Vector& vector = channel.window[channel.issued & shape_.window_mask];
    Line& line = lines[bank];
    (line.first == nullptr ? line.first : line.last->behind) = &vector;
    line.last = &vector;
    vector = {arrival, never, &firing, channel.times, nullptr};
    const Cycle at = arrival % horizon;
    arrivals_.channels[(at * shape_.banks + bank) * shape_.words + channel.word] |= channel.bit;
    arrivals_.banks[at] |= u64{1} << bank;
    arrivals_.cycles |= u64{1} << at;

    if (channel.times != nullptr) ++channel.times;
    if (channel.not_before != nullptr) ++channel.not_before;
    channel.next_issue = cycle + 1;
    ++channel.issued;
    ++firing.issued;
    firing.blocked_cycles += cycle - wanted;
    if (--channel.left != 0) continue;
    firing.issue_end = cycle + 1;
    take_up(channel, firing.behind);
  }
}

void BankQueues::issue_far() {
  arrivals_.far_at = never;
  for (u32 word = 0; word < shape_.words; ++word) {
    for (u64 bits = std::exchange(arrivals_.far[word], 0); bits != 0; bits &= bits - 1) {
      issue(word * 64 + static_cast<u32>(__builtin_ctzll(bits)));
    }
  }
}

Cycle BankQueues::next_arrival() const {
  Cycle next = arrivals_.far_at == never ? never : std::max(arrivals_.far_at, now_);
  if (arrivals_.cycles != 0) {
    const auto at = static_cast<unsigned>(now_ % horizon);
    const u64 from_now = arrivals_.cycles >> at | arrivals_.cycles << (horizon - at) % horizon;
    next = std::min(next, now_ + static_cast<Cycle>(__builtin_ctzll(from_now)));
  }
  return next;
}

// ---------------------------------------------------------------- service

inline bool BankQueues::has_port(u32 bank, u32 port, bool reserves) {
  if (!reserves && now_ >= ports_.reserved_until[bank]) return true;
  SlotCalendar& calendar = ports_.calendars[std::size_t{bank} * ports_.per_bank + port];
  if (calendar.probe(now_) != now_) return false;
  if (reserves) {
    calendar.reserve(now_);
    ports_.reserved_until[bank] = std::max(ports_.reserved_until[bank], now_ + 1);
  }
  return true;
}

inline void BankQueues::serve_one(u32 bank, u32 number) {
  Channel& channel = channels_[number];
  Line& line = lines_[number * shape_.banks + bank];
  Vector& vector = *line.first;
  line.first = vector.behind;
  // The next vector of the channel to this bank may have come already.
  if (line.first == nullptr || line.first->arrived > now_)
    requests_[bank * shape_.words + channel.word] &= ~channel.bit;
  ++bank_accesses_[bank];
  const Cycle done = now_ + channel.back;
  vector.done = done;
  if (vector.time != nullptr) *vector.time = done;
  channel.served_at[channel.served++ & shape_.queue_mask] = now_;
  QueuedFiring& firing = *vector.firing;
  firing.conflict_cycles += now_ - vector.arrived;
  firing.end = done;
  if (++firing.served == firing.banks.size() && firing.listed) {
    done_.push_back(firing.ticket);
    end_at_[number] = 0;  // that of the next one is found when it is asked for
  }
  if (channel.reads) {
    if (shape_.return_ports == 1) {
      blocked_[channel.word] |= channel.bit;
    } else {
      u32& returned = returned_[number / 2];
      if (returned++ == 0) returned_to_.push_back(number / 2);
      if (returned == shape_.return_ports) blocked_[channel.word] |= channel.bit;
    }
  }
  issue(number);
  if (served.connected()) served(number / 2, channel.reads ? Direction::read : Direction::write, bank, now_);
}

template <u32 constant_words, class Arbiter>
inline void BankQueues::serve(Arbiter& arbiter, u32 bank, bool reserves) {
  const u32 words = constant_words != 0 ? constant_words : shape_.words;
  const u64* const requests = &requests_[bank * words];
  std::array<u64, constant_words != 0 ? constant_words : most_words> eligible;
  for (u32 port = 0; port < ports_.per_bank; ++port) {
    u64 any = 0;
    for (u32 word = 0; word < words; ++word) any |= eligible[word] = requests[word] & ~blocked_[word];
    if (any == 0) break;
    if (!has_port(bank, port, reserves)) continue;
    if constexpr (Arbiter::compares_vectors) {
      for (u32 word = 0; word < words; ++word) {
        for (u64 bits = eligible[word]; bits != 0; bits &= bits - 1) {
          const u32 number = word * 64 + static_cast<u32>(__builtin_ctzll(bits));
          first_[number] = {lines_[number * shape_.banks + bank].first->arrived};
        }
      }
    }
    serve_one(bank, arbiter.choose(bank, {eligible.data(), words, first_.data()}));
  }
  u64 left = 0;
  for (u32 word = 0; word < words; ++word) left |= requests[word];
  if (left == 0) waiting_banks_ &= ~(u64{1} << bank);
}

template <u32 constant_words, class Arbiter>
void BankQueues::run(Arbiter& arbiter, Cycle until, const QueuedFiring* awaited) {
  const u32 words = constant_words != 0 ? constant_words : shape_.words;
  while (awaited == nullptr || !awaited->done()) {
    if (waiting_banks_ == 0) now_ = std::min(until, next_arrival());
    if (now_ >= until) return;
    if (now_ >= arrivals_.far_at) issue_far();
    const Cycle at = now_ % horizon;
    if ((arrivals_.cycles >> at & 1) != 0) {
      arrivals_.cycles &= ~(u64{1} << at);
      waiting_banks_ |= arrivals_.banks[at];
      for (u64 left = std::exchange(arrivals_.banks[at], 0); left != 0; left &= left - 1) {
        const auto bank = static_cast<std::size_t>(__builtin_ctzll(left));
        u64* const arrivals = &arrivals_.channels[(at * shape_.banks + bank) * words];
        for (u32 word = 0; word < words; ++word) requests_[bank * words + word] |= std::exchange(arrivals[word], 0);
      }
    }
    // The banks choose one after another, and another bank begins in each cycle, so that no bank has the return port of
    // a PE for good.
    const u64 later = waiting_banks_ & (~u64{0} << (now_ & (shape_.banks - 1)));
    for (u64 part : {later, waiting_banks_ & ~later}) {
      for (; part != 0; part &= part - 1) {
        serve<constant_words>(arbiter, static_cast<u32>(__builtin_ctzll(part)), awaited != nullptr);
      }
    }
    for (u32 word = 0; word < words; ++word) blocked_[word] = 0;
    for (const u32 pe : returned_to_) returned_[pe] = 0;
    returned_to_.clear();
    ++now_;
  }
}

void BankQueues::run(Cycle until, const QueuedFiring* awaited) {
  const auto run_with = [&](auto& arbiter) {
    switch (shape_.words) {
      case 1:
        return run<1>(arbiter, until, awaited);
      case 2:
        return run<2>(arbiter, until, awaited);
      default:
        return run<0>(arbiter, until, awaited);
    }
  };
  std::visit(run_with, arbiter_);
}

}  // namespace bvp
