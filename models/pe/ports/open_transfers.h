// SPDX-License-Identifier: Apache-2.0
// Transfers that a PE has begun and whose end it does not know yet.
#pragma once

#include <algorithm>
#include <array>
#include <deque>
#include <optional>
#include <vector>

#include "models/pe/graph/event_queue.h"

namespace bvp {

/// Firings of Load and of Store whose ends the scratchpad has not told yet. The firings of a unit end in the order in
/// which they began, because the tokens of an edge keep their order.
class OpenFirings {
 public:
  struct OpenFiring {
    u64 ticket = 0;                     ///< by which the scratchpad knows it
    GraphEvent event;                   ///< its end
    bool issued = false, ends = false;  ///< all its vectors have been issued; its own end is known
  };

  [[nodiscard]] std::deque<OpenFiring>& of(Unit unit) { return open_[side(unit)]; }
  /// Returns when a firing ends whose end is known while no firing before it is open: at `end`, but not before the
  /// unit's earlier firings.
  Cycle end_in_order(Unit unit, Cycle end) { return last_end_[side(unit)] = std::max(last_end_[side(unit)], end); }
  /// The firing ends at `end`, but not before the unit's earlier firings. Posts its event, and the events of later
  /// firings that have waited for it.
  void end(Unit unit, OpenFiring& firing, Cycle end, EventQueue& events) {
    firing.issued = firing.ends = true;
    firing.event.time = end;
    std::deque<OpenFiring>& open = of(unit);
    for (; !open.empty() && open.front().ends; open.pop_front()) {
      open.front().event.time = end_in_order(unit, open.front().event.time);
      events.post(open.front().event);
    }
  }

 private:
  [[nodiscard]] static std::size_t side(Unit unit) { return unit == Unit::load ? 0 : 1; }
  std::array<std::deque<OpenFiring>, 2> open_;
  std::array<Cycle, 2> last_end_{};
};

/// Packets whose arrival the mesh has not told yet, and a firing of Flow whose end the mesh has not told yet.
class OpenPackets {
 public:
  /// A firing of Flow ends when the mesh says that this packet has been sent.
  void open_firing(u64 packet, const GraphEvent& end) { flow_ = {packet, end}; }
  /// Returns the event of the firing that waits for this packet; nothing if the firing waits for another packet.
  [[nodiscard]] std::optional<GraphEvent> close_firing(u64 packet) {
    if (flow_.number != packet) return std::nullopt;
    flow_.number = 0;
    return flow_.event;
  }
  /// A packet has been sent; its event happens at the time that the mesh will tell.
  void open(u64 packet, const GraphEvent& arrival) { packets_.push_back({packet, arrival}); }
  [[nodiscard]] const GraphEvent* find(u64 packet) const {
    const auto found =
        std::find_if(packets_.begin(), packets_.end(), [&](const Open& each) { return each.number == packet; });
    return found == packets_.end() ? nullptr : &found->event;
  }
  /// Forgets a packet that find() has found.
  void close(u64 packet) {
    const auto found =
        std::find_if(packets_.begin(), packets_.end(), [&](const Open& each) { return each.number == packet; });
    *found = packets_.back();
    packets_.pop_back();
  }

 private:
  struct Open {
    u64 number = 0;
    GraphEvent event;
  };
  Open flow_;
  std::vector<Open> packets_;
};

}  // namespace bvp
