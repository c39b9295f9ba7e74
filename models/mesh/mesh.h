// SPDX-License-Identifier: Apache-2.0
// The PE-to-PE plane: routers, links and credits for vectors, a separate plane for tokens. See docs/models/mesh.md.
#pragma once

#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <array>
#include <systemc>
#include <vector>

#include "models/common/array_parameters.h"
#include "models/common/clock.h"
#include "models/common/statistics.h"
#include "models/isa/vector_access.h"
#include "models/mesh/link_calendar.h"
#include "models/mesh/mesh_parameters.h"

namespace bvp {

/// Where a link of a router leads: a neighbour, with skip links a PE two away, or the router's own PE. North is the
/// row before.
enum class LinkDirection : u8 { east, west, south, north, east_skip, west_skip, south_skip, north_skip, eject };
inline constexpr std::size_t link_direction_count = 9;
inline constexpr std::array<const char*, link_direction_count> link_direction_names{
    "east", "west", "south", "north", "east_skip", "west_skip", "south_skip", "north_skip", "eject"};

class Mesh : public sc_core::sc_module {
 public:
  /// One per PE, row-major: payloads with a FlowPacket.
  sc_core::sc_vector<tlm_utils::simple_target_socket_tagged<Mesh>> from_pe;
  /// The payload goes on to its destination, with the delay after which the last vector or the token is there.
  sc_core::sc_vector<tlm_utils::simple_initiator_socket<Mesh>> to_pe;

  Mesh(sc_core::sc_module_name name, const ArrayParameters& array, const MeshParameters& parameters,
       const ClockDomain& clock, StatGroup& parent_stats);

  /// Links that a vector passes, without the ejection.
  [[nodiscard]] u32 hops(u32 source, u32 destination) const;
  /// Cycles from the issue of a vector until it is in the destination's operand memory, when nothing else is under way.
  [[nodiscard]] Cycle unloaded_latency(u32 source, u32 destination) const {
    return hops(source, destination) * link_latency_ + vector_cycles_ - 1 + ejection_latency_;
  }

  /// Vectors that passed a link of the router at (x, y), and cycles that vectors waited for it or for room behind it.
  /// Links that the mesh does not have carry nothing.
  [[nodiscard]] u64 link_vectors(u32 x, u32 y, LinkDirection direction) const;
  [[nodiscard]] u64 link_stall_cycles(u32 x, u32 y, LinkDirection direction) const;
  /// Cycles in which a vector keeps a link busy.
  [[nodiscard]] Cycle vector_cycles() const { return vector_cycles_; }
  /// Of all links together: a vector on a link of twice the length of others goes two hops.
  [[nodiscard]] double hops_per_cycle() const;
  [[nodiscard]] const StatGroup& statistics() const { return stats_; }

 private:
  struct LinkTraffic {
    u64 vectors = 0, stall_cycles = 0;
  };
  struct Move {
    LinkDirection direction;
    int dx, dy;
  };
  /// A packet's way through one link, or at last the ejection.
  struct Passage {
    LinkCalendar* calendar = nullptr;
    LinkTraffic* traffic = nullptr;
    Cycle sent = 0;        // of the last vector placed by itself
    Cycle not_before = 0;  // vectors stay in order
  };

  void transport(int pe, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  [[nodiscard]] tlm::tlm_response_status check(u32 pe, const tlm::tlm_generic_payload& payload,
                                               const FlowPacket* packet) const;
  /// Books the vectors of a packet that may issue from `start` on; returns the cycle in which the last one is there.
  Cycle carry_vectors(FlowPacket& packet, Cycle start);
  /// Reserves the earliest cycles for one vector that may issue from `issue` on.
  void place_vector(Cycle issue);
  /// Reserves the cycles of vectors that go through without waiting, at most `count`; returns how many.
  Cycle place_stream(Cycle issue, Cycle count);
  void find_path(u32 source, u32 destination);

  [[nodiscard]] Move next_move(u32 x, u32 y, u32 to_x, u32 to_y) const;
  [[nodiscard]] u32 distance(u32 source, u32 destination) const;
  [[nodiscard]] std::size_t link_index(u32 router, LinkDirection direction) const {
    return router * link_direction_count + static_cast<std::size_t>(direction);
  }

  const ClockDomain clock_;
  const u32 columns_, rows_, vector_bytes_;
  const Cycle vector_cycles_;  // of a vector on a link
  const Cycle link_latency_, ejection_latency_, control_hop_latency_;
  const bool skip_links_;
  const std::size_t links_per_router_;

  StatGroup stats_;
  Counter vectors_, tokens_, stall_cycles_;

  std::vector<LinkCalendar> links_;      // router * links_per_router_ + direction
  std::vector<LinkCalendar> ejections_;  // by PE; nothing stays in them
  std::vector<LinkTraffic> traffic_;     // by link_index
  std::vector<Cycle> source_free_;       // by PE: the first cycle in which it may send
  std::vector<Passage> path_;            // of the packet at hand
};

}  // namespace bvp
