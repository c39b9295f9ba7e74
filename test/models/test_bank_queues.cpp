// SPDX-License-Identifier: Apache-2.0
// The way of vectors to the scratchpad's banks against a model that goes cycle by cycle over everything.
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "models/scratchpad/bank_bookings.h"
#include "models/scratchpad/bank_queues.h"

namespace {

using namespace bvp;
using Direction = BankQueues::Direction;

struct Machine : ParameterGroup {
  Machine() : ParameterGroup("test") {
    array.rows = 2;
    array.columns = 2;
    scratchpad.banks = 4;
  }
  ArrayParameters array{this};
  ScratchpadParameters scratchpad{this};

  [[nodiscard]] u32 pes() const { return static_cast<u32>(array.rows * array.columns); }
  [[nodiscard]] Cycle hops(u32 pe) const {
    return pe % static_cast<u32>(array.columns) * static_cast<Cycle>(scratchpad.hop_latency);
  }
  [[nodiscard]] Cycle there(u32 pe) const { return static_cast<Cycle>(scratchpad.request_latency) + hops(pe); }
  [[nodiscard]] Cycle back(u32 channel) const {
    const Cycle reading = static_cast<Cycle>(scratchpad.response_latency) + hops(channel / 2);
    return static_cast<Cycle>(scratchpad.array_latency) + (channel % 2 == 0 ? reading : 0);
  }
};

struct Order {
  u32 channel = 0;
  Cycle start = 0;
  std::vector<u8> banks;
  std::vector<Cycle> not_before;  // of a write's vectors
};

struct Vector {
  std::size_t order = 0;
  u32 bank = 0;
  Cycle start = 0, not_before = 0;
  Cycle issued = 0, served = 0;  // 0: not yet, as nothing happens before cycle 1
};

/// Ports of a bank that others have taken, by bank and cycle.
using Taken = std::map<std::pair<u32, Cycle>, i64>;

/// In a cycle the oldest vector goes first that finds a port of its bank and, of a load, of its PE; returns how many.
std::size_t serve_oldest(const Machine& machine, std::vector<std::vector<Vector>>& vectors, std::vector<i64>& returned,
                         const Taken& taken, Cycle now) {
  std::vector<std::pair<Vector*, u32>> waiting;
  for (u32 channel = 0; channel < vectors.size(); ++channel) {
    for (Vector& v : vectors[channel]) {
      if (v.issued != 0 && v.served == 0 && v.issued + machine.there(channel / 2) <= now)
        waiting.push_back({&v, channel});
    }
  }
  std::stable_sort(waiting.begin(), waiting.end(),
                   [](const auto& a, const auto& b) { return a.first->order < b.first->order; });
  std::map<u32, i64> used;
  std::size_t served = 0;
  for (const auto& [vector, channel] : waiting) {
    const auto others = taken.find({vector->bank, now});
    i64& ports = used[vector->bank];
    if (ports + (others == taken.end() ? 0 : others->second) >= machine.scratchpad.ports) continue;
    if (channel % 2 == 0 && returned[channel / 2]++ >= machine.scratchpad.return_ports) continue;
    ++ports;
    vector->served = now;
    ++served;
  }
  return served;
}

/// Returns the vectors of each order. The function is long because it is one cycle of the machine from its beginning to
/// its end, in the order in which the hardware does it.
std::vector<std::vector<Vector>> tick(const Machine& machine, const std::vector<Order>& orders, const Taken& taken) {
  const auto banks = static_cast<u32>(machine.scratchpad.banks);
  const u32 channels = 2 * machine.pes();
  std::vector<std::vector<Vector>> vectors(channels);
  std::size_t left = 0;
  for (std::size_t i = 0; i < orders.size(); ++i) {
    for (std::size_t v = 0; v < orders[i].banks.size(); ++v) {
      const Cycle not_before = orders[i].not_before.empty() ? 0 : orders[i].not_before[v];
      vectors[orders[i].channel].push_back({i, orders[i].banks[v], orders[i].start, not_before, 0, 0});
    }
    left += orders[i].banks.size();
  }
  std::vector<u32> last(banks, channels - 1);
  const std::string policy = machine.scratchpad.arbiter;
  for (Cycle now = 1; left != 0; ++now) {
    for (u32 channel = 0; channel < channels; ++channel) {
      auto& own = vectors[channel];
      const auto next = std::find_if(own.begin(), own.end(), [](const Vector& v) { return v.issued == 0; });
      if (next == own.end() || std::max(next->start, next->not_before) > now) continue;
      const auto done = static_cast<i64>(next - own.begin()) - static_cast<i64>(machine.scratchpad.outstanding);
      if (done >= 0 && (own[static_cast<std::size_t>(done)].served == 0 ||
                        own[static_cast<std::size_t>(done)].served + machine.back(channel) > now)) {
        continue;
      }
      const auto queued = std::count_if(own.begin(), next, [&](const Vector& v) {
        return v.served == 0 || v.served + std::max<Cycle>(1, machine.there(channel / 2)) > now;
      });
      if (queued < machine.scratchpad.queue_entries) next->issued = now;
    }
    std::vector<i64> returned(machine.pes(), 0);
    if (policy == "oldest_firing") {
      left -= serve_oldest(machine, vectors, returned, taken, now);
      continue;
    }
    for (u32 i = 0; i < banks; ++i) {
      const u32 bank = static_cast<u32>((now + i) % banks);
      const auto others = taken.find({bank, now});
      for (i64 port = others == taken.end() ? 0 : others->second; port < machine.scratchpad.ports; ++port) {
        Vector* best = nullptr;
        u32 best_channel = 0;
        for (u32 channel = 0; channel < channels; ++channel) {
          if (channel % 2 == 0 && returned[channel / 2] == machine.scratchpad.return_ports) continue;
          const Cycle there = machine.there(channel / 2);
          auto& own = vectors[channel];
          const auto asks = std::find_if(own.begin(), own.end(), [&](const Vector& v) {
            return v.issued != 0 && v.served == 0 && v.bank == bank && v.issued + there <= now;
          });
          if (asks == own.end()) continue;
          const auto turn = [&](u32 number) { return (number + channels - last[bank] - 1) % channels; };
          const Cycle arrived = asks->issued + there;
          const Cycle best_arrived = best != nullptr ? best->issued + machine.there(best_channel / 2) : 0;
          bool better = best == nullptr;
          if (!better && policy == "round_robin") better = turn(channel) < turn(best_channel);
          if (!better && policy == "first_come") {
            better = arrived < best_arrived || (arrived == best_arrived && turn(channel) < turn(best_channel));
          }
          if (!better) continue;
          best = &*asks;
          best_channel = channel;
        }
        if (best == nullptr) break;
        best->served = now;
        last[bank] = best_channel;
        if (best_channel % 2 == 0) ++returned[best_channel / 2];
        --left;
      }
    }
  }
  std::vector<std::vector<Vector>> of_order(orders.size());
  for (const auto& own : vectors) {
    for (const Vector& vector : own) of_order[vector.order].push_back(vector);
  }
  return of_order;
}

}  // namespace

