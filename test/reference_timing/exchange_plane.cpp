// SPDX-License-Identifier: Apache-2.0
#include "test/reference_timing/exchange_plane.h"

#include <algorithm>
#include <stdexcept>
#include <tuple>

namespace bvp::ticking {

ExchangePlane::ExchangePlane(const Machine& machine)
    : machine_(machine),
      width_(machine.link_bytes == 0 ? 1 : (2 * machine.lanes + machine.link_bytes - 1) / machine.link_bytes),
      links_(std::size_t{machine.pes()} * outputs_),
      inputs_(machine.pes()) {
  if (machine.ejection_latency == 0 || machine.link_latency == 0) {
    throw std::runtime_error("vectors must take a cycle at least");
  }
  for (unsigned pe = 0; pe < machine.pes(); ++pe) {
    for (unsigned direction = 0; direction + 1 < outputs_; ++direction) {
      const unsigned there = neighbour(pe, direction);
      if (there < machine.pes()) inputs_[there].push_back(pe * outputs_ + direction);
    }
  }
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
  const bool is_long = machine_.skip_links && (steps >= 2 || steps <= -2);
  return direction + (is_long ? directions : 0);
}

bool ExchangePlane::has_credit(Link& link, Cycle now) const {
  auto& held = link.held_until;
  held.erase(std::remove_if(held.begin(), held.end(), [&](Cycle last) { return last < now; }), held.end());
  return link.buffer.size() + held.size() < machine_.buffer_entries;
}

std::vector<unsigned> ExchangePlane::tick(Cycle now) {
  std::vector<unsigned> taken = serve(now, false);
  offers_.clear();
  return taken;
}

std::vector<unsigned> ExchangePlane::serve(Cycle now, bool ejections) {
  std::vector<unsigned> taken;
  if (offers_.empty() && on_links_ == 0) return taken;
  struct Choice {
    const Parcel* parcel = nullptr;
    Link* from = nullptr;  // null: an offer
    std::size_t index = 0;
  };
  struct Move {
    unsigned output;
    Choice choice;
  };
  std::vector<Move> moves;
  // What moves in a cycle is chosen with all buffers as they are at its beginning.
  for (unsigned pe = 0; pe < machine_.pes(); ++pe) {
    std::vector<Choice> choices(outputs_);
    const auto consider = [&](const Choice& choice) {
      const unsigned out = output(pe, choice.parcel->destination);
      if (choice.from != nullptr && (out + 1 == outputs_) != ejections) return;
      Choice& best = choices[out];
      const auto age = [](const Parcel& parcel) { return std::tie(parcel.firing, parcel.place); };
      if (best.parcel == nullptr || age(*choice.parcel) < age(*best.parcel)) best = choice;
    };
    for (const unsigned input : inputs_[pe]) {
      Link& link = links_[input];
      for (std::size_t i = 0; i < link.buffer.size(); ++i) {
        if (link.buffer[i].ready <= now) consider({&link.buffer[i].parcel, &link, i});
      }
    }
    for (const Parcel& offer : offers_) {
      if (offer.source == pe) consider({&offer, nullptr, 0});
    }
    for (unsigned out = 0; out < outputs_; ++out) {
      Link& link = links_[pe * outputs_ + out];
      if (choices[out].parcel == nullptr || link.free > now) continue;
      if (out + 1 < outputs_ && !has_credit(link, now)) continue;
      moves.push_back({pe * outputs_ + out, choices[out]});
    }
  }
  std::vector<std::pair<Link*, Buffered>> entering;
  for (const Move& move : moves) {
    Link& link = links_[move.output];
    const Parcel parcel = *move.choice.parcel;
    link.free = now + width_;
    if (move.output % outputs_ == outputs_ - 1) {
      late_vectors_.push_back({parcel, now + width_ - 1 + machine_.ejection_latency});
    } else {
      ++on_links_;
      entering.push_back({&link, {parcel, now + machine_.link_latency}});
    }
    if (move.choice.from == nullptr) taken.push_back(parcel.source);
  }
  for (const Move& move : moves) {
    if (move.choice.from == nullptr) continue;
    --on_links_;
    // Several may leave one buffer, for different outputs: they are found by what they are.
    auto& buffer = move.choice.from->buffer;
    move.choice.from->held_until.push_back(now + width_ - 1);
    buffer[move.choice.index].ready = ~Cycle{0};
  }
  for (Link& link : links_) {
    link.buffer.erase(std::remove_if(link.buffer.begin(), link.buffer.end(),
                                     [](const Buffered& one) { return one.ready == ~Cycle{0}; }),
                      link.buffer.end());
  }
  for (auto& [link, buffered] : entering) link->buffer.push_back(buffered);
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
  late_tokens_.push_back({token, now + Cycle{machine_.control_hop_latency} * hops + 1});
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
