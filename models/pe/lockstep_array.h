// SPDX-License-Identifier: Apache-2.0
// The PE array, loosely timed: one PE's token graph stands for all of them. All PEs of a kernel run the same segments,
// nearly in step, so what PE 0 does at a time is taken to be done by all. Loads, stores and exchanges are timed with
// all PEs at once in the first firings of a segment, and cost the same from then on. See docs/models/pe.md.
#pragma once

#include <tlm_utils/multi_passthrough_initiator_socket.h>
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <systemc>
#include <vector>

#include "models/base/clock.h"
#include "models/pe/booked_until.h"
#include "models/pe/launch_journal.h"
#include "models/pe/pe_core.h"
#include "models/pe/vector_pace.h"

namespace bvp {

class LockstepArray : public sc_core::sc_module, public PeCore {
 public:
  /// Sockets as those of Pe, one for each PE, row-major.
  sc_core::sc_vector<tlm_utils::simple_target_socket_tagged<LockstepArray>> config;
  sc_core::sc_vector<tlm_utils::simple_initiator_socket<LockstepArray>> to_scratchpad;
  sc_core::sc_vector<tlm_utils::simple_initiator_socket<LockstepArray>> to_mesh;
  sc_core::sc_vector<tlm_utils::simple_target_socket_tagged<LockstepArray>> from_mesh;
  tlm_utils::simple_initiator_socket<LockstepArray> to_sequencer;

  LockstepArray(sc_core::sc_module_name module_name, const ArrayParameters& array, const PeParameters& parameters,
                const ClockDomain& clock, StatGroup& parent_stats, bool data = true);
  ~LockstepArray() override;

  void settle();
  [[nodiscard]] std::string pending() const override;
  void set_power(ArrayPower power, Cycle now);
  /// Up to where the array has run: beyond the present as long as nothing else happens in the simulation meanwhile,
  /// which saves the kernel's round for each event.
  [[nodiscard]] sc_core::sc_time local_time() const { return clock_.to_time(now_); }
  /// It does not run that far; whoever ends sc_start() there sees it at the present.
  void set_horizon(const sc_core::sc_time& time) { horizon_ = time; }

  SC_HAS_PROCESS(LockstepArray);

 private:
  [[nodiscard]] u64 pes() const override { return config.size(); }
  [[nodiscard]] u64 take_active_cycles(Cycle from, Cycle now) override;
  struct Time {
    Cycle issue = 0, latency = 0;
  };
  /// What a segment's transfers cost, learned from its first firings with all PEs at once.
  struct Cost {
    u32 samples = 0;
    double issue = 0, latency = 0;  // cycles, sums over the samples
    [[nodiscard]] Cycle mean_issue() const;
    [[nodiscard]] Cycle mean_latency() const;
    void add(Cycle of_issue, Cycle of_latency);
  };
  struct KernelCosts {
    struct OfSegment {
      Cost slowest;                 // of the PEs
      Cost least_hindered;          // of the PEs: how much longer it takes than if it were alone
      u32 farthest = 0;             // the active PE whose vectors are under way longest, if alone
      Cycle unloaded = 0;           // cycles of one vector from there
      VectorAccess::Limits limits;  // of that PE
      u64 exchanges = 0;            // of the kernel, before the segment's last firing
      Cost turn, drain;             // latencies: waits for banks that are behind, see cost_now()
      std::vector<Cycle> turns;
      u64 first_launch = 0;  // in which it has fired
    };
    std::vector<OfSegment> segments;
    u64 launches = 0;       // begun
    u64 exchanges = 0;      // so far; PEs wait for each other there
    bool overlaps = false;  // a launch of it has come while another one ran
    std::deque<LaunchJournal> journals;
  };
  /// Firings that are timed before a segment's cost is taken as known, in so many launches at most. Without that bound
  /// cycles are hardly more exact (1.06 instead of 1.08 % off in the mean over 34 machines and 4 networks).
  static constexpr u32 learning_firings = 4, learning_launches = 2;
  /// Launches after these in which the banks see all vectors. With two of them: 1.08 instead of 1.09 %.
  static constexpr u32 turn_launches = 1;

