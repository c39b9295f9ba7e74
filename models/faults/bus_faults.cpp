// SPDX-License-Identifier: Apache-2.0
#include "models/faults/bus_faults.h"

#include <algorithm>
#include <utility>

#include "models/transport/access_source.h"
#include "models/transport/bulk_traffic.h"

namespace bvp {
namespace {

void flip_bits(const Fault& fault, tlm::tlm_generic_payload& payload) {
  const u32 bits = payload.get_data_length() * 8;
  for (u32 i = 0; i < fault.bits; ++i) {
    const u32 bit = (fault.bit + i) % bits;
    payload.get_data_ptr()[bit / 8] ^= static_cast<u8>(1 << bit % 8);
  }
}

}  // namespace

BusFaults::BusFaults(sc_core::sc_module_name name, std::vector<FaultTrigger> triggers, Locate locate)
    : sc_module(name), from("from"), to("to"), triggers_(std::move(triggers)), locate_(std::move(locate)) {
  from.register_b_transport(this, &BusFaults::transport);
  from.register_transport_dbg(this, &BusFaults::debug);
  from.register_get_direct_mem_ptr(this, &BusFaults::direct_memory);
  to.register_invalidate_direct_mem_ptr(this, &BusFaults::invalidate);
}

BusFaults::~BusFaults() = default;

bool BusFaults::concerns(const Fault& fault, const tlm::tlm_generic_payload& payload) const {
  const u64 address = payload.get_address();
  const auto wanted = static_cast<u64>(fault.address);
  if (fault.address >= 0 && (wanted < address || wanted - address >= payload.get_data_length())) return false;
  const auto* const source = payload.get_extension<AccessSource>();
  if (fault.unit >= 0 && (source != nullptr ? source->number : 0) != static_cast<u64>(fault.unit)) return false;
  const AccessPlace place = locate_(address);
  switch (fault.kind) {
    case FaultKind::corrupt_command:
      return payload.is_read() && place.ring;
    case FaultKind::corrupt_image:
      return payload.is_read() && !place.ring;
    case FaultKind::slow_dram:
      return place.dram;
    default:
      return true;
  }
}

/// As long as a fault may come, traffic is not taken as an amount, so that its initiator makes each access, which can
/// be hit.
void BusFaults::transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  if (payload.get_command() == tlm::TLM_IGNORE_COMMAND) {
    const bool all_spent =
        std::all_of(triggers_.begin(), triggers_.end(), [](const auto& each) { return each.spent(); });
    if (all_spent || payload.get_extension<BulkTraffic>() == nullptr) return to->b_transport(payload, delay);
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    return;
  }
  std::vector<const Fault*> corruptions;
  for (FaultTrigger& trigger : triggers_) {
    const Fault& fault = trigger.fault();
    if (!concerns(fault, payload) || !trigger.hits()) continue;
    if (fault.kind == FaultKind::slow_dram) {
      delay += sc_core::sc_time(fault.delay_s, sc_core::SC_SEC);
    } else if (fault.kind == FaultKind::bus_error) {
      payload.set_dmi_allowed(false);
      payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
      return;
    } else {
      corruptions.push_back(&fault);
    }
  }
  to->b_transport(payload, delay);
  for (const Fault* const fault : corruptions) flip_bits(*fault, payload);
}

}  // namespace bvp
