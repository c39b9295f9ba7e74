// SPDX-License-Identifier: Apache-2.0
// The control and status registers of machine mode, and how traps change them.
#pragma once

#include <functional>
#include <systemc>
#include <utility>

#include "models/base/types.h"
#include "models/cpu/physical_memory_protection.h"

namespace bvp {

/// Registers of the RISC-V privileged architecture that machine mode has. Those that count or that show the interrupt
/// lines are computed from what the CPU tells about itself at each access.
class MachineCsrs {
 public:
  /// Bits of mie and mip.
  static constexpr u64 mie_software = u64{1} << 3, mie_timer = u64{1} << 7, mie_external = u64{1} << 11;

  /// The state of the CPU at an access.
  struct CpuState {
    sc_core::sc_time time;  ///< the CPU's own
    u64 cycles = 0, instructions = 0;
    u64 pending = 0;  ///< the bits that the interrupt lines set in mip
  };
  enum class Written {
    refused,             ///< the register is read-only
    stored,              ///< the value has been stored, or the register ignores it
    interrupts_changed,  ///< the write may have enabled an interrupt
    protection_changed   ///< the write may have changed which memory can be accessed
  };

  /// Sets the function that gives the value of the `time` register; without it, there is no such register.
  void set_time_source(std::function<u64(const sc_core::sc_time& now)> source) { time_source_ = std::move(source); }

  /// False: there is no such register.
  [[nodiscard]] bool read(unsigned csr, const CpuState& cpu, u64& value) const;
  [[nodiscard]] Written write(unsigned csr, const CpuState& cpu, u64 value);
  /// Whether reading the register shows the interrupt lines.
  [[nodiscard]] static bool shows_interrupt_lines(unsigned csr);

  /// mstatus.MIE: whether any interrupt is taken.
  [[nodiscard]] bool interrupts_enabled() const { return interrupts_enabled_; }
  /// The interrupts that mie enables, whether or not mstatus.MIE is set.
  [[nodiscard]] u64 enabled() const { return mie_; }
  /// The address of the trap handler; 0: there is none.
  [[nodiscard]] u64 handler() const { return mtvec_ & ~u64{3}; }
  [[nodiscard]] bool has_handler() const { return mtvec_ != 0; }

  [[nodiscard]] const PhysicalMemoryProtection& protection() const { return protection_; }

  /// Enters the handler of a trap at `pc` and returns the address at which the handler begins.
  [[nodiscard]] u64 enter_trap(u64 pc, u64 cause, u64 value);
  /// Leaves the handler, as MRET does, and returns the address at which the firmware continues.
  [[nodiscard]] u64 leave_trap();

 private:
  bool interrupts_enabled_ = false, previously_enabled_ = false;  // mstatus.MIE, MPIE
  u64 mie_ = 0, mtvec_ = 0, mscratch_ = 0, mepc_ = 0, mcause_ = 0, mtval_ = 0;
  u64 mcycle_offset_ = 0, minstret_offset_ = 0;
  PhysicalMemoryProtection protection_;
  std::function<u64(const sc_core::sc_time&)> time_source_;
};

}  // namespace bvp