  void stop(Cycle now);
  void config_transport(int pe, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  void mesh_transport(int pe, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  void run();
  [[nodiscard]] sc_core::sc_time ahead() const { return clock_.to_time(now_) - sc_core::sc_time_stamp(); }

  std::optional<Cycle> begin_launch(Launch& launch) override;
  void end_known_launch(Cycle now) override;
  void begin_firing(u32 segment, Cycle now, Wait waited_for) override;
  void book_wait(Unit unit, Cycle now, Wait reason) override;
  void book_rest(const Launch* ended, Cycle now) override;
  /// The PEs that the kernel leaves out.
  void book_outside(Cycle now);
  void end_firing(Launch& launch, Cycle done) override;
  std::optional<Cycle> start_load(const SegmentProgram& segment, const StreamBases& bases, Cycle now,
                                  u32& vectors) override;
  std::optional<Cycle> start_store(const SegmentProgram& segment, const StreamBases& bases, Cycle now) override;
  std::optional<Cycle> start_flow(const SegmentProgram& segment, const StreamBases& bases, unsigned last,
                                  Cycle now) override;
  Cycle start_cal(u32 segment, const StreamBases& bases, Cycle now) override;
  void send_token(u32 edge, Cycle now) override;
  void report_completion(u32 launch_number, u32 status) override;
  void wake_at(Cycle cycle) override;

  [[nodiscard]] bool stands_for_all() const override { return true; }
  void find_costs();
  void add_shares(Launch& launch) const;
  void book(Unit unit, Cycle now, u64 issue, u64 special, u64 stall);
  /// All PEs of the kernel take part in the firing at hand, and it is the last one of the launch for none. Sufficient,
  /// not necessary.
  [[nodiscard]] bool all_go_on() const;
  /// PEs of the kernel that take part in the firing at hand; PE 0 always does.
  void find_active();
  /// Those of the kernel, active or not: if so, none has to be looked at by itself.
  [[nodiscard]] bool all_within_bounds() const;
  [[nodiscard]] u32 array_index(u32 kernel_pe) const;
  /// The firing at hand is the first of its segment in a launch, or since PEs have exchanged vectors.
  [[nodiscard]] bool in_step() const;
  /// What it costs is still learned.
  [[nodiscard]] bool learns() const;
  void begin_learning();
  /// It is the last one, on PE 0.
  [[nodiscard]] bool last_of_launch() const;
  /// What the firing at hand costs where banks keep up. When PEs are in step they get in each other's way, and what
  /// comes next waits for the slowest; afterwards the first collisions have put them so far apart that they pass each
  /// other.
  /// @param alone  cycles in which the farthest PE issues its vectors when it is alone
  [[nodiscard]] Time unhindered_cost(Cycle alone) const;
  /// Lets the farthest PE issue the vectors of the firing at hand.
  /// @returns the cycles that it takes to, if it is alone
  Cycle issue_alone(Unit unit, Cycle now);
  [[nodiscard]] VectorPace& pace(Unit unit, u32 kernel_pe) {
    return paces_[2 * std::size_t{kernel_pe} + (unit == Unit::load ? 0 : 1)];
  }
  /// Likewise, but a bank serves no more than its ports can: PEs that exchange vectors are not more than a round of the
  /// kernel's segments apart, and when a launch ends all banks have served all PEs.
  [[nodiscard]] Time cost_now(Cycle alone) const;
  /// False after fail().
  bool within_memory(const SegmentProgram& segment, const StreamBases& bases, bool all_sound);
  /// vector_access_ for the segment's vectors in the scratchpad, but for how many accesses it stands for.
  void place_vectors(Unit unit, const SegmentProgram& segment, const StreamBases& bases);
  /// The payload with vector_access_, whose addresses are addresses_.
  void prepare_access(Unit unit, u16* words);
  /// Sends it to the scratchpad; false after fail().
  bool access_scratchpad(Unit unit, u32 kernel_pe, u16* words, sc_core::sc_time& delay);
  /// The vectors of a Load or Store segment of one PE, while those of others may be under way.
  struct Transaction {
    u32 pe = 0;
    u64 ticket = 0;  // 0: all is known
    Cycle issue = 0, latency = 0;
    Cycle unloaded = 0;  // cycles of one vector when no other is under way
    VectorAccess::Limits limits;
  };
  /// Begins one; false after fail().
  bool transfer(Unit unit, u32 kernel_pe, const SegmentProgram& segment, const StreamBases& bases,
                Transaction& transaction);
  /// Brings issue and latency to what they are when all those begun have been served.
  void conclude(Transaction& transaction);
  /// Those of all active PEs at once, without time.
  bool transfer_untimed(Unit unit, Cycle alone);
  /// With all active PEs at once; adds to the costs of the segment.
  /// @returns the cycles in which a PE issues its vectors when it is alone, of the PE with the most; none after fail()
  std::optional<Cycle> transfer_timed(Unit unit);
  std::optional<Cycle> transfer_all(Unit unit, Cycle now);
  /// Sends the payload with vector_access_, which stands for so many alike over `when` and takes no time.
  bool count_vectors(Unit unit, u32 kernel_pe, const SegmentProgram& segment, const StreamBases& bases, u32 copies,
                     u64 hops, CycleSpan when);
  /// Vectors from one PE to its partner; adds up the cycles until they are sent and until they are there.
  void exchange(u32 kernel_pe, u32 mask, u32 vectors, Cycle& issue, Cycle& latency);
  /// Those of so many PEs over `when`, without time.
  void count_packets(u32 mask, u32 vectors, u32 packets, u64 hops, CycleSpan when);
  void send_packet(u32 kernel_pe, u32 mask, u32 vectors, sc_core::sc_time& delay);
  /// From these PEs to their partners, summed up.
  [[nodiscard]] u32 hops(const std::vector<u32>& pes, u32 mask) const;

  // Launches whose course is known, in lockstep_replay.cpp: without data the next one like it takes the same course. It
  // is written down in a journal once nothing of it is learned any more.
  /// What is kept: journals of a kernel, entries of a journal, entries of all.
  static constexpr std::size_t most_journals = 16, most_entries = 1 << 16, most_entries_of_all = 1 << 19;
  struct Replay {
    const LaunchJournal* journal;
    Cycle arrival;
    std::size_t firings = 0, packets = 0;  // of the journal, booked so far
    [[nodiscard]] Cycle end() const { return arrival + journal->cycles; }
  };
  std::optional<Cycle> begin_replay(Launch& launch);
  /// Nothing that it may reach with these registers lies outside of operand memory or scratchpad.
  bool stays_within_bounds(const LaunchJournal& journal, const LaunchRecord& record);
  /// Whether the scratchpad would take an access there.
  bool would_take(Unit unit, const SegmentProgram& segment, const StreamBases& bases);
  void write_firing(u32 segment, Cycle now, Wait waited_for);
  void complete_firing();
  void write_packets(u32 mask, u32 vectors, u32 packets, u64 hops, Cycle latency);
  /// Something is learned, or a launch comes while another one runs.
  void close_journal();
  void end_journal();
  /// Books what happens before `until`.
  void replay_until(Cycle until);
  void count_segments();
  /// Another launch comes: the one that is replayed has to be run after all, to where it is now, what is booked already
  /// not being booked again.
  void catch_up();
  [[nodiscard]] LaunchJournal::Key journal_key(const Launch& launch) const;

  const ClockDomain clock_;
  const u32 rows_;
  std::vector<OperandMemory> memories_;  // by index within the kernel's array
  std::map<std::shared_ptr<const Context>, KernelCosts> costs_;
  const Context* costed_ = nullptr;  // the context of known_
  KernelCosts* known_ = nullptr;
  std::vector<u32> active_;
  std::vector<u32> others_;  // all PEs of the kernel but PE 0
  std::vector<u32> ending_;  // those of them for which it is the segment's last firing in the launch, if PEs differ
  std::vector<Cycle> active_until_;             // by index within the kernel's array: counted so far
  const Context* all_active_ = nullptr;         // the kernel for whose every firing active_ holds
  std::array<BookedUntil, unit_count> booked_;  // by unit, over the kernel's PEs
  Cycle outside_booked_ = 0;                    // until when the other PEs are
  u32 active_hops_ = 0;                         // on the memory plane, summed over the active PEs
  std::optional<Cycle> packet_arrival_;
  std::vector<VectorPace> paces_;  // by PE and Load or Store, since the last launch began

  std::optional<LaunchJournal> journal_;  // of the launch that runs
  std::size_t entries_kept_ = 0;
  Cycle launch_arrival_ = 0;
  u64 tokens_before_ = 0;
  std::optional<Replay> replay_;
  const LaunchJournal* caught_up_ = nullptr;  // while catch_up() is at work
  std::size_t caught_packets_ = 0;
  struct Count {
    u32 copies = 0;
    u64 hops = 0;
    CycleSpan when;  // from the first one's begin to the last one's end
  };
  std::vector<Count> counts_;  // by segment, while firings are replayed
  struct PacketCount {
    LaunchJournal::Packets packets;  // summed up
    CycleSpan when;
  };
  std::vector<PacketCount> packet_counts_;

  sc_core::sc_event wake_;
  Cycle wake_at_ = 0;
  bool wake_pending_ = false;
  bool running_ = false;  // run() is at work
  Cycle now_ = 0;         // the array's own time then
  sc_core::sc_time horizon_ = sc_core::sc_max_time();
  tlm::tlm_generic_payload payload_;
  VectorAccess vector_access_;
  FlowPacket flow_packet_;
  std::vector<Transaction> transactions_;
  std::vector<u32> addresses_;
  std::vector<u16*> places_;
  std::vector<u16> slots_;
  std::vector<u16> buffer_;
  struct Sent {
    u32 pe = 0;
    i64 slot = 0;
  };
  std::vector<Sent> sent_;  // the vectors in sent_words_
  std::vector<u16> sent_words_;
};

}  // namespace bvp
