// SPDX-License-Identifier: Apache-2.0
// The interrupt controller's behaviour.
#include "models/peripherals/interrupt_controller.h"

namespace bvp {

InterruptController::InterruptController(sc_core::sc_module_name name, const InterruptControllerParameters& parameters,
                                         const ClockDomain& clock, StatGroup& parent_stats)
    : Peripheral(name, parameters, clock, parent_stats), sources("sources", lines), irq("irq") {
  pending_.on_read([this] { return pending(); });
  enable_.on_write([this](u32 value) {
    enable_.set(value & ~1U);
    notify_update();
  });
  claim_.on_read([this] { return best(); });
  claim_.after_read([this](u32 line) { claim(line); });
  claim_.on_write([this](u32 line) { complete(line); });
  SC_METHOD(update);
  for (auto& source : sources) sensitive << source;
  sensitive << changed_;
}

InterruptController::~InterruptController() = default;

u32 InterruptController::best() const {
  const u32 candidates = pending() & enable_.get();
  return candidates == 0 ? 0 : static_cast<u32>(__builtin_ctz(candidates));
}

void InterruptController::claim(u32 line) {
  if (line == 0) return;
  ++claims_;
  serving_ |= 1U << line;
  notify_update();
}

void InterruptController::complete(u32 line) {
  if (line >= lines) return;
  serving_ &= ~(1U << line);
  notify_update();
}

void InterruptController::update() {
  raised_ = 0;
  for (unsigned line = 1; line < lines; ++line) raised_ |= static_cast<u32>(sources[line].read()) << line;
  irq.write((pending() & enable_.get()) != 0);
}

}  // namespace bvp
