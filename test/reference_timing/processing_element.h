// SPDX-License-Identifier: Apache-2.0
// A PE, cycle by cycle: segments, tokens and the four units. See docs/models/kernel.md and docs/models/pe.md.
#pragma once

#include <array>
#include <deque>
#include <map>
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

/// In each cycle the array calls begin_cycle(), end_of_firings() and start_firings(), then hands over what comes from
/// scratchpad and mesh and is written into the operand memory in this cycle or later, then calls work(), and at last
/// end_cycle().
class ProcessingElement {
 public:
  /// A vector that Load or Store asks the scratchpad for.
  struct MemoryVector {
    bool store;
    std::uint64_t number;  // of those that the unit has asked for
    std::uint32_t address;
    std::uint64_t firing;  // its number
  };
  struct FlowVector {
    unsigned peer_mask = 0;
    std::uint64_t firing = 0;  // its number
    unsigned slot = 0;         // at the destination
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

  /// Vectors that were written in the cycle before can be read from now on.
  void begin_cycle(Cycle now);
  void token_arrived(unsigned edge, Cycle now);
  void store_done(std::uint64_t number);
  /// @param next_number  of the array's firings, in the order in which they are started
  void start_firings(Cycle now, std::uint64_t& next_number);
  void end_of_firings(Cycle now);

  /// A vector of a load, or of another PE's Flow unit, that is there in the next cycle if it finds a port.
  void load_arrives(std::uint64_t number);
  /// A bank has served it. @param age  number of the array's next firing
  void load_served(std::uint64_t number, std::uint64_t age);
  void flow_arrives(unsigned source, std::uint64_t firing, unsigned slot, std::optional<unsigned> edge);
  /// The units read, issue and write what they can; returns what Load and Store ask for.
  /// @param may_load, may_store  the way to the scratchpad has room
  [[nodiscard]] std::vector<MemoryVector> work(Cycle now, bool may_load, bool may_store);
  /// What Flow wants to send in this cycle.
  [[nodiscard]] const std::optional<FlowVector>& flow_vector() const { return flow_vector_; }
  /// Whether that has been sent; `width`: cycles until the next one.
  void end_cycle(bool sent, Cycle width, Cycle now);
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
    std::uint64_t read = 0;               // Store, Flow: vectors read in the operand memory
    Cycle done = 0;                       // Cal, Flow: the latest so far
    std::uint64_t vectors_end = 0;        // Load, Store: the number behind its last vector
  };
  /// Numbers of vectors that come back in any order.
  class Outstanding {
   public:
    std::uint64_t add() {
      back_.push_back(false);
      return next_++;
    }
    void remove(std::uint64_t number) {
      back_.at(number - oldest()) = true;
      while (!back_.empty() && back_.front()) back_.pop_front();
    }
    /// All before this one are back.
    [[nodiscard]] std::uint64_t oldest() const { return next_ - back_.size(); }
    [[nodiscard]] std::uint64_t next() const { return next_; }

