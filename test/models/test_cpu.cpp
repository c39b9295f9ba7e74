// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <chrono>
#include <cstring>
#include <random>
#include <systemc>
#include <vector>

#include "test/support/cpu_bench.h"

using namespace bvp;
using namespace bvp::cpu_test;

namespace {

/// Saves what a trap left behind, then sleeps.
Code reporting_handler() {
  return Code{csrr(a0, mcause), csrr(a1, mepc), csrr(a2, mtval), csrr(a3, mstatus)} + finish();
}

}  // namespace

TEST_CASE("cpu: computes, and counts instructions and time exactly", "[cpu]") {
  Bench bench;
  const Code loop = {addi(a0, zero, 0), addi(a1, zero, 100), r_type(0x33, 0, a0, a0, a1, 0), addi(a1, a1, -1),
                     bne(a1, zero, -8)};
  bench.run(loop + li(t0, device_base) + Code{sw(a0, t0, 0)} + finish());
  CHECK(bench.x(a0) == 5050);
  REQUIRE(bench.around->log.size() == 1);
  CHECK(bench.around->log[0] == Access{ns(2 + 300 + 2), true, 0, 4, 5050});
  CHECK(bench.cpu->instructions() == 2 + 300 + 2 + 1 + 1);
  CHECK(bench.cpu->bus_accesses() == 1);
  CHECK(bench.cpu->sleeping());
  CHECK_FALSE(bench.cpu->halted());
}

TEST_CASE("cpu: multiplication, atomics and compressed instructions", "[cpu]") {
  Bench bench;
  bench.run(li(t0, ram_base + 0x4000) +
            Code{addi(a0, zero, -7), addi(a1, zero, 3), r_type(0x33, 0, a2, a0, a1, 1),  // mul
                 r_type(0x33, 6, a3, a0, a1, 1),                                         // rem
                 sd(a1, t0, 0),                                                          //
                 r_type(0x2f, 3, t1, t0, a0, 0),                                         // amoadd.d: memory 3 - 7
                 r_type(0x2f, 3, t2, t0, zero, 0x08),                                    // lr.d
                 r_type(0x2f, 3, s0, t0, a1, 0x0c),                                      // sc.d
                 0x0001u | 0x0505u << 16,                                                // c.nop, c.addi a0, 1
                 ld(sp, t0, 0)} +
            finish());
  CHECK(static_cast<i64>(bench.x(a2)) == -21);
  CHECK(static_cast<i64>(bench.x(a3)) == -1);
  CHECK(bench.x(t1) == 3);
  CHECK(static_cast<i64>(bench.x(t2)) == -4);
  CHECK(bench.x(s0) == 0);
  CHECK(static_cast<i64>(bench.x(a0)) == -6);
  CHECK(bench.x(sp) == 3);
  CHECK(bench.cpu->instructions() == 2 + 11 + 1);
}

TEST_CASE("cpu: accesses to devices are single transactions of any size at their exact time", "[cpu]") {
  Bench bench;
  bench.around->answer = 0xfedcba9889abcdef;
  bench.run(li(t0, device_base) +
            Code{load(0, a0, t0, 1), load(4, a1, t0, 1), load(1, a2, t0, 2), load(5, a3, t0, 2), lw(t1, t0, 4),
                 load(6, t2, t0, 4), ld(s0, t0, 8), sd(s0, t0, 16), store(0, s0, t0, 3), store(1, s0, t0, 6)} +
            finish());
  CHECK(bench.x(a0) == ~u64{0x10});
  CHECK(bench.x(a1) == 0xef);
  CHECK(bench.x(a2) == ~u64{0x3210});
  CHECK(bench.x(a3) == 0xcdef);
  CHECK(bench.x(t1) == ~u64{0x76543210});
  CHECK(bench.x(t2) == 0x89abcdef);
  CHECK(bench.x(s0) == 0xfedcba9889abcdef);
  const u64 value = bench.around->answer;
  // Each costs its instruction and the device's 20 ns.
  const std::vector<Access> expected = {
      {ns(2), false, 1, 1, value},   {ns(23), false, 1, 1, value},  {ns(44), false, 2, 2, value},
      {ns(65), false, 2, 2, value},  {ns(86), false, 4, 4, value},  {ns(107), false, 4, 4, value},
      {ns(128), false, 8, 8, value}, {ns(149), true, 16, 8, value}, {ns(170), true, 3, 1, 0xef},
      {ns(191), true, 6, 2, 0xcdef},
  };
  CHECK(bench.around->log == expected);
}

TEST_CASE("cpu: compressed accesses to devices", "[cpu]") {
  Bench bench;
  bench.around->answer = 0x80000001;
  // s0 = device; c.lw a0, 4(s0); c.ld a1, 8(s0); c.sw a0, 64(s0); c.sd a1, 16(s0); sp = device;
  // c.lwsp a2, 12(sp); c.ldsp a3, 24(sp); c.swsp a2, 8(sp); c.sdsp a3, 16(sp)
  bench.run(li(s0, device_base) +
            Code{0x4048u | 0x640cu << 16, 0xc028u | 0xe80cu << 16, addi(sp, s0, 0), 0x4632u | 0x66e2u << 16,
                 0xc432u | 0xe836u << 16} +
            finish());
  const auto& log = bench.around->log;
  REQUIRE(log.size() == 8);
  const std::vector<std::tuple<bool, u64, unsigned>> expected = {{false, 4, 4}, {false, 8, 8},  {true, 64, 4},
                                                                 {true, 16, 8}, {false, 12, 4}, {false, 24, 8},
                                                                 {true, 8, 4},  {true, 16, 8}};
  for (std::size_t i = 0; i < log.size(); ++i) {
    CHECK(std::make_tuple(log[i].write, log[i].offset, log[i].bytes) == expected[i]);
  }
  CHECK(bench.x(a0) == 0xffffffff80000001);
  CHECK(bench.x(a1) == 0x80000001);
}

