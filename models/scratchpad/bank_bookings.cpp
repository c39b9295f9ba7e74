// SPDX-License-Identifier: Apache-2.0
#include "models/scratchpad/bank_bookings.h"

#include <algorithm>

namespace bvp {

BankBookings::BankBookings(const ArrayParameters& array, const ScratchpadParameters& parameters, BankPorts& ports,
                           std::vector<u64>& bank_accesses)
    // A number of return ports as large as the number of bank ports limits nothing.
    : return_ports_(static_cast<u32>(
          parameters.return_ports < parameters.banks * parameters.ports ? i64{parameters.return_ports} : i64{0})),
      queue_entries_(static_cast<u32>(parameters.queue_entries)),
      outstanding_(static_cast<u32>(parameters.outstanding)),
      ports_(ports),
      bank_accesses_(bank_accesses),
      channels_(static_cast<std::size_t>(array.rows * array.columns) * 2),
      done_(channels_.size() * outstanding_, 0),
      services_(channels_.size() * queue_entries_, 0),
      returns_(channels_.size() / 2 * return_ports_) {
  for (u32 number = 0; number < channels_.size(); ++number) {
    Channel& channel = channels_[number];
    const Cycle hops = Cycle{number / 2 % static_cast<u32>(array.columns)} * static_cast<Cycle>(parameters.hop_latency);
    channel.there = static_cast<Cycle>(parameters.request_latency) + hops;
    channel.back = static_cast<Cycle>(parameters.array_latency);
    if (number % 2 == 0) channel.back += static_cast<Cycle>(parameters.response_latency) + hops;
    channel.free = std::max<Cycle>(1, channel.there);
  }
}

Cycle BankBookings::serve(u32 pe, bool reads, u32 bank, Cycle earliest) {
  if (!reads || return_ports_ == 0) return ports_.reserve(bank, earliest);
  SlotCalendar* const returns = &returns_[std::size_t{pe} * return_ports_];
  for (Cycle cycle = ports_.probe(bank, earliest);;) {
    Cycle returned = returns->probe(cycle);
    SlotCalendar* best = returns;
    for (u32 i = 1; i < return_ports_ && returned != cycle; ++i) {
      const Cycle other = returns[i].probe(cycle);
      if (other >= returned) continue;
      returned = other;
      best = &returns[i];
    }
    if (returned == cycle) {
      best->reserve(cycle);
      return ports_.reserve(bank, cycle);
    }
    cycle = ports_.probe(bank, returned);
  }
}

void BankBookings::remember(Channel& channel, Cycle* services, Cycle service) const {
  // The earliest service gives its place to the last one; mostly the services come in order.
  u32 at = channel.first;
  channel.first = at + 1 == queue_entries_ ? 0 : at + 1;
  while (at != channel.first) {
    const u32 before = at == 0 ? queue_entries_ - 1 : at - 1;
    if (services[before] <= service) break;
    services[at] = services[before];
    at = before;
  }
  services[at] = service;
}

BankBookings::Placed BankBookings::place(u32 pe, Direction direction, Cycle start, const std::vector<u8>& banks,
                                         Cycle* times) {
  const bool reads = direction == Direction::read;
  const std::size_t number = 2 * std::size_t{pe} + (reads ? 0 : 1);
  Channel& channel = channels_[number];
  Cycle* const done = &done_[number * outstanding_];
  Cycle* const services = &services_[number * queue_entries_];
  const bool told = served.connected();
  Placed placed;
  Cycle next = std::max(channel.next_issue, start);
  for (std::size_t i = 0; i < banks.size(); ++i) {
    if (!reads && times != nullptr) next = std::max(next, times[i]);
    Cycle issue = std::max(next, done[channel.place]);
    // An entry of the queue is free when the answers to all but the last queue_entries - 1 services have come back.
    if (services[channel.first] != 0) issue = std::max(issue, services[channel.first] + channel.free);
    const Cycle arrival = issue + channel.there;
    const Cycle service = serve(pe, reads, banks[i], arrival);
    ++bank_accesses_[banks[i]];
    placed.blocked_cycles += issue - next;
    placed.conflict_cycles += service - arrival;
    const Cycle end = service + channel.back;
    placed.end = std::max(placed.end, end);
    done[channel.place] = end;
    if (++channel.place == outstanding_) channel.place = 0;
    if (service > services[channel.first]) remember(channel, services, service);
    if (reads && times != nullptr) times[i] = end;
    next = issue + 1;
    if (told) served(pe, direction, banks[i], service);
  }
  placed.issue_end = channel.next_issue = next;
  return placed;
}

}  // namespace bvp
