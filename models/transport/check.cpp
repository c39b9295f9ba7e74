// SPDX-License-Identifier: Apache-2.0
#include "models/transport/check.h"

namespace bvp {
namespace {

bool supports(const PayloadRules& rules, tlm::tlm_command command) {
  switch (command) {
    case tlm::TLM_READ_COMMAND:
      return rules.read;
    case tlm::TLM_WRITE_COMMAND:
      return rules.write;
    case tlm::TLM_IGNORE_COMMAND:
      break;
  }
  return rules.ignore;
}

}  // namespace

tlm::tlm_response_status check(const tlm::tlm_generic_payload& payload, const PayloadRules& rules) {
  if (!supports(rules, payload.get_command())) return tlm::TLM_COMMAND_ERROR_RESPONSE;

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
