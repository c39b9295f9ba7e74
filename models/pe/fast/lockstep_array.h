// SPDX-License-Identifier: Apache-2.0
// The PE array in fast mode: one token graph stands for all PEs. All PEs of a kernel run the same segments, nearly in
// step, so what PE 0 does at a time is taken to be done by all. Loads, stores and exchanges are timed with all PEs at
// once in the first firings of a segment, and cost the same from then on. See docs/models/pe.md.
#pragma once

#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <optional>
#include <string>
#include <systemc>
#include <vector>

#include "models/base/clock.h"
#include "models/pe/fast/array_account.h"
#include "models/pe/fast/array_exchanges.h"
#include "models/pe/fast/array_transfers.h"
#include "models/pe/fast/known_kernels.h"
#include "models/pe/fast/transfers_under_way.h"
#include "models/pe/pe_status.h"

namespace bvp {

class LockstepArray : public sc_core::sc_module, public PeStatus {
 public:
  /// Sockets as those of Pe, one for each PE, row-major.
  sc_core::sc_vector<tlm_utils::simple_target_socket_tagged<LockstepArray>> config;
  sc_core::sc_vector<tlm_utils::simple_initiator_socket<LockstepArray>> to_scratchpad;
  sc_core::sc_vector<tlm_utils::simple_initiator_socket<LockstepArray>> to_mesh;
  sc_core::sc_vector<tlm_utils::simple_target_socket_tagged<LockstepArray>> from_mesh;
  tlm_utils::simple_initiator_socket<LockstepArray> to_sequencer;

  /// @param data  false: timing and actions only, nothing is moved or computed
  LockstepArray(sc_core::sc_module_name module_name, const ArrayParameters& array, const PeParameters& parameters,
                const ClockDomain& clock, StatGroup& parent_stats, bool data = true);
  ~LockstepArray() override;

  /// Counts what has happened up to the present, or up to where the array has run.
  void settle();
  /// Changes the power state of the array. A kernel that runs when the clock stops fails.
  void set_power(ArrayPower power, Cycle now);
  /// The cycle up to which the array has run. It lies beyond the present as long as nothing else happens in the
  /// simulation before it, which saves a round of SystemC's scheduler for each event.
  [[nodiscard]] sc_core::sc_time local_time() const { return clock_.to_time(wake_.now); }
  /// Sets the cycle that the array does not run beyond, so that whoever ends sc_start() at this cycle sees the array at
  /// the present.
  void set_horizon(const sc_core::sc_time& time) { wake_.horizon = time; }

  /// Emitted when a unit works on a segment; PE 0 stands for all PEs. As long as a slot is connected every launch is
  /// run, and none is replayed from its journal.
  [[nodiscard]] UnitBusy& unit_busy() { return account_.sum().unit_busy; }

  [[nodiscard]] const StatGroup& statistics() const override { return account_.sum().statistics(); }
  [[nodiscard]] u64 issue_slots(Unit unit) const override { return account_.sum().issue_slots(unit); }
  [[nodiscard]] const std::string& error() const override { return error_; }
  [[nodiscard]] std::string pending() const override;
  [[nodiscard]] std::vector<u32> pending_segments() const override {
    return replay_ ? std::vector<u32>{} : graph_.pending_segments();
  }

  SC_HAS_PROCESS(LockstepArray);

 private:
  /// A launch that was counted from its journal up to now is run after all: without transactions and without counting.
  struct Repetition {
    const LaunchJournal& journal;
    std::size_t packets = 0;  // the packets of the journal that have been repeated so far
  };
  /// How a firing proceeds.
  struct Course {
    std::string error;  // why the firing has failed; empty: it has not failed
    BusyCycles busy;
    Cycle done = 0;  // when the results of the firing are in place
  };
  struct Begun {
    const Context& context;
    const Firing& firing;
    const Participants& active;
    u64 counted = 0;  // PEs for which the firing is counted: none in a repetition
    [[nodiscard]] const SegmentProgram& segment() const { return context.program.segments[firing.segment]; }
  };

