// SPDX-License-Identifier: Apache-2.0
// What tests send to a PE in the sequencer's stead.
#pragma once

#include <cstddef>
#include <tlm>

#include "models/base/types.h"

namespace bvp::test {

/// A write to a PE's configuration socket (models/isa/launch.h), now; false: it is refused.
template <class Socket>
bool write_config(Socket& socket, u64 address, const void* bytes, std::size_t size) {
  tlm::tlm_generic_payload payload;
  payload.set_command(tlm::TLM_WRITE_COMMAND);
  payload.set_address(address);
  payload.set_data_ptr(static_cast<unsigned char*>(const_cast<void*>(bytes)));
  payload.set_data_length(static_cast<unsigned>(size));
  payload.set_streaming_width(static_cast<unsigned>(size));
  sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
  socket->b_transport(payload, delay);
  return payload.is_response_ok();
}

}  // namespace bvp::test
