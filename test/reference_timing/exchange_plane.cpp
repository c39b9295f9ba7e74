// SPDX-License-Identifier: Apache-2.0
#include "test/reference_timing/exchange_plane.h"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <utility>

namespace bvp::ticking {

ExchangePlane::ExchangePlane(const Machine& machine)
    : machine_(machine),
      width_(machine.mesh.link_bytes == 0
                 ? 1
                 : (2 * machine.lanes + machine.mesh.link_bytes - 1) / machine.mesh.link_bytes),
      links_(std::size_t{machine.pes()} * outputs_) {
  if (machine.mesh.ejection_latency == 0 || machine.mesh.link_latency == 0) {
    throw std::runtime_error("vectors must take a cycle at least");
  }
  // Who has the first choice at the beginning is nowhere said.
  for (Link& link : links_) link.next_input = machine.ties % outputs_;
}

unsigned ExchangePlane::neighbour(unsigned pe, unsigned direction) const {
  const int far = direction < directions ? 1 : 2;
  const int dx[] = {far, -far, 0, 0}, dy[] = {0, 0, far, -far};
  const int x = static_cast<int>(pe % machine_.columns) + dx[direction % directions];
  const int y = static_cast<int>(pe / machine_.columns) + dy[direction % directions];
  const bool inside = x >= 0 && y >= 0 && x < static_cast<int>(machine_.columns) && y < static_cast<int>(machine_.rows);
  return inside ? static_cast<unsigned>(y) * machine_.columns + static_cast<unsigned>(x) : machine_.pes();
}

unsigned ExchangePlane::output(unsigned pe, unsigned destination) const {
  const int dx = static_cast<int>(destination % machine_.columns) - static_cast<int>(pe % machine_.columns);
  const int dy = static_cast<int>(destination / machine_.columns) - static_cast<int>(pe / machine_.columns);
  if (dx == 0 && dy == 0) return outputs_ - 1;
  const int steps = dx != 0 ? dx : dy;
  const unsigned direction = (dx != 0 ? 0 : 2) + (steps < 0 ? 1 : 0);
  const bool is_long = machine_.mesh.skip_links && (steps >= 2 || steps <= -2);
  return direction + (is_long ? directions : 0);
}

bool ExchangePlane::has_credit(Link& link, Cycle now) const {
  auto& held = link.held_until;
  held.erase(std::remove_if(held.begin(), held.end(), [&](Cycle last) { return last < now; }), held.end());
  return link.buffer.size() + held.size() < machine_.mesh.buffer_entries;
}

std::vector<unsigned> ExchangePlane::tick(Cycle now) {
  std::vector<unsigned> taken = serve(now, false);
  offers_.clear();
  return taken;
}

// This function is long because it is one cycle of all routers: what is at the buffers, who gets an output, what moves.
std::vector<unsigned> ExchangePlane::serve(Cycle now, bool ejections) {
  std::vector<unsigned> taken;
  if (offers_.empty() && on_links_ == 0) return taken;
  struct Move {
    unsigned output, input;
    Parcel parcel;
  };
  std::vector<Move> moves;
  // What moves in a cycle is chosen with all buffers as they are at its beginning.
  for (unsigned pe = 0; pe < machine_.pes(); ++pe) {
    const unsigned ejection = pe * outputs_ + outputs_ - 1;
    // By input: the vector at its head and the output that it wants.
    std::vector<std::optional<std::pair<Parcel, unsigned>>> heads(outputs_);
    const auto consider = [&](unsigned input, const Parcel& parcel) {
      const unsigned wanted = pe * outputs_ + output(pe, parcel.destination);
      if (input == own_input() || (wanted == ejection) == ejections) heads[input] = std::make_pair(parcel, wanted);
    };
    for (unsigned input = 0; input < own_input(); ++input) {
      const unsigned from = neighbour(pe, input);
      if (from == machine_.pes()) continue;
      const Link& link = links_[from * outputs_ + opposite(input)];
      if (!link.buffer.empty() && std::max(link.buffer.front().ready, link.head_from) <= now) {
        consider(input, link.buffer.front().parcel);
      }
    }
    for (const Parcel& offer : offers_) {
      if (offer.source == pe) consider(own_input(), offer);
    }
    for (unsigned out = pe * outputs_; out <= ejection; ++out) {
      Link& link = links_[out];
      if (link.free > now || (out != ejection && !has_credit(link, now))) continue;
      for (unsigned i = 0; i < outputs_; ++i) {
        const unsigned input = (link.next_input + i) % outputs_;
        if (!heads[input] || heads[input]->second != out) continue;
        moves.push_back({out, input, heads[input]->first});
        break;
      }
    }
  }
  for (const Move& move : moves) {
    const unsigned pe = move.output / outputs_;
    Link& link = links_[move.output];
    link.free = now + width_;
    link.next_input = (move.input + 1) % outputs_;
    if (move.input == own_input()) {
      taken.push_back(pe);
    } else {
      --on_links_;
      Link& before = links_[neighbour(pe, move.input) * outputs_ + opposite(move.input)];
      before.buffer.pop_front();
      before.head_from = now + width_;
      before.held_until.push_back(now + width_ - 1);
    }
    if (move.output % outputs_ == outputs_ - 1) {
      late_vectors_.push_back({move.parcel, now + width_ - 1 + machine_.mesh.ejection_latency});
    } else {
      ++on_links_;
      link.buffer.push_back({move.parcel, now + machine_.mesh.link_latency});
    }
  }
  return taken;
}

void ExchangePlane::send_token(unsigned source, unsigned destination, unsigned edge, Cycle now) {
  const auto distance = [](unsigned a, unsigned b) { return a < b ? b - a : a - b; };
  const unsigned hops = distance(source % machine_.columns, destination % machine_.columns) +
                        distance(source / machine_.columns, destination / machine_.columns);
  Parcel token;
  token.source = source;
  token.destination = destination;
  token.edge = edge;
  late_tokens_.push_back({token, now + Cycle{machine_.mesh.control_hop_latency} * hops + 1});
}

std::vector<Parcel> ExchangePlane::take(std::vector<Late>& late, Cycle cycle) {
  std::vector<Parcel> arrived;
  const auto due = [&](const Late& one) {
    if (one.arrival <= cycle) arrived.push_back(one.parcel);
    return one.arrival <= cycle;
  };
  late.erase(std::remove_if(late.begin(), late.end(), due), late.end());
  return arrived;
}

}  // namespace bvp::ticking