TEST_CASE("cpu: memory without direct access works, but not for instructions and atomics", "[cpu]") {
  Bench bench;
  bench.around->place(handler_address, reporting_handler());
  bench.run(set_handler(handler_address) + li(t0, slow_base) +
            Code{addi(s0, zero, 42), sd(s0, t0, 8), ld(t1, t0, 8), r_type(0x2f, 3, t2, t0, s0, 0)} + finish());
  CHECK(bench.x(t1) == 42);
  CHECK(bench.x(a0) == 7);
  CHECK(bench.x(a2) == slow_base);
}

TEST_CASE("cpu: exceptions become traps at exactly the instruction", "[cpu]") {
  struct Case {
    const char* name;
    Code code;  // the last instruction traps, t1 holds `target`
    u64 target;
    u64 cause;
    u64 value;
  };
  const u64 last_word = ram_base + ram_bytes - 4;
  const std::vector<Case> cases = {
      {"illegal", {illegal}, 0, 2, illegal},
      {"illegal, compressed", {0x00000000}, 0, 2, 0},
      {"floating point", {0x00007053}, 0, 2, 0x00007053},
      {"floating-point load", {0x2188}, 0, 2, 0x2188},
      {"unknown CSR", {csrr(a0, 0x7ff)}, 0, 2, csrr(a0, 0x7ff)},
      {"supervisor CSR", {csrr(a0, 0x180)}, 0, 2, csrr(a0, 0x180)},
      {"write to a read-only CSR", {csrw(mhartid, a0)}, 0, 2, csrw(mhartid, a0)},
      {"time without a source", {csrr(a0, time_csr)}, 0, 2, csrr(a0, time_csr)},
      {"sret", {0x10200073}, 0, 2, 0x10200073},
      {"ecall", {ecall}, 0, 11, 0},
      {"load from nowhere", {lw(a0, t1, 4)}, unmapped, 5, unmapped + 4},
      {"load from nowhere into its base", {ld(t1, t1, 0)}, unmapped, 5, unmapped},
      {"store to nowhere", {sw(a0, t1, 8)}, unmapped, 7, unmapped + 8},
      {"load far away", {addi(t1, zero, -16), ld(a0, t1, 0)}, 0, 5, ~u64{15}},
      {"load of a device, misaligned", {lw(a0, t1, 2)}, device_base, 4, device_base + 2},
      {"store to a device, misaligned", {sd(a0, t1, 4)}, device_base, 6, device_base + 4},
      {"load across the end of RAM", {ld(a0, t1, 0)}, last_word, 4, last_word},
      {"store across the end of RAM", {sd(a0, t1, 0)}, last_word, 6, last_word},
      {"atomic on a device", {r_type(0x2f, 2, a0, t1, a1, 0)}, device_base, 7, device_base},
      {"load reserved on a device", {r_type(0x2f, 2, a0, t1, 0, 0x08)}, device_base, 5, device_base},
      {"atomic, misaligned", {r_type(0x2f, 2, a0, t1, a1, 0)}, ram_base + 0x4001, 6, ram_base + 0x4001},
      {"store to ROM", {sw(a0, t1, 0)}, rom_base, 7, rom_base},
  };
  for (const Case& each : cases) {
    DYNAMIC_SECTION(each.name) {
      Bench bench;
      // What stands around the trapping instruction in the same block must be done before, and not done after.
      const Code before = set_handler(handler_address) + li(t1, each.target) + li(t2, ram_base + 0x4000) +
                          Code{csrsi(mstatus, 8), addi(s0, zero, 5), sd(s0, t2, 0)} + each.code;
      const Code after = {addi(s0, zero, 6), sd(s0, t2, 8), sd(s0, t2, 0)};
      bench.around->place(handler_address, reporting_handler());
      bench.run(before + after);
      CHECK(bench.x(a0) == each.cause);
      CHECK(bench.x(a1) == ram_base + 4 * (before.size() - 1));
      CHECK(bench.x(a2) == each.value);
      CHECK(bench.x(a3) == 0x1880);  // MPP machine, MPIE set, MIE clear
      CHECK(bench.x(s0) == 5);
      CHECK(bench.around->ram[0x4000] == 5);
      CHECK(bench.around->ram[0x4008] == 0);
      CHECK(bench.around->log.empty());
      CHECK(bench.cpu->traps() == 1);
      CHECK(bench.cpu->instructions() == before.size() - 1 + 4 + 1);
    }
  }
}

TEST_CASE("cpu: breakpoints and jumps to nowhere trap", "[cpu]") {
  Bench bench;
  bench.around->place(handler_address, reporting_handler());
  SECTION("ebreak") {
    bench.run(set_handler(handler_address) + Code{nop, ebreak});
    CHECK(bench.x(a0) == 3);
    CHECK(bench.x(a1) == ram_base + 16);
  }
  SECTION("jump") {
    const u64 target = GENERATE(as<u64>{}, unmapped, device_base, slow_base, 0x7ffff000);
    bench.run(set_handler(handler_address) + li(t1, target) + Code{jalr(ra, t1)});
    CHECK(bench.x(a0) == 1);
    CHECK(bench.x(a1) == target);
    CHECK(bench.x(a2) == target);
    CHECK(bench.x(ra) == ram_base + 24);
  }
  SECTION("jump to the last address") {
    bench.run(set_handler(handler_address) + Code{addi(t1, zero, -2), jalr(ra, t1)});
    CHECK(bench.x(a0) == 1);
    CHECK(bench.x(a1) == ~u64{1});
  }
  SECTION("off the end of RAM") {
    bench.around->place(ram_base + ram_bytes - 4, {nop});
    bench.run(set_handler(handler_address) + li(t1, ram_base + ram_bytes - 4) + Code{jalr(ra, t1)});
    CHECK(bench.x(a0) == 1);
    CHECK(bench.x(a1) == ram_base + ram_bytes);
  }
}