TEST_CASE("bank queues: every vector is issued and served in the cycle that the rules say", "[scratchpad]") {
  const std::string policy = GENERATE("round_robin", "first_come", "oldest_firing");
  for (unsigned seed = 1; seed <= 60; ++seed) {
    INFO(policy << ", seed " << seed);
    std::mt19937 random(seed);
    const auto below = [&](u32 limit) { return static_cast<u32>(random() % limit); };
    Machine machine;
    machine.scratchpad.arbiter = policy;
    machine.scratchpad.banks = seed % 6 == 0 ? 1 : 4;
    const auto banks = static_cast<u32>(machine.scratchpad.banks);
    machine.scratchpad.ports = 1 + below(2);
    machine.scratchpad.return_ports = 1 + below(2);
    machine.scratchpad.queue_entries = 1 + below(12);
    machine.scratchpad.outstanding = 1 + below(12);
    machine.scratchpad.request_latency = below(3);
    BankPorts ports(machine.scratchpad, 65536);
    std::vector<u64> accesses(banks, 0);
    BankQueues dut(machine.array, machine.scratchpad, ports, accesses);
    BankBookings bookings(machine.array, machine.scratchpad, ports, accesses);
    const bool booked = policy == "oldest_firing";
    std::map<std::pair<u32, Cycle>, i64> of_bank, to_pe;
    u64 seen = 0;
    const auto see = [&](u32 pe, Direction direction, u32 bank, Cycle cycle) {
      ++seen;
      CHECK(++of_bank[std::make_pair(bank, cycle)] <= machine.scratchpad.ports);
      if (direction == Direction::read) CHECK(++to_pe[std::make_pair(pe, cycle)] <= machine.scratchpad.return_ports);
    };
    const Connection by_queues = dut.served.connect(see), by_bookings = bookings.served.connect(see);
    std::vector<BankBookings::Placed> placed;
    std::vector<std::vector<Cycle>> booked_times;
    std::vector<Order> orders;
    std::vector<u64> tickets;
    Taken taken;
    Cycle now = 1;
    u64 vectors = 0;
    for (int i = 0; i < 40; ++i) {
      now += below(4) == 0 ? below(100) : below(6);
      Order order{below(2 * machine.pes()), now, {}, {}};
      const u32 count = 1 + below(20), only = below(banks);
      for (u32 v = 0; v < count; ++v) order.banks.push_back(static_cast<u8>(i % 3 == 0 ? only : below(banks)));
      vectors += count;
      orders.push_back(order);
      // Sometimes a write's vectors come late, far beyond the ring of arrivals too.
      const Cycle late = below(3) != 0 ? 0 : 1 + below(below(4) == 0 ? 300 : 20);
      for (u32 v = 0; late != 0 && order.channel % 2 == 1 && v < count; ++v) {
        order.not_before.push_back((v == 0 ? now : order.not_before.back() + 1) + below(static_cast<u32>(late)));
        orders.back().not_before = order.not_before;
      }
      if (below(2) == 0) dut.advance(now);
      for (u32 others = below(6) == 0 ? below(30) : 0; others != 0; --others) {
        const u32 bank = below(banks);
        ++taken[{bank, ports.reserve(bank, now + below(40))}];
      }
      const Direction direction = order.channel % 2 == 0 ? Direction::read : Direction::write;
      if (booked) {
        booked_times.push_back(order.not_before);
        if (direction == Direction::read) booked_times.back().assign(count, 0);
        Cycle* const times = booked_times.back().empty() ? nullptr : booked_times.back().data();
        placed.push_back(bookings.place(order.channel / 2, direction, now, order.banks, times));
        continue;
      }
      BankQueues::QueuedFiring& firing = dut.begin(order.channel / 2, direction, now);
      firing.banks = order.banks;
      firing.times = order.not_before;
      if (direction == Direction::read) firing.times.assign(count, 0);
      dut.begun(firing);
      tickets.push_back(firing.ticket);
      if (!tickets.empty() && below(3) == 0) {
        // What is said to be the earliest is never too late.
        CHECK(dut.end(*dut.find(tickets.back())) >= now + machine.back(order.channel));
      }
    }
    const auto expected = tick(machine, orders, taken);
    for (std::size_t i = 0; i < orders.size(); ++i) {
      BankQueues::QueuedFiring firing;
      if (booked) {
        firing.times = booked_times[i];
        firing.issue_end = placed[i].issue_end;
        firing.end = placed[i].end;
        firing.conflict_cycles = placed[i].conflict_cycles;
        firing.blocked_cycles = placed[i].blocked_cycles;
      } else {
        const BankQueues::QueuedFiring& queued = *dut.find(tickets[i]);
        const Cycle earliest = dut.end(queued), earliest_issue_end = dut.issue_end(queued);
        // In steps, so that nothing is reserved which others would have to wait for.
        while (!queued.done()) dut.advance(now += 1 + below(30));
        firing = queued;
        CHECK(earliest <= firing.end);
        CHECK(earliest_issue_end <= firing.issue_end);
      }
      const Cycle there = machine.there(orders[i].channel / 2), back = machine.back(orders[i].channel);
      Cycle last = 0;
      u64 waited = 0, blocked = 0;
      for (std::size_t v = 0; v < expected[i].size(); ++v) {
        const Vector& vector = expected[i][v];
        last = std::max(last, vector.served);
        waited += vector.served - vector.issued - there;
        if (orders[i].channel % 2 == 0) REQUIRE(firing.times[v] == vector.served + back);
      }
      REQUIRE(firing.end == last + back);
      REQUIRE(firing.issue_end == expected[i].back().issued + 1);
      CHECK(firing.conflict_cycles == waited);
      // A vector wants to be issued when its firing has begun, its data is there and the one before has been issued.
      Cycle before = 0;
      for (std::size_t earlier = 0; earlier < i; ++earlier) {
        if (orders[earlier].channel == orders[i].channel) before = expected[earlier].back().issued + 1;
      }
      for (const Vector& vector : expected[i]) {
        blocked += vector.issued - std::max({vector.start, vector.not_before, before});
        before = vector.issued + 1;
      }
      CHECK(firing.blocked_cycles == blocked);
    }
    CHECK(seen == vectors);
  }
}

