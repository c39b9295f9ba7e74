// SPDX-License-Identifier: Apache-2.0
// The platform-level interrupt controller of RISC-V (PLIC), for one context. See docs/models/plic.md.
#pragma once

#include "models/peripherals/peripheral.h"

namespace bvp {

/// A source that is high makes its line pending, which stays so until it is claimed, even if the source falls. From the
/// claim to the completion the source is not looked at.
class Plic : public Peripheral {
 public:
  static constexpr unsigned lines = 32;
  static constexpr unsigned no_line = 0;  ///< what CLAIM reads when nothing is pending

  sc_core::sc_vector<sc_core::sc_in<bool>> sources;  ///< interrupt sources, by line; the source of no_line is ignored
  sc_core::sc_out<bool> irq;

  Plic(sc_core::sc_module_name name, const PeripheralParameters& parameters, const ClockDomain& clock,
       StatGroup& parent_stats);
  ~Plic() override;
  SC_HAS_PROCESS(Plic);

 private:
  /// The pending and enabled line of the highest priority, of several the lowest; no_line: none.
  [[nodiscard]] u32 best() const;
  void claim(u32 line);
  void complete(u32 line);
  /// Takes the requests of the sources and drives the line.
  void update();
  void notify_update() { changed_.notify(until_access()); }

  u32 serving_ = 0;  // bit per line
  sc_core::sc_event changed_;

  Counter claims_{stats(), "claims", "interrupts", "interrupts claimed"};

  Register priority_, pending_, enable_, threshold_, claim_;
};

}  // namespace bvp
