// SPDX-License-Identifier: Apache-2.0
// Routes and timing of the mesh.
#include "models/mesh/mesh.h"

#include <algorithm>
#include <cstdlib>

namespace bvp {

namespace {

Cycle cycles_of_vector(u32 vector_bytes, const MeshParameters& parameters) {
  const u32 width = parameters.link_width(vector_bytes);
  return (vector_bytes + width - 1) / width;
}

}  // namespace

Mesh::Mesh(sc_core::sc_module_name name, const ArrayParameters& array, const MeshParameters& parameters,
           const ClockDomain& clock, StatGroup& parent_stats)
    : sc_module(name),
      from_pe("from_pe", static_cast<std::size_t>(array.rows * array.columns)),
      to_pe("to_pe", from_pe.size()),
      clock_(clock),
      columns_(static_cast<u32>(array.columns)),
      rows_(static_cast<u32>(array.rows)),
      vector_bytes_(static_cast<u32>(array.lanes) * 2),
      vector_cycles_(cycles_of_vector(vector_bytes_, parameters)),
      link_latency_(static_cast<Cycle>(parameters.link_latency)),
      ejection_latency_(static_cast<Cycle>(parameters.ejection_latency)),
      control_hop_latency_(static_cast<Cycle>(parameters.control_hop_latency)),
      skip_links_(parameters.skip_links),
      links_per_router_(parameters.links_per_router()),
      stats_("mesh"),
      vectors_(&stats_, "vectors", "vectors", "vectors carried from PE to PE"),
      tokens_(&stats_, "tokens", "tokens", "tokens carried on the control plane"),
      stall_cycles_(&stats_, "stall_cycles", "cycles", "cycles that vectors waited for links or credits, summed"),
      links_(from_pe.size() * links_per_router_, LinkCalendar(static_cast<u32>(parameters.buffer_entries))),
      ejections_(from_pe.size(), LinkCalendar(1)),
      traffic_(from_pe.size() * link_direction_count),
      source_free_(from_pe.size(), 0) {
  for (std::size_t pe = 0; pe < from_pe.size(); ++pe) {
    from_pe[pe].register_b_transport(this, &Mesh::transport, static_cast<int>(pe));
  }
  parent_stats.add(&stats_);
}

// ---------------------------------------------------------------- routes

Mesh::Move Mesh::next_move(u32 x, u32 y, u32 to_x, u32 to_y) const {
  const int dx = static_cast<int>(to_x) - static_cast<int>(x);
  const int dy = static_cast<int>(to_y) - static_cast<int>(y);
  const bool skip = skip_links_ && std::abs(dx != 0 ? dx : dy) >= 2;
  const int step = skip ? 2 : 1;
  if (dx > 0) return {skip ? LinkDirection::east_skip : LinkDirection::east, step, 0};
  if (dx < 0) return {skip ? LinkDirection::west_skip : LinkDirection::west, -step, 0};
  if (dy > 0) return {skip ? LinkDirection::south_skip : LinkDirection::south, 0, step};
  return {skip ? LinkDirection::north_skip : LinkDirection::north, 0, -step};
}

u32 Mesh::distance(u32 source, u32 destination) const {
  const auto apart = [](u32 a, u32 b) { return a > b ? a - b : b - a; };
  return apart(source % columns_, destination % columns_) + apart(source / columns_, destination / columns_);
}

u32 Mesh::hops(u32 source, u32 destination) const {
  if (!skip_links_) return distance(source, destination);
  const auto steps = [](u32 a, u32 b) { return ((a > b ? a - b : b - a) + 1) / 2; };
  return steps(source % columns_, destination % columns_) + steps(source / columns_, destination / columns_);
}

double Mesh::hops_per_cycle() const {
  // Links that go `length` PEs far along rows and along columns, both ways.
  const auto links = [&](u32 length) {
    const auto along = [&](u32 size, u32 others) { return u64{size > length ? size - length : 0} * others; };
    return 2 * (along(columns_, rows_) + along(rows_, columns_));
  };
  return static_cast<double>(links(1) + (skip_links_ ? 2 * links(2) : 0)) / static_cast<double>(vector_cycles_);
}

void Mesh::find_path(u32 source, u32 destination) {
  path_.clear();
  u32 x = source % columns_, y = source / columns_;
  const u32 to_x = destination % columns_, to_y = destination / columns_;
  while (x != to_x || y != to_y) {
    const Move move = next_move(x, y, to_x, to_y);
    const u32 router = y * columns_ + x;
    path_.push_back({&links_[router * links_per_router_ + static_cast<std::size_t>(move.direction)],
                     &traffic_[link_index(router, move.direction)]});
    x = static_cast<u32>(static_cast<int>(x) + move.dx);
    y = static_cast<u32>(static_cast<int>(y) + move.dy);
  }
  path_.push_back({&ejections_[destination], &traffic_[link_index(destination, LinkDirection::eject)]});
}

// ---------------------------------------------------------------- time

void Mesh::place_vector(Cycle issue) {
  Passage* const path = path_.data();
  const std::size_t count = path_.size();
  for (std::size_t i = 0; i < count; ++i) path[i].sent = path[i].not_before;
  path[0].sent = path[0].calendar->probe(std::max(issue, path[0].not_before), vector_cycles_);
  // `sent` are lower bounds that only grow. A vector that could not stay in a link's buffer until it can go on has to
  // be sent later, and so to stay longer in the buffer before, which is looked at again. The first solution is
  // therefore the earliest in every link.
  for (std::size_t i = 0; i + 1 < count;) {
    const Cycle next =
        path[i + 1].calendar->probe(std::max(path[i].sent + link_latency_, path[i + 1].sent), vector_cycles_);
    if (const auto full = path[i].calendar->last_full(path[i].sent, next + vector_cycles_ - 1)) {
      path[i].sent = path[i].calendar->probe(*full + 1, vector_cycles_);
      if (i > 0) --i;
    } else {
      path[++i].sent = next;
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    const Cycle left = path[i + 1 < count ? i + 1 : i].sent + vector_cycles_ - 1;
    path[i].calendar->reserve(path[i].sent, left, vector_cycles_);
    path[i].not_before = path[i].sent + vector_cycles_;
  }
}

Cycle Mesh::place_stream(Cycle issue, Cycle count) {
  const std::size_t last = path_.size() - 1;
  Cycle first = issue;
  for (std::size_t i = 0; i <= last && count != 0; ++i, first += link_latency_) {
    if (first < path_[i].not_before) return 0;
    count = path_[i].calendar->stream_length(first, count, i < last ? link_latency_ : 0);
  }
  if (count == 0) return 0;
  first = issue;
  for (std::size_t i = 0; i <= last; ++i, first += link_latency_) {
    path_[i].calendar->reserve_stream(first, count, i < last ? link_latency_ : 0);
    path_[i].not_before = first + count;
  }
  return count;
}

Cycle Mesh::carry_vectors(FlowPacket& packet, Cycle start) {
  const u32 source = packet.source;
  find_path(source, packet.destination);
  Cycle issue = std::max(start, source_free_[source]);
  u64 stalls = 0;
  packet.arrivals.clear();
  const Cycle on_the_way = static_cast<Cycle>(path_.size() - 1) * link_latency_ + ejection_latency_;
  // Nothing kept the last vector waiting: the next ones, of a cycle each, may go through as a stream.
  bool smooth = vector_cycles_ == 1;
  for (Cycle left = packet.count; left != 0;) {
    if (smooth) {
      const Cycle placed = place_stream(issue, left);
      for (Cycle i = 0; i < placed; ++i) packet.arrivals.push_back(issue + i + on_the_way);
      issue += placed;
      left -= placed;
      if (left == 0) break;
    }
    place_vector(issue);
    packet.arrivals.push_back(path_.back().not_before - 1 + ejection_latency_);
    Cycle ready = issue;
    Cycle waited = 0;
    for (const Passage& passage : path_) {
      passage.traffic->stall_cycles += passage.sent - ready;
      waited += passage.sent - ready;
      ready = passage.sent + link_latency_;
    }
    stalls += waited;
    smooth = vector_cycles_ == 1 && waited == 0;
    issue = path_.front().sent + vector_cycles_;
    --left;
  }
  for (const Passage& passage : path_) passage.traffic->vectors += packet.count;
  source_free_[source] = issue;
  packet.stall_cycles = stalls;
  stall_cycles_ += stalls;
  vectors_ += packet.count;
  return path_.back().not_before - 1 + ejection_latency_;
}

// ---------------------------------------------------------------- sockets

tlm::tlm_response_status Mesh::check(u32 pe, const tlm::tlm_generic_payload& payload, const FlowPacket* packet) const {
  if (packet == nullptr || packet->source != pe) return tlm::TLM_GENERIC_ERROR_RESPONSE;
  if (!payload.is_write()) return tlm::TLM_COMMAND_ERROR_RESPONSE;
  if (packet->destination >= to_pe.size()) return tlm::TLM_ADDRESS_ERROR_RESPONSE;
  if (payload.get_byte_enable_ptr() != nullptr) return tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE;
  if (payload.get_data_length() != u64{packet->count} * vector_bytes_) return tlm::TLM_BURST_ERROR_RESPONSE;
  if (packet->count != 0 && packet->untimed_copies == 0 &&
      (payload.get_data_ptr() == nullptr || packet->slots == nullptr)) {
    return tlm::TLM_GENERIC_ERROR_RESPONSE;
  }
  return tlm::TLM_OK_RESPONSE;
}

void Mesh::transport(int pe, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  auto* packet = payload.get_extension<FlowPacket>();
  const tlm::tlm_response_status status = check(static_cast<u32>(pe), payload, packet);
  if (status != tlm::TLM_OK_RESPONSE) {
    payload.set_response_status(status);
    return;
  }
  if (packet->untimed_copies != 0) {
    (packet->count == 0 ? tokens_ : vectors_) += u64{std::max(1u, packet->count)} * packet->untimed_copies;
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
    return;
  }
  const sc_core::sc_time now = sc_core::sc_time_stamp();
  const Cycle start = clock_.to_cycles(now + delay);
  Cycle arrival = 0;
  if (packet->count == 0) {
    const u32 far = distance(packet->source, packet->destination);
    arrival = start + far * control_hop_latency_ + 1;
    packet->stall_cycles = 0;
    ++tokens_;
  } else {
    arrival = carry_vectors(*packet, start);
    delay = clock_.to_time(source_free_[packet->source]) - now;
  }
  sc_core::sc_time until_arrival = clock_.to_time(arrival) - now;
  to_pe[packet->destination]->b_transport(payload, until_arrival);
}

u64 Mesh::link_vectors(u32 x, u32 y, LinkDirection direction) const {
  return x < columns_ && y < rows_ ? traffic_[link_index(y * columns_ + x, direction)].vectors : 0;
}

u64 Mesh::link_stall_cycles(u32 x, u32 y, LinkDirection direction) const {
  return x < columns_ && y < rows_ ? traffic_[link_index(y * columns_ + x, direction)].stall_cycles : 0;
}

}  // namespace bvp
