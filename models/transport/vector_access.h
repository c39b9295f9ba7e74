// SPDX-License-Identifier: Apache-2.0
// Payload extensions of the memory plane (scratchpad) and of the PE-to-PE plane (mesh). One transaction carries the
// vectors of a whole Load, Store or Flow segment, or of the part of it that has one destination: `count` vectors of
// `lanes` fp16 values lie one after the other at the payload's data pointer.
#pragma once

#include <array>
#include <tlm>
#include <vector>

#include "models/base/types.h"

namespace bvp {

/// Pointers in an extension refer to storage that the initiator owns and that outlives the call; the initiator owns the
/// extension, too.
struct VectorAccess : tlm::tlm_extension<VectorAccess> {
  /// Bit 31 of an address entry selects the column-wise access.
  static constexpr u32 column_flag = 0x80000000;

  /// One entry per vector, in the order of issue; at most one vector is issued per cycle. The lower 31 bits are a byte
  /// offset in the scratchpad. Row-wise: lane i is the 16-bit word at offset + 2*i. Column-wise: lane i is at offset +
  /// i*2*lanes, so the vector is one column of the lanes x lanes tile that contains the offset.
  const u32* addresses = nullptr;
  u32 count = 0;
  u32 lanes = 0;
  [[nodiscard]] std::size_t entries() const {
    return untimed_places == nullptr && turns == nullptr ? count : count * std::size_t{untimed_copies};
  }
  /// Null, or one entry per vector, a cycle of the simulated time. In, for a write: the vector is not issued before
  /// this cycle. Out, for a read: from this cycle on the PE can use the vector's data.
  Cycle* times = nullptr;
  /// 0: a timed access. Otherwise this is one loosely timed access that stands for this many equal ones, whose vectors
  /// go `untimed_hops` hops in all: it is counted and takes no time. If it has places or turns, there are `count`
  /// addresses for each of the accesses that it stands for, one group after the other, and the payload has no data
  /// pointer.
  u32 untimed_copies = 0;
  u64 untimed_hops = 0;
  /// Loosely timed accesses only: when the accesses that this one stands for take place.
  CycleSpan untimed_span;
  /// Loosely timed accesses with data only: the place of each vector in the initiator's memory. Without places no data
  /// are moved.
  u16* const* untimed_places = nullptr;
  /// Loosely timed accesses only, where the banks are to serve the vectors in turn. In and out, one entry per bank: the
  /// cycle until which the bank is busy with the accesses that have used the same turns so far. The scratchpad sets the
  /// size.
  std::vector<Cycle>* turns = nullptr;
  /// Out, with turns: cycles until the banks of this access have served what earlier accesses with the same turns asked
  /// of them, and until all banks have served all that was ever asked for, this access included.
  Cycle turn_cycles = 0, drain_cycles = 0;
  /// Timed accesses only: the initiator lets the target answer before the target knows when the vectors are served. The
  /// target then sets `ticket` to a number other than 0, by which the initiator asks for the times later.
  bool deferred = false;
  u64 ticket = 0;
  /// What the target says of a deferred access when all its vectors have been served.
  struct End {
    u64 ticket = 0;
    Cycle issue_end = 0;           ///< from this cycle on the port may issue for another segment
    Cycle end = 0;                 ///< the cycle in which the last vector is done
    const Cycle* times = nullptr;  ///< reads only: from which cycle on the PE can use the data of each vector
  };
  class Listener {
   public:
    virtual ~Listener() = default;
    /// The target calls this once for each access, at the access's end or before.
    virtual void vectors_served(const End& end) = 0;
  };
  /// Deferred accesses only: the listener that the target tells of the end. Null: the initiator asks by itself.
  Listener* listener = nullptr;
  /// Out, for a payload with TLM_IGNORE_COMMAND and a ticket: how far the access of that ticket has come at the time of
  /// the call if `deferred` is set, or else its end. When the access is done, the target sets the ticket to 0 and fills
  /// in `times` (unless null) and conflict_cycles.
  struct Progress {
    bool issued = false, done = false;
    /// When the port may issue for another segment, and when the last vector is done. If that is not known yet: a cycle
    /// before which it does not happen.
    Cycle issue_end = 0, end = 0;
  };
  Progress progress;
  /// Out: cycles that vectors waited for a bank, beyond the unloaded latency.
  u64 conflict_cycles = 0;
  /// Out: cycles from the issue of the first vector until the port may issue for another segment; at least `count`.
  u64 issue_cycles = 0;
  /// Out: the span of cycles from the first one in which a bank serves a vector to the last one. For a deferred access
  /// this is the span that the access has if no other vector is in its way.
  CycleSpan served;
  /// Out: cycles that a vector takes from this port when no other vector is in its way.
  u64 unloaded_cycles = 0;
  /// A port issues a vector at least `cycles` after the vector that it issued `vectors` vectors earlier.
  struct Limit {
    u32 vectors = 1;
    Cycle cycles = 1;
  };
  using Limits = std::array<Limit, 2>;
  /// Out: how closely vectors of this port can follow each other when no other vector is in their way.
  Limits limits;

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
  /// The edge of the kernel's graph whose token arrives with the last vector; no_edge: there is no token.
  static constexpr u32 no_edge = 0xffffffff;
  u32 edge = no_edge;
  /// 0: a timed packet. Otherwise this is one loosely timed packet that stands for this many equal ones, which go
  /// `untimed_hops` hops in all: it is counted and goes nowhere.
  u32 untimed_copies = 0;
  u64 untimed_hops = 0;
  CycleSpan untimed_span;  ///< when they do
  /// Vectors only: the source accepts an answer before the times are known, which depend on what other PEs send later.
  /// The delays of the call are then the least ones, and two notices follow on the sockets to the PEs: payloads with
  /// TLM_IGNORE_COMMAND and a FlowPacket of the same number.
  bool deferred = false;
  /// Vectors of a packet that is not deferred: other packets follow that begin in the same cycle. The delays of the
  /// call are the least ones; the first packet without this mark is answered with the latest times of all of them.
  bool others_follow = false;
  /// Out: if not 0, the packet has been deferred, and notices with this number follow.
  u64 number = 0;
  /// The meaning of a notice. To the source: its last vector has been sent, and it may send again after the delay. To
  /// the destination: the last vector is there after the delay.
  enum class Notice : u8 { none, sent, arrived } notice = Notice::none;
  /// Out, in the notices of a deferred packet: cycles that vectors waited for links or credits, beyond the unloaded
  /// latency.
  u64 stall_cycles = 0;
  /// Out: one entry a vector, the cycle from which on it is at its destination; of a deferred packet in the notice to
  /// the destination.
  std::vector<Cycle> arrivals;

  [[nodiscard]] tlm_extension_base* clone() const override { return new FlowPacket(*this); }
  void copy_from(const tlm_extension_base& other) override { *this = static_cast<const FlowPacket&>(other); }
};

}  // namespace bvp
