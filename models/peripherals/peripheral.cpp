// SPDX-License-Identifier: Apache-2.0
#include "models/peripherals/peripheral.h"

namespace bvp {

Peripheral::Peripheral(sc_core::sc_module_name name, const PeripheralParameters& parameters, const ClockDomain& clock,
                       StatGroup& parent_stats)
    : sc_module(name),
      target("target"),
      bank_(parameters.name(), clock.to_time(static_cast<Cycle>(parameters.register_latency))),
      stats_(parameters.name()) {
  target.register_b_transport(this, &Peripheral::transport);
  target.register_transport_dbg(this, &Peripheral::debug);
  parent_stats.add(&stats_);
}

Peripheral::~Peripheral() = default;

void Peripheral::transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  ++accesses_;
  bank_.b_transport(payload, delay);
}

}  // namespace bvp
