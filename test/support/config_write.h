// SPDX-License-Identifier: Apache-2.0
// What tests send to a PE in the sequencer's stead.
#pragma once

#include <cstddef>
#include <tlm>

#include "models/base/types.h"
#include "models/transport/initiator.h"

namespace bvp::test {

/// A write to a PE's configuration socket (models/isa/launch.h), now; false: it is refused.
template <class Socket>
bool write_config(Socket& socket, u64 address, const void* bytes, std::size_t size) {
  sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
  return access(socket, tlm::TLM_WRITE_COMMAND, address, const_cast<void*>(bytes), static_cast<u32>(size), delay) ==
         tlm::TLM_OK_RESPONSE;
}

}  // namespace bvp::test
