// SPDX-License-Identifier: Apache-2.0
// A processing element, cycle by cycle: instruction store, operand memory, and the four decoupled units Load, Cal, Flow
// and Store, which fire segments when their tokens are there. See docs/models/pe.md.
#pragma once

#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <optional>
#include <string>
#include <systemc>
#include <vector>

#include "models/base/clock.h"
#include "models/base/cycle_agenda.h"
#include "models/pe/account/pe_account.h"
#include "models/pe/context/contexts.h"
#include "models/pe/graph/token_graph.h"
#include "models/pe/operand_memory.h"
#include "models/pe/pe_status.h"
#include "models/pe/ports/incoming_vectors.h"
#include "models/pe/ports/mesh_port.h"
#include "models/pe/ports/open_transfers.h"
#include "models/pe/ports/operand_ports.h"
#include "models/pe/ports/scratchpad_port.h"

namespace bvp {

class Pe : public sc_core::sc_module, public PeStatus, private VectorAccess::Listener, private CycleAgenda::Client {
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

  /// Books the cycles of an idle PE up to the present, so that the counters of every unit add up to all cycles.
  void settle();
  /// Changes the power state of the PE. A kernel that runs when the clock stops fails.
  void set_power(ArrayPower power, Cycle now);

  /// Emitted when a unit works on a segment.
  [[nodiscard]] UnitBusy& unit_busy() { return account_.unit_busy; }
  /// Emitted for all ports of the operand memory that are taken.
  [[nodiscard]] OperandPorts::Taken& ports_taken() { return ports_.taken; }

  [[nodiscard]] const StatGroup& statistics() const override { return account_.statistics(); }
  [[nodiscard]] u64 issue_slots(Unit unit) const override { return account_.issue_slots(unit); }
  [[nodiscard]] const std::string& error() const override { return error_; }
  [[nodiscard]] std::string pending() const override { return graph_.pending(name()); }
  [[nodiscard]] std::vector<u32> pending_segments() const override { return graph_.pending_segments(); }

 private:
  /// How a firing ends.
  struct End {
    bool failed = false;
    std::optional<Cycle> at;               ///< when the results are in place; not set: this is not known yet
    u64 ticket = 0;                        ///< Load and Store: the scratchpad says the end with it
    u64 packet = 0;                        ///< Flow: the mesh says the end of this packet
    u32 vectors = GraphEvent::no_vectors;  ///< Load: the vectors that are written at the end
  };
  static End failure() {
    End end;
    end.failed = true;
    return end;
  }
  static End at(Cycle cycle) {
    End end;
    end.at = cycle;
    return end;
  }

  // configuration plane
  void config_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  /// False: there is no kernel, a count is 0, or an error has stopped the PE.
  bool launch(const LaunchRecord& record, Cycle when);
  void stop(Cycle now);
  /// False: a launch is in the PE, or the rows cannot be left out.
  bool leave_out(u32 rows, Cycle now);
  void forget_open_firings();
  void complete_launches(Cycle now);
  void report_completion(u32 launch_number, u32 status);
  void fail(std::string message);
  void book_cycles(Cycle now);

  // events
  void wake(Cycle now) override;
  void handle(const GraphEvent& event, Cycle now);
  /// Takes steps of the graph until there are none at `now`.
  void run_graph(Cycle now);
  /// Whether the unit can begin a firing now. If not, it is looked at again when it can.
  bool is_free(Unit unit, Cycle now);
  /// Asks the scratchpad until when its banks keep Load or Store busy with the last firing, and counts these cycles of
  /// the unit as stalls.
  void ask_scratchpad(Unit unit, Cycle now);
  void deliver(u32 vectors);
  void reschedule();

  // firings
  void begin(const Firing& firing);
  End begin_load(const Firing& firing, const SegmentProgram& segment);
  End begin_store(const Firing& firing, const SegmentProgram& segment);
  End begin_transfer(const Firing& firing, u16* data, u32 vectors);
  End begin_flow(const Firing& firing, const SegmentProgram& segment);
  End begin_cal(const Firing& firing, const SegmentProgram& segment);
  /// Vectors [begin, end) of a Flow segment go to one PE.
  struct Stretch {
    std::size_t begin = 0, end = 0;
    u32 destination = 0;
    u32 edge = FlowPacket::no_edge;  // the edge whose token rides with the last vector
  };
  /// Sends the vectors of a stretch from cycle `next` on, as far as ports and links let them.
  /// @return  when the unit may send again, or the earliest cycle for that, and the number of the last packet
  MeshPort::Answer send(const Firing& firing, const SegmentProgram& segment, const Stretch& stretch, Cycle next);
  void send_token(u32 edge, Cycle now);
  /// The edge whose token rides with the last vector that the segment sends to that peer.
  [[nodiscard]] u32 riding_edge(const Firing& firing, const SegmentProgram& segment, u32 mask) const;

  // vectors that come
  void vectors_served(const VectorAccess::End& end) override;
  void flow_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  void take_notice(const FlowPacket& packet, Cycle when);
  void arrive(const FlowPacket& packet, const u16* data, Cycle when);
  void end_packet(const FlowPacket& packet, Cycle when);
  void end_flow(u64 packet, Cycle when);
  /// Writes vectors that arrive in these cycles as soon as their banks have a free port, the last vector not before
  /// `last`. Returns the cycle from which on all of them can be read.
  /// @param arrivals  the cycle of each vector, 0: not known; null: no cycle is known
  Cycle write_operands(std::size_t count, const u16* slots, const Cycle* arrivals, Cycle last);
  /// Writes the vectors of a packet, and returns a cycle as write_operands() does. It is not before the cycle of an
  /// earlier packet of the same source.
  Cycle write_packet(const FlowPacket& packet, std::size_t count, const u16* slots, Cycle last);

  /// The number of this PE in the kernel's array, and the position in the array of one with such a number.
  [[nodiscard]] u32 own_number() const { return contexts_.active()->number; }
  [[nodiscard]] u32 array_index(u32 number) const;

  const u32 index_;
  const bool data_;
  const ClockDomain clock_;
  CycleAgenda& agenda_;
  const u32 agenda_number_;
  PeAccount account_;
  Contexts contexts_;
  TokenGraph graph_;
  EventQueue events_;
  std::string error_;
  OperandMemory memory_;
  CalUnit cal_;
  OperandPorts ports_;
  ScratchpadPort scratchpad_;
  MeshPort mesh_;
  OpenFirings open_firings_;
  OpenPackets open_packets_;
  IncomingVectors incoming_;
  std::vector<Cycle> last_arrival_;  // by source: when the vectors of its last packet could be read
  // Kept so that nothing is allocated in a firing.
  struct Buffers {
    std::vector<u32> addresses;
    std::vector<Cycle> times;  // of the vectors
    std::vector<u16> words;
    MeshPort::Packet packet;
  };
  Buffers buffers_;
};

}  // namespace bvp
