// SPDX-License-Identifier: Apache-2.0
// What a PE does with a kernel, without SystemC: the token graph, the units and their bookkeeping. Whoever derives from
// it says how long the segments take and what they do: Pe with sockets, cycle by cycle; LockstepArray for a whole
// array.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/base/array_parameters.h"
#include "models/base/power_state.h"
#include "models/base/statistics.h"
#include "models/isa/launch.h"
#include "models/pe/cal_schedules.h"
#include "models/pe/cal_unit.h"
#include "models/pe/operand_memory.h"
#include "models/pe/pe_parameters.h"
#include "models/pe/program.h"
#include "models/pe/unit_span.h"
#include "models/pe/wait.h"
#include "models/transport/vector_access.h"

namespace bvp {

class PeCore {
 public:
  /// @param index  row-major position in the array
  /// @param data   false: timing and actions only, nothing is moved or computed
  /// @param schedules  of Cal, shared by PEs with the same parameters
  PeCore(std::string name, u32 index, const ArrayParameters& array, const PeParameters& parameters,
         StatGroup& parent_stats, bool data, std::shared_ptr<CalSchedules> schedules);
  virtual ~PeCore() = default;
  PeCore(const PeCore&) = delete;
  PeCore& operator=(const PeCore&) = delete;

  /// Books the idle time of an idle PE up to now, so that the counters of every unit add up to all cycles.
  void settle(Cycle now);

  /// A kernel that runs when the clock goes fails.
  void set_power(ArrayPower power, Cycle now);
  /// Tells when a unit works on a segment.
  UnitBusy unit_busy;

  [[nodiscard]] const std::string& error() const { return error_; }
  /// What the segments that have firings left are waiting for, a line each; empty if no launch is under way.
  [[nodiscard]] virtual std::string pending() const;
  [[nodiscard]] const StatGroup& statistics() const { return stats_; }
  /// Issue slots of a unit used so far.
  [[nodiscard]] u64 issue_slots(Unit unit) const { return unit_stats_[static_cast<std::size_t>(unit)]->issue.value(); }

 protected:
  /// Counters of one unit. Each cycle is in exactly one of issue, stall (unit busy, nothing issued) and the waits.
  struct UnitStats {
    UnitStats(StatGroup& parent, const char* name, const char* stall_description);
    StatGroup group;
    Counter instructions, issue, special, stall;
    std::vector<std::unique_ptr<Counter>> waits;
  };

  struct SegmentState {
    u64 launch = 0;                                // the launch being worked on, counted since configuration
    std::array<u32, instance_levels> iteration{};  // of the levels 0..scope-1, counted from 0
    std::array<u64, instance_levels + 1> begun{};  // iterations of each scope begun before the current one
  };

  /// What is left of a launch on one of the PEs that this one stands for.
  struct Share {
    u32 unfinished = 0;  // segments that have firings left
    Cycle end = 0;       // of those that have none, the last one's
  };

  struct Launch {
    LaunchRecord record;
    std::array<u32, instance_levels> iterations{};  // of this PE, per level
    bool empty = false;                             // no iterations on this PE
    bool resident = false;
    Cycle arrival = 0;
    std::size_t unfinished = 0;  // segments that have firings left or in flight
    std::vector<Share> shares;   // empty: all PEs that this one stands for end with it
  };

  struct UnitState {
    u64 ready = 0;  // bit i: the unit's segment number i is ready to fire
    Cycle free_at = 0;
    Cycle last_done = 0;       // Load, Store: of the segment started last
    bool unknown_end = false;  // Flow: it is busy, to free_at or longer; end_flow() will say
    u8 last_tag = 0;           // of the segment started last
    bool wake_booked = false;
    u32 last_served = 0;
    std::vector<u32> segments;  // by number, sorted by tag
  };

  struct EdgeState {
    u32 tokens = 0;
    Cycle last_arrival = 0;
  };

  static constexpr u32 no_vectors = 0xffffffff;

