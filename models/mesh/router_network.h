// SPDX-License-Identifier: Apache-2.0
// Routers, links and buffers of the mesh: they decide which vector moves in which cycle. This file knows nothing of
// SystemC.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "models/base/types.h"

namespace bvp {

/// Where a link of a router leads: to a neighbour, to the PE two away (skip links), or to the router's own PE. North is
/// the previous row.
enum class LinkDirection : u8 { east, west, south, north, east_skip, west_skip, south_skip, north_skip, eject };
inline constexpr std::size_t link_direction_count = 9;

/// The state of all routers as a value: a copy can be advanced on its own, to see what would happen if no other packet
/// were sent.
class RouterNetwork {
 public:
  struct Shape {
    u32 columns = 0, rows = 0;
    u32 buffer_entries = 0;      // vectors in the FIFO at the end of a link
    Cycle vector_cycles = 0;     // cycles that a vector occupies a link or an ejection, at least 1
    Cycle link_latency = 0;      // cycles from sending the head until it is in the next FIFO, at least 1
    Cycle ejection_latency = 0;  // cycles from the last router into the PE, at least 1
    bool skip_links = false;
  };
  struct Packet {
    u64 number = 0;  // the number by which the caller knows it
    u32 source = 0, destination = 0;
    u32 vectors = 0;  // at least 1
    Cycle start = 0;  // the first cycle in which a vector may be sent
  };
  /// A report says that the last vector of a packet has been sent, or that it is in the destination's operand memory.
  struct Report {
    enum class Kind : u8 { sent, arrived } kind = Kind::sent;
    u64 number = 0;
    u32 source = 0, destination = 0;
    Cycle cycle = 0;       // from this cycle on the source may send again, or the vectors can be used
    u64 stall_cycles = 0;  // sum of the cycles that the packet's vectors have waited for links and credits so far
    /// Filled in for `arrived`: one entry per vector, the cycle from which on it can be used.
    std::vector<Cycle> arrivals;
  };

  explicit RouterNetwork(const Shape& shape);

  /// Adds a packet, to be sent after all earlier ones of its source. The past does not change: the packet begins at
  /// now() or later.
  void send(const Packet& packet) { add(packet, true); }
  void send_unreported(const Packet& packet) { add(packet, false); }
  /// All cycles before this one have been computed.
  [[nodiscard]] Cycle now() const { return now_; }
  /// Computes all cycles before `until`.
  void advance(Cycle until);
  /// Computes cycles until reports have been made, and returns them as take_reports() does. A reported packet must be
  /// under way.
  [[nodiscard]] std::vector<Report> advance_until_report();
  /// A lower bound for the cycle of the next report; `never` when nothing is under way. advance() to this cycle makes
  /// all reports up to it.
  [[nodiscard]] Cycle earliest_report() const;
  static constexpr Cycle never = ~Cycle{0};
  /// The reports since the last call, in the order in which they were made.
  [[nodiscard]] std::vector<Report> take_reports();

  [[nodiscard]] LinkDirection next_output(u32 router, u32 destination) const;
  /// Links that a vector passes, without the ejection.
  [[nodiscard]] u32 hops(u32 source, u32 destination) const;
  /// The router at the other end of a link of `router`. The link must not leave the array.
  [[nodiscard]] u32 neighbour(u32 router, LinkDirection direction) const;
  /// Cycles that vectors have waited for the link or for room at its end.
  [[nodiscard]] u64 stall_cycles(u32 router, LinkDirection direction) const {
    const bool is_there = direction == LinkDirection::eject || static_cast<u32>(direction) < pe_port_;
    return is_there ? outputs_[output_index(router, direction)].stall_cycles : 0;
  }

 private:
  static constexpr u32 none = ~u32{0};

  struct Output {
    Cycle free = 0;  // the first cycle in which it may send the next vector
    u64 stall_cycles = 0;
    u32 to = none;      // router at the end of the link
    u8 next_input = 0;  // has the first choice
    // The FIFO at the end of the link.
    u8 head = 0, held = 0;
    Cycle drained = 0;  // its head may be sent from this cycle on
  };
  struct Entry {
    Cycle ready = 0;    // the vector's head is in the FIFO from this cycle on
    Cycle free_at = 0;  // of an entry that the vector has left: the cycle in which its credit is back
    u32 packet = none;
    u8 output = 0;      // a port
    bool last = false;  // of its packet
  };
  struct Moving {
    Packet packet;
    u32 unsent = 0;
    bool reported = true;
    u64 stall_cycles = 0;
    std::vector<Cycle> arrivals;  // of the vectors that have left the network
    u32 next = none;              // the next packet of the same source; in an unused entry, the next unused entry
    Cycle earliest_ejection = 0;  // arrival of the last vector, once it has been sent
  };
  struct Source {
    u32 first = none, last = none;  // packets that are not sent yet
    Cycle free = 0;
  };
  struct Start {
    Cycle cycle;
    u32 router;
    bool operator>(const Start& other) const { return cycle > other.cycle; }
  };

  [[nodiscard]] std::size_t output_index(u32 router, LinkDirection direction) const {
    return std::size_t{router} * ports_ + port_of(direction);
  }
  [[nodiscard]] u32 port_of(LinkDirection direction) const { return std::min(static_cast<u32>(direction), pe_port_); }
  /// The direction of the link by which vectors arrive that the neighbour sent towards `direction`.
  [[nodiscard]] static u32 opposite(u32 direction) { return direction ^ 1; }

  void add(const Packet& packet, bool reported);
  void do_cycle();
  void do_router(u32 router);
  void move(u32 router, u32 input, u32 output);
  /// A vector that leaves an input of a router.
  struct Taken {
    u32 packet = none;
    bool last = false;  // of its packet
    Cycle ready = 0;    // it could have left from this cycle on
  };
  /// Takes the next vector of the router's PE, or of the FIFO at an input, whose link or ejection is free from `gone`
  /// on.
  Taken take_from_pe(u32 router, Cycle gone);
  Taken take_from_link(u32 router, u32 input, Cycle gone);
  /// Makes advance() look at the router in that cycle, which must not lie before the present one.
  void look_at(u32 router, Cycle cycle);
  void report(Report::Kind kind, Moving& moving, Cycle cycle);

  Shape shape_;
  u32 pe_port_, ports_;          // ports of a router, by direction; the PE comes last
  u32 words_;                    // words of a set of routers
  Cycle horizon_mask_;           // cycles ahead that the wheel holds, minus 1
  std::vector<Output> outputs_;  // by output_index
  std::vector<Entry> entries_;   // of the FIFO at the end of each link
  std::vector<u32> waiting_;     // by router: the inputs that hold vectors
  std::vector<Source> sources_;  // by PE
  std::vector<Moving> packets_;
  u32 unused_ = none;                // first unused entry of packets_
  std::vector<u32> last_under_way_;  // packets that have been sent and not arrived
  std::vector<u64> wheel_;           // the routers to look at, by cycle modulo the wheel's length
  u64 booked_ = 0;                   // bits set in wheel_
  std::vector<Start> starts_;        // a heap: the routers to look at in cycles beyond the wheel
  std::vector<Report> reports_;
  Cycle now_ = 0;
};

}  // namespace bvp
