// SPDX-License-Identifier: Apache-2.0
// Sees the transactions between sockets without being known to either side.
#pragma once

#include <tlm_utils/passthrough_target_socket.h>
#include <tlm_utils/simple_initiator_socket.h>

#include <functional>
#include <systemc>
#include <tlm>

#include "models/base/types.h"

namespace bvp {

/// Stands between `ports` pairs of sockets: initiators bind to from[i], and to[i] is bound to their targets. All of the
/// base protocol passes, in no time of its own. A transaction is shown once, when its target has answered that it is
/// done; what was refused is not shown. Debug accesses pass unseen. Direct memory access is not granted: nobody would
/// see it.
class SocketMonitor : public sc_core::sc_module {
 public:
  /// From when the transaction passes here to when the initiator may take it as done.
  struct Span {
    sc_core::sc_time begin, end;
  };
  /// `port` is the index of the pair. Only an interconnect between here and the target changes the payload's address.
  using Observer = std::function<void(u32 port, const tlm::tlm_generic_payload& payload, const Span& span)>;

  SocketMonitor(sc_core::sc_module_name name, std::size_t ports, Observer observer);
  ~SocketMonitor() override;

  sc_core::sc_vector<tlm_utils::passthrough_target_socket_tagged<SocketMonitor>> from;
  sc_core::sc_vector<tlm_utils::simple_initiator_socket_tagged<SocketMonitor>> to;

 private:
  void b_transport(int port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  tlm::tlm_sync_enum nb_transport_fw(int port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay);
  tlm::tlm_sync_enum nb_transport_bw(int port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay);
  unsigned transport_dbg(int port, tlm::tlm_generic_payload& payload);
  bool get_direct_mem_ptr(int port, tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi);
  void show(int port, const tlm::tlm_generic_payload& payload, const Span& span);

  Observer observer_;
};

}  // namespace bvp
