// SPDX-License-Identifier: Apache-2.0
#include "models/mesh/router_network.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace bvp {

namespace {

Cycle wheel_size(const RouterNetwork::Shape& shape) {
  Cycle size = 2;
  while (size <= std::max(shape.vector_cycles, shape.link_latency)) size *= 2;
  return size;
}

}  // namespace

RouterNetwork::RouterNetwork(const Shape& shape)
    : shape_(shape),
      pe_port_(shape.skip_links ? 8 : 4),
      ports_(pe_port_ + 1),
      words_((shape.columns * shape.rows + 63) / 64),
      horizon_mask_(wheel_size(shape) - 1),
      outputs_(std::size_t{shape.columns} * shape.rows * ports_),
      entries_(outputs_.size() * shape.buffer_entries),
      waiting_(std::size_t{shape.columns} * shape.rows, 0),
      sources_(waiting_.size()),
      wheel_((horizon_mask_ + 1) * words_, 0) {
  for (u32 router = 0; router < waiting_.size(); ++router) {
    const u32 x = router % shape.columns, y = router / shape.columns;
    for (u32 port = 0; port < pe_port_; ++port) {
      const u32 far = port < 4 ? 1 : 2;
      const std::array<bool, 4> inside{x + far < shape.columns, x >= far, y + far < shape.rows, y >= far};
      const auto direction = static_cast<LinkDirection>(port);
      if (inside[port % 4]) outputs_[output_index(router, direction)].to = neighbour(router, direction);
    }
  }
}

// ---------------------------------------------------------------- routes

u32 RouterNetwork::neighbour(u32 router, LinkDirection direction) const {
  const auto port = static_cast<u32>(direction);
  const u32 far = (port < 4 ? 1 : 2) * (port % 4 < 2 ? 1 : shape_.columns);
  return port % 2 == 0 ? router + far : router - far;
}

LinkDirection RouterNetwork::next_output(u32 router, u32 destination) const {
  const auto toward = [&](u32 from, u32 to, LinkDirection onward, LinkDirection back) {
    const u32 steps = from < to ? to - from : from - to;
    const auto direction = static_cast<u32>(from < to ? onward : back);
    return static_cast<LinkDirection>(direction + (shape_.skip_links && steps >= 2 ? 4 : 0));
  };
  const u32 x = router % shape_.columns, to_x = destination % shape_.columns;
  if (x != to_x) return toward(x, to_x, LinkDirection::east, LinkDirection::west);
  if (router != destination)
    return toward(router / shape_.columns, destination / shape_.columns, LinkDirection::south, LinkDirection::north);
  return LinkDirection::eject;
}

u32 RouterNetwork::hops(u32 source, u32 destination) const {
  const auto steps = [&](u32 a, u32 b) {
    const u32 distance = a < b ? b - a : a - b;
    return shape_.skip_links ? (distance + 1) / 2 : distance;
  };
  return steps(source % shape_.columns, destination % shape_.columns) +
         steps(source / shape_.columns, destination / shape_.columns);
}

// ---------------------------------------------------------------- packets

void RouterNetwork::add(const Packet& packet, bool reported) {
  u32 index = unused_;
  if (index == none) {
    index = static_cast<u32>(packets_.size());
    packets_.emplace_back();
  } else {
    unused_ = packets_[index].next;
  }
  Moving& moving = packets_[index];
  moving = Moving{};
  moving.packet = packet;
  moving.unsent = packet.vectors;
  moving.reported = reported;
  moving.arrivals.reserve(packet.vectors);
  Source& source = sources_[packet.source];
  if (source.first == none) {
    source.first = index;
    waiting_[packet.source] |= 1u << pe_port_;
    look_at(packet.source, std::max({packet.start, source.free, now_}));
  } else {
    packets_[source.last].next = index;
  }
  source.last = index;
}

void RouterNetwork::report(Report::Kind kind, Moving& moving, Cycle cycle) {
  if (!moving.reported) return;
  const Packet& packet = moving.packet;
  reports_.push_back({kind, packet.number, packet.source, packet.destination, cycle, moving.stall_cycles, {}});
  if (kind == Report::Kind::arrived) reports_.back().arrivals = std::move(moving.arrivals);
}