TEST_CASE("cpu: a handler goes on behind the instruction", "[cpu]") {
  Bench bench;
  bench.around->place(handler_address, {csrr(t2, mepc), addi(t2, t2, 4), csrw(mepc, t2), addi(s0, s0, 1), mret});
  // Many times at the same place: that is no reason to give up, for the handler returns.
  bench.run(set_handler(handler_address) + li(t1, unmapped) +
            Code{addi(a1, zero, 50), lw(a0, t1, 0), addi(a1, a1, -1), bne(a1, zero, -8)} + finish());
  CHECK(bench.x(s0) == 50);
  CHECK(bench.cpu->traps() == 50);
  CHECK_FALSE(bench.cpu->halted());
}

TEST_CASE("cpu: halts when nothing can handle an exception, and says why", "[cpu]") {
  Bench bench;
  SECTION("no handler") {
    bench.run(li(t1, unmapped) + Code{sd(a0, t1, 16)});
    CHECK_THAT(bench.halted, Catch::Contains("store access fault") && Catch::Contains("pc 0x0000000020000008") &&
                                 Catch::Contains("0x60000010") && Catch::Contains("mtvec is 0"));
  }
  SECTION("handler in unmapped memory") {
    bench.run(set_handler(unmapped) + Code{illegal});
    CHECK_THAT(bench.halted, Catch::Contains("instruction access fault") && Catch::Contains("pc 0x0000000060000000") &&
                                 Catch::Contains("first instruction of the trap handler"));
  }
  SECTION("handler begins with an illegal instruction") {
    bench.around->place(handler_address, {illegal});
    bench.run(set_handler(handler_address) + Code{illegal});
    CHECK_THAT(bench.halted, Catch::Contains("first instruction of the trap handler"));
  }
  SECTION("handler without a stack") {
    bench.around->place(handler_address, {addi(sp, sp, -128), sd(ra, sp, 0), mret});
    bench.run(set_handler(handler_address) + Code{illegal});
    CHECK_THAT(bench.halted, Catch::Contains("keeps trapping"));
  }
  SECTION("reset PC in nowhere") {
    bench.cpu->set_reset_pc(0);
    bench.run({});
    CHECK_THAT(bench.halted, Catch::Contains("instruction access fault"));
  }
  CHECK(bench.cpu->halted());
  CHECK(bench.cpu->halt_reason() == bench.halted);
}

TEST_CASE("cpu: an interrupt wakes it from WFI at once", "[cpu]") {
  Bench bench;
  const sc_time when = ns(12345);
  bench.lines->script = {{when, [&] { bench.external->write(true); }}};
  bench.around->place(
      handler_address,
      li(t0, device_base) + Code{csrr(a0, mcause), csrr(a1, mepc), csrr(a2, mip), sw(a0, t0, 0)} + finish());
  const Code code = set_handler(handler_address) + li(t1, 0x1000) + Code{addi(t1, t1, -0x800), csrw(mie, t1)};
  SECTION("taken when enabled") {
    bench.run(code + Code{csrsi(mstatus, 8), wfi, addi(s0, zero, 1)} + finish());
    CHECK(bench.x(a0) == (u64{1} << 63 | 11));
    CHECK(bench.x(a1) == ram_base + 4 * (code.size() + 2));
    CHECK(bench.x(a2) == 0x800);
    CHECK(bench.x(s0) == 0);
    REQUIRE(bench.around->log.size() == 1);
    CHECK(bench.around->log[0].time == when + ns(1 + 5));  // entry, five instructions
    CHECK(bench.cpu->interrupts() == 1);
    CHECK(bench.cpu->sleep_cycles() >= 12345 - code.size() - 2);
  }
  SECTION("only woken when held back") {
    bench.run(code + Code{wfi} + li(t0, device_base) + Code{sw(zero, t0, 4), csrci(mie, 0)} + Code{jal(zero, 0)});
    REQUIRE(bench.around->log.size() == 1);
    CHECK(bench.around->log[0].time == when + ns(2));
    CHECK(bench.cpu->interrupts() == 0);
  }
  SECTION("sleeps on when masked") {
    bench.run(Code{csrsi(mstatus, 8), wfi, addi(s0, zero, 1)});
    CHECK(bench.x(s0) == 0);
    CHECK(bench.cpu->sleeping());
    bench.cpu->settle();
    CHECK(bench.cpu->sleep_cycles() == 100000 - 2);
    bench.cpu->settle();
    CHECK(bench.cpu->sleep_cycles() == 100000 - 2);
  }
}

TEST_CASE("cpu: a software interrupt goes before that of the timer, and behind an external one", "[cpu]") {
  Bench bench;
  bench.lines->script = {{ns(100), [&] {
                            bench.timer->write(true);
                            bench.software->write(true);
                          }}};
  bench.around->place(handler_address, Code{csrr(a0, mcause), csrr(a1, mip)} + finish());
  bench.run(set_handler(handler_address) + Code{addi(t1, zero, 0x88), csrw(mie, t1), csrsi(mstatus, 8), wfi} +
            finish());
  CHECK(bench.x(a0) == (u64{1} << 63 | 3));
  CHECK(bench.x(a1) == 0x88);
}

