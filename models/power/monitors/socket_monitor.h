// SPDX-License-Identifier: Apache-2.0
// Observes the transactions between sockets, of which neither side knows.
#pragma once

#include <tlm_utils/passthrough_target_socket.h>
#include <tlm_utils/simple_initiator_socket.h>

#include <functional>
#include <systemc>
#include <tlm>

#include "models/base/types.h"

namespace bvp {

/// Stands between `ports` pairs of sockets: initiators bind to from[i], and to[i] is bound to their targets. The
/// monitor forwards all of the TLM base protocol and adds no time. It shows a transaction once, when its target has
/// answered that it is done; it does not show refused transactions or debug accesses. It refuses direct memory access,
/// because it could not see such accesses.
class SocketMonitor : public sc_core::sc_module {
 public:
  /// The time from which the transaction passes the monitor to which the initiator may take it as done.
  struct Span {
    sc_core::sc_time begin, end;
  };
  /// `port` is the index of the pair. The payload's address may have been changed only by an interconnect between the
  /// monitor and the target.
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
