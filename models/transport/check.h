// SPDX-License-Identifier: Apache-2.0
// Whether a target can serve a payload, and what it answers if not: every target answers the same fault alike.
#pragma once

#include <tlm>

#include "models/base/types.h"

namespace bvp {

/// What a target supports, from the first field to the last, which is the order in which faults are looked for. As it
/// is made: reads and writes of any length, at any address.
struct PayloadRules {
  // TLM_COMMAND_ERROR_RESPONSE
  bool read = true, write = true;
  bool ignore = false;  ///< TLM_IGNORE_COMMAND, whose extensions say what is meant
  // TLM_BYTE_ENABLE_ERROR_RESPONSE
  bool byte_enables = false;
  // TLM_BURST_ERROR_RESPONSE
  u32 least_bytes = 1;  ///< shortest data
  u32 most_bytes = ~u32{0};
  u32 multiple = 1;        ///< the length is one of this
  bool streaming = false;  ///< a streaming width below the length
  // TLM_ADDRESS_ERROR_RESPONSE
  u64 alignment = 1;  ///< the address is a multiple of this
  u64 span = 0;       ///< the data lie within so many bytes from address 0 on; 0: anywhere

  /// Data of this length, at multiples of it.
  [[nodiscard]] static PayloadRules words(u32 bytes) {
    PayloadRules rules;
    rules.least_bytes = rules.most_bytes = bytes;
    rules.alignment = bytes;
    return rules;
  }
};

/// TLM_OK_RESPONSE, or the response for the first fault. Data pointer and extensions are not looked at.
[[nodiscard]] tlm::tlm_response_status check(const tlm::tlm_generic_payload& payload, const PayloadRules& rules);

}  // namespace bvp