TEST_CASE("cpu: locked entries of the protection bind machine mode", "[cpu]") {
  // A page of RAM behind the code, whose rights are the case's.
  struct Case {
    const char* name;
    u64 rights;
    Code access;  // t1 holds the page
    u64 cause;    // 0: it is allowed
  };
  constexpr unsigned pmpcfg0 = 0x3a0, pmpaddr0 = 0x3b0;
  const u64 page = ram_base + 0x10000;
  const u32 amoadd = r_type(0x2f, 2, a0, t1, a1, 0), amomin = r_type(0x2f, 2, a0, t1, a1, 0x40);
  const std::vector<Case> cases = {
      {"load without rights", 0, {ld(a0, t1, 8)}, 5},
      {"store without rights", 0, {sd(a0, t1, 8)}, 7},
      {"jump without rights", 0, {jalr(ra, t1)}, 1},
      {"load of read-only memory", 1, {ld(a0, t1, 8)}, 0},
      {"store to read-only memory", 1, {sd(a0, t1, 8)}, 7},
      {"atomic on read-only memory", 1, {amoadd}, 7},
      {"minimum on read-only memory", 1, {amomin}, 7},
      {"jump to read-only memory", 1, {jalr(ra, t1)}, 1},
      {"store behind a load of read-only memory", 1, {ld(a0, t1, 8), sd(a0, t1, 8)}, 7},
      {"store to memory with all rights", 7, {sd(a0, t1, 8)}, 0},
      {"jump to memory with all rights", 7, {jalr(ra, t1)}, 0},
      {"store behind the page", 0, {lui(t2, 1), r_type(0x33, 0, t1, t1, t2, 0), sd(a0, t1, 0)}, 0},
      {"store before the page", 0, {sd(a0, t1, -8)}, 0}};
  for (const Case& each : cases) {
    DYNAMIC_SECTION(each.name) {
      Bench bench;
      bench.around->place(page, {jalr(zero, ra)});
      bench.around->place(handler_address, Code{csrr(s0, mcause), csrr(a2, mtval)} + finish());
      const Code protect =
          li(t0, page >> 2 | 0x1ff) + Code{csrw(pmpaddr0, t0)} + li(t0, 0x98 | each.rights) + Code{csrw(pmpcfg0, t0)};
      bench.run(set_handler(handler_address) + li(t1, page) + protect + Code{addi(s0, zero, 0)} + each.access +
                finish());
      CHECK(bench.x(s0) == each.cause);
      if (each.cause != 0 && each.cause != 1) CHECK(bench.x(a2) / 4096 == page / 4096);
    }
  }
}

TEST_CASE("cpu: halts at the time to which it has computed", "[cpu]") {
  Bench bench;
  sc_time when;
  const Connection connection = bench.cpu->halts.connect([&](const std::string&) { when = sc_core::sc_time_stamp(); });
  bench.run(Code(1234, addi(a0, a0, 1)) + Code{illegal});
  CHECK(bench.cpu->halted());
  CHECK(when == ns(1234));
}

TEST_CASE("cpu: while it computes an interrupt waits at most a quantum", "[cpu]") {
  const double quantum = GENERATE(100e-9, 1e-6, 10e-6);
  Bench bench([&](CpuParameters& parameters) { parameters.quantum_s = quantum; });
  const sc_time when = ns(20001);
  bench.lines->script = {{when, [&] { bench.timer->write(true); }}};
  bench.around->place(handler_address, li(t0, device_base) + Code{sw(zero, t0, 0)} + finish());
  bench.run(set_handler(handler_address) +
            Code{addi(t1, zero, 0x80), csrw(mie, t1), csrsi(mstatus, 8), addi(s0, s0, 1), jal(zero, -4)});
  REQUIRE(bench.around->log.size() == 1);
  CHECK(bench.around->log[0].time > when);
  CHECK(bench.around->log[0].time <= when + sc_time(quantum, sc_core::SC_SEC) + ns(2 + 4));
}

TEST_CASE("cpu: interrupts are taken as soon as the firmware lets them", "[cpu]") {
  Bench bench;
  bench.lines->script = {{ns(0), [&] {
                            bench.timer->write(true);
                            bench.external->write(true);
                          }}};
  // The handler masks what it served.
  bench.around->place(handler_address, {csrr(t0, mcause), addi(s0, s0, 1), csrr(a3, mstatus), addi(t2, t0, 0),
                                        csrrw(t1, mscratch, t0), csrw(mie, a2), addi(a2, zero, 0), mret});
  const Code code = set_handler(handler_address) +
                    Code{addi(a2, zero, 0x80), lui(t1, 1), addi(t1, t1, -0x780), csrw(mie, t1)} + li(t0, device_base) +
                    Code{lw(zero, t0, 0), csrsi(mstatus, 8)};
  bench.run(code + Code{csrr(a0, mepc), csrr(a1, mstatus)} + finish());
  CHECK(bench.x(s0) == 2);                           // both, one after the other
  CHECK(bench.x(t1) == (u64{1} << 63 | 11));         // external first,
  CHECK(bench.x(t2) == (u64{1} << 63 | 7));          // then the timer,
  CHECK(bench.x(a0) == ram_base + 4 * code.size());  // right behind the instruction that enabled them
  CHECK(bench.x(a1) == 0x1888);
  CHECK(bench.x(a3) == 0x1880);
}

namespace {

/// A device whose line rises and falls in the middle of an access to its registers, three delta cycles late, as lines
/// behind an interrupt controller do.
struct LineDevice : sc_core::sc_module {
  SC_HAS_PROCESS(LineDevice);
  LineDevice(sc_core::sc_module_name name, sc_core::sc_signal<bool>& driven) : sc_module(name), line(driven) {
    SC_THREAD(run);
  }
  void write(bool value, const sc_time& delay) {
    level = value;
    changed.notify(delay);
  }
  void run() {
    for (;;) {
      wait(changed);
      for (int i = 0; i < 3; ++i) wait(sc_core::SC_ZERO_TIME);
      line.write(level);
    }
  }
  sc_core::sc_signal<bool>& line;
  sc_core::sc_event changed;
  bool level = false;
};

}  // namespace

