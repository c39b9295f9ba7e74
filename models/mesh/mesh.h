// SPDX-License-Identifier: Apache-2.0
// The PE-to-PE plane: routers, links and credits for vectors, a separate plane for tokens. See docs/models/mesh.md.
#pragma once

#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <array>
#include <systemc>
#include <vector>

#include "models/base/clock.h"
#include "models/base/machine_shape.h"
#include "models/base/statistics.h"
#include "models/mesh/mesh_parameters.h"
#include "models/mesh/router_network.h"
#include "models/transport/vector_access.h"

namespace bvp {

inline constexpr std::array<const char*, link_direction_count> link_direction_names{
    "east", "west", "south", "north", "east_skip", "west_skip", "south_skip", "north_skip", "eject"};

class Mesh : public sc_core::sc_module {
 public:
  /// One socket per PE, row-major, for payloads with a FlowPacket.
  sc_core::sc_vector<tlm_utils::simple_target_socket_tagged<Mesh>> from_pe;
  /// The payload goes on to its destination with the delay after which the last vector or the token is there. For a
  /// deferred packet the delay is the smallest possible one; notices with the real times follow.
  sc_core::sc_vector<tlm_utils::simple_initiator_socket<Mesh>> to_pe;

  Mesh(sc_core::sc_module_name name, const ArrayShape& array, const MeshParameters& parameters,
       const ClockDomain& clock, StatGroup& parent_stats);
  ~Mesh() override;

  /// Links that a vector passes, without the ejection.
  [[nodiscard]] u32 hops(u32 source, u32 destination) const { return network_.hops(source, destination); }
  /// Cycles from the issue of a vector until it is in the destination's operand memory, if nothing else is in the mesh.
  [[nodiscard]] Cycle unloaded_latency(u32 source, u32 destination) const {
    return hops(source, destination) * shape_.link_latency + shape_.vector_cycles - 1 + shape_.ejection_latency;
  }

  /// Vectors that passed a link of the router at (x, y), and cycles that vectors waited for the link or for room at its
  /// end. Links that the mesh does not have return 0.
  [[nodiscard]] u64 link_vectors(u32 x, u32 y, LinkDirection direction) const;
  [[nodiscard]] u64 link_stall_cycles(u32 x, u32 y, LinkDirection direction) const;
  /// Cycles in which a vector keeps a link busy.
  [[nodiscard]] Cycle vector_cycles() const { return shape_.vector_cycles; }
  /// Hops per cycle when all links are busy. A vector on a link of twice the length goes two hops.
  [[nodiscard]] double hops_per_cycle() const;
  [[nodiscard]] const StatGroup& statistics() const { return stats_; }

  SC_HAS_PROCESS(Mesh);

 private:
  void transport(int pe, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  [[nodiscard]] tlm::tlm_response_status check_packet(u32 pe, const tlm::tlm_generic_payload& payload,
                                                      const FlowPacket* packet) const;
  /// Registers a packet whose vectors may be sent from `start` on. Its destination and its source get notices.
  void send_deferred(tlm::tlm_generic_payload& payload, FlowPacket& packet, Cycle start, sc_core::sc_time& delay);
  /// The times that the packet, and those that it has been announced to follow, would have if no other packet were
  /// sent.
  void send_at_once(tlm::tlm_generic_payload& payload, FlowPacket& packet, Cycle start, sc_core::sc_time& delay);
  void count(const FlowPacket& packet);
  void run();
  void answer_at_least(tlm::tlm_generic_payload& payload, const FlowPacket& packet, Cycle start,
                       sc_core::sc_time& delay);
  void notify(RouterNetwork::Report& report);
  void wake_for_next_report();

  [[nodiscard]] u32 distance(u32 source, u32 destination) const;
  [[nodiscard]] std::size_t link_index(u32 router, LinkDirection direction) const {
    return router * link_direction_count + static_cast<std::size_t>(direction);
  }

  const ClockDomain clock_;
  const u32 vector_bytes_;
  const Cycle control_hop_latency_;
  const RouterNetwork::Shape shape_;

  StatGroup stats_;
  Counter vectors_, tokens_, stall_cycles_;

  RouterNetwork network_;
  RouterNetwork ahead_;           // a copy of network_ that finds the times that hold if no other packet is sent
  bool ahead_holds_all_ = false;  // nothing else has been sent since, so that ahead_ is what network_ will be
  std::vector<RouterNetwork::Packet> together_;  // packets of one cycle that wait for the one that is answered
  u64 last_number_ = 0;                          // of the latest packet
  std::vector<u64> link_vectors_;                // by link_index
  sc_core::sc_event wake_;
  tlm::tlm_generic_payload notice_;
  FlowPacket notice_packet_;
};

}  // namespace bvp
