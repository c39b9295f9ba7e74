// SPDX-License-Identifier: Apache-2.0
// A bank of registers behind a target socket.
#pragma once

#include <tlm>

#include "models/base/registers.h"

namespace bvp {

/// Serves aligned accesses of 4 bytes, and of 8 bytes as two accesses (the lower address first); of a bank of byte
/// registers accesses of one byte. Any other access gets the matching error response and changes nothing; so does a
/// read of a write-only register or a write to a read-only one.
void serve(RegisterBank& bank, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);

/// Debuggers read any range, without side effects; their writes are refused. Returns the number of bytes read.
unsigned serve_debug(const RegisterBank& bank, tlm::tlm_generic_payload& payload);

}  // namespace bvp