TEST_CASE("bank queues: who is served first", "[scratchpad]") {
  std::array<WaitingVector, 8> vectors{};
  vectors[6] = {10};
  vectors[1] = {10};
  vectors[4] = {12};
  const auto order = [&](const char* policy) {
    BankArbiter arbiter = make_bank_arbiter(policy, 2, 8);
    u64 left = u64{1} << 6 | u64{1} << 1 | u64{1} << 4;
    std::vector<u32> served;
    while (left != 0) {
      const BankRequests requests{&left, 1, vectors.data()};
      served.push_back(std::visit([&](auto& chooser) { return chooser.choose(1, requests); }, arbiter));
      left &= ~(u64{1} << served.back());
    }
    return served;
  };
  CHECK(order("round_robin") == std::vector<u32>{1, 4, 6});
  CHECK(order("first_come") == std::vector<u32>{1, 6, 4});
}

TEST_CASE("bank queues: a full queue holds the loads of a PE back, and no others", "[scratchpad]") {
  Machine machine;
  machine.scratchpad.queue_entries = 2;
  BankPorts ports(machine.scratchpad, 65536);
  std::vector<u64> accesses(4, 0);
  BankQueues dut(machine.array, machine.scratchpad, ports, accesses);
  // PE 0 knows of a vector served in cycle s in s + 1: two in flight, served in 11, 12, 13 ... one a cycle.
  const auto begin = [&](u32 pe, u8 bank) {
    BankQueues::QueuedFiring& firing = dut.begin(pe, Direction::read, 10);
    firing.banks.assign(8, bank);
    dut.begun(firing);
    return firing.ticket;
  };
  const u64 near = begin(0, 0);
  // PE 1 is a hop further: its round trip to the bank takes four cycles, so it issues two vectors in four.
  const u64 far = begin(1, 1);
  dut.finish(*dut.find(near));
  dut.finish(*dut.find(far));
  CHECK(dut.find(near)->issue_end == 10 + 8);
  CHECK(dut.find(near)->blocked_cycles == 0);
  CHECK(dut.find(far)->issue_end == 10 + 3 * 4 + 2);
  CHECK(dut.find(far)->blocked_cycles == 3 * 2);
}

