// SPDX-License-Identifier: Apache-2.0
// Control and status registers against the RISC-V privileged architecture, version 1.12.
#include "models/cpu/machine_csrs.h"

#include <catch2/catch.hpp>

namespace bvp {
namespace {

using Written = MachineCsrs::Written;

constexpr unsigned mstatus = 0x300, misa = 0x301, mie = 0x304, mtvec = 0x305, mscratch = 0x340, mepc = 0x341,
                   mcause = 0x342, mtval = 0x343, mip = 0x344, mcycle = 0xb00, minstret = 0xb02, cycle = 0xc00,
                   time = 0xc01, instret = 0xc02, mvendorid = 0xf11, satp = 0x180;

u64 value_of(const MachineCsrs& csrs, unsigned csr, const MachineCsrs::CpuState& cpu = {}) {
  u64 value = ~u64{0};
  REQUIRE(csrs.read(csr, cpu, value));
  return value;
}

TEST_CASE("machine csrs: registers keep the bits that they have", "[cpu]") {
  MachineCsrs csrs;
  CHECK(value_of(csrs, misa) == 0x8000000000001105);  // RV64 with A, C, I and M
  CHECK(value_of(csrs, mstatus) == 0x1800);           // MPP: machine mode alone
  CHECK(csrs.write(mscratch, {}, ~u64{0}) == Written::stored);
  CHECK(value_of(csrs, mscratch) == ~u64{0});
  CHECK(csrs.write(mepc, {}, 0x1003) == Written::stored);
  CHECK(value_of(csrs, mepc) == 0x1002);  // instructions lie at even addresses
  CHECK(csrs.write(mtvec, {}, 0x2003) == Written::stored);
  CHECK(value_of(csrs, mtvec) == 0x2001);  // modes 2 and 3 are reserved
  CHECK(csrs.write(mie, {}, ~u64{0}) == Written::interrupts_changed);
  CHECK(value_of(csrs, mie) == 0x888);
  CHECK(csrs.write(mstatus, {}, ~u64{0}) == Written::interrupts_changed);
  CHECK(value_of(csrs, mstatus) == 0x1888);
  CHECK(csrs.write(mvendorid, {}, 1) == Written::refused);
  CHECK(value_of(csrs, mvendorid) == 0);
  u64 value = 0;
  CHECK_FALSE(csrs.read(satp, {}, value));
}

TEST_CASE("machine csrs: counters and lines show the CPU", "[cpu]") {
  MachineCsrs csrs;
  const MachineCsrs::CpuState cpu{sc_core::SC_ZERO_TIME, 1000, 700, MachineCsrs::mie_external};
  CHECK(value_of(csrs, mcycle, cpu) == 1000);
  CHECK(value_of(csrs, cycle, cpu) == 1000);
  CHECK(value_of(csrs, instret, cpu) == 700);
  CHECK(value_of(csrs, mip, cpu) == 0x800);
  CHECK(MachineCsrs::shows_interrupt_lines(mip));
  CHECK_FALSE(MachineCsrs::shows_interrupt_lines(mie));

  // A counter that is written goes on from there; minstret does not count the instruction that writes it.
  CHECK(csrs.write(mcycle, cpu, 5) == Written::stored);
  CHECK(csrs.write(minstret, cpu, 9) == Written::stored);
  const MachineCsrs::CpuState later{sc_core::SC_ZERO_TIME, 1003, 701, 0};
  CHECK(value_of(csrs, mcycle, later) == 8);
  CHECK(value_of(csrs, minstret, later) == 9);

  u64 value = 0;
  CHECK_FALSE(csrs.read(time, cpu, value));
  csrs.set_time_source([](const sc_core::sc_time&) { return u64{42}; });
  CHECK(value_of(csrs, time, cpu) == 42);
}

TEST_CASE("machine csrs: a trap disables interrupts until it is left", "[cpu]") {
  MachineCsrs csrs;
  CHECK_FALSE(csrs.has_handler());
  const bool vectored = GENERATE(false, true);
  (void)csrs.write(mtvec, {}, vectored ? 0x4001 : 0x4000);
  CHECK(csrs.has_handler());
  (void)csrs.write(mstatus, {}, 0x8);
  CHECK(csrs.interrupts_enabled());

  constexpr u64 external_interrupt = u64{1} << 63 | 11, illegal_instruction = 2;
  CHECK(csrs.enter_trap(0x100, external_interrupt, 0) == (vectored ? 0x4000 + 4 * 11 : 0x4000));
  CHECK_FALSE(csrs.interrupts_enabled());
  CHECK(value_of(csrs, mstatus) == 0x1880);  // MPIE: interrupts were enabled
  CHECK(value_of(csrs, mepc) == 0x100);
  CHECK(value_of(csrs, mcause) == external_interrupt);
  CHECK(csrs.leave_trap() == 0x100);
  CHECK(csrs.interrupts_enabled());

  // Exceptions go to the base in both modes.
  CHECK(csrs.enter_trap(0x200, illegal_instruction, 0xffff) == 0x4000);
  CHECK(value_of(csrs, mtval) == 0xffff);
  CHECK(csrs.handler() == 0x4000);
}

TEST_CASE("machine csrs: mconfigptr is 0, and RV64 has only the even pmpcfg registers", "[cpu]") {
  const MachineCsrs csrs;
  constexpr unsigned mconfigptr = 0xf15, pmpcfg1 = 0x3a1, pmpcfg2 = 0x3a2, pmpaddr63 = 0x3ef;
  CHECK(value_of(csrs, mconfigptr) == 0);
  CHECK(value_of(csrs, pmpcfg2) == 0);
  CHECK(value_of(csrs, pmpaddr63) == 0);
  u64 value = 0;
  CHECK_FALSE(csrs.read(pmpcfg1, {}, value));
}

TEST_CASE("machine csrs: entries of the protection keep what the architecture lets them", "[cpu]") {
  MachineCsrs csrs;
  constexpr unsigned pmpcfg0 = 0x3a0, pmpaddr0 = 0x3b0;
  const auto set = [&](unsigned csr, u64 value) {
    CHECK(csrs.write(csr, {}, value) == Written::protection_changed);
    return value_of(csrs, csr);
  };
  // The smallest region is a page: the lowest bit that an address keeps while the entry is off is bit 10.
  CHECK(set(pmpaddr0, ~u64{0}) == 0x003ffffffffffc00);
  CHECK(set(pmpcfg0, 0x18) == 0x18);
  CHECK(value_of(csrs, pmpaddr0) == 0x003fffffffffffff);  // NAPOT: bit 9 was kept, the others read as 1
  CHECK(set(pmpaddr0, 0) == 0x1ff);
  CHECK(set(pmpcfg0, 0x10) == 0x18);  // NA4 is smaller than a page
  CHECK(set(pmpcfg0, 0x02) == 0x00);  // writing without reading is reserved
  CHECK(set(pmpcfg0, 0x67) == 0x07);
  CHECK(set(pmpcfg0, 0x01) == 0x01);
  for (const u64 more : {3, 4, 5}) CHECK(set(pmpcfg0, more) == 0x07);
  CHECK(set(pmpcfg0, 0x06) == 0x00);
  CHECK(set(pmpcfg0, 0x0f0f0f0f0f0f0f0f) == 0x0f0f0f0f);  // four entries

  // Entry 1 is locked, from the address of entry 0 on: both addresses stay.
  set(pmpaddr0, 0x20000000 >> 2);
  set(pmpaddr0 + 1, 0x20002000 >> 2);
  CHECK(set(pmpcfg0, 0x8900) == 0x8900);
  CHECK(set(pmpcfg0, 0) == 0x8900);
  CHECK(set(pmpaddr0, 0) == 0x20000000 >> 2);
  CHECK(set(pmpaddr0 + 1, 0) == 0x20002000 >> 2);

  const PhysicalMemoryProtection& protection = csrs.protection();
  CHECK(protection.in_force());
  CHECK(protection.rights(0x1fffffff) == 7);
  CHECK(protection.rights(0x20000000) == 1);
  CHECK(protection.rights(0x20001fff) == 1);
  CHECK(protection.rights(0x20002000) == 7);
  CHECK_FALSE(protection.allows(0x20001ffc, 8, PhysicalMemoryProtection::write));
  // An entry of a lower number goes first, even if it binds nobody.
  set(pmpcfg0, 0x8900 | 0x18);
  CHECK(protection.rights(0x20000000) == 7);
}

}  // namespace
}  // namespace bvp
