// SPDX-License-Identifier: Apache-2.0
// Payload extensions of the memory plane (scratchpad) and of the PE-to-PE plane (mesh). One transaction carries the
// vectors of a whole Load, Store or Flow segment, or of the part of it that has one destination: `count` vectors of
// `lanes` fp16 values lie one after the other at the payload's data pointer.
#pragma once

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
  /// Out: cycles that vectors waited for a bank, beyond the unloaded latency.
  u64 conflict_cycles = 0;
  /// Out: cycles from the issue of the first vector until the port may issue for another segment; at least `count`.
  u64 issue_cycles = 0;
  /// Out: the span of cycles from the first one in which a bank serves a vector to the last one.
  CycleSpan served;
  /// Out: cycles that a vector takes from this port when no other vector is in its way.
  u64 unloaded_cycles = 0;

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
  /// Out: if not 0, the packet has been deferred, and notices with this number follow.
  u64 number = 0;
  /// The meaning of a notice. To the source: its last vector has been sent, and it may send again after the delay. To
  /// the destination: the last vector is there after the delay.
  enum class Notice : u8 { none, sent, arrived } notice = Notice::none;
  /// Out, in the notices of a deferred packet: cycles that vectors waited for links or credits, beyond the unloaded
  /// latency.
  u64 stall_cycles = 0;

  [[nodiscard]] tlm_extension_base* clone() const override { return new FlowPacket(*this); }
  void copy_from(const tlm_extension_base& other) override { *this = static_cast<const FlowPacket&>(other); }
};

}  // namespace bvp
