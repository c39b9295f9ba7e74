// SPDX-License-Identifier: Apache-2.0
// The interrupt controller of the devices: enable, claim, complete. See docs/models/interrupt_controller.md.
#pragma once

#include "models/peripherals/peripheral.h"

namespace bvp {

/// A line is pending while its source is high and the line is not being served. It is being served from its claim until
/// its completion.
class InterruptController : public Peripheral {
 public:
  static constexpr unsigned lines = 32;
  static constexpr unsigned no_line = 0;  ///< what CLAIM reads when nothing is pending

  sc_core::sc_vector<sc_core::sc_in<bool>> sources;  ///< interrupt sources, by line; the source of no_line is ignored
  sc_core::sc_out<bool> irq;

  InterruptController(sc_core::sc_module_name name, const PeripheralParameters& parameters, const ClockDomain& clock,
                      StatGroup& parent_stats);
  ~InterruptController() override;
  SC_HAS_PROCESS(InterruptController);

 private:
  [[nodiscard]] u32 pending() const { return raised_ & ~serving_; }
  [[nodiscard]] u32 best() const;
  void claim(u32 line);
  void complete(u32 line);
  /// Samples the sources and drives the line.
  void update();
  void notify_update() { changed_.notify(until_access()); }

  u32 raised_ = 0, serving_ = 0;  // bit per line
  sc_core::sc_event changed_;

  Counter claims_{stats(), "claims", "interrupts", "interrupts claimed"};

  Register pending_, enable_, claim_;
};

}  // namespace bvp