  struct Event {
    enum class Kind : u8 { arrival, finished, wake, launch_end };
    Cycle time = 0;
    Kind kind = Kind::wake;
    u8 produced_scope = 0;  // finished: edges of this scope and inner ones get a token
    bool last_of_launch = false;
    u32 index = 0;             // segment, unit, or edge (FlowPacket::no_edge: none)
    u32 vectors = no_vectors;  // arrival, finished load: what is written then
    u64 launch = 0;            // finished: the launch it belonged to
    u32 generation = 0;        // of the context it is for; stale events are dropped
    u64 order = 0;             // events of one cycle are handled in the order in which they were made
    bool operator>(const Event& other) const { return time != other.time ? time > other.time : order > other.order; }
  };

  /// A firing of Flow whose end the mesh has not told yet.
  struct OpenFlow {
    u64 packet = 0;  // the last one's number; 0: there is none
    Event finished;
  };
  /// A packet whose arrival the mesh has not told yet.
  struct OpenPacket {
    u64 number = 0;
    Event arrival;
  };

  /// Vectors on their way: they are in the operand memory when they arrive, not before.
  struct Incoming {
    std::vector<u16> slots;
    std::vector<u16> data;
  };

  /// The first bases of a segment's streams by PE, and the lowest and the highest of each stream.
  struct FirstBases {
    std::vector<StreamBases> of_pe;
    StreamBases lowest{}, highest{};
  };

  struct Context {
    PeProgram program;
    u64 words = 0;                                             // of configuration, 64 bits each, that a PE receives
    std::vector<std::shared_ptr<SegmentSchedules>> schedules;  // of the Cal segments; null for others
    std::vector<FirstIteration> all_pes;                       // of the kernel, if this stands for all of them
    std::vector<FirstBases> bases;                             // of the segments, on all of those
    bool uniform = true;                                       // all of those run the same iterations
    FirstIteration latest{};                                   // over all of those, by level
  };
  /// Contexts of images seen before: networks use the same kernels tile after tile.
  struct CachedContext {
    std::vector<u8> image;
    std::shared_ptr<const Context> context;
  };
  static constexpr std::size_t cached_contexts = 64;

  /// A firing of Load or Store that began without its end being known.
  struct OpenFiring {
    u64 ticket = 0;
    Event event;                        // its end
    bool issued = false, ends = false;  // all its vectors have been; its own end is known
  };

  /// The image is here at `now`. False, with a warning: it is none that this PE can run.
  bool configure(const u8* image, std::size_t size, Cycle now);
  /// False: there is no kernel, a count is 0, or an error has stopped the PE.
  bool launch(const LaunchRecord& record, Cycle when);
  /// Drops all launches, unreported, and both contexts.
  void stop(Cycle now);
  /// Whether a packet makes sense here.
  [[nodiscard]] bool takes(const FlowPacket& packet) const;
  /// Vectors and the token of an edge (FlowPacket::no_edge: none), of a packet that makes sense, are there at `when`.
  /// Of a deferred packet (FlowPacket::number) end_packet() gives the time.
  void arrive(const FlowPacket& packet, const u16* data, Cycle when);
  /// Where the vectors of that packet go, which end_packet() has not been told of; null: it is none of the running
  /// context.
  [[nodiscard]] const std::vector<u16>* slots_of_packet(u64 number) const;
  /// The vectors of that packet arrive at `when`. Nothing happens if it is none of the running context.
  void end_packet(u64 number, Cycle when);
  /// The firing of Flow whose last packet that is keeps its unit until `when`. Other packets are ignored.
  void end_flow(u64 number, Cycle when);
  /// Handles all events up to `now`. wake_at() asked for it.
  void advance_to(Cycle now);

