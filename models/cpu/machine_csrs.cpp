// SPDX-License-Identifier: Apache-2.0
#include "models/cpu/machine_csrs.h"

#include "models/cpu/riscv_instruction.h"

namespace bvp {
namespace {

constexpr u64 mstatus_mie = u64{1} << 3, mstatus_mpie = u64{1} << 7, mstatus_mpp = u64{3} << 11;
constexpr u64 misa_rv64imac = u64{2} << 62 | 1 << ('I' - 'A') | 1 << ('M' - 'A') | 1 << ('A' - 'A') | 1 << ('C' - 'A');

enum CsrNumber : unsigned {
  csr_mstatus = 0x300,
  csr_misa = 0x301,
  csr_mie = 0x304,
  csr_mtvec = 0x305,
  csr_mcounteren = 0x306,
  csr_mcountinhibit = 0x320,
  csr_mhpmevent_first = 0x323,
  csr_mhpmevent_last = 0x33f,
  csr_mscratch = 0x340,
  csr_mepc = 0x341,
  csr_mcause = 0x342,
  csr_mtval = 0x343,
  csr_mip = 0x344,
  csr_tselect = 0x7a0,
  csr_tinfo = 0x7a4,
  csr_pmpcfg0 = 0x3a0,
  csr_pmpcfg_last = 0x3af,
  csr_pmpaddr0 = 0x3b0,
  csr_pmpaddr_last = 0x3ef,
  csr_mcycle = 0xb00,
  csr_minstret = 0xb02,
  csr_mhpmcounter_first = 0xb03,
  csr_mhpmcounter_last = 0xb1f,
  csr_cycle = 0xc00,
  csr_time = 0xc01,
  csr_instret = 0xc02,
  csr_hpmcounter_first = 0xc03,
  csr_hpmcounter_last = 0xc1f,
  csr_mvendorid = 0xf11,
  csr_mconfigptr = 0xf15
};

constexpr bool within(unsigned csr, unsigned first, unsigned last) { return first <= csr && csr <= last; }

constexpr bool is_protection_address(unsigned csr) {
  return within(csr, csr_pmpaddr0, csr_pmpaddr0 + PhysicalMemoryProtection::entries - 1);
}

/// Registers that exist, read as 0 and ignore writes. The odd ones of pmpcfg belong to RV32.
constexpr bool reads_as_zero(unsigned csr) {
  return csr == csr_mcounteren || csr == csr_mcountinhibit || within(csr, csr_mhpmevent_first, csr_mhpmevent_last) ||
         (within(csr, csr_pmpcfg0, csr_pmpcfg_last) && csr % 2 == 0) || within(csr, csr_pmpaddr0, csr_pmpaddr_last) ||
         within(csr, csr_mhpmcounter_first, csr_mhpmcounter_last) ||
         within(csr, csr_hpmcounter_first, csr_hpmcounter_last) || within(csr, csr_mvendorid, csr_mconfigptr) ||
         within(csr, csr_tselect, csr_tinfo);
}

}  // namespace

bool MachineCsrs::read(unsigned csr, const CpuState& cpu, u64& value) const {
  if (is_protection_address(csr)) {
    value = protection_.address(csr - csr_pmpaddr0);
    return true;
  }
  switch (csr) {
    case csr_mstatus:
      value = mstatus_mpp | (interrupts_enabled_ ? mstatus_mie : 0) | (previously_enabled_ ? mstatus_mpie : 0);
      return true;
    case csr_misa:
      value = misa_rv64imac;
      return true;
    case csr_mie:
      value = mie_;
      return true;
    case csr_mtvec:
      value = mtvec_;
      return true;
    case csr_mscratch:
      value = mscratch_;
      return true;
    case csr_mepc:
      value = mepc_;
      return true;
    case csr_mcause:
      value = mcause_;
      return true;
    case csr_mtval:
      value = mtval_;
      return true;
    case csr_pmpcfg0:
      value = protection_.configuration();
      return true;
    case csr_mip:
      value = cpu.pending;
      return true;
    case csr_mcycle:
      value = cpu.cycles + mcycle_offset_;
      return true;
    case csr_minstret:
      value = cpu.instructions + minstret_offset_;
      return true;
    case csr_cycle:
      value = cpu.cycles + mcycle_offset_;
      return true;
    case csr_instret:
      value = cpu.instructions + minstret_offset_;
      return true;
    case csr_time:
      if (!time_source_) return false;
      value = time_source_(cpu.time);
      return true;
    default:
      value = 0;
      return reads_as_zero(csr);
  }
}

MachineCsrs::Written MachineCsrs::write(unsigned csr, const CpuState& cpu, u64 value) {
  const bool read_only = csr >> 10 == 3;
  if (read_only) return Written::refused;
  if (is_protection_address(csr)) {
    protection_.set_address(csr - csr_pmpaddr0, value);
    return Written::protection_changed;
  }
  switch (csr) {
    case csr_mstatus:
      interrupts_enabled_ = (value & mstatus_mie) != 0;
      previously_enabled_ = (value & mstatus_mpie) != 0;
      return Written::interrupts_changed;
    case csr_mie:
      mie_ = value & (mie_timer | mie_external | mie_software);
      return Written::interrupts_changed;
    case csr_pmpcfg0:
      protection_.set_configuration(value);
      return Written::protection_changed;
    case csr_mtvec:
      mtvec_ = value & ~u64{2};
      break;
    case csr_mscratch:
      mscratch_ = value;
      break;
    case csr_mepc:
      mepc_ = value & ~u64{1};
      break;
    case csr_mcause:
      mcause_ = value;
      break;
    case csr_mtval:
      mtval_ = value;
      break;
    case csr_mcycle:
      mcycle_offset_ = value - cpu.cycles;
      break;
    case csr_minstret:
      // The 1 makes the next instruction read the value that was written.
      minstret_offset_ = value - cpu.instructions - 1;
      break;
    default:
      break;
  }
  return Written::stored;
}

bool MachineCsrs::shows_interrupt_lines(unsigned csr) { return csr == csr_mip; }

u64 MachineCsrs::enter_trap(u64 pc, u64 cause, u64 value) {
  mepc_ = pc;
  mcause_ = cause;
  mtval_ = value;
  previously_enabled_ = interrupts_enabled_;
  interrupts_enabled_ = false;
  const bool vectored = (mtvec_ & 1) != 0 && (cause & riscv::interrupt_flag) != 0;
  return handler() + (vectored ? 4 * (cause & ~riscv::interrupt_flag) : 0);
}

u64 MachineCsrs::leave_trap() {
  interrupts_enabled_ = previously_enabled_;
  previously_enabled_ = true;
  return mepc_;
}

}  // namespace bvp
