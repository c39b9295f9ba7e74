// SPDX-License-Identifier: Apache-2.0
#include "models/transport/register_target.h"

#include "models/transport/check.h"

namespace bvp {
namespace {

tlm::tlm_response_status check_access(const RegisterBank& bank, const tlm::tlm_generic_payload& payload) {
  const u32 bytes = payload.get_data_length();
  const bool pair = bank.register_bytes() == 4 && bytes == 8;
  const tlm::tlm_response_status status = check(payload, PayloadRules::words(pair ? 8 : bank.register_bytes()));
  if (status != tlm::TLM_OK_RESPONSE) return status;
  const u64 offset = payload.get_address();
  if (!bank.mapped(offset, bytes)) return tlm::TLM_ADDRESS_ERROR_RESPONSE;
  const bool allowed = payload.is_read() ? bank.readable(offset, bytes) : bank.writable(offset, bytes);
  return allowed ? tlm::TLM_OK_RESPONSE : tlm::TLM_COMMAND_ERROR_RESPONSE;
}

}  // namespace

void serve(RegisterBank& bank, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  payload.set_dmi_allowed(false);
  const tlm::tlm_response_status status = check_access(bank, payload);
  payload.set_response_status(status);
  if (status != tlm::TLM_OK_RESPONSE) return;
  delay += bank.latency();
  if (payload.is_read()) {
    bank.read(payload.get_address(), payload.get_data_ptr(), payload.get_data_length(), delay);
  } else {
    bank.write(payload.get_address(), payload.get_data_ptr(), payload.get_data_length(), delay);
  }
}

unsigned serve_debug(const RegisterBank& bank, tlm::tlm_generic_payload& payload) {
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
  if (!payload.is_read()) return 0;
  return bank.peek(payload.get_address(), payload.get_data_ptr(), payload.get_data_length());
}

}  // namespace bvp
