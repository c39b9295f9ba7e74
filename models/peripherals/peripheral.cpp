// SPDX-License-Identifier: Apache-2.0
#include "models/peripherals/peripheral.h"

#include "models/transport/register_target.h"

namespace bvp {

Peripheral::Peripheral(sc_core::sc_module_name name, const PeripheralParameters& parameters, const ClockDomain& clock,
                       StatGroup& parent_stats, u32 register_bytes)
    : sc_module(name),
      target("target"),
      bank_(this->name(), clock.to_time(static_cast<Cycle>(parameters.register_latency)), register_bytes),
      stats_(basename()) {
  target.register_b_transport(this, &Peripheral::transport);
  target.register_transport_dbg(this, &Peripheral::debug);
  parent_stats.add(&stats_);
}

Peripheral::~Peripheral() = default;

void Peripheral::transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  ++accesses_;
  serve(bank_, payload, delay);
}

unsigned Peripheral::debug(tlm::tlm_generic_payload& payload) { return serve_debug(bank_, payload); }

}  // namespace bvp
