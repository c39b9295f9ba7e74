// SPDX-License-Identifier: Apache-2.0
// What will happen in a PE at times that are known: a queue in the order of time.
#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <vector>

#include "models/base/types.h"
#include "models/isa/instruction.h"

namespace bvp {

struct GraphEvent {
  enum class Kind : u8 { arrival, firing_ends, unit_is_free, launch, launch_ends };
  static constexpr u32 no_vectors = 0xffffffff;

  Cycle time = 0;
  Kind kind = Kind::launch;
  u8 produces = 0;  // firing_ends: as Firing::produces
  bool last_of_launch = false;
  u32 index = 0;             // of the segment, the unit or the edge
  u32 vectors = no_vectors;  // arrival, firing_ends of a Load: number of the vectors that are written then
  u64 launch = 0;            // firing_ends: number of its launch
  u32 generation = 0;        // set by EventQueue: events of an older generation are stale
  u64 order = 0;             // set by EventQueue: events of one cycle come in the order in which they were posted

  bool operator>(const GraphEvent& other) const { return time != other.time ? time > other.time : order > other.order; }
};

class EventQueue {
 public:
  void post(GraphEvent event) {
    event.order = order_++;
    event.generation = generation_;
    events_.push_back(event);
    std::push_heap(events_.begin(), events_.end(), std::greater<>());
  }
  /// A launch may begin at this time, or has ended.
  void post_launch(Cycle when, GraphEvent::Kind kind = GraphEvent::Kind::launch) {
    GraphEvent event;
    event.time = when;
    event.kind = kind;
    post(event);
  }
  /// The token of an edge arrives, and nothing else.
  void post_token(u32 edge, Cycle when) {
    GraphEvent event;
    event.time = when;
    event.kind = GraphEvent::Kind::arrival;
    event.index = edge;
    post(event);
  }
  /// Posts that the unit is free at this time; at most one such event of a unit waits.
  void post_free(Unit unit, Cycle when) {
    bool& posted = free_posted_[static_cast<std::size_t>(unit)];
    if (posted) return;
    posted = true;
    GraphEvent event;
    event.time = when;
    event.kind = GraphEvent::Kind::unit_is_free;
    event.index = static_cast<u32>(unit);
    post(event);
  }

  /// Takes the first event at or before `now`; none if all are later.
  [[nodiscard]] std::optional<GraphEvent> pop(Cycle now) {
    if (events_.empty() || events_.front().time > now) return std::nullopt;
    std::pop_heap(events_.begin(), events_.end(), std::greater<>());
    const GraphEvent event = events_.back();
    events_.pop_back();
    if (event.kind == GraphEvent::Kind::unit_is_free && !stale(event)) free_posted_[event.index] = false;
    return event;
  }
  /// The time of the first event; none if there is no event.
  [[nodiscard]] std::optional<Cycle> next() const {
    if (events_.empty()) return std::nullopt;
    return events_.front().time;
  }
  /// All events that wait, in no order.
  [[nodiscard]] const std::vector<GraphEvent>& all() const { return events_; }

  /// Makes all events posted so far stale, because their kernel does not run any more.
  void begin_generation() {
    ++generation_;
    free_posted_ = {};
  }
  [[nodiscard]] u32 generation() const { return generation_; }
  [[nodiscard]] bool stale(const GraphEvent& event) const { return event.generation != generation_; }
  [[nodiscard]] bool any_unit_waits() const {
    return std::any_of(free_posted_.begin(), free_posted_.end(), [](bool posted) { return posted; });
  }
  void clear() {
    events_.clear();
    free_posted_ = {};
  }

 private:
  std::vector<GraphEvent> events_;  // a heap, earliest first
  std::array<bool, unit_count> free_posted_{};
  u32 generation_ = 0;
  u64 order_ = 0;
};

}  // namespace bvp
