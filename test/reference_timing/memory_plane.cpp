// SPDX-License-Identifier: Apache-2.0
#include "test/reference_timing/memory_plane.h"

#include <algorithm>
#include <stdexcept>
#include <tuple>

namespace bvp::ticking {

MemoryPlane::MemoryPlane(const Machine& machine)
    : machine_(machine),
      banks_(machine.scratchpad.banks),
      queues_(2 * std::size_t{machine.pes()}),
      returned_(machine.pes()) {
  // A vector is written into the operand memory in the cycle before it can be read.
  if (machine.scratchpad.array_latency + machine.scratchpad.response_latency < 2) {
    throw std::runtime_error("loads must take two cycles from the bank at least");
  }
  for (Back* back : {&loads_, &stores_}) {
    back->at.resize(machine.scratchpad.array_latency + machine.scratchpad.response_latency + hops(machine.columns - 1) +
                    1);
  }
  for (Bank& bank : banks_) bank.last_served = 2 * machine.pes() - 1;
}

unsigned MemoryPlane::bank_of(std::uint32_t address) const {
  const std::uint32_t tile_bytes = 2 * machine_.lanes * machine_.lanes;
  unsigned bank = 0;
  for (std::uint32_t tile = (address & 0x7fffffff) / tile_bytes; tile != 0; tile /= machine_.scratchpad.banks) {
    bank ^= tile % machine_.scratchpad.banks;
    if (machine_.scratchpad.banks == 1) break;
  }
  return bank;
}

bool MemoryPlane::has_room(unsigned pe, bool store, Cycle now) {
  Queue& queue = queues_[channel(pe, store)];
  const auto back = [&](Cycle cycle) { return cycle <= now; };
  queue.taken -= static_cast<unsigned>(std::count_if(queue.free_again.begin(), queue.free_again.end(), back));
  queue.free_again.erase(std::remove_if(queue.free_again.begin(), queue.free_again.end(), back),
                         queue.free_again.end());
  return queue.taken < machine_.scratchpad.queue_entries;
}

void MemoryPlane::request(const Request& request, Cycle now) {
  banks_[bank_of(request.address)].waiting.push_back({request, now + way_there(request.pe)});
  ++queues_[channel(request.pe, request.store)].taken;
}

bool MemoryPlane::eligible(const Bank& bank, const Waiting& waiting, Cycle now) const {
  const Request& request = waiting.request;
  if (waiting.arrival > now || (!request.store && returned_[request.pe] == machine_.scratchpad.return_ports))
    return false;
  return std::none_of(bank.waiting.begin(), bank.waiting.end(), [&](const Waiting& other) {
    return other.request.pe == request.pe && other.request.store == request.store &&
           other.request.number < request.number;
  });
}

bool MemoryPlane::goes_before(const Bank& bank, const Waiting& a, const Waiting& b) const {
  const auto turn = [&](const Waiting& waiting) {
    const auto channels = static_cast<unsigned>(queues_.size());
    return (channel(waiting.request.pe, waiting.request.store) + channels - bank.last_served - 1) % channels;
  };
  switch (machine_.scratchpad.arbiter) {
    case Arbiter::first_come:
      return a.arrival != b.arrival ? a.arrival < b.arrival : turn(a) < turn(b);
    case Arbiter::round_robin:
      return turn(a) < turn(b);
    default:
      return a.request.firing != b.request.firing ? a.request.firing < b.request.firing
                                                  : a.request.number < b.request.number;
  }
}

MemoryPlane::Bank::Place MemoryPlane::next_of(Bank& bank, Cycle now) const {
  auto chosen = bank.waiting.end();
  for (auto one = bank.waiting.begin(); one != bank.waiting.end(); ++one) {
    const bool better = chosen == bank.waiting.end() || goes_before(bank, *one, *chosen);
    if (better && eligible(bank, *one, now)) chosen = one;
  }
  return chosen;
}

void MemoryPlane::serve(Bank& bank, Bank::Place chosen, Cycle now, std::vector<Return>& loads) {
  const Request request = chosen->request;
  bank.waiting.erase(chosen);
  bank.last_served = channel(request.pe, request.store);
  // The answer goes the way of the vector back.
  queues_[bank.last_served].free_again.push_back(now + std::max<Cycle>(1, way_there(request.pe)));
  if (request.store) {
    stores_.add(now + machine_.scratchpad.array_latency, {request.pe, request.number});
    return;
  }
  ++returned_[request.pe];
  loads.push_back({request.pe, request.number});
  loads_.add(now + machine_.scratchpad.array_latency + machine_.scratchpad.response_latency + hops(request.pe),
             {request.pe, request.number});
}

std::vector<MemoryPlane::Return> MemoryPlane::tick(Cycle now) {
  std::vector<Return> loads;
  std::fill(returned_.begin(), returned_.end(), 0);
  if (machine_.scratchpad.arbiter == Arbiter::oldest_firing) {
    // Ports of banks and of the way back go to the oldest vector that finds both.
    std::vector<unsigned> used(banks_.size(), 0);
    for (;;) {
      std::size_t oldest = banks_.size();
      Bank::Place chosen;
      for (std::size_t i = 0; i < banks_.size(); ++i) {
        if (used[i] == machine_.scratchpad.bank_ports) continue;
        const auto next = next_of(banks_[i], now);
        if (next == banks_[i].waiting.end()) continue;
        if (oldest != banks_.size() && !goes_before(banks_[i], *next, *chosen)) continue;
        oldest = i;
        chosen = next;
      }
      if (oldest == banks_.size()) return loads;
      serve(banks_[oldest], chosen, now, loads);
      ++used[oldest];
    }
  }
  // Another bank is the first to take a PE's return port in each cycle.
  for (unsigned i = 0; i < banks_.size(); ++i) {
    Bank& bank = banks_[(now + i) % banks_.size()];
    for (unsigned port = 0; port < machine_.scratchpad.bank_ports; ++port) {
      const auto next = next_of(bank, now);
      if (next == bank.waiting.end()) break;
      serve(bank, next, now, loads);
    }
  }
  return loads;
}

}  // namespace bvp::ticking
