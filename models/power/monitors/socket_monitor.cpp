// SPDX-License-Identifier: Apache-2.0
#include "models/power/monitors/socket_monitor.h"

#include <utility>

namespace bvp {

SocketMonitor::SocketMonitor(sc_core::sc_module_name name, std::size_t ports, Observer observer)
    : sc_module(name), from("from", ports), to("to", ports), observer_(std::move(observer)) {
  for (std::size_t i = 0; i < ports; ++i) {
    const int port = static_cast<int>(i);
    from[i].register_b_transport(this, &SocketMonitor::b_transport, port);
    from[i].register_nb_transport_fw(this, &SocketMonitor::nb_transport_fw, port);
    from[i].register_transport_dbg(this, &SocketMonitor::transport_dbg, port);
    from[i].register_get_direct_mem_ptr(this, &SocketMonitor::get_direct_mem_ptr, port);
    to[i].register_nb_transport_bw(this, &SocketMonitor::nb_transport_bw, port);
  }
}

SocketMonitor::~SocketMonitor() = default;

void SocketMonitor::show(int port, const tlm::tlm_generic_payload& payload, const Span& span) {
  if (payload.is_response_ok()) observer_(static_cast<u32>(port), payload, span);
}

void SocketMonitor::b_transport(int port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  const sc_core::sc_time now = sc_core::sc_time_stamp(), begin = now + delay;
  to[static_cast<std::size_t>(port)]->b_transport(payload, delay);
  show(port, payload, {begin, now + delay});
}

tlm::tlm_sync_enum SocketMonitor::nb_transport_fw(int port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                                  sc_core::sc_time& delay) {
  const bool request = phase == tlm::BEGIN_REQ;
  const tlm::tlm_sync_enum answer = to[static_cast<std::size_t>(port)]->nb_transport_fw(payload, phase, delay);
  // The response comes with the return of the call, or on the backward path.
  const bool response = answer == tlm::TLM_COMPLETED || (answer == tlm::TLM_UPDATED && phase == tlm::BEGIN_RESP);
  const sc_core::sc_time done = sc_core::sc_time_stamp() + delay;
  if (request && response) show(port, payload, {done, done});
  return answer;
}

tlm::tlm_sync_enum SocketMonitor::nb_transport_bw(int port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                                  sc_core::sc_time& delay) {
  const sc_core::sc_time done = sc_core::sc_time_stamp() + delay;
  if (phase == tlm::BEGIN_RESP) show(port, payload, {done, done});
  return from[static_cast<std::size_t>(port)]->nb_transport_bw(payload, phase, delay);
}

unsigned SocketMonitor::transport_dbg(int port, tlm::tlm_generic_payload& payload) {
  return to[static_cast<std::size_t>(port)]->transport_dbg(payload);
}

bool SocketMonitor::get_direct_mem_ptr(int, tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) {
  payload.set_dmi_allowed(false);
  dmi.init();
  return false;
}

}  // namespace bvp