   private:
    std::uint64_t next_ = 0;
    std::deque<bool> back_;
  };
  /// A vector that waits for a port of the operand memory to be written.
  struct Arrival {
    std::uint64_t firing = 0;  // of Load, or of the Flow unit that sent it
    std::uint64_t age = 0;     // the lower, the older
    unsigned slot = 0;
    bool load = false;
    std::uint64_t number = 0;      // Load: of the unit's vectors
    unsigned source = 0;           // Flow: the PE
    std::optional<unsigned> edge;  // whose token comes with it
  };
  /// A result that Cal has not written yet.
  struct Result {
    std::uint64_t firing;
    Cycle written;  // in this cycle
    unsigned bank;
  };
  struct UnitState {
    std::vector<unsigned> order;    // its segments, by tag
    int last_served = -1;           // position there; none yet
    std::optional<Firing> firing;   // that it issues
    Cycle free = 0;                 // it does nothing more for what it has issued
    Cycle accounted = 0;            // its cycles are counted up to here
    std::vector<Firing> in_flight;  // all issued, not done
    Outstanding window, unwritten;  // Load, Store; Load
  };
  /// An instruction of a firing in one of its trips.
  struct Operation {
    const Instruction& instruction;
    std::array<std::int64_t, streams> base;
    [[nodiscard]] std::int64_t address(const Operand& operand) const { return base[operand.stream] + operand.offset; }
  };
  struct EdgeState {
    unsigned tokens = 0;
    Cycle arrival = 0;  // of the last token
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
  void write_arrivals(std::uint64_t age);
  void issue_memory(unsigned unit, Cycle now, bool has_room, std::vector<MemoryVector>& vectors);
  /// Reads for Flow and offers the mesh a vector.
  void work_flow(Cycle now);
  [[nodiscard]] static Firing at(Firing firing, std::uint64_t number) {
    firing.issued = number;
    return firing;
  }
  [[nodiscard]] unsigned mask_at(const Firing& firing, std::uint64_t number) const {
    return static_cast<unsigned>(operation(at(firing, number)).instruction.b.offset);
  }
  /// A cycle of a firing of Cal, whether it still issues or only its results are under way.
  void work_cal(std::uint64_t firing, Cycle now);
  /// False: there is no port for the result.
  bool issue_cal(const Operation& operation, Cycle now);
  /// All that the firing of Cal has under way comes a cycle later.
  void halt(std::uint64_t firing, Cycle now);
  [[nodiscard]] unsigned bank_of(std::int64_t vector) const;
  [[nodiscard]] bool has_ports() const { return machine_.pe.operand_banks != 0; }
  /// Takes a port of the vector's bank in this cycle; false: there is none left.
  bool take_port(std::int64_t vector);
  /// When a result is there that an operand may be.
  struct Ready {
    Cycle cycle = 0;
    std::uint64_t firing = 0;
  };
  /// Null: the operand is none that a pipeline brings.
  [[nodiscard]] Ready* ready_of(const Operation& operation, const Operand& operand);
  [[nodiscard]] bool is_there(const Operation& operation, const Operand& operand, Cycle now);
  /// The number of the operand memory's vector that the operand is or lies in.
  [[nodiscard]] std::optional<std::int64_t> vector_of(const Operation& operation, const Operand& operand) const;
  void count_wait(unsigned unit, Cycle now, WaitReason reason);
  [[nodiscard]] WaitReason reason_of(unsigned segment);

  const Machine machine_;
  const KernelImage& kernel_;
  const unsigned index_;
  std::vector<EdgesOf> edges_of_;  // by segment
  std::vector<Place> place_;
  std::vector<EdgeState> edge_state_;  // by edge
  struct LateToken {
    unsigned edge;
    Cycle arrival;
  };
  std::deque<LateToken> tokens_on_their_way_;
  std::vector<Token> tokens_out_;
  std::deque<ActiveLaunch> launches_;
  std::uint64_t first_launch_ = 0;
  bool has_weights_ = false;
  std::array<UnitState, units> unit_;
  std::array<UnitCycles, units> cycles_{};
  std::vector<Ready> vector_ready_, accumulator_ready_;
  std::vector<unsigned> ports_taken_;  // by bank, in the present cycle
  std::vector<Arrival> arrivals_;      // that wait for a port
  std::vector<Arrival> written_;       // in this cycle
  std::map<std::uint64_t, Arrival> loads_under_way_;
  std::map<std::uint64_t, std::uint64_t> loads_unserved_;  // by firing
  std::vector<std::uint64_t> loads_back_;                  // in the next cycle
  std::vector<Result> results_;
  std::uint64_t cal_started_ = 0;        // number of the last firing of Cal
  std::vector<std::int64_t> collected_;  // vectors that the next instruction of Cal has read
  std::optional<FlowVector> flow_vector_;
};

}  // namespace bvp::ticking