TEST_CASE("cpu: interrupt lines are those of the moment", "[cpu]") {
  // The device is told to raise its line by a write to 0, and to lower it by a write to 8. The line moves when the
  // access is over, or half-way.
  const sc_time when = GENERATE(ns(20), ns(10));
  const double quantum = GENERATE(50e-9, 10e-6);
  Bench bench([&](CpuParameters& parameters) { parameters.quantum_s = quantum; });
  LineDevice device("device", *bench.timer);
  bench.around->on_write = [&](u64 offset, const sc_time& delay) { device.write(offset == 0, delay + when); };
  const Code enable = set_handler(handler_address) + li(t0, device_base) + Code{addi(t1, zero, 0x80), csrw(mie, t1)};
  SECTION("an interrupt whose acknowledge is the handler's last access is taken once") {
    bench.around->place(handler_address, {addi(s0, s0, 1), sw(zero, t0, 8), mret});
    bench.run(enable +
              Code{csrsi(mstatus, 8), addi(a1, zero, 100), sw(zero, t0, 0), addi(a1, a1, -1), bne(a1, zero, -8)} +
              finish());
    CHECK(bench.x(a1) == 0);
    CHECK(bench.x(s0) == 100);
    CHECK(bench.cpu->interrupts() == 100);
  }
  SECTION("it is taken right behind the access that raises it") {
    bench.around->place(handler_address, Code{csrr(a0, mepc), addi(a2, a1, 0), sw(zero, t0, 8), mret});
    const Code code = enable + Code{csrsi(mstatus, 8), sw(zero, t0, 0), addi(a1, zero, 1)};
    bench.run(code + finish());
    CHECK(bench.x(a0) == ram_base + 4 * (code.size() - 1));
    CHECK(bench.x(a2) == 0);
    CHECK(bench.x(a1) == 1);
  }
  SECTION("mip says so behind each access") {
    bench.run(li(t0, device_base) +
              Code{sw(zero, t0, 0), csrr(a0, mip), sw(zero, t0, 8), csrr(a1, mip), sw(zero, t0, 0), csrr(a2, mip)} +
              finish());
    CHECK(bench.x(a0) == 0x80);
    CHECK(bench.x(a1) == 0);
    CHECK(bench.x(a2) == 0x80);
  }
  SECTION("WFI behind the acknowledge sleeps") {
    bench.run(li(t0, device_base) +
              Code{addi(t1, zero, 0x80), csrw(mie, t1), sw(zero, t0, 0), csrr(a0, mip), sw(zero, t0, 8), wfi,
                   addi(s0, zero, 1)} +
              finish());
    CHECK(bench.x(a0) == 0x80);
    CHECK(bench.x(s0) == 0);
    CHECK(bench.cpu->sleeping());
  }
}

TEST_CASE("cpu: an interrupt that the timer foretells comes at its time, whatever the quantum", "[cpu]") {
  for (const bool foretold : {false, true}) {
    Bench bench;
    const sc_time when = ns(20001);
    bench.lines->script = {{when, [&] { bench.timer->write(true); }}};
    if (foretold) {
      bench.cpu->set_timer_forecast([&] { return sc_core::sc_time_stamp() < when ? when : sc_core::sc_max_time(); });
    }
    bench.around->place(handler_address, li(t0, device_base) + Code{sw(zero, t0, 0)} + finish());
    bench.run(set_handler(handler_address) +
              Code{addi(t1, zero, 0x80), csrw(mie, t1), csrsi(mstatus, 8), addi(s0, s0, 1), jal(zero, -4)});
    REQUIRE(bench.around->log.size() == 1);
    CHECK((bench.around->log[0].time <= when + ns(2 + 4)) == foretold);
  }
}

TEST_CASE("cpu: vectored interrupts", "[cpu]") {
  Bench bench;
  bench.lines->script = {{ns(50), [&] { bench.timer->write(true); }}};
  bench.around->place(handler_address + 4 * 7, Code{addi(s0, zero, 9)} + finish());
  bench.run(set_handler(handler_address | 1) + Code{addi(t1, zero, 0x80), csrw(mie, t1), csrsi(mstatus, 8), wfi});
  CHECK(bench.x(s0) == 9);
}

TEST_CASE("cpu: counters", "[cpu]") {
  Bench bench;
  bench.cpu->set_time_source([](const sc_time& now) { return now.value() / 1000; });
  SECTION("count exactly") {
    bench.run(Code{nop, nop, csrr(a0, mcycle), csrr(a1, minstret), csrr(a2, cycle), csrr(a3, instret),
                   csrr(t1, time_csr), nop} +
              li(t0, device_base) + Code{lw(zero, t0, 0), csrr(t2, mcycle), csrr(s0, minstret)} + finish());
    CHECK(bench.x(a0) == 2);
    CHECK(bench.x(a1) == 3);
    CHECK(bench.x(a2) == 4);
    CHECK(bench.x(a3) == 5);
    CHECK(bench.x(t1) == 6);
    CHECK(bench.x(t2) == 11 + 20);
    CHECK(bench.x(s0) == 12);
  }
  SECTION("can be set") {
    bench.run(Code{addi(t0, zero, 1000), csrw(minstret, t0), csrr(a0, minstret), csrw(mcycle, t0), csrr(a1, mcycle)} +
              finish());
    CHECK(bench.x(a0) == 1000);
    CHECK(bench.x(a1) == 1001);
  }
  SECTION("many places that read them") {
    Code code;
    for (int i = 0; i < 600; ++i) code.push_back(csrr(a0, instret));
    bench.run(code + code + finish());
    CHECK(bench.x(a0) == 1199);
  }
  SECTION("cost of an instruction") {
    Bench slow([](CpuParameters& parameters) { parameters.cycles_per_instruction = 2.5; });
    slow.run(Code{nop, nop, nop, nop, csrr(a0, mcycle), csrr(a1, minstret)} + finish());
    CHECK(slow.x(a0) == 10);
    CHECK(slow.x(a1) == 5);
  }
}