  // sockets
  void config_transport(int pe, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  void mesh_transport(int pe, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  void report_completion(u32 launch_number, u32 status);

  // configuration and launches
  bool launch(const LaunchRecord& record, Cycle when);
  void stop(Cycle now);
  /// False: a launch is in the PEs, or the rows cannot be left out.
  bool leave_out(u32 rows, Cycle now);
  void complete_launches(Cycle now);
  void fail(std::string message);
  void book_cycles(Cycle now);
  [[nodiscard]] u64 kernel_pes() const { return contexts_.active() ? contexts_.active()->pes.count() : 0; }

  // time
  void run();
  void wake_at(Cycle cycle);
  [[nodiscard]] Cycle present() const { return std::max(wake_.now, clock_.now()); }
  /// Handles all events of the graph up to `now`.
  void advance(Cycle now, Repetition* repetition);
  void handle(const GraphEvent& event, Cycle now, Repetition* repetition);
  void run_graph(Cycle now, Repetition* repetition);
  bool is_free(Unit unit, Cycle now);
  void reschedule();

  // firings
  void begin(const Firing& firing, Repetition* repetition);
  Course begin_transfer(const Begun& begun, const Repetition* repetition);
  Course begin_flow(const Begun& begun, Repetition* repetition);
  Course begin_cal(const Begun& begun);
  /// Sends the packets of a Flow firing, or counts them.
  FiringTime send_packets(const Begun& begun, bool timed, Repetition* repetition);
  void send_token(u32 edge, Cycle now, Repetition* repetition);
  void count_packets(const ArrayExchanges::Count& count, Cycle now, Repetition* repetition);
  [[nodiscard]] ArrayTransfers::Request request(const Begun& begun) {
    return {begun.context, begun.firing, begun.active, data_ ? &memories_ : nullptr};
  }

  // launches whose course is known, see launch_journal.h
  [[nodiscard]] std::vector<LaunchJournal::Token> tokens_on_their_way() const;
  /// Whether no launch is under way, and nothing is left of the last one but these tokens.
  [[nodiscard]] bool at_rest(const std::vector<LaunchJournal::Token>& late) const;
  /// Whether the launch that has come finds the array in a state in which its course depends on its key alone.
  [[nodiscard]] bool can_be_replayed() const;
  /// Returns the end of the launch if it is known, and begins to write its journal otherwise.
  std::optional<Cycle> begin_replay(const TokenGraph::Launch& launch);
  /// Whether all addresses that the launch may reach with these registers lie inside of operand memory and scratchpad.
  [[nodiscard]] bool stays_within_bounds(const LaunchJournal& journal, const LaunchRecord& record);
  /// Counts the entries of the journal before `until`.
  void replay_until(Cycle until);
  void count_segments(const LaunchReplay::Sums& sums);
  void end_replay(Cycle now);
  /// Another launch comes: runs the launch that is being replayed up to the present, instead of replaying it.
  void catch_up();
  void keep_journal();

  const bool data_;
  const ClockDomain clock_;
  ArrayAccount account_;
  Contexts contexts_;
  TokenGraph graph_;
  EventQueue events_;
  std::string error_;
  CalUnit cal_;
  std::vector<OperandMemory> memories_;  // by number within the kernel's array
  ParticipantFinder participants_;
  LaunchShares shares_;
  ArrayTransfers transfers_;
  ArrayExchanges exchanges_;
  TransfersUnderWay under_way_;
  KnownKernels kernels_;
  KnownKernel* known_ = nullptr;  // of the active context
  JournalRecorder recorder_;
  std::optional<LaunchReplay> replay_;
  LaunchReplay::Sums sums_;
  struct Wake {
    sc_core::sc_event event;
    Cycle at = 0;
    bool pending = false;
    bool running = false;  // run() or catch_up() is at work
    Cycle now = 0;         // the array's own time then
    sc_core::sc_time horizon = sc_core::sc_max_time();
  };
  Wake wake_;
};

}  // namespace bvp
