// SPDX-License-Identifier: Apache-2.0
// Routes and timing of the mesh.
#include "models/mesh/mesh.h"

#include <algorithm>
#include <cstdlib>

namespace bvp {

Mesh::Mesh(sc_core::sc_module_name name, const ArrayParameters& array, const MeshParameters& parameters,
           const ClockDomain& clock, StatGroup& parent_stats)
    : sc_module(name),
      from_pe("from_pe", static_cast<std::size_t>(array.rows * array.columns)),
      to_pe("to_pe", from_pe.size()),
      clock_(clock),
      columns_(static_cast<u32>(array.columns)),
      rows_(static_cast<u32>(array.rows)),
      vector_bytes_(static_cast<u32>(array.lanes) * 2),
      link_latency_(static_cast<Cycle>(parameters.link_latency)),
      ejection_latency_(static_cast<Cycle>(parameters.ejection_latency)),
      control_hop_latency_(static_cast<Cycle>(parameters.control_hop_latency)),
      skip_links_(parameters.skip_links),
      stats_("mesh", "mesh"),
      vectors_(&stats_, "vectors", "vectors", "vectors carried from PE to PE"),
      tokens_(&stats_, "tokens", "tokens", "tokens carried on the control plane"),
      stall_cycles_(&stats_, "stall_cycles", "cycles", "cycles that vectors waited for links or credits, summed"),
      vector_hops_(&stats_, "vector_hop", "hops", "distance that vectors went, in PEs", Counter::Role::energy_action),
      control_hops_(&stats_, "control_hop", "hops", "distance that tokens went, in PEs", Counter::Role::energy_action),
      links_(from_pe.size() * (link_direction_count - 1), LinkCalendar(static_cast<u32>(parameters.buffer_entries))),
      ejections_(from_pe.size()),
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

void Mesh::find_path(u32 source, u32 destination) {
  path_.clear();
  u32 x = source % columns_, y = source / columns_;
  const u32 to_x = destination % columns_, to_y = destination / columns_;
  while (x != to_x || y != to_y) {
    const Move move = next_move(x, y, to_x, to_y);
    const u32 router = y * columns_ + x;
    path_.push_back({&links_[router * (link_direction_count - 1) + static_cast<std::size_t>(move.direction)],
                     &traffic_[link_index(router, move.direction)], 0});
    x = static_cast<u32>(static_cast<int>(x) + move.dx);
    y = static_cast<u32>(static_cast<int>(y) + move.dy);
  }
}

// ---------------------------------------------------------------- time

Cycle Mesh::place_vector(SlotCalendar& ejection, Cycle issue) {
  const std::size_t count = path_.size();
  if (count == 0) return ejection.reserve(issue);
  Passage* const path = path_.data();
  path[0].sent = path[0].link->probe(issue);
  // Cycles only grow: whenever the entry at a link's end is not free for as long as the vector must stay in it, the
  // vector is sent later, which may be too late for the entry before. So the first solution is the earliest.
  for (std::size_t i = 0;;) {
    const bool last = i + 1 == count;
    const Cycle arrival = path[i].sent + link_latency_;
    const Cycle left = last ? ejection.probe(arrival) : path[i + 1].link->probe(arrival);
    if (const auto full = path[i].link->last_full(path[i].sent, left)) {
      path[i].sent = path[i].link->probe(*full + 1);
      if (i > 0) {
        // The vector may stay in the buffer before until then?
        const auto before = path[i - 1].link->last_full(path[i - 1].sent, path[i].sent);
        if (before) {
          path[i - 1].sent = path[i - 1].link->probe(*before + 1);
          --i;
        }
      }
      continue;
    }
    if (!last) path[i + 1].sent = left;
    if (last) {
      for (std::size_t j = 0; j < count; ++j) path[j].link->reserve(path[j].sent, j + 1 < count ? path[j + 1].sent : left);
      return ejection.reserve(left);
    }
    ++i;
  }
}

Cycle Mesh::carry_vectors(FlowPacket& packet, Cycle start) {
  find_path(packet.source, packet.destination);
  const Cycle unloaded = path_.size() * link_latency_ + ejection_latency_;
  SlotCalendar& ejection = ejections_[packet.destination];
  Cycle issue = std::max(start, source_free_[packet.source]);
  Cycle last = start;
  for (u32 i = 0; i < packet.count; ++i) {
    const Cycle ejected = place_vector(ejection, issue);
    const Cycle arrival = ejected + ejection_latency_;
    for (std::size_t hop = 0; hop < path_.size(); ++hop) {
      const Cycle ready = hop == 0 ? issue : path_[hop - 1].sent + link_latency_;
      ++path_[hop].traffic->vectors;
      path_[hop].traffic->stall_cycles += path_[hop].sent - ready;
    }
    packet.stall_cycles += arrival - issue - unloaded;
    last = std::max(last, arrival);
    issue = (path_.empty() ? ejected : path_.front().sent) + 1;
  }
  traffic_[link_index(packet.destination, LinkDirection::eject)].vectors += packet.count;
  source_free_[packet.source] = issue;
  vectors_ += packet.count;
  stall_cycles_ += packet.stall_cycles;
  vector_hops_ += u64{packet.count} * distance(packet.source, packet.destination);
  return last;
}

void Mesh::carry_token(u32 source, u32 destination, sc_core::sc_time& arrival) {
  const u32 apart = distance(source, destination);
  ++tokens_;
  control_hops_ += apart;
  arrival += clock_.to_time(apart * control_hop_latency_ + 1);
}

// ---------------------------------------------------------------- transactions

tlm::tlm_response_status Mesh::check(u32 pe, const tlm::tlm_generic_payload& payload, const FlowPacket* packet) const {
  if (packet == nullptr || !payload.is_write()) return tlm::TLM_COMMAND_ERROR_RESPONSE;
  if (payload.get_byte_enable_ptr() != nullptr) return tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE;
  if (packet->source != pe || packet->destination >= from_pe.size()) return tlm::TLM_ADDRESS_ERROR_RESPONSE;
  if (payload.get_data_length() != u64{packet->count} * vector_bytes_) return tlm::TLM_BURST_ERROR_RESPONSE;
  return tlm::TLM_OK_RESPONSE;
}

void Mesh::transport(int pe, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  auto* packet = payload.get_extension<FlowPacket>();
  const tlm::tlm_response_status status = check(static_cast<u32>(pe), payload, packet);
  if (status != tlm::TLM_OK_RESPONSE) {
    payload.set_response_status(status);
    return;
  }
  packet->stall_cycles = 0;
  const sc_core::sc_time now = sc_core::sc_time_stamp();
  sc_core::sc_time arrival = delay;
  if (packet->count == 0) {
    carry_token(packet->source, packet->destination, arrival);
  } else {
    arrival = clock_.to_time(carry_vectors(*packet, clock_.to_cycles(now + delay))) - now;
    delay = clock_.to_time(source_free_[packet->source]) - now;
  }
  to_pe[packet->destination]->b_transport(payload, arrival);
}

u64 Mesh::link_vectors(u32 x, u32 y, LinkDirection direction) const {
  return traffic_.at(link_index(y * columns_ + x, direction)).vectors;
}

u64 Mesh::link_stall_cycles(u32 x, u32 y, LinkDirection direction) const {
  return traffic_.at(link_index(y * columns_ + x, direction)).stall_cycles;
}

}  // namespace bvp
