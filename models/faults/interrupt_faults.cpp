// SPDX-License-Identifier: Apache-2.0
#include "models/faults/interrupt_faults.h"

#include <utility>

namespace bvp {
namespace {

sc_core::sc_time seconds(double value) { return {value, sc_core::SC_SEC}; }

}  // namespace

InterruptFaults::InterruptFaults(sc_core::sc_module_name name, std::vector<FaultTrigger> triggers)
    : sc_module(name), in("in"), out("out"), triggers_(std::move(triggers)) {
  SC_METHOD(changed);
  sensitive << in;
  SC_METHOD(raise_late);
  sensitive << late_;
  SC_THREAD(raise_spuriously);
}

InterruptFaults::~InterruptFaults() = default;

/// The line behind follows at the next notification: at once, or late, or not while the line in front is raised.
void InterruptFaults::changed() {
  late_.cancel();
  held_ = false;
  sc_core::sc_time delay;
  for (FaultTrigger& trigger : triggers_) {
    const Fault& fault = trigger.fault();
    if (!in.read() || fault.kind == FaultKind::interrupt_spurious || !trigger.hits()) continue;
    if (fault.kind == FaultKind::interrupt_dropped) {
      held_ = true;
    } else {
      delay += seconds(fault.delay_s);
    }
  }
  late_.notify(delay);
}

/// This process alone writes to the line.
void InterruptFaults::raise_late() { update(); }

/// Of several spurious interrupts one comes after the other, in their order in the scenario.
void InterruptFaults::raise_spuriously() {
  for (FaultTrigger& trigger : triggers_) {
    const Fault& fault = trigger.fault();
    if (fault.kind != FaultKind::interrupt_spurious) continue;
    const sc_core::sc_time at = seconds(fault.time_s);
    if (at > sc_core::sc_time_stamp()) wait(at - sc_core::sc_time_stamp());
    trigger.hits();
    for (const bool raised : {true, false}) {
      spurious_ = raised;
      late_.notify(sc_core::SC_ZERO_TIME);
      if (raised) wait(seconds(fault.delay_s));
    }
  }
}

}  // namespace bvp
