// SPDX-License-Identifier: Apache-2.0
// Payload extensions of the array's memory plane and PE-to-PE plane. One transaction carries the vectors
// of a whole Load, Store or Flow segment (or of a run of it with one destination): `count` vectors of
// `lanes` fp16 values lie one behind the other at the payload's data pointer.
#pragma once

#include <tlm>
#include <vector>

#include "models/base/types.h"

namespace bvp {

/// Extension pointers refer to storage of the initiator that outlives the call; extensions are owned by it too.
struct VectorAccess : tlm::tlm_extension<VectorAccess> {
  /// Bit 31 of an address entry selects the column-wise access.
  static constexpr u32 column_flag = 0x80000000;

  /// One entry a vector, in issue order, one issued per cycle at most. The other 31 bits are a byte offset in
  /// the scratchpad. Row-wise: lane i is the 16-bit word at offset + 2*i. Column-wise: at offset + i*2*lanes,
  /// that is: one column of the lanes x lanes tile in which the offset lies.
  const u32* addresses = nullptr;
  u32 count = 0;
  u32 lanes = 0;
  [[nodiscard]] std::size_t entries() const {
    return untimed_places == nullptr && turns == nullptr ? count : count * std::size_t{untimed_copies};
  }
  /// Not null: one entry a vector, a cycle of the simulated time; in, of a write: before which it is not issued; out,
  /// of a read: in which its data can be used at the PE.
  Cycle* times = nullptr;
  /// 0: as it is. Otherwise a loosely timed access that stands for this many alike, whose vectors go `untimed_hops`
  /// hops in all: it is counted and takes no time. With places or turns there are `count` addresses for each of those
  /// alike, one behind the other, and the payload has no data pointer.
  u32 untimed_copies = 0;
  u64 untimed_hops = 0;
  /// Of a loosely timed access: when those that it stands for take place.
  CycleSpan untimed_span;
  /// Of a loosely timed access with data: the initiator's place of each vector. Without places nothing is moved.
  u16* const* untimed_places = nullptr;
  /// Of a loosely timed access whose vectors the banks are to serve in turn, in and out: by bank, when it has served
  /// what was asked for up to the last access with the same turns. The scratchpad sets the size.
  std::vector<Cycle>* turns = nullptr;
  /// Out, with turns: cycles until the banks at hand have done so, and until all have served what was ever asked for.
  Cycle turn_cycles = 0, drain_cycles = 0;
  /// Not loosely timed: who serves it may answer before it knows when the vectors are served, and gives a ticket, not
  /// 0, that asks for it later.
  bool deferred = false;
  u64 ticket = 0;
  /// What is known of an access that was deferred when all its vectors have been served.
  struct End {
    u64 ticket = 0;
    Cycle issue_end = 0;           ///< from which on the port may issue for another segment
    Cycle end = 0;                 ///< when the last vector is done
    const Cycle* times = nullptr;  ///< of a read: when the data of each vector can be used at the PE
  };
  class Listener {
   public:
    virtual ~Listener() = default;
    /// Called once for each access, at its end or before.
    virtual void vectors_served(const End& end) = 0;
  };
  /// Deferred: whoever is told of the end. Null: nobody, the initiator asks.
  Listener* listener = nullptr;
  /// With TLM_IGNORE_COMMAND and a ticket: how far that access has come at the time of the call if `deferred`, or else
  /// at its end. When it is done the ticket becomes 0, and `times` (or null) and conflict_cycles are filled in.
  struct Progress {
    bool issued = false, done = false;
    /// When the port may issue for another segment, and when the last vector is done; not before, if not known yet.
    Cycle issue_end = 0, end = 0;
  };
  Progress progress;
  /// Out: cycles that vectors waited for a bank beyond the unloaded latency.
  u64 conflict_cycles = 0;
  /// Out: cycles from the first vector's issue until the port may issue for another segment, at least `count`.
  u64 issue_cycles = 0;
  /// Out: from the first cycle in which a bank serves a vector to the last one; if deferred, as they are if no other
  /// vector is in the way.
  CycleSpan served;
  /// Out: what a vector takes from this port when no other is in its way.
  u64 unloaded_cycles = 0;
  /// Out: what issue_cycles would be if there were only the vectors of this access.
  u64 unloaded_issue_cycles = 0;

  [[nodiscard]] tlm_extension_base* clone() const override { return new VectorAccess(*this); }
  void copy_from(const tlm_extension_base& other) override { *this = static_cast<const VectorAccess&>(other); }
};

struct FlowPacket : tlm::tlm_extension<FlowPacket> {
  /// PE indices, row-major: y * columns + x.
  u32 source = 0;
  u32 destination = 0;
  /// Destination operand-memory vector of each vector carried; `count` 0 is a control token, which travels on
  /// the control plane and carries no data.
  const u16* slots = nullptr;
  u32 count = 0;
  /// The edge of the kernel's graph whose token arrives with the last vector; no_edge: none.
  static constexpr u32 no_edge = 0xffffffff;
  u32 edge = no_edge;
  /// 0: as it is. Otherwise a loosely timed packet that stands for this many alike, which go `untimed_hops` hops in
  /// all: it is counted and goes nowhere.
  u32 untimed_copies = 0;
  u64 untimed_hops = 0;
  CycleSpan untimed_span;  ///< when they do
  /// Vectors only: the source accepts an answer before the times are known, which depend on what other PEs send later.
  /// The delays of the call are then the least ones, and two notices follow on the sockets to the PEs: payloads with
  /// TLM_IGNORE_COMMAND and a FlowPacket of the same number.
  bool deferred = false;
  /// Out: not 0: the packet has been deferred, and notices with this number follow.
  u64 number = 0;
  /// What a notice says: to the source, that its last vector has been sent and it may send again after the delay; to
  /// the destination, that the last vector is there after the delay.
  enum class Notice : u8 { none, sent, arrived } notice = Notice::none;
  /// Out, of a deferred packet in its notices: cycles that vectors waited for links or credits beyond the unloaded
  /// latency.
  u64 stall_cycles = 0;
  /// Out: one entry a vector, the cycle from which on it is at its destination; of a deferred packet in the notice to
  /// the destination.
  std::vector<Cycle> arrivals;

  [[nodiscard]] tlm_extension_base* clone() const override { return new FlowPacket(*this); }
  void copy_from(const tlm_extension_base& other) override { *this = static_cast<const FlowPacket&>(other); }
};

}  // namespace bvp
