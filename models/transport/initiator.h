// SPDX-License-Identifier: Apache-2.0
// How an initiator makes a transaction: one call for each.
#pragma once

#include <tlm>

#include <cstddef>

#include "models/base/types.h"

namespace bvp {

/// Makes the payload a request as TLM-2.0 wants it: no byte enables, streaming as wide as the data, no hint of direct
/// memory, no response. Its extensions stay.
void prepare(tlm::tlm_generic_payload& payload, tlm::tlm_command command, u64 address, void* data, u32 bytes);

/// A blocking transaction with a payload of its own.
/// @param data   `bytes` bytes, read or written by the target
/// @param delay  in: from now until the transaction begins; out: until it ends
tlm::tlm_response_status access(tlm::tlm_initiator_socket<>& socket, tlm::tlm_command command, u64 address, void* data,
                                u32 bytes, sc_core::sc_time& delay);
/// A blocking transaction with a payload of the initiator, whose extensions travel along and which is not allocated
/// anew; see prepare() for what it holds. Afterwards it says what the target answered.
tlm::tlm_response_status access(tlm::tlm_initiator_socket<>& socket, tlm::tlm_generic_payload& payload,
                                tlm::tlm_command command, u64 address, void* data, u32 bytes, sc_core::sc_time& delay);

/// A debug transaction: takes no time and has no side effects. Returns the number of bytes that the target moved.
std::size_t debug_access(tlm::tlm_initiator_socket<>& socket, tlm::tlm_command command, u64 address, void* data,
                         u32 bytes);

}  // namespace bvp
