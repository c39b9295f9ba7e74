// SPDX-License-Identifier: Apache-2.0
// The machine timer of the RISC-V privileged architecture. See docs/models/timer.md.
#pragma once

#include "models/peripherals/peripheral.h"

namespace bvp {

class MachineTimer : public Peripheral {
 public:
  sc_core::sc_out<bool> irq;  ///< while mtime >= mtimecmp

  MachineTimer(sc_core::sc_module_name name, const MachineTimerParameters& parameters, const ClockDomain& clock,
               StatGroup& parent_stats);
  ~MachineTimer() override;
  SC_HAS_PROCESS(MachineTimer);

  /// mtime at a simulated time.
  [[nodiscard]] u64 mtime(const sc_core::sc_time& time) const { return offset_ + time.value() / tick_.value(); }
  /// The simulated time at which `irq` will rise, if no register is written until then; the largest time if mtime has
  /// reached mtimecmp already, or will not before the end of simulated time.
  [[nodiscard]] sc_core::sc_time next_rise() const;

 private:
  [[nodiscard]] u64 mtimecmp() const { return u64{mtimecmp_hi_.get()} << 32 | mtimecmp_lo_.get(); }
  void write_mtime(u64 mask, u64 bits);
  void changed();
  /// Drives the line, and wakes again when mtime will have reached mtimecmp.
  void compare();

  const sc_core::sc_time tick_;
  u64 offset_ = 0;  // of mtime to the ticks since the start, modulo 2^64
  sc_core::sc_event compare_;

  // At the offsets of the widespread core-local interruptor.
  Register mtimecmp_lo_{&bank(),    "MTIMECMP_LO",
                        0x4000,     RegisterAccess::read_write,
                        0xffffffff, "Bits 31..0 of mtimecmp: the interrupt is pending while mtime >= mtimecmp."};
  Register mtimecmp_hi_{
      &bank(), "MTIMECMP_HI", 0x4004, RegisterAccess::read_write, 0xffffffff, "Bits 63..32 of mtimecmp."};
  Register mtime_lo_{&bank(), "MTIME_LO", 0xbff8, RegisterAccess::read_write, 0, "Bits 31..0 of mtime."};
  Register mtime_hi_{&bank(), "MTIME_HI", 0xbffc, RegisterAccess::read_write, 0, "Bits 63..32 of mtime."};
};

}  // namespace bvp
