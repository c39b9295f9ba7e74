// SPDX-License-Identifier: Apache-2.0
// Checks whether a target can serve a payload, and gives the response if not, so that every target answers the same
// fault in the same way.
#pragma once

#include <tlm>

#include "models/base/types.h"

namespace bvp {

/// What a target supports. Faults are looked for in the order of the fields. The default supports reads and writes of
/// any length at any address.
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

  /// The rules for data of this length at multiples of this length.
  [[nodiscard]] static constexpr PayloadRules words(u32 bytes) {
    PayloadRules rules;
    rules.least_bytes = rules.most_bytes = bytes;
    rules.alignment = bytes;
    return rules;
  }

  /// The rules for data of exactly this length, at any address. No data are longer than a length of 32 bits can say.
  [[nodiscard]] static constexpr PayloadRules of_length(u64 bytes) {
    PayloadRules rules;
    const bool possible = bytes <= rules.most_bytes;
    rules.least_bytes = possible ? static_cast<u32>(bytes) : 1;
    rules.most_bytes = possible ? static_cast<u32>(bytes) : 0;
    return rules;
  }

  [[nodiscard]] constexpr bool takes(tlm::tlm_command command) const {
    switch (command) {
      case tlm::TLM_READ_COMMAND:
        return read;
      case tlm::TLM_WRITE_COMMAND:
        return write;
      case tlm::TLM_IGNORE_COMMAND:
        break;
    }
    return ignore;
  }
};

/// Returns TLM_OK_RESPONSE, or the response for the first fault. The data pointer and the extensions are not looked at.
[[nodiscard]] inline tlm::tlm_response_status check(const tlm::tlm_generic_payload& payload,
                                                    const PayloadRules& rules) {
  if (!rules.takes(payload.get_command())) return tlm::TLM_COMMAND_ERROR_RESPONSE;

  if (payload.get_byte_enable_ptr() != nullptr && (!rules.byte_enables || payload.get_byte_enable_length() == 0)) {
    return tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE;
  }

  const u32 bytes = payload.get_data_length();
  const bool length = bytes >= rules.least_bytes && bytes <= rules.most_bytes && bytes % rules.multiple == 0;
  if (!length) return tlm::TLM_BURST_ERROR_RESPONSE;
  const u32 width = payload.get_streaming_width();
  if (width < bytes && (!rules.streaming || width == 0)) return tlm::TLM_BURST_ERROR_RESPONSE;

  const u64 address = payload.get_address();
  if (address % rules.alignment != 0) return tlm::TLM_ADDRESS_ERROR_RESPONSE;
  if (rules.span != 0 && (address >= rules.span || bytes > rules.span - address)) {
    return tlm::TLM_ADDRESS_ERROR_RESPONSE;
  }
  return tlm::TLM_OK_RESPONSE;
}

}  // namespace bvp
