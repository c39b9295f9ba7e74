// SPDX-License-Identifier: Apache-2.0
#include "models/transport/initiator.h"

namespace bvp {

void prepare(tlm::tlm_generic_payload& payload, tlm::tlm_command command, u64 address, void* data, u32 bytes) {
  payload.set_command(command);
  payload.set_address(address);
  payload.set_data_ptr(static_cast<unsigned char*>(data));
  payload.set_data_length(bytes);
  payload.set_streaming_width(bytes);
  payload.set_byte_enable_ptr(nullptr);
  payload.set_dmi_allowed(false);
  payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
}

tlm::tlm_response_status access(tlm::tlm_initiator_socket<>& socket, tlm::tlm_command command, u64 address, void* data,
                                u32 bytes, sc_core::sc_time& delay) {
  tlm::tlm_generic_payload payload;
  return access(socket, payload, command, address, data, bytes, delay);
}

tlm::tlm_response_status access(tlm::tlm_initiator_socket<>& socket, tlm::tlm_generic_payload& payload,
                                tlm::tlm_command command, u64 address, void* data, u32 bytes, sc_core::sc_time& delay) {
  prepare(payload, command, address, data, bytes);
  socket->b_transport(payload, delay);
  return payload.get_response_status();
}

std::size_t debug_access(tlm::tlm_initiator_socket<>& socket, tlm::tlm_command command, u64 address, void* data,
                         u32 bytes) {
  tlm::tlm_generic_payload payload;
  prepare(payload, command, address, data, bytes);
  return socket->transport_dbg(payload);
}

}  // namespace bvp