  // What depends on the fidelity. Each start_ begins one firing at `now`: books the unit and returns when the results
  // are in place; nullopt after fail(). start_flow() may return `unknown` and set open_flow_.packet.
  static constexpr Cycle unknown = ~Cycle{0};
  virtual std::optional<Cycle> start_load(const SegmentProgram& segment, const StreamBases& bases, Cycle now,
                                          u32& vectors) = 0;
  virtual std::optional<Cycle> start_store(const SegmentProgram& segment, const StreamBases& bases, Cycle now) = 0;
  virtual std::optional<Cycle> start_flow(const SegmentProgram& segment, const StreamBases& bases, unsigned last,
                                          Cycle now) = 0;
  virtual Cycle start_cal(u32 segment, const StreamBases& bases, Cycle now) = 0;
  /// Whether this stands for all PEs of its kernels, or only for itself.
  [[nodiscard]] virtual bool stands_for_all() const { return false; }
  /// A launch comes. A time: what it does is known, nothing of it is run, and end_known_launch() is called then.
  virtual std::optional<Cycle> begin_launch(Launch& launch) {
    (void)launch;
    return std::nullopt;
  }
  virtual void end_known_launch(Cycle now) { (void)now; }
  /// A firing of this segment begins: its wait is booked and its tokens are taken next.
  virtual void begin_firing(u32 segment, Cycle now, Wait waited_for) { (void)segment, (void)now, (void)waited_for; }
  /// Its results will be in place at `done`.
  virtual void end_firing(Launch& launch, Cycle done) { (void)launch, (void)done; }
  /// Called when a unit may be free, at its free_at or later: brings free_at up to date if it is busy longer.
  virtual void confirm_free(Unit unit, Cycle now) { (void)unit, (void)now; }
  /// Tells PE (own index ^ the edge's mask) that the edge has a token, without vectors.
  virtual void send_token(u32 edge, Cycle now) = 0;
  virtual void report_completion(u32 launch_number, u32 status) = 0;
  /// advance_to(cycle) is wanted then; later calls may ask for an earlier cycle.
  virtual void wake_at(Cycle cycle) = 0;

  [[nodiscard]] std::deque<OpenFiring>& open_firings(Unit unit) { return open_firings_[unit == Unit::load ? 0 : 1]; }
  void forget_open_firings();
  /// The results of this firing are in place at `end`, and not before those of the unit's firings before it.
  void end_open_firing(Unit unit, OpenFiring& firing, Cycle end);
  void fail(std::string message);
  /// PEs that this stands for.
  [[nodiscard]] virtual u64 pes() const { return 1; }
  /// Cycles, summed over them, in which they had something to do since what was asked for last. A launch keeps a PE
  /// active from its arrival to the end of the last segment there.
  [[nodiscard]] virtual u64 take_active_cycles(Cycle from, Cycle now) { return launches_.empty() ? 0 : now - from; }
  void book_busy(Unit unit, Cycle now, u64 issue, u64 special, u64 stall);
  /// A unit that is busy has been so, without issuing, until `end`.
  void book_stall_until(Unit unit, Cycle end);
  /// The unit has waited until now, when it begins the firing at hand.
  virtual void book_wait(Unit unit, Cycle now, Wait reason);
  /// All units have waited until now; `ended`: for the end of this launch, the last one; or else there is none.
  virtual void book_rest(const Launch* ended, Cycle now);
  void count_wait(Unit unit, Wait reason, u64 cycles);
  /// What a firing of the schedule does, over [begin, end).
  void count_cal(const CalSchedule& schedule, Cycle begin, Cycle end);
  /// Of the Cal segment in a firing with these bases, which are within bounds.
  [[nodiscard]] const CalSchedule& schedule_of(u32 segment, const StreamBases& bases) const {
    return context_->schedules[segment]->at(cal_, context_->program.segments[segment], bases);
  }
  [[nodiscard]] static StreamBases bases_at(const StreamBases& first, const StreamBases& distance) {
    StreamBases bases{};
    for (std::size_t s = 0; s < streams_per_segment; ++s) {
      bases[s] = static_cast<i64>(static_cast<u64>(first[s]) + static_cast<u64>(distance[s]));
    }
    return bases;
  }
  /// The part of distance_ that comes from the launch registers.
  [[nodiscard]] static StreamBases launch_bases(const SegmentProgram& segment, const LaunchRecord& record);
  /// The part of it that comes from the iterations, in the segment's next firing.
  [[nodiscard]] StreamBases instance_bases(u32 segment) const;
  /// distance_ of the segment's next firing: these two and rotation.
  [[nodiscard]] StreamBases distance(u32 segment) const;
  /// Forgets all events but that of the launch which arrived then.
  void restart_events(Cycle arrival);
  /// There is no launch, and nothing is left of the last one but tokens on their way.
  [[nodiscard]] bool at_rest() const;
  struct TokenOnItsWay {
    u32 edge;
    Cycle arrival;
  };
  [[nodiscard]] std::vector<TokenOnItsWay> tokens_on_their_way() const;
  /// Takes the token of an edge away until then.
  void delay_token(u32 edge, Cycle until);
  [[nodiscard]] bool observed() const { return unit_busy.connected(); }
  [[nodiscard]] bool within_bounds(const SegmentProgram& segment, const StreamBases& bases) const;
  /// Posts the token of an edge (and nothing else) for `when`.
  void expect_token(u32 edge, Cycle when);
  u32 take_incoming();
  void deliver(u32 vectors);