std::vector<RouterNetwork::Report> RouterNetwork::take_reports() { return std::exchange(reports_, {}); }

Cycle RouterNetwork::earliest_report() const {
  Cycle earliest = never;
  for (const Source& source : sources_) {
    if (source.first == none) continue;
    const Moving& first = packets_[source.first];
    const Cycle next = std::max({first.packet.start, source.free, now_});
    earliest = std::min(earliest, next + first.unsent * shape_.vector_cycles);
  }
  for (const u32 index : last_under_way_) {
    const Cycle ejection = std::max(packets_[index].earliest_ejection, now_);
    earliest = std::min(earliest, ejection + shape_.vector_cycles - 1 + shape_.ejection_latency);
  }
  return earliest;
}

// ---------------------------------------------------------------- cycles

void RouterNetwork::look_at(u32 router, Cycle cycle) {
  if (cycle - now_ > horizon_mask_) {
    starts_.push_back({cycle, router});
    std::push_heap(starts_.begin(), starts_.end(), std::greater<>());
    return;
  }
  u64& word = wheel_[(cycle & horizon_mask_) * words_ + router / 64];
  const u64 bit = u64{1} << (router % 64);
  booked_ += (word & bit) == 0 ? 1 : 0;
  word |= bit;
}

void RouterNetwork::advance(Cycle until) {
  while (now_ < until) {
    if (booked_ == 0) now_ = std::min(until, starts_.empty() ? never : std::max(now_, starts_.front().cycle));
    if (now_ < until) do_cycle();
  }
}

std::vector<RouterNetwork::Report> RouterNetwork::advance_until_report() {
  while (reports_.empty()) {
    if (booked_ == 0) now_ = std::max(now_, starts_.front().cycle);
    do_cycle();
  }
  return take_reports();
}

void RouterNetwork::do_cycle() {
  while (!starts_.empty() && starts_.front().cycle <= now_) {
    const u32 router = starts_.front().router;
    std::pop_heap(starts_.begin(), starts_.end(), std::greater<>());
    starts_.pop_back();
    look_at(router, now_);
  }
  // A router changes only what others see in later cycles, so the order of the routers does not matter.
  for (u32 i = 0; i < words_; ++i) {
    u64& word = wheel_[(now_ & horizon_mask_) * words_ + i];
    u64 routers = std::exchange(word, 0);
    booked_ -= static_cast<u64>(__builtin_popcountll(routers));
    for (; routers != 0; routers &= routers - 1) do_router(i * 64 + static_cast<u32>(__builtin_ctzll(routers)));
  }
  ++now_;
}

void RouterNetwork::do_router(u32 router) {
  std::array<u32, link_direction_count> wanted_by{};  // by output: the inputs whose first vector wants this output
  u32 wanted = 0;
  for (u32 inputs = waiting_[router]; inputs != 0; inputs &= inputs - 1) {
    const auto input = static_cast<u32>(__builtin_ctz(inputs));
    u32 output = 0;
    if (input == pe_port_) {
      const Source& source = sources_[router];
      const Moving& first = packets_[source.first];
      if (std::max(first.packet.start, source.free) > now_) continue;
      output = port_of(next_output(router, first.packet.destination));
    } else {
      const u32 from = neighbour(router, static_cast<LinkDirection>(input));
      const std::size_t link = std::size_t{from} * ports_ + opposite(input);
      const Entry& head = entries_[link * shape_.buffer_entries + outputs_[link].head];
      if (std::max(head.ready, outputs_[link].drained) > now_) continue;
      output = head.output;
    }
    wanted_by[output] |= 1u << input;
    wanted |= 1u << output;
  }
  for (; wanted != 0; wanted &= wanted - 1) {
    const auto port = static_cast<u32>(__builtin_ctz(wanted));
    const std::size_t link = std::size_t{router} * ports_ + port;
    const Output& output = outputs_[link];
    if (output.free > now_) {
      look_at(router, output.free);
      continue;
    }
    if (port != pe_port_) {
      // The router from whose full FIFO a vector leaves wakes the router that wants to send to it.
      if (output.held == shape_.buffer_entries) continue;
      const u32 tail = (output.head + output.held) % shape_.buffer_entries;
      const Cycle credit = entries_[link * shape_.buffer_entries + tail].free_at;
      if (credit > now_) {
        look_at(router, credit);
        continue;
      }
    }
    const u32 inputs = wanted_by[port];
    const u32 from_next = inputs >> output.next_input << output.next_input;
    move(router, static_cast<u32>(__builtin_ctz(from_next != 0 ? from_next : inputs)), port);
    if ((inputs & (inputs - 1)) != 0) look_at(router, now_ + shape_.vector_cycles);
  }
}

