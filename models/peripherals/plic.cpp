// SPDX-License-Identifier: Apache-2.0
// Behaviour of the interrupt controller, by the RISC-V Platform-Level Interrupt Controller Specification 1.0.0.
#include "models/peripherals/plic.h"

namespace bvp {
namespace {

constexpr u32 highest_priority = 7;

/// The line's bit in PENDING and ENABLE.
constexpr u32 bit_of(u32 line) { return 1U << line; }

}  // namespace

Plic::Plic(sc_core::sc_module_name name, const PeripheralParameters& parameters, const ClockDomain& clock,
           StatGroup& parent_stats)
    : Peripheral(name, parameters, clock, parent_stats),
      sources("sources", lines),
      irq("irq"),
      priority_(&bank(), "PRIORITY", 0x000000, RegisterAccess::read_write, 0,
                "Priority of each line, 0 to 7; 0: it never interrupts. Element 0 stays 0.", lines),
      pending_(&bank(), "PENDING", 0x001000, RegisterAccess::read_only, 0, "Bit per line that is pending."),
      enable_(&bank(), "ENABLE", 0x002000, RegisterAccess::read_write, 0,
              "Bit per line that may interrupt hart 0 in machine mode; bit 0 stays 0."),
      threshold_(&bank(), "THRESHOLD", 0x200000, RegisterAccess::read_write, 0,
                 "Lines interrupt whose priority is above this, 0 to 7."),
      claim_(&bank(), "CLAIM", 0x200004, RegisterAccess::read_write, 0,
             "Read: claims the pending and enabled line of the highest priority, of several the lowest; 0: none. "
             "Write: that line is complete.") {
  priority_.on_write([this](u32 line, u32 value) {
    priority_.set(line == no_line ? 0 : value & highest_priority, line);
    notify_update();
  });
  enable_.on_write([this](u32 value) {
    enable_.set(value & ~bit_of(no_line));
    notify_update();
  });
  threshold_.on_write([this](u32 value) {
    threshold_.set(value & highest_priority);
    notify_update();
  });
  claim_.on_read([this] { return best(); });
  claim_.after_read([this](u32 line) { claim(line); });
  claim_.on_write([this](u32 line) { complete(line); });
  SC_METHOD(update);
  for (auto& source : sources) sensitive << source;
  sensitive << changed_;
}

Plic::~Plic() = default;

u32 Plic::best() const {
  const u32 candidates = pending_.get() & enable_.get();
  u32 found = no_line, priority = 0;
  for (u32 line = no_line + 1; line < lines; ++line) {
    if ((candidates & bit_of(line)) == 0 || priority_.get(line) <= priority) continue;
    found = line;
    priority = priority_.get(line);
  }
  return found;
}

void Plic::claim(u32 line) {
  if (line == no_line) return;
  ++claims_;
  serving_ |= bit_of(line);
  pending_.set(pending_.get() & ~bit_of(line));
  notify_update();
}

/// A completion of a line that is not enabled is ignored, as the specification says.
void Plic::complete(u32 line) {
  if (line >= lines || (enable_.get() & bit_of(line)) == 0) return;
  serving_ &= ~bit_of(line);
  notify_update();
}

void Plic::update() {
  u32 requests = 0;
  for (unsigned line = no_line + 1; line < lines; ++line) {
    if (sources[line].read()) requests |= bit_of(line);
  }
  pending_.set(pending_.get() | (requests & ~serving_));
  irq.write(priority_.get(best()) > threshold_.get());
}

}  // namespace bvp
