// SPDX-License-Identifier: Apache-2.0
// The core-local interruptor (CLINT): machine timer and software interrupt of hart 0. See docs/models/clint.md.
#pragma once

#include "models/peripherals/peripheral.h"

namespace bvp {

class Clint : public Peripheral {
 public:
  sc_core::sc_out<bool> timer_irq;     ///< while mtime >= mtimecmp
  sc_core::sc_out<bool> software_irq;  ///< while msip is 1

  Clint(sc_core::sc_module_name name, const ClintParameters& parameters, const ClockDomain& clock,
        StatGroup& parent_stats);
  ~Clint() override;
  SC_HAS_PROCESS(Clint);

  /// The value of mtime at a simulated time.
  [[nodiscard]] u64 mtime(const sc_core::sc_time& time) const { return offset_ + time.value() / tick_.value(); }
  /// The simulated time at which `timer_irq` will rise if no register is written until then. The largest time if mtime
  /// has reached mtimecmp already, or will not reach it before the end of simulated time.
  [[nodiscard]] sc_core::sc_time next_rise() const;

 private:
  [[nodiscard]] u64 mtimecmp() const { return join_words(mtimecmp_lo_.get(), mtimecmp_hi_.get()); }
  void write_mtime(u32 low, u32 high);
  void changed();
  /// Sets the timer's line, and wakes again when mtime reaches mtimecmp.
  void compare();
  void drive_software() { software_irq.write(msip_.get(pending_) != 0); }

  const sc_core::sc_time tick_;
  u64 offset_ = 0;  // difference between mtime and the ticks since the start, modulo 2^64
  sc_core::sc_event compare_, software_changed_;

  Register msip_;
  RegisterField pending_;
  Register mtimecmp_lo_, mtimecmp_hi_, mtime_lo_, mtime_hi_;
};

}  // namespace bvp
