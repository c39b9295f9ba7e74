// SPDX-License-Identifier: Apache-2.0
// Loads and stores of all PEs of an array in fast mode: their transactions with the scratchpad.
#pragma once

#include <string>
#include <systemc>
#include <vector>

#include "models/base/clock.h"
#include "models/pe/fast/learned_costs.h"
#include "models/pe/fast/participants.h"
#include "models/pe/fast/vector_pace.h"
#include "models/pe/operand_memory.h"
#include "models/transport/initiator.h"
#include "models/transport/vector_access.h"

namespace bvp {

class ArrayTransfers {
 public:
  /// One firing of Load or Store on all PEs that take part.
  struct Request {
    const Context& context;
    const Firing& firing;
    const Participants& active;
    /// The operand memory of each PE, by its number in the kernel's array; null: no data are moved.
    std::vector<OperandMemory>* memories = nullptr;
    [[nodiscard]] const SegmentProgram& segment() const { return context.program.segments[firing.segment]; }
  };
  /// Several equal firings without data, counted as one transaction.
  struct Count {
    const Context& context;
    u32 segment = 0;
    StreamBases bases{};  ///< of PE 0
    u64 firings = 0;      ///< one for each PE that takes part
    u64 hops = 0;         ///< of a vector, summed over the firings
    CycleSpan when;
  };
  /// The result of a timed firing.
  struct Timed {
    std::string error;  ///< why it has failed; empty: it has not
    TransferSample sample;
    Cycle alone = 0;  ///< cycles in which a PE issues its vectors when it is alone, of the PE with the most
  };

  /// @param sockets  to the scratchpad, by PE of the array
  ArrayTransfers(std::vector<tlm::tlm_initiator_socket<>*> sockets, const ClockDomain& clock,
                 const KernelLimits& limits);

  /// A launch begins: its vectors do not wait for vectors of the launch before it.
  void begin_launch();
  /// Lets the farthest PE issue the vectors of the firing. Returns the cycles that this takes if no other PE issues
  /// vectors.
  [[nodiscard]] Cycle issue_alone(const Firing& firing, std::size_t vectors, const LearnedCosts& costs);

  // Transactions, at firing.now or at `now`, cycles at or after the present.
  /// With all PEs at once.
  [[nodiscard]] Timed timed(const Request& request);
  /// Without time.
  /// @param issue  cycles in which the vectors are issued
  /// @param turns  null, or VectorAccess::turns; then `wait` is set
  /// @return  why it has failed; empty: it has not
  [[nodiscard]] std::string untimed(const Request& request, Cycle issue, std::vector<Cycle>* turns, BankWait& wait);
  [[nodiscard]] std::string count(const Count& count, Cycle now);
  /// Whether the scratchpad would take the accesses of PE 0 with these bases.
  [[nodiscard]] bool would_take(const Context& context, u32 segment, const StreamBases& bases);

 private:
  /// The vectors of one PE; vectors of other PEs may be under way.
  struct Transaction {
    u32 pe = 0;
    u64 ticket = 0;  // 0: all is known
    FiringTime time;
    Cycle unloaded = 0;  // cycles of one vector when no other is under way
    VectorAccess::Limits limits;
  };

  /// Returns why a PE cannot access the addresses of these bases; empty: it can. `all_sound`: the bases of all PEs are
  /// known to be within bounds.
  [[nodiscard]] std::string out_of_bounds(u32 segment, const SegmentProgram& program, const StreamBases& bases,
                                          bool all_sound) const;
  /// Appends the addresses of a PE's vectors in the scratchpad.
  void add_addresses(const SegmentProgram& segment, const StreamBases& bases);
  void add_places(const SegmentProgram& segment, const StreamBases& bases, OperandMemory& memory);
  /// A new access with no addresses yet.
  void reset_access();
  [[nodiscard]] std::string send(Unit unit, u32 array_pe, std::size_t vectors, u16* words, sc_core::sc_time& delay);
  [[nodiscard]] std::string begin(const Request& request, u32 pe, const StreamBases& bases, Transaction& transaction);
  /// Updates the times of a transaction to what they are after all transactions begun so far have been served.
  void conclude(const Context& context, Transaction& transaction, Cycle now);
  [[nodiscard]] sc_core::sc_time ahead(Cycle now) const { return clock_.to_time(now) - sc_core::sc_time_stamp(); }
  [[nodiscard]] VectorPace& pace(Unit unit, u32 pe) {
    return paces_[2 * std::size_t{pe} + (unit == Unit::load ? 0 : 1)];
  }

  const std::vector<tlm::tlm_initiator_socket<>*> sockets_;
  const ClockDomain clock_;
  const KernelLimits limits_;
  tlm::tlm_generic_payload payload_;
  VectorAccess access_;
  std::vector<u32> addresses_;
  std::vector<u16*> places_;  // of the vectors in operand memories
  std::vector<u16> words_;
  std::vector<Transaction> transactions_;
  std::vector<VectorPace> paces_;  // by PE and Load or Store, since the last launch began
};

/// Whether the firing stays within the bounds on every PE of the kernel; if so, no PE has to be checked by itself.
[[nodiscard]] bool all_within_bounds(const KernelLimits& limits, const Context& context, const Firing& firing);

/// The sentence with which a PE reports that its segment leaves the operand memory.
[[nodiscard]] std::string out_of_memory(u32 segment);

}  // namespace bvp