TEST_CASE("cpu: control and status registers", "[cpu]") {
  Bench bench;
  bench.run(Code{addi(t0, zero, -1), csrw(mstatus, t0), csrr(a0, mstatus), csrw(mie, t0), csrr(a1, mie), csrw(mepc, t0),
                 csrr(a2, mepc), csrr(a3, misa), csrci(mstatus, 8), csrrw(t1, mscratch, t0), csrrw(t1, mscratch, zero),
                 csrr(t2, mhartid), csrw(misa, zero), csrw(0x3b4, t0), csrr(s0, 0x3b4)} +
            finish());
  CHECK(bench.x(a0) == 0x1888);
  CHECK(bench.x(a1) == 0x888);
  CHECK(bench.x(a2) == ~u64{1});
  CHECK(bench.x(a3) == 0x8000000000001105);
  CHECK(bench.x(t1) == ~u64{0});
  CHECK(bench.x(t2) == 0);
  CHECK(bench.x(s0) == 0);
}

TEST_CASE("cpu: firmware that never ends lets time pass", "[cpu]") {
  Bench bench;
  bench.run({jal(zero, 0)}, 50);
  CHECK(sc_core::sc_time_stamp() == ns(50000));
  CHECK(bench.cpu->instructions() == Approx(50000).margin(10100));
}

TEST_CASE("cpu: code that changes itself", "[cpu]") {
  Bench bench;
  // The second time around, the instruction at `patched` is another one.
  const u64 patched = ram_base + 4 * 4;
  bench.run(li(t0, patched) + li(t1, addi(a0, a0, 16) & ~0xfffu) +
            Code{addi(a0, a0, 1), r_type(0x33, 0, t2, t1, s0, 0), lui(s0, 0), addi(s0, s0, addi(a0, a0, 16) & 0x7ff),
                 r_type(0x33, 0, t2, t1, s0, 0), sw(t2, t0, 0), fence_i, addi(a1, a1, 1), addi(a2, zero, 2),
                 bne(a1, a2, -36)} +
            finish());
  CHECK(bench.x(a1) == 2);
  CHECK(bench.x(a0) == 17);
}

TEST_CASE("cpu: a page holds data, then code, then other code", "[cpu]") {
  Bench bench;
  const u64 page = ram_base + 0x4000;
  const auto put = [](u32 instruction, i64 offset) { return li(t1, instruction) + Code{sw(t1, t0, offset)}; };
  const u32 back = jalr(zero, ra);
  bench.run(li(t0, page) + put(nop, 0) + put(nop, 4) + put(nop, 0) +          // data
            put(addi(a0, a0, 1), 0) + put(back, 4) + Code{jalr(ra, t0)} +     // code
            put(nop, 0x800) + put(nop, 0x804) + Code{jalr(ra, t0)} +          // data beside it
            put(addi(a0, a0, 16), 0) + Code{jalr(ra, t0)} +                   // other code
            put(addi(a0, a0, 0x100), 0) + Code{jalr(ra, t0), jalr(ra, t0)} +  // and again
            li(t0, page + 0x1000) + put(addi(a0, a0, 0x400), 0) + put(back, 4) + Code{jalr(ra, t0)} + put(nop, 0) +
            Code{jalr(ra, t0)} + finish());
  CHECK(bench.x(a0) == 0x400 + 2 * 0x100 + 16 + 2);
}

TEST_CASE("cpu: every store reaches memory", "[cpu]") {
  Bench bench;
  // Through many pages, in steps that cross their ends, twice.
  const u64 first = ram_base + 0x4000, stores = 6000;
  bench.run(Code{addi(a1, zero, 2)} + li(t0, first) + li(t1, first + stores * 12) +
            Code{sd(t0, t0, 0), addi(t0, t0, 12), bne(t0, t1, -8), addi(a1, a1, -1), bne(a1, zero, -32)} + finish());
  for (u64 i = 0; i < stores; ++i) {
    u32 lower = 0;
    std::memcpy(&lower, &bench.around->ram[first - ram_base + i * 12], sizeof lower);
    REQUIRE(lower == static_cast<u32>(first + i * 12));
  }
}

TEST_CASE("cpu: code changed from outside", "[cpu]") {
  Bench bench;
  bench.lines->script = {{ns(20000), [&] {
                            bench.around->place(ram_base, {addi(a0, zero, 2)});
                            bench.cpu->code_changed(ram_base, 4);
                          }}};
  bench.run({addi(a0, zero, 1), jal(zero, -4)});
  CHECK(bench.x(a0) == 2);
}

TEST_CASE("cpu: FENCE.I shows code that another bus master wrote", "[cpu]") {
  // The routine is called, changed from outside, fetched again behind a FENCE.I; and once more with the first code.
  const u32 fence = GENERATE(as<u32>{}, 0x0000100f, 0xffff9f8f);  // reserved fields are ignored
  const u64 routine = ram_base + GENERATE(as<u64>{}, 0x4000, 0x4ffe, 0x180);
  Bench bench;
  const Code first = {addi(a0, zero, 1), jalr(zero, ra)}, second = {addi(a0, zero, 2), jalr(zero, ra)};
  unsigned writes = 0;
  bench.around->on_write = [&](u64, const sc_time&) {
    bench.around->place(routine, ++writes % 2 == 1 ? second : first);
  };
  bench.around->place(routine, first);
  const Code change = Code{sw(zero, t0, 0), fence, jalr(ra, t1)};
  bench.run(li(t0, device_base) + li(t1, routine) + Code{jalr(ra, t1), addi(a1, a0, 0)} + change +
            Code{addi(a2, a0, 0)} + change + Code{addi(a3, a0, 0)} + change + finish());
  INFO("fence " << std::hex << fence << ", routine at " << routine << ' ' << bench.halted);
  CHECK(bench.x(a1) == 1);
  CHECK(bench.x(a2) == 2);
  CHECK(bench.x(a3) == 1);
  CHECK(bench.x(a0) == 2);
  CHECK(bench.cpu->instructions() == 4 + 2 + 3 + 1 + 3 + 1 + 3 + 4 * 2 + 1);
}

