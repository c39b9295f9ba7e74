// SPDX-License-Identifier: Apache-2.0
// Vectors and tokens between the PEs of an array in fast mode: their transactions with the mesh.
#pragma once

#include <string>
#include <systemc>
#include <vector>

#include "models/base/clock.h"
#include "models/pe/fast/array_transfers.h"

namespace bvp {

class ArrayExchanges {
 public:
  /// Equal packets, or equal tokens, that are counted and take no time.
  struct Count {
    u32 mask = 0;     ///< each PE sends to its own number ^ mask
    u32 vectors = 0;  ///< of each packet; 0: tokens
    u32 packets = 0;
    u64 hops = 0;  ///< summed over the packets
    CycleSpan when;
  };

  /// @param sockets  to the mesh, by PE of the array
  ArrayExchanges(std::vector<tlm::tlm_initiator_socket<>*> sockets, const ClockDomain& clock,
                 const KernelLimits& limits)
      : sockets_(std::move(sockets)), clock_(clock), limits_(limits) {}

  /// Moves the vectors of a firing of Flow: all PEs read before any of them is written.
  /// @return  why it has failed; empty: it has not
  [[nodiscard]] std::string move(const ArrayTransfers::Request& request);
  /// Sends the same number of vectors from each PE that takes part to its partner; all packets begin at `now`.
  /// @return  the times of the slowest packet
  [[nodiscard]] FiringTime send_all(const ArrayTransfers::Request& request, u32 mask, u32 vectors);
  /// Sends a token from one PE to its partner.
  [[nodiscard]] FiringTime send_token(const Context& context, u32 pe, u32 mask, Cycle now) {
    return send(context, pe, mask, 0, now);
  }
  void count(const Context& context, const Count& count, Cycle now);
  /// Links between PEs and their partners, summed over the PEs.
  [[nodiscard]] u64 hops(const Context& context, const std::vector<u32>& pes, u32 mask) const;

  /// The mesh calls this with the time at which the packet that is being sent arrives.
  void arrives(Cycle when) { arrival_ = when; }

 private:
  [[nodiscard]] FiringTime send(const Context& context, u32 pe, u32 mask, u32 vectors, Cycle now);
  void transport(const Context& context, u32 pe, u32 mask, u32 vectors, sc_core::sc_time& delay);
  [[nodiscard]] sc_core::sc_time ahead(Cycle now) const { return clock_.to_time(now) - sc_core::sc_time_stamp(); }

  struct Sent {
    u32 pe = 0;
    i64 slot = 0;
  };
  const std::vector<tlm::tlm_initiator_socket<>*> sockets_;
  const ClockDomain clock_;
  const KernelLimits limits_;
  tlm::tlm_generic_payload payload_;
  FlowPacket packet_;
  Cycle arrival_ = 0;               // of the packet that was sent last
  std::vector<u16> slots_, words_;  // of a packet; they are moved by move(), so what stands here has no meaning
  std::vector<Sent> sent_;          // the vectors in sent_words_
  std::vector<u16> sent_words_;
};

}  // namespace bvp