TEST_CASE("bank queues: a channel that asks a busy bank gets its turn", "[scratchpad]") {
  const std::string policy = GENERATE("round_robin", "first_come");
  const i64 entries = GENERATE(1, 8);
  INFO(policy << ", queues of " << entries);
  Machine machine;
  machine.scratchpad.arbiter = policy;
  machine.scratchpad.banks = 1;
  machine.scratchpad.queue_entries = entries;
  BankPorts ports(machine.scratchpad, 65536);
  std::vector<u64> accesses(1, 0);
  BankQueues dut(machine.array, machine.scratchpad, ports, accesses);
  const u32 channels = 2 * machine.pes();
  constexpr u32 many = 1000;
  const auto begin = [&](u32 channel, Cycle start, u32 vectors) {
    BankQueues::QueuedFiring& firing =
        dut.begin(channel / 2, channel % 2 == 0 ? Direction::read : Direction::write, start);
    firing.banks.assign(vectors, 0);
    dut.begun(firing);
    return firing.ticket;
  };
  for (u32 channel = 0; channel + 1 < channels; ++channel) begin(channel, 10, many);
  constexpr Cycle late = 500;
  dut.advance(late);
  const u32 last = channels - 1;
  const u64 ticket = begin(last, late, 1);
  dut.finish(*dut.find(ticket));
  const Cycle arrived = late + machine.there(last / 2);
  const Cycle served = dut.find(ticket)->end - machine.back(last);
  if (policy == "round_robin") {
    CHECK(served < arrived + channels);
  } else {
    CHECK(served < arrived + channels * static_cast<Cycle>(entries));
  }
}