TEST_CASE("cpu: FENCE.I drops code that was translated between two changes", "[cpu]") {
  // Without a FENCE.I behind the first change either code may run; behind the last one the last code does.
  Bench bench;
  const u64 page = ram_base + 0x4000;
  unsigned writes = 0;
  bench.around->on_write = [&](u64, const sc_time&) {
    ++writes;
    bench.around->place(page + 0x100, {addi(a0, zero, writes == 1 ? 7 : 1), jalr(zero, ra)});
  };
  bench.around->place(page, {nop, jalr(zero, ra)});
  bench.around->place(page + 0x100, {addi(a0, zero, 1), jalr(zero, ra)});
  bench.run(li(t0, device_base) + li(t1, page) + li(t2, page + 0x100) +
            Code{jalr(ra, t1), sw(zero, t0, 0), jalr(ra, t2), addi(a1, a0, 0), sw(zero, t0, 0), fence_i, jalr(ra, t2)} +
            finish());
  CHECK(bench.x(a1) == 7);
  CHECK(bench.x(a0) == 1);
}

TEST_CASE("cpu: invalidated direct access falls back to the bus", "[cpu]") {
  Bench bench;
  bench.around->place(rom_base, {addi(a0, a0, 1), jal(zero, -4)});
  bench.around->ram_allowed = true;
  bench.lines->script = {{ns(20000), [&] {
                            bench.around->ram_allowed = false;
                            bench.around->socket->invalidate_direct_mem_ptr(ram_base, ram_base + 7);
                          }}};
  // The loop in ROM writes RAM each time.
  bench.around->place(rom_base, {sd(a0, t0, 0), addi(a0, a0, 1), jal(zero, -8)});
  bench.run(li(t0, ram_base + 0x4000) + li(t1, rom_base) + Code{jalr(zero, t1)}, 40);
  CHECK(bench.cpu->bus_accesses() > 1000);
  u64 value = 0;
  std::memcpy(&value, &bench.around->ram[0x4000], sizeof value);
  CHECK(bench.x(a0) - value <= 1);
  CHECK_FALSE(bench.cpu->halted());
}

TEST_CASE("cpu: has direct access from the start to memory that it is told to expect", "[cpu]") {
  for (const bool expected : {false, true}) {
    Bench bench;
    if (expected) bench.cpu->expect_memory(ram_base);
    if (expected) bench.cpu->expect_memory(device_base);  // which grants none
    bench.cpu->set_reset_pc(rom_base);
    bench.around->place(rom_base, li(t0, ram_base) + Code{sd(t0, t0, 0), ld(a0, t0, 0)} + finish());
    bench.run({}, 1);
    CHECK(bench.x(a0) == ram_base);
    CHECK(bench.cpu->bus_accesses() == (expected ? 0 : 2));
  }
}

TEST_CASE("cpu: gives the same result for every quantum", "[cpu]") {
  const auto run = [](double quantum) {
    Bench bench([&](CpuParameters& parameters) { parameters.quantum_s = quantum; });
    bench.run(li(t0, device_base) +
              Code{addi(a1, zero, 300), addi(a2, zero, 40), addi(a2, a2, -1), bne(a2, zero, -4), sw(a1, t0, 0),
                   addi(a1, a1, -1), bne(a1, zero, -20)} +
              finish());
    return bench.around->log;
  };
  const auto log = run(10e-6);
  CHECK(log.size() == 300);
  CHECK(run(1e-9) == log);
  CHECK(run(333e-9) == log);
}

TEST_CASE("cpu: computes exactly after instructions that it must finish itself", "[cpu]") {
  // a2 counts down; every fourth time around a0 gets 1, else 2. Nine instructions then eight.
  const Code loop = {addi(a0, zero, 0), addi(a1, zero, 2000), i_type(0x13, 7, t1, a1, 3),  // andi
                     bne(t1, zero, 12), addi(a0, a0, 1),      jal(zero, 8),
                     addi(a0, a0, 2),   addi(a1, a1, -1),     bne(a1, zero, -24)};
  const Code counter = {csrr(t2, instret)};
  const u32 compressed_float = 0x00012000;  // c.fld with half of a c.nop behind it
  const Code trapping = set_handler(handler_address) + Code{compressed_float};
  for (const Code& before : {counter, trapping}) {
    for (const double quantum : {50e-9, 333e-9, 1e-6, 10e-6}) {
      INFO(before.size() << " instructions before, quantum " << quantum);
      Bench bench([&](CpuParameters& parameters) { parameters.quantum_s = quantum; });
      bench.around->place(handler_address, {csrr(t0, mepc), addi(t0, t0, 4), csrw(mepc, t0), csrr(s0, mcause), mret});
      bench.run(before + loop + Code{addi(a3, a0, 0)} + loop + finish());
      CHECK(bench.x(a0) == 500 + 2 * 1500);
      CHECK(bench.x(a3) == 500 + 2 * 1500);
      CHECK(bench.x(s0) == (before.size() == 1 ? 0 : 2));
      const u64 of_loop = 2 + 500 * 6 + 1500 * 5;
      const u64 handled = before.size() == 1 ? 0 : 5;
      CHECK(bench.cpu->instructions() == (before.size() == 1 ? 1 : 3) + handled + 2 * of_loop + 1 + 1);
    }
  }
}

TEST_CASE("cpu: code that takes the place of an instruction that it must finish itself", "[cpu]") {
  Bench bench;
  const u64 routine = ram_base + 0x4000;
  const auto put = [](u32 instruction) { return li(t1, instruction) + Code{sw(t1, t0, 0), fence_i}; };
  const u32 reads_counter = csrr(a0, instret);
  bench.around->place(routine, {reads_counter, jalr(zero, ra)});
  bench.around->place(handler_address, Code{addi(a3, a3, 1)} + finish());
  bench.run(set_handler(handler_address) + li(t0, routine) + Code{jalr(ra, t0)} + put(addi(a0, zero, 42)) +
            Code{jalr(ra, t0), addi(a1, a0, 0)} + put(lw(a0, t0, 4)) + Code{jalr(ra, t0), addi(a2, a0, 0)} +
            put(reads_counter & 0x7fffffff) + Code{addi(s0, zero, 1)} + finish());
  CHECK(bench.x(a3) == 0);
  CHECK(bench.x(a1) == 42);
  CHECK(bench.x(a2) == jalr(zero, ra));
  CHECK(bench.x(s0) == 1);
}