RouterNetwork::Taken RouterNetwork::take_from_pe(u32 router, Cycle gone) {
  Source& source = sources_[router];
  Taken taken;
  taken.packet = source.first;
  Moving& moving = packets_[taken.packet];
  taken.ready = std::max(moving.packet.start, source.free);
  source.free = gone;
  taken.last = --moving.unsent == 0;
  if (taken.last) {
    source.first = moving.next;
    if (source.first == none) waiting_[router] &= ~(1u << pe_port_);
  }
  if (source.first != none) look_at(router, std::max(packets_[source.first].packet.start, gone));
  return taken;
}

RouterNetwork::Taken RouterNetwork::take_from_link(u32 router, u32 input, Cycle gone) {
  const u32 from = neighbour(router, static_cast<LinkDirection>(input));
  Output& link = outputs_[std::size_t{from} * ports_ + opposite(input)];
  Entry* const entries = &entries_[(std::size_t{from} * ports_ + opposite(input)) * shape_.buffer_entries];
  Entry& entry = entries[link.head];
  const Taken taken{entry.packet, entry.last, entry.ready};
  entry.free_at = gone;
  link.drained = gone;
  link.head = static_cast<u8>((link.head + 1) % shape_.buffer_entries);
  if (--link.held == 0) {
    waiting_[router] &= ~(1u << input);
  } else {
    look_at(router, std::max(entries[link.head].ready, gone));
  }
  if (waiting_[from] != 0) look_at(from, gone);
  return taken;
}

void RouterNetwork::move(u32 router, u32 input, u32 port) {
  const Cycle gone = now_ + shape_.vector_cycles;
  const auto [index, last, ready] =
      input == pe_port_ ? take_from_pe(router, gone) : take_from_link(router, input, gone);
  Output& output = outputs_[std::size_t{router} * ports_ + port];
  Moving& moving = packets_[index];
  output.free = gone;
  output.next_input = static_cast<u8>((input + 1) % ports_);
  output.stall_cycles += now_ - ready;
  moving.stall_cycles += now_ - ready;
  if (input == pe_port_ && last) {
    report(Report::Kind::sent, moving, gone);
    moving.earliest_ejection = now_;
    last_under_way_.push_back(index);
  }
  if (port == pe_port_) {
    const Cycle arrival = gone - 1 + shape_.ejection_latency;
    if (moving.reported) moving.arrivals.push_back(arrival);
    if (!last) return;
    report(Report::Kind::arrived, moving, arrival);
    *std::find(last_under_way_.begin(), last_under_way_.end(), index) = last_under_way_.back();
    last_under_way_.pop_back();
    moving.next = unused_;
    unused_ = index;
    return;
  }
  const u32 tail = (output.head + output.held++) % shape_.buffer_entries;
  Entry& entry = entries_[(std::size_t{router} * ports_ + port) * shape_.buffer_entries + tail];
  entry.ready = now_ + shape_.link_latency;
  entry.packet = index;
  entry.output = static_cast<u8>(port_of(next_output(output.to, moving.packet.destination)));
  entry.last = last;
  if (last) {
    moving.earliest_ejection = entry.ready + hops(output.to, moving.packet.destination) * shape_.link_latency;
  }
  waiting_[output.to] |= 1u << opposite(port);
  look_at(output.to, std::max(entry.ready, output.drained));
}

}  // namespace bvp
