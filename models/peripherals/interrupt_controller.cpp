// SPDX-License-Identifier: Apache-2.0
// Behaviour of the interrupt controller.
#include "models/peripherals/interrupt_controller.h"

namespace bvp {
namespace {

/// The line's bit in PENDING and ENABLE.
constexpr u32 bit_of(u32 line) { return 1U << line; }

}  // namespace

InterruptController::InterruptController(sc_core::sc_module_name name, const PeripheralParameters& parameters,
                                         const ClockDomain& clock, StatGroup& parent_stats)
    : Peripheral(name, parameters, clock, parent_stats),
      sources("sources", lines),
      irq("irq"),
      pending_(&bank(), "PENDING", 0x00, RegisterAccess::read_only, 0, "Bit per line that is pending."),
      enable_(&bank(), "ENABLE", 0x04, RegisterAccess::read_write, 0,
              "Bit per line that may interrupt; bit 0 stays 0."),
      claim_(&bank(), "CLAIM", 0x08, RegisterAccess::read_write, 0,
             "Read: claims the lowest line pending and enabled, 0: none. Write: that line is served.") {
  pending_.on_read([this] { return pending(); });
  enable_.on_write([this](u32 value) {
    enable_.set(value & ~bit_of(no_line));
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
  return candidates == 0 ? no_line : static_cast<u32>(__builtin_ctz(candidates));
}

void InterruptController::claim(u32 line) {
  if (line == no_line) return;
  ++claims_;
  serving_ |= bit_of(line);
  notify_update();
}

void InterruptController::complete(u32 line) {
  if (line >= lines) return;
  serving_ &= ~bit_of(line);
  notify_update();
}

void InterruptController::update() {
  raised_ = 0;
  for (unsigned line = no_line + 1; line < lines; ++line) {
    if (sources[line].read()) raised_ |= bit_of(line);
  }
  irq.write((pending() & enable_.get()) != 0);
}

}  // namespace bvp
