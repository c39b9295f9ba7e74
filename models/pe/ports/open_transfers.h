// SPDX-License-Identifier: Apache-2.0
// What a PE has sent off without knowing yet when it ends.
#pragma once

#include <algorithm>
#include <array>
#include <deque>
#include <optional>
#include <vector>

#include "models/pe/graph/event_queue.h"

namespace bvp {

/// Firings of Load and of Store whose ends the scratchpad has not told yet. Firings of a unit end in the order in which
/// they began, because tokens are in order.
class OpenFirings {
 public:
  struct Firing {
    u64 ticket = 0;                     ///< by which the scratchpad knows it
    GraphEvent event;                   ///< its end
    bool issued = false, ends = false;  ///< all its vectors have been issued; its own end is known
  };

  [[nodiscard]] std::deque<Firing>& of(Unit unit) { return open_[side(unit)]; }
  /// A firing whose end is known, with none before it open, ends then, but not before the unit's firings before it.
  Cycle end_in_order(Unit unit, Cycle end) { return last_end_[side(unit)] = std::max(last_end_[side(unit)], end); }
  /// The firing ends then, but not before those before it: posts its event, and those that have waited for it.
  void end(Unit unit, Firing& firing, Cycle end, EventQueue& events) {
    firing.issued = firing.ends = true;
    firing.event.time = end;
    std::deque<Firing>& open = of(unit);
    for (; !open.empty() && open.front().ends; open.pop_front()) {
      open.front().event.time = end_in_order(unit, open.front().event.time);
      events.post(open.front().event);
    }
  }

 private:
  [[nodiscard]] static std::size_t side(Unit unit) { return unit == Unit::load ? 0 : 1; }
  std::array<std::deque<Firing>, 2> open_;
  std::array<Cycle, 2> last_end_{};
};

/// Packets whose arrival, and a firing of Flow whose end the mesh has not told yet.
class OpenPackets {
 public:
  /// A firing of Flow ends when the mesh says that this packet has been sent.
  void open_firing(u64 packet, const GraphEvent& end) { flow_ = {packet, end}; }
  /// The event of the firing that waits for this packet; none if it is another one.
  [[nodiscard]] std::optional<GraphEvent> close_firing(u64 packet) {
    if (flow_.number != packet) return std::nullopt;
    flow_.number = 0;
    return flow_.event;
  }
  /// A packet comes; its event happens when the mesh says when.
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
