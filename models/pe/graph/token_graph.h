// SPDX-License-Identifier: Apache-2.0
// The dataflow graph of a kernel on one PE: tokens on edges, iterations of segments, launches, and which segment a unit
// serves next. It knows nothing of SystemC, of statistics or of what a firing does.
//
// Whoever drives it tells what has happened (a token has arrived, a firing has ended, a unit may be free) and then
// takes steps until there are none: each is a firing that begins, a token for another PE, or the end of an empty
// launch.
#pragma once

#include <array>
#include <deque>
#include <string>
#include <variant>
#include <vector>

#include "models/pe/graph/event_queue.h"
#include "models/pe/graph/firing.h"

namespace bvp {

class TokenGraph {
 public:
  struct Launch {
    LaunchRecord record{};
    Iteration iterations{};  // of this PE, per level
    bool empty = false;      // no iterations on this PE
    bool resident = false;   // its segments of scope 0 do not fire: the weights are there
    Cycle arrival = 0;
    std::size_t unfinished = 0;  // segments that have firings left or in flight
  };
  /// Nothing is left to be done in this cycle.
  struct Done {};
  /// A token for another PE: the number of that PE is the number of this one ^ the edge's mask.
  struct Token {
    u32 edge = 0;
  };
  /// A launch that has nothing to do on this PE has ended.
  struct EmptyLaunch {};
  using Step = std::variant<Done, Firing, Token, EmptyLaunch>;
  /// One entry per unit: the number, within the unit, of the segment that the unit served last.
  using LastServed = std::array<u32, unit_count>;

  /// The kernel becomes active, with its initial tokens.
  /// @param program  must live until the next call of start() or stop()
  void start(const PeProgram& program);
  /// Forgets kernel, launches and tokens.
  void stop();

  /// A launch arrives. Its firings begin from `arrival` on, when arm_all() is called.
  /// @param record  no count is 0
  const Launch& launch(const LaunchRecord& record, Cycle arrival);
  /// Launches under way, the oldest first.
  [[nodiscard]] const std::deque<Launch>& launches() const { return launches_; }
  /// The launch of that number, which is under way.
  [[nodiscard]] const Launch& launch(u64 number) const { return launches_[number - first_launch_]; }
  /// The oldest launch has ended on this PE.
  [[nodiscard]] bool launch_has_ended() const { return !launches_.empty() && launches_.front().unfinished == 0; }
  /// Forgets the oldest launch.
  void pop_launch();
  /// Forgets all launches: nothing fires any more until the next call of start().
  /// @returns their launch_number, the oldest first
  std::vector<u32> drop_launches();

  // The next functions tell what has happened. The consequences come with the next steps.
  void arrive(u32 edge, Cycle now);
  /// @param event  of kind firing_ends
  void end_firing(const GraphEvent& event);
  void look_at(Unit unit) { todo_.push_back({Pending::Kind::serve, static_cast<u32>(unit), 0}); }
  /// A launch has arrived: looks whether any segment can fire.
  void arm_all();

  /// Returns the next step at `now`.
  /// @param is_free  bool(Unit): whether the unit can begin a firing now. If it cannot, the driver calls look_at() when
  ///        it can.
  template <class IsFree>
  [[nodiscard]] Step next(Cycle now, const IsFree& is_free);

  /// Whether no firing is under way or ready, and every edge has its initial tokens.
  /// @param arriving  edges whose tokens are on their way, one entry for each token
  [[nodiscard]] bool at_rest(const std::vector<u32>& arriving) const;
  [[nodiscard]] u32 tokens(u32 edge) const { return edges_[edge].tokens; }
  /// Whether a segment of the unit is ready to fire.
  [[nodiscard]] bool waits_for(Unit unit) const { return units_[static_cast<std::size_t>(unit)].ready != 0; }
  [[nodiscard]] LastServed last_served() const;
  /// Takes a token from the edge, which will arrive again later.
  void take_token(u32 edge) { --edges_[edge].tokens; }
  /// Ends the oldest launch. Its firings were not taken from this graph, and they have left the tokens of all edges
  /// unchanged.
  void skip_launch(const LastServed& last_served);
  /// What the segments that have firings left are waiting for, a line each; empty if no launch is under way.
  /// @param name  of the PE
  [[nodiscard]] std::string pending(const std::string& name) const;
  /// The segments that have firings left.
  [[nodiscard]] std::vector<u32> pending_segments() const;

