// SPDX-License-Identifier: Apache-2.0
// A processing element: instruction store, operand memory, and the four decoupled units Load, Cal, Flow and
// Store with the scheduler that fires segments when their tokens are there. See docs/models/pe.md.
#pragma once

#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <optional>
#include <systemc>
#include <vector>

#include "models/base/clock.h"
#include "models/base/cycle_agenda.h"
#include "models/pe/pe_core.h"

namespace bvp {

class Pe : public sc_core::sc_module, public PeCore, private VectorAccess::Listener, private CycleAgenda::Client {
 public:
  /// Configuration plane: a write of a kernel image at 0 fills the shadow context, of a LaunchRecord at
  /// launch_address starts it (or queues behind the running launch of the same image); at stop_address it ends all.
  tlm_utils::simple_target_socket<Pe> config;
  tlm_utils::simple_initiator_socket<Pe> to_scratchpad;
  tlm_utils::simple_initiator_socket<Pe> to_mesh;
  tlm_utils::simple_target_socket<Pe> from_mesh;
  /// Completion of launches: 8 bytes (launch number, status) at 8 * the PE's index.
  tlm_utils::simple_initiator_socket<Pe> to_sequencer;

  /// @param index  row-major position in the array
  /// @param data   false: timing and actions only, nothing is moved or computed
  /// @param schedules  of Cal, shared by PEs with the same parameters; null: its own
  Pe(sc_core::sc_module_name module_name, u32 index, const ArrayParameters& array, const PeParameters& parameters,
     const ClockDomain& clock, CycleAgenda& agenda, StatGroup& parent_stats, bool data = true,
     std::shared_ptr<CalSchedules> schedules = nullptr);
  ~Pe() override;

  void settle() { PeCore::settle(clock_.now()); }
  /// Tells all ports of the operand memory that are taken.
  [[nodiscard]] OperandPorts::Taken& ports_taken() { return ports_.taken; }

 private:
  void config_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  void flow_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  void wake(Cycle now) override { advance_to(now); }

  std::optional<Cycle> start_load(const SegmentProgram& segment, const StreamBases& bases, Cycle now,
                                  u32& vectors) override;
  std::optional<Cycle> start_store(const SegmentProgram& segment, const StreamBases& bases, Cycle now) override;
  std::optional<Cycle> start_flow(const SegmentProgram& segment, const StreamBases& bases, unsigned last,
                                  Cycle now) override;
  Cycle start_cal(u32 segment, const StreamBases& bases, Cycle now) override;
  void vectors_served(const VectorAccess::End& end) override;
  void confirm_free(Unit unit, Cycle now) override;
  void send_token(u32 edge, Cycle now) override;
  void report_completion(u32 launch_number, u32 status) override;
  void wake_at(Cycle cycle) override { agenda_.wake_at(agenda_number_, cycle); }
  /// The memory-plane transaction of `addresses_`; returns its end, or with ticket_ the earliest one; nullopt after
  /// fail().
  /// @param vectors  of a Load: where they go
  std::optional<Cycle> access_scratchpad(Unit unit, u16* data, Cycle now, u32 vectors);
  /// Sends the vectors of these transfers, read from cycle `first` on, one a cycle; returns when the mesh has taken
  /// them, or nullopt after fail().
  std::optional<Cycle> send_vectors(const SegmentProgram& segment, const StreamBases& bases, std::size_t begin,
                                    std::size_t end, Cycle first, Cycle now);
  /// Writes vectors that can be used from these cycles on if their banks have ports left, the last one from `last` on;
  /// returns the cycle from which on all can be read.
  /// @param arrivals  by vector, 0: not known; or null
  Cycle write_operands(std::size_t count, const u16* slots, const Cycle* arrivals, Cycle last);
  /// Likewise of a packet; the result is not before that of an earlier packet of its source.
  Cycle write_packet(const FlowPacket& packet, std::size_t count, const u16* slots, Cycle last);

  const ClockDomain clock_;
  CycleAgenda& agenda_;
  const u32 agenda_number_;
  tlm::tlm_generic_payload payload_;
  VectorAccess vector_access_, question_;
  FlowPacket flow_packet_;
  OperandPorts ports_;
  std::vector<Cycle> last_arrival_;  // by source: when the vectors of its last packet could be read
  std::vector<Cycle> times_;         // of the vectors of the firing at hand
  std::vector<u32> addresses_;
  std::vector<u16> slots_;
  std::vector<u16> buffer_;
};

}  // namespace bvp
