// SPDX-License-Identifier: Apache-2.0
#include "models/faults/completion_faults.h"

#include <cstring>
#include <utility>

namespace bvp {

CompletionFaults::CompletionFaults(sc_core::sc_module_name name, std::vector<FaultTrigger> triggers, u32 failure)
    : sc_module(name), from("from"), to("to"), triggers_(std::move(triggers)), failure_(failure) {
  from.register_b_transport(this, &CompletionFaults::transport);
}

CompletionFaults::~CompletionFaults() = default;

void CompletionFaults::transport(int, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  constexpr u64 message_bytes = 8;
  const auto unit = static_cast<i64>(payload.get_address() / message_bytes);
  for (FaultTrigger& trigger : triggers_) {
    const Fault& fault = trigger.fault();
    if ((fault.unit >= 0 && fault.unit != unit) || !trigger.hits()) continue;
    if (fault.kind == FaultKind::dma_error) {
      std::memcpy(payload.get_data_ptr(), &failure_, sizeof failure_);
      continue;
    }
    payload.set_response_status(tlm::TLM_OK_RESPONSE);  // the message is lost on the way
    return;
  }
  to->b_transport(payload, delay);
}

}  // namespace bvp
