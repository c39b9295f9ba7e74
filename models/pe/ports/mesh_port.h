// SPDX-License-Identifier: Apache-2.0
// Transactions of one PE with the mesh: packets of vectors, and tokens.
#pragma once

#include <systemc>
#include <vector>

#include "models/base/clock.h"
#include "models/transport/initiator.h"
#include "models/transport/vector_access.h"

namespace bvp {

class MeshPort {
 public:
  /// Vectors for one PE, which leave one a cycle. Without vectors it is a token on the control plane.
  struct Packet {
    u32 destination = 0;             ///< PE, row-major in the array
    u32 edge = FlowPacket::no_edge;  ///< whose token arrives with the last vector
    std::vector<u16> slots;          ///< places of the vectors at the destination
    std::vector<u16> data;           ///< one vector after the other
  };
  struct Answer {
    bool refused = false;
    u64 number = 0;  ///< not 0: the mesh will say when the packet has been sent and when it is there
    Cycle sent = 0;  ///< the cycle from which on the PE may send again, or the earliest one
  };

  /// @param pe  row-major in the array
  MeshPort(tlm::tlm_initiator_socket<>& socket, const ClockDomain& clock, u32 pe) : socket_(socket), clock_(clock) {
    packet_.source = pe;
    packet_.deferred = true;
  }

  /// @param first  the cycle in which the first vector is sent, not before `now`, the present
  [[nodiscard]] Answer send(Packet& packet, Cycle first, Cycle now) {
    const bool vectors = !packet.slots.empty();
    packet_.destination = packet.destination;
    packet_.edge = packet.edge;
    packet_.slots = vectors ? packet.slots.data() : nullptr;
    packet_.count = static_cast<u32>(packet.slots.size());
    packet_.number = 0;
    payload_.set_extension(&packet_);
    sc_core::sc_time delay = clock_.to_time(first - now);
    const tlm::tlm_response_status status =
        access(socket_, payload_, tlm::TLM_WRITE_COMMAND, packet.destination, vectors ? packet.data.data() : nullptr,
               static_cast<u32>(packet.data.size() * 2), delay);
    payload_.clear_extension(&packet_);
    return {status != tlm::TLM_OK_RESPONSE, packet_.number, now + clock_.to_cycles(delay)};
  }
  /// The response to the last packet, in words.
  [[nodiscard]] std::string response() const { return payload_.get_response_string(); }

 private:
  tlm::tlm_initiator_socket<>& socket_;
  const ClockDomain clock_;
  tlm::tlm_generic_payload payload_;
  FlowPacket packet_;
};

}  // namespace bvp
