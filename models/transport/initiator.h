// SPDX-License-Identifier: Apache-2.0
// How an initiator makes a transaction: one call each.
#pragma once

#include <tlm>

#include <cstddef>

#include "models/base/types.h"

namespace bvp {

/// Makes the payload a plain TLM-2.0 request: no byte enables, streaming width equal to the data length, no DMI hint,
/// no response yet. Its extensions stay.
void prepare(tlm::tlm_generic_payload& payload, tlm::tlm_command command, u64 address, void* data, u32 bytes);

/// A blocking transaction with a payload of its own.
/// @param data   `bytes` bytes, read or written by the target
/// @param delay  in: from now until the transaction begins; out: until it ends
tlm::tlm_response_status access(tlm::tlm_initiator_socket<>& socket, tlm::tlm_command command, u64 address, void* data,
                                u32 bytes, sc_core::sc_time& delay);
/// A blocking transaction with a payload that the initiator owns: its extensions travel along, and nothing is
/// allocated. See prepare() for the values that it sets. Afterwards the payload holds the target's response.
tlm::tlm_response_status access(tlm::tlm_initiator_socket<>& socket, tlm::tlm_generic_payload& payload,
                                tlm::tlm_command command, u64 address, void* data, u32 bytes, sc_core::sc_time& delay);

/// A debug transaction: takes no time and has no side effects. Returns the number of bytes that the target moved.
std::size_t debug_access(tlm::tlm_initiator_socket<>& socket, tlm::tlm_command command, u64 address, void* data,
                         u32 bytes);

}  // namespace bvp
