// SPDX-License-Identifier: Apache-2.0
// A debugger that stops the CPU does not change when anything happens.
#include <catch2/catch.hpp>

#include "test/support/cpu_bench.h"

using namespace bvp;
using namespace bvp::cpu_test;

namespace {

struct Stopper : CpuDebugger {
  explicit Stopper(Cpu& stopped_cpu) : cpu(stopped_cpu) {}
  bool stops_before(u64 pc) override {
    // The instruction that it has stopped before is executed next.
    if (pc == at && !passed) {
      passed = true;
      return false;
    }
    passed = false;
    at = pc;
    return true;
  }
  bool stopped() override {
    places.push_back(cpu.pc());
    cycles.push_back(*cpu.csr(mcycle));
    return places.size() < end;
  }
  void halting(u64) override { ++halts; }

  Cpu& cpu;
  std::vector<u64> places, cycles;
  std::size_t end = ~std::size_t{0};
  unsigned halts = 0;
  u64 at = 1;
  bool passed = false;
};

/// Counts to 40,000, with a store to the device in every 16th round; the handler counts interrupts.
Code program() {
  return set_handler(handler_address) + li(t1, 0x88) + Code{csrw(mie, t1), csrsi(mstatus, 8)} + li(s0, device_base) +
         li(a0, 40000) +
         Code{
             addi(a1, a1, 1),  i_type(0x13, 7, a2, a1, 15),  // andi
             bne(a2, zero, 8), sw(a1, s0, 0),
             addi(a0, a0, -1), bne(a0, zero, -20),
         } +
         finish();
}

struct Outcome {
  std::vector<Access> log;
  u64 instructions, interrupts, end;
};

Outcome run_program(bool stop, std::vector<u64>* places = nullptr, std::vector<u64>* cycles = nullptr) {
  Bench bench;
  Stopper stopper(*bench.cpu);
  if (stop) {
    bench.cpu->set_debugger(&stopper);
    bench.cpu->observe_instructions(true);
  }
  bench.around->place(handler_address, li(t2, device_base) + Code{addi(s0 + 1, s0 + 1, 1), sw(s0 + 1, t2, 8), mret});
  for (unsigned i = 1; i < 20; ++i) {
    bench.lines->script.emplace_back(ns(7001 * i), [&] { bench.timer->write(true); });
    bench.lines->script.emplace_back(ns(7001 * i + 50), [&] { bench.timer->write(false); });
  }
  bench.run(program(), 400);
  if (places != nullptr) *places = stopper.places;
  if (cycles != nullptr) *cycles = stopper.cycles;
  bench.cpu->set_debugger(nullptr);
  return {bench.around->log, bench.cpu->instructions(), bench.cpu->interrupts(), *bench.cpu->csr(mcycle)};
}

}  // namespace

TEST_CASE("debugger: a stop before every instruction changes no time") {
  std::vector<u64> places, cycles;
  const Outcome without = run_program(false), with = run_program(true, &places, &cycles);
  CHECK(with.log == without.log);
  CHECK(with.instructions == without.instructions);
  CHECK(with.interrupts == without.interrupts);
  CHECK(with.end == without.end);
  REQUIRE(without.interrupts > 3);
  REQUIRE(places.size() == with.instructions);
  CHECK(places[0] == ram_base);
  CHECK(places[1] == ram_base + 4);
  CHECK(std::is_sorted(cycles.begin(), cycles.end()));
  CHECK(cycles[1] == cycles[0] + 1);
}

TEST_CASE("debugger: it can end the CPU") {
  Bench bench;
  Stopper stopper(*bench.cpu);
  stopper.end = 5;
  bench.cpu->set_debugger(&stopper);
  bench.cpu->observe_instructions(true);
  bench.run(program());
  CHECK(stopper.places.size() == 5);
  CHECK(bench.cpu->instructions() == 4);
  CHECK_FALSE(bench.cpu->halted());
}

TEST_CASE("debugger: it is told of a halt") {
  Bench bench;
  Stopper stopper(*bench.cpu);
  bench.cpu->set_debugger(&stopper);
  bench.run(Code{nop, ebreak});
  CHECK(stopper.halts == 1);
  CHECK(bench.cpu->halted());
  INFO(bench.halted);
  CHECK(bench.cpu->pc() == ram_base + 4);
}

TEST_CASE("debugger: fence.i and atomics are stopped at once each") {
  Bench bench;
  Stopper stopper(*bench.cpu);
  bench.cpu->set_debugger(&stopper);
  bench.cpu->observe_instructions(true);
  const u32 amomin = 0x8000202f | t1 << 7 | s0 << 15 | t0 << 20;
  const Code code = li(s0, ram_base + 0x100) + Code{fence_i, amomin, fence_i} + finish();
  bench.run(code);
  std::vector<u64> expected;
  for (u64 i = 0; i <= 5; ++i) expected.push_back(ram_base + 4 * i);
  CHECK(stopper.places == expected);
}

TEST_CASE("debugger: a page that is left out is accessed over the bus") {
  Bench bench;
  bench.cpu->access_by_bus(ram_base + 0x2010);
  bench.run(li(s0, ram_base + 0x2000) + li(t0, 77) +
            Code{sw(t0, s0, 0), sw(t0, s0, -8), lw(t1, s0, 0), lw(t2, s0, -8), sw(t0, s0, 0x7fc)} + finish());
  CHECK(bench.x(t1) == 77);
  CHECK(bench.x(t2) == 77);
  CHECK(bench.cpu->bus_accesses() == 3);
}
