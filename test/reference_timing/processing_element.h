// SPDX-License-Identifier: Apache-2.0
// A PE, cycle by cycle: segments, tokens and the four units. See docs/models/kernel.md and docs/models/pe.md.
#pragma once

#include <array>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "test/reference_timing/kernel_image.h"
#include "test/reference_timing/machine.h"

namespace bvp::ticking {

/// Reasons to wait, by the token that came last.
enum WaitReason : unsigned {
  wait_load,
  wait_compute,
  wait_flow,
  wait_space,
  wait_launch,
  wait_drain,
  wait_reasons  // their number
};

/// What a unit did in the cycles of a run.
struct UnitCycles {
  std::uint64_t issue = 0, special = 0, stall = 0;
  std::array<std::uint64_t, wait_reasons> wait{};
};

/// In each cycle the array calls end_of_firings(), start_firings() and issue(), in this order, after it has delivered
/// vectors and tokens.
class ProcessingElement {
 public:
  /// A vector that Load or Store asks the scratchpad for.
  struct MemoryVector {
    bool store;
    std::uint64_t number;  // of those that the unit has asked for
    std::uint32_t address;
    std::uint64_t burst;  // number of the firing
  };
  struct FlowVector {
    unsigned peer_mask;
    std::uint64_t packet, place;
    std::optional<unsigned> edge;
  };
  struct Token {
    unsigned edge;
    unsigned peer_mask;
  };

  /// @param index  of the PE within the kernel
  ProcessingElement(const Machine& machine, const KernelImage& kernel, unsigned index);

  void launch(const Launch& launch, Cycle now);
  [[nodiscard]] bool done() const { return launches_.empty(); }

  void token_arrived(unsigned edge, Cycle now);
  void vector_returned(bool store, std::uint64_t number);

  void end_of_firings(Cycle now);
  /// @param next_number  of the array's firings, in the order in which they are started
  void start_firings(Cycle now, std::uint64_t& next_number);
  /// Cal works; returns what Load and Store ask for.
  [[nodiscard]] std::vector<MemoryVector> issue(Cycle now);
  /// What Flow wants to send in this cycle.
  [[nodiscard]] std::optional<FlowVector> flow_vector(Cycle now) const;
  /// Whether it has been sent; `width`: cycles until the next one.
  void end_of_cycle(bool sent, Cycle width, Cycle now);
  /// Tokens for other PEs that have come up since the last call.
  [[nodiscard]] std::vector<Token> take_tokens() { return std::exchange(tokens_out_, {}); }

  [[nodiscard]] const std::array<UnitCycles, units>& cycles() const { return cycles_; }

 private:
  struct Place {  // of a segment in the iterations
    std::uint64_t launch = 0;
    std::array<std::uint32_t, loop_levels> iteration{};
    std::array<std::uint64_t, loop_levels + 1> begun{};
  };
  struct ActiveLaunch {
    Launch launch;
    Cycle arrival = 0;
    std::array<std::uint32_t, loop_levels> iterations{};
    bool empty = false;  // there are none for this PE
    bool keeps_weights = false;
    unsigned unfinished = 0;  // segments
  };
  struct Firing {
    unsigned segment = 0;
    std::uint64_t number = 0, launch = 0;
    unsigned ends = 0;  // edges of this scope and inner ones get a token
    std::array<std::int64_t, streams> base{};
    std::uint64_t total = 0, issued = 0;  // instructions
    Cycle done = 0;                       // Cal, Flow: the latest so far
    std::uint64_t vectors_end = 0;        // Load, Store: the number behind its last vector
  };
  /// Vectors of Load or Store that the scratchpad has not answered.
  struct Channel {
    std::uint64_t next = 0;         // number of the next one
    std::deque<bool> returned;      // from the oldest on that has not
    [[nodiscard]] std::uint64_t oldest() const { return next - returned.size(); }
  };
  struct UnitState {
    std::vector<unsigned> order;  // its segments, by tag
    int last_served = -1;         // position there; none yet
    std::optional<Firing> firing;
    Cycle free = 0;                 // it does nothing more for what it has issued
    Cycle accounted = 0;            // its cycles are counted up to here
    std::vector<Firing> in_flight;  // all issued, not done
    Channel channel;
  };
  /// An instruction of a firing in one of its trips.
  struct Operation {
    const Instruction& instruction;
    std::array<std::int64_t, streams> base;
    [[nodiscard]] std::int64_t address(const Operand& operand) const { return base[operand.stream] + operand.offset; }
  };
  struct EdgesOf {
    std::vector<unsigned> in, out;
  };

  /// The next one that the firing issues.
  [[nodiscard]] Operation operation(const Firing& firing) const;
  [[nodiscard]] ActiveLaunch* launch_of(unsigned segment);
  /// This firing is the first (last) one in an iteration of that scope.
  [[nodiscard]] bool is_first(unsigned segment, unsigned scope) const;
  [[nodiscard]] bool is_last(unsigned segment, unsigned scope) const;
  [[nodiscard]] bool ready(unsigned segment);
  [[nodiscard]] bool is_skipped(unsigned segment, const ActiveLaunch& launch) const;
  /// A segment that does not fire in a launch passes the tokens of whole launches on.
  void skip(unsigned segment, Cycle now);
  /// As many segments as can be.
  void skip_all(Cycle now);
  void start(unsigned unit, unsigned segment, std::uint64_t number, Cycle now);
  void finish(const Firing& firing, Cycle now);
  void produce(unsigned edge, Cycle now);
  void move_on(unsigned segment);
  void issue_cal(Cycle now);
  void issue_memory(unsigned unit, std::vector<MemoryVector>& vectors, Cycle now);
  /// Where it is noted when the operand can be read; null: it is none that a pipeline brings.
  [[nodiscard]] Cycle* ready_cycle(const Operation& operation, const Operand& operand);
  void count_wait(unsigned unit, Cycle now, WaitReason reason);
  [[nodiscard]] WaitReason reason_of(unsigned segment);

  const Machine machine_;
  const KernelImage& kernel_;
  const unsigned index_;
  std::vector<EdgesOf> edges_of_;  // by segment
  std::vector<Place> place_;
  std::vector<unsigned> tokens_;       // by edge
  std::vector<Cycle> token_arrival_;   // by edge, of the last one
  std::vector<Token> tokens_out_;
  std::deque<ActiveLaunch> launches_;
  std::uint64_t first_launch_ = 0;
  bool has_weights_ = false;
  std::array<UnitState, units> unit_;
  std::array<UnitCycles, units> cycles_{};
  std::vector<Cycle> vector_ready_, accumulator_ready_;
};

}  // namespace bvp::ticking
