// SPDX-License-Identifier: Apache-2.0
#include "models/pe/ports/delivery.h"

#include <cstring>

#include "models/base/report.h"
#include "models/transport/check.h"

namespace bvp {

Delivery read_delivery(tlm::tlm_generic_payload& payload) {
  PayloadRules rules;
  rules.read = false;
  payload.set_response_status(check(payload, rules));
  Delivery delivery;
  if (!payload.is_response_ok()) return delivery;
  if (payload.get_address() == configure_address) {
    delivery.kind = Delivery::Kind::image;
    delivery.image = payload.get_data_ptr();
    delivery.image_bytes = payload.get_data_length();
  } else if (payload.get_address() == launch_address && payload.get_data_length() == sizeof(LaunchRecord)) {
    delivery.kind = Delivery::Kind::launch;
    std::memcpy(&delivery.record, payload.get_data_ptr(), sizeof(LaunchRecord));
  } else if (payload.get_address() == stop_address) {
    delivery.kind = Delivery::Kind::stop;
  } else if (payload.get_address() == rows_address && payload.get_data_length() == sizeof(u32)) {
    delivery.kind = Delivery::Kind::rows;
    std::memcpy(&delivery.rows_left_out, payload.get_data_ptr(), sizeof(u32));
  } else {
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
  }
  return delivery;
}

bool take_image(const char* name, const Delivery& delivery, Cycle now, Contexts& contexts, PeAccount& account) {
  if (account.power() != ArrayPower::on) {
    report_warning(name, "a kernel image came while the array is not on");
    return false;
  }
  try {
    const Context& context = contexts.configure(delivery.image, delivery.image_bytes);
    account.count_configuration(context.words, context.receivers(), now);
  } catch (const KernelError& error) {
    report_warning(name, "{}", error.what());
    return false;
  }
  return true;
}

}  // namespace bvp
