// SPDX-License-Identifier: Apache-2.0
// Transactions of one PE with the scratchpad: one for all vectors of a Load or Store firing.
#pragma once

#include <string>
#include <systemc>
#include <vector>

#include "models/base/clock.h"
#include "models/isa/instruction.h"
#include "models/transport/initiator.h"
#include "models/transport/vector_access.h"

namespace bvp {

class ScratchpadPort {
 public:
  /// Vectors to be moved.
  struct Request {
    Unit unit = Unit::load;             ///< load or store
    const std::vector<u32>& addresses;  ///< of the vectors in the scratchpad, in the order of issue
    std::vector<Cycle>& times;          ///< as VectorAccess::times
    u16* data = nullptr;                ///< one vector after the other
  };
  struct Answer {
    std::string refused;  ///< why; empty if it is not
    u64 ticket = 0;       ///< not 0: the end is not known, and the listener will be told of the end of that ticket
    Cycle busy = 0;       ///< cycles until the port may issue for another firing, as far as that is known
    Cycle end = 0;        ///< the cycle in which the last vector is done, or the earliest one
  };

  /// @param listener  is told of the ends of accesses that are not known at once
  ScratchpadPort(tlm::tlm_initiator_socket<>& socket, const ClockDomain& clock, u32 lanes,
                 VectorAccess::Listener& listener)
      : socket_(socket), clock_(clock) {
    access_.lanes = question_.lanes = lanes;
    access_.listener = &listener;
    access_.deferred = question_.deferred = true;
  }

  /// The firing of this request begins at `now`.
  [[nodiscard]] Answer begin(const Request& request, Cycle now);
  /// How far an access has come at the present; nothing is known of it if `refused`.
  [[nodiscard]] VectorAccess::Progress ask(u64 ticket, bool& refused);

 private:
  tlm::tlm_initiator_socket<>& socket_;
  const ClockDomain clock_;
  tlm::tlm_generic_payload payload_;
  VectorAccess access_, question_;
};

}  // namespace bvp