TEST_CASE("cpu: reserved compressed instructions are illegal", "[cpu]") {
  for (const u32 reserved : {0x8000u, 0x9c41u, 0x9c61u, 0x2000u, 0xa002u}) {
    Bench bench;
    bench.around->place(handler_address, reporting_handler());
    bench.run(set_handler(handler_address) + Code{reserved | 0x00010000} + finish());
    INFO(std::hex << reserved);
    CHECK(bench.x(a0) == 2);
    CHECK(bench.x(a1) == ram_base + 12);
    CHECK(bench.x(a2) == reserved);
  }
  {
    // A page full of them, which the handler goes through.
    Bench bench;
    bench.around->place(handler_address, {csrr(t0, mepc), addi(t0, t0, 2), csrw(mepc, t0), addi(a3, a3, 1), mret});
    bench.run(set_handler(handler_address) + Code(1024, 0x80008000) + finish());
    CHECK(bench.x(a3) == 2048);
  }
  Bench bench;                                                                    // and their neighbours are not
  bench.run(Code{addi(s0, zero, 5), addi(a0, zero, 7), 0x9d018d01u} + finish());  // c.sub a0,s0; c.subw a0,s0
  CHECK(bench.x(a0) == u64(7 - 5 - 5));
}

TEST_CASE("cpu: firmware may leave a handler by a jump that enables interrupts, as often as it likes", "[cpu]") {
  Bench bench;
  bench.around->place(handler_address, {csrsi(mstatus, 8), jalr(zero, s0)});
  bench.run(
      set_handler(handler_address) + li(t1, unmapped) + li(s0, ram_base + 8 * 4) +
      Code{addi(a0, zero, 0), addi(a0, a0, 1), addi(a1, zero, 30), bne(a0, a1, 8), jal(zero, 8), lw(zero, t1, 0)} +
      finish());
  CHECK(bench.halted.empty());
  CHECK(bench.x(a0) == 30);
}

TEST_CASE("cpu: random bytes as firmware neither crash nor stop time", "[cpu]") {
  std::mt19937_64 random(1);
  for (int round = 0; round < 40; ++round) {
    Bench bench;
    for (u8& byte : bench.around->ram) byte = static_cast<u8>(random());
    for (unsigned i = 1; i < 32; ++i) {
      const u64 places[] = {ram_base, device_base, rom_base, slow_base, random(), 0};
      bench.cpu->write_register(i, places[random() % 6] + random() % 0x1000);
    }
    const u64 handler = ram_base + (random() % ram_bytes & ~u64{3});
    bench.run(round % 4 == 0 ? Code{} : set_handler(handler), 200);
    const bool ended = bench.cpu->halted() || sc_core::sc_time_stamp() == sc_time(200, sc_core::SC_US);
    CHECK(ended);
  }
}

TEST_CASE("cpu: random instructions as firmware neither crash nor stop time", "[cpu]") {
  std::mt19937_64 random(2);
  const u32 opcodes[] = {0x03, 0x13, 0x17, 0x1b, 0x23, 0x2f, 0x33, 0x37, 0x3b, 0x63, 0x67, 0x6f, 0x73, 0x0f};
  for (int round = 0; round < 40; ++round) {
    Bench bench;
    // An endless handler that skips what trapped keeps the CPU wandering.
    bench.around->place(handler_address, {csrr(t0, mepc), addi(t0, t0, 4), csrw(mepc, t0), mret});
    for (u64 at = 0x9000; at < ram_bytes; at += 4) {
      bench.around->place(ram_base + at, {static_cast<u32>(random()) << 7 | opcodes[random() % std::size(opcodes)]});
    }
    for (unsigned i = 1; i < 32; ++i) bench.cpu->write_register(i, ram_base + random() % ram_bytes);
    bench.run(set_handler(handler_address) + li(t1, ram_base + 0x10000) + Code{jalr(zero, t1)}, 200);
    const bool ended = bench.cpu->halted() || sc_core::sc_time_stamp() == sc_time(200, sc_core::SC_US);
    CHECK(ended);
  }
}

TEST_CASE("cpu: speed", "[.][bench]") {
  const auto measure = [](const char* name, const Code& code) {
    Bench bench;
    bench.around->place(ram_base, code);
    sc_core::sc_start(sc_time(1, sc_core::SC_MS));
    const auto start = std::chrono::steady_clock::now();
    const u64 before = bench.cpu->instructions();
    for (double seconds = 0; seconds < 1;) {
      sc_core::sc_start(sc_time(10, sc_core::SC_MS));
      seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    WARN(name << ": " << static_cast<double>(bench.cpu->instructions() - before) / seconds / 1e6 << " MIPS, "
              << static_cast<double>(bench.cpu->bus_accesses()) / seconds / 1e6 << " M device accesses/s");
  };
  const Code add(14, addi(a0, a0, 1));
  measure("blocks of 16 instructions", add + Code{nop, jal(zero, -60)});
  measure("blocks of 4 instructions", {addi(a0, a0, 1), nop, nop, jal(zero, -12)});
  measure("loads",
          li(t0, ram_base + 0x4000) + Code{lw(a0, t0, 0), addi(a1, a0, 1), lw(a2, t0, 8), nop, jal(zero, -16)});
  measure("stores", li(t0, ram_base + 0x4000) + Code{sw(a0, t0, 0), addi(a1, a0, 1), nop, nop, jal(zero, -16)});
  measure("device accesses", li(t0, device_base) + Code{sw(a0, t0, 0), jal(zero, -4)});
}