  const std::string name_;
  const u32 index_;
  const u32 columns_;
  const KernelLimits limits_;
  const bool data_;

  StatGroup stats_;
  std::array<std::unique_ptr<UnitStats>, unit_count> unit_stats_;
  Counter firings_;
  Counter lane_multiplies_, lane_adds_, lane_fused_, lane_specials_, lane_wide_specials_, lane_accumulates_,
      lane_shuffles_;
  Counter operations_;
  Counter operand_reads_, operand_writes_, scalar_reads_;
  Counter instructions_issued_, tokens_, configured_words_;
  Counter active_cycles_, idle_cycles_, gated_cycles_, retention_cycles_;

  OperandMemory memory_;
  CalUnit cal_;
  std::shared_ptr<const Context> context_, shadow_;
  std::array<UnitState, unit_count> units_;
  std::vector<Incoming> incoming_;
  OpenFlow open_flow_;
  std::vector<SegmentState> state_;
  std::deque<Launch> launches_;
  u64 first_launch_ = 0;  // number of launches_.front(), counted since configuration
  u32 firing_ = 0;        // the segment whose start_ function is called
  u64 ticket_ = 0;        // set by that function if the end is not known: of its OpenFiring
  /// How far its streams are from their first bases then; the same for all PEs of the kernel.
  StreamBases distance_{};
  /// PEs that do what this one does in the firing at hand, itself included.
  u64 multiplicity_ = 1;

 private:
  void activate_shadow();
  void post(Event event);
  void post_launch(Cycle when, Event::Kind kind);
  void reschedule();
  void arm(u32 segment, Cycle now);
  void arm_all(Cycle now);
  void try_start(Unit unit, Cycle now);
  /// The unit looks for a firing when it is free.
  void book_wake(Unit unit);
  void start(u32 segment, Cycle now);
  void finish(const Event& event, Cycle now);
  void produce(u32 edge, Cycle now);
  void fire_vacuously(u32 segment, Cycle now);
  void complete_launches(Cycle now);
  void advance(u32 segment);

  [[nodiscard]] bool vacuous(const SegmentProgram& segment, const Launch& launch) const;
  [[nodiscard]] unsigned outermost_first(const SegmentProgram& segment, const SegmentState& state) const;
  [[nodiscard]] unsigned outermost_last(const SegmentProgram& segment, const SegmentState& state,
                                        const Launch& launch) const;
  [[nodiscard]] bool tokens_ready(u32 segment) const;
  [[nodiscard]] Wait wait_reason(u32 segment) const;
  static void add_all_pes(Context& context, const Kernel& kernel);
  void accept(std::shared_ptr<const Context> context, Cycle now);

  /// Counts the cycles up to now as active, idle or gated.
  void book_cycles(Cycle now);

  const bool clock_gating_;
  Cycle cycles_booked_ = 0;
  ArrayPower power_ = ArrayPower::on;
  u32 generation_ = 0;
  bool weights_loaded_ = false;
  std::vector<EdgeState> edges_;
  std::vector<u32> number_;  // of a segment within its unit
  std::string error_;
  std::vector<CachedContext> cache_;
  std::size_t next_cached_ = 0;
  const std::shared_ptr<CalSchedules> schedules_;

  std::array<std::deque<OpenFiring>, 2> open_firings_;  // of Load and of Store, in the order in which they began
  std::vector<Event> events_;                           // a heap, earliest first
  u64 order_ = 0;
  std::vector<u32> free_incoming_;
  std::vector<OpenPacket> open_packets_;
};

}  // namespace bvp
