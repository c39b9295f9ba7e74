// SPDX-License-Identifier: Apache-2.0
// Routers, links and tokens between PEs, cycle by cycle: docs/models/mesh.md.
#pragma once

#include <deque>
#include <vector>

#include "test/reference_timing/machine.h"

namespace bvp::ticking {

/// A vector on its way from one PE to another.
struct Parcel {
  static constexpr unsigned no_edge = ~0u;
  unsigned source = 0, destination = 0;  // PEs, row-major
  std::uint64_t firing = 0;              // number of the firing that sends it
  unsigned slot = 0;                     // vector of the operand memory at the destination
  unsigned edge = no_edge;               // whose token arrives with it
};

class ExchangePlane {
 public:
  explicit ExchangePlane(const Machine& machine);

  /// Serves the ejections. Before tick().
  void tick_ejections(Cycle now) { serve(now, true); }
  /// The vector that a Flow unit wants to send in this cycle. At most one a PE.
  void offer(const Parcel& parcel) { offers_.push_back(parcel); }
  /// Serves the links; returns the PEs whose offer has been taken.
  [[nodiscard]] std::vector<unsigned> tick(Cycle now);
  /// A token without vectors.
  void send_token(unsigned source, unsigned destination, unsigned edge, Cycle now);
  /// Vectors that arrive in this cycle.
  [[nodiscard]] std::vector<Parcel> take_vectors(Cycle cycle) { return take(late_vectors_, cycle); }
  [[nodiscard]] std::vector<Parcel> take_tokens(Cycle cycle) { return take(late_tokens_, cycle); }
  /// Cycles that a vector takes of a link.
  [[nodiscard]] Cycle width() const { return width_; }

 private:
  static constexpr unsigned directions = 4;  // east, west, south, north; those of the long links come behind
  struct Buffered {
    Parcel parcel;
    Cycle ready;  // its head is in the buffer
  };
  struct Link {
    Cycle free = 0;
    unsigned next_input = 0;        // of the router before it, which is asked first
    std::deque<Buffered> buffer;    // at its end
    Cycle head_from = 0;            // in which the buffer's head may move, for the vector before it has gone
    std::vector<Cycle> held_until;  // entries that vectors still hold that have moved on
  };
  struct Late {
    Parcel parcel;
    Cycle arrival;
  };
  /// The output that the parcel takes at this PE's router; outputs_ - 1: ejection.
  [[nodiscard]] unsigned output(unsigned pe, unsigned destination) const;
  [[nodiscard]] unsigned neighbour(unsigned pe, unsigned direction) const;
  /// Inputs are numbered by the direction of the neighbour; the last one is the PE's own.
  [[nodiscard]] unsigned own_input() const { return outputs_ - 1; }
  [[nodiscard]] static unsigned opposite(unsigned direction) { return direction ^ 1u; }
  [[nodiscard]] bool has_credit(Link& link, Cycle now) const;
  std::vector<unsigned> serve(Cycle now, bool ejections);
  static std::vector<Parcel> take(std::vector<Late>& late, Cycle cycle);

  const Machine machine_;
  const Cycle width_;
  const unsigned outputs_ = 2 * directions + 1;
  std::vector<Link> links_;   // [PE][output]
  std::size_t on_links_ = 0;  // vectors there or in the buffers behind
  std::vector<Parcel> offers_;
  std::vector<Late> late_vectors_, late_tokens_;
};

}  // namespace bvp::ticking
