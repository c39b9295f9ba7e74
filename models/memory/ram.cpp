// SPDX-License-Identifier: Apache-2.0
// Data and timing of the RAM.
#include "models/memory/ram.h"

#include <algorithm>
#include <cstring>

#include "models/base/report.h"
#include "models/transport/bulk_traffic.h"
#include "models/transport/check.h"

namespace bvp {

Ram::Ram(sc_core::sc_module_name name, const RamParameters& parameters, const ClockDomain& clock,
         StatGroup& parent_stats)
    : sc_module(name),
      target("target"),
      latency_(clock.to_time(static_cast<Cycle>(parameters.latency))),
      stats_(basename()),
      bytes_read_(&stats_, "bytes_read", "bytes", "bytes read over the bus; direct accesses are not counted"),
      bytes_written_(&stats_, "bytes_written", "bytes", "bytes written over the bus; direct accesses are not counted"),
      storage_(this->name(), static_cast<u64>(parameters.size_bytes)) {
  // An initiator that maps this memory directly needs whole pages of the host.
  constexpr u64 page_bytes = 4096;
  if (size() % page_bytes != 0) {
    report_error(this->name(), "size_bytes is {}, it must be a multiple of {}", size(), page_bytes);
  }
  target.register_b_transport(this, &Ram::transport);
  target.register_transport_dbg(this, &Ram::debug);
  target.register_get_direct_mem_ptr(this, &Ram::direct_memory);
  parent_stats.add(&stats_);
}

Ram::~Ram() = default;

void Ram::move(tlm::tlm_generic_payload& payload, u64 bytes) {
  u8* const here = storage_.data() + payload.get_address();
  if (payload.is_read()) {
    std::memcpy(payload.get_data_ptr(), here, bytes);
  } else {
    std::memcpy(here, payload.get_data_ptr(), bytes);
  }
}

void Ram::transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  PayloadRules rules;
  rules.span = size();
  const tlm::tlm_response_status status = check(payload, rules);
  payload.set_response_status(status);
  payload.set_dmi_allowed(status == tlm::TLM_OK_RESPONSE);
  if (status != tlm::TLM_OK_RESPONSE) return;
  delay += latency_;
  (payload.is_read() ? bytes_read_ : bytes_written_) += payload.get_data_length();
  if (payload.get_extension<TimingOnly>() == nullptr) move(payload, payload.get_data_length());
}

unsigned Ram::debug(tlm::tlm_generic_payload& payload) {
  const u64 address = payload.get_address();
  const bool valid = address < size() && (payload.is_read() || payload.is_write());
  payload.set_response_status(valid ? tlm::TLM_OK_RESPONSE : tlm::TLM_ADDRESS_ERROR_RESPONSE);
  if (!valid) return 0;
  const u64 bytes = std::min<u64>(payload.get_data_length(), size() - address);
  if (bytes != 0) move(payload, bytes);
  return static_cast<unsigned>(bytes);
}

bool Ram::direct_memory(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) {
  dmi.init();
  if (payload.get_address() >= size()) {
    dmi.set_start_address(payload.get_address());
    dmi.set_end_address(payload.get_address());
    return false;
  }
  dmi.set_dmi_ptr(storage_.data());
  dmi.set_start_address(0);
  dmi.set_end_address(size() - 1);
  dmi.set_read_latency(latency_);
  dmi.set_write_latency(latency_);
  dmi.allow_read_write();
  return true;
}

}  // namespace bvp