 private:
  struct SegmentState {
    u64 launch = 0;                                // the launch being worked on, counted since start()
    Iteration iteration{};                         // of the levels 0..scope-1, counted from 0
    std::array<u64, instance_levels + 1> begun{};  // iterations of each scope begun before the current one
  };
  struct UnitState {
    u64 ready = 0;  // bit i: the unit's segment number i is ready to fire
    u32 last_served = 0;
    std::vector<u32> segments;  // by number, sorted by tag
  };
  struct EdgeState {
    u32 tokens = 0;
    Cycle last_arrival = 0;
  };
  /// What is still to be handed out in this cycle; the last entry comes first.
  struct Pending {
    enum class Kind : u8 { arm, serve, produce, segment_done, empty_segment_done } kind;
    u32 index;   // segment, unit or edge
    u64 launch;  // segment_done, empty_segment_done
  };

  [[nodiscard]] UnitState& unit_of(const SegmentProgram& segment) {
    return units_[static_cast<std::size_t>(segment.unit)];
  }
  /// Whether the segment skips this launch.
  [[nodiscard]] static bool skips(const SegmentProgram& segment, const Launch& launch) {
    return segment.scope == 0 ? launch.resident : launch.empty;
  }
  void arm(u32 segment, Cycle now);
  void skip(u32 segment);
  [[nodiscard]] u32 choose(UnitState& unit) const;
  /// Returns the firing of the segment that the unit serves next, and takes its tokens.
  [[nodiscard]] Step take(Unit unit, Cycle now);
  void produce(u32 edge, Cycle now);
  /// Whether the launch has ended with the end of that segment.
  bool segment_done(u64 launch);
  void advance(u32 segment);
  [[nodiscard]] unsigned outermost_first(const SegmentProgram& segment, const SegmentState& state) const;
  [[nodiscard]] unsigned outermost_last(const SegmentProgram& segment, const SegmentState& state) const;
  [[nodiscard]] bool tokens_ready(u32 segment) const;
  [[nodiscard]] Wait wait_reason(u32 segment, unsigned first) const;
  [[nodiscard]] StreamBases distance(u32 segment) const;

  const PeProgram* program_ = nullptr;
  std::vector<SegmentState> state_;
  std::vector<u32> number_;  // of a segment within its unit
  std::vector<EdgeState> edges_;
  std::array<UnitState, unit_count> units_;
  std::deque<Launch> launches_;
  u64 first_launch_ = 0;  // number of launches_.front(), counted since start()
  bool weights_loaded_ = false;
  std::vector<Pending> todo_;
};

template <class IsFree>
TokenGraph::Step TokenGraph::next(Cycle now, const IsFree& is_free) {
  while (!todo_.empty()) {
    const Pending pending = todo_.back();
    todo_.pop_back();
    switch (pending.kind) {
      case Pending::Kind::arm:
        arm(pending.index, now);
        break;
      case Pending::Kind::serve: {
        const auto unit = static_cast<Unit>(pending.index);
        if (units_[pending.index].ready == 0 || launches_.empty() || !is_free(unit)) break;
        return take(unit, now);
      }
      case Pending::Kind::produce:
        if (program_->edges[pending.index].peer_mask != 0) return Token{pending.index};
        produce(pending.index, now);
        break;
      case Pending::Kind::segment_done:
        segment_done(pending.launch);
        break;
      case Pending::Kind::empty_segment_done:
        if (segment_done(pending.launch)) return EmptyLaunch{};
        break;
    }
  }
  return Done{};
}

}  // namespace bvp
