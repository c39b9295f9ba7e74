// SPDX-License-Identifier: Apache-2.0
// The profiler on programs of which every step is known.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <catch2/catch.hpp>
#include <map>
#include <nlohmann/json.hpp>

#include "platform/profile/coverage.h"
#include "platform/profile/firmware_slices.h"
#include "platform/profile/profile_report.h"
#include "platform/profile/profiler.h"
#include "platform/support/seal.h"

namespace {

using namespace bvp;

constexpr u32 addi = 0x00000013, jal_ra = 0x000000ef, jalr_ra = 0x000300e7, ret = 0x00008067, j = 0x0000006f,
              mret = 0x30200073, c_addi = 0x0001, c_ret = 0x8082, c_jalr = 0x9302, branch = 0x00000063;

/// A CPU whose instructions the test steps through: main is at 0x1000, f at 0x2000, g at 0x3000, handler at 0x9000.
struct Cpu {
  std::map<u64, u32> code;
  u64 now = 0, slept = 0, back = 1;
  Profiler profiler{{[this] { return now; }, 10, [this] { return slept; },
                     [this](u64 pc) { return code.count(pc) != 0 ? code[pc] : addi; }, [] { return u64{0x9000}; },
                     [this] { return back; }},
                    [](u64 pc) -> std::string {
                      switch (pc >> 12) {
                        case 1:
                          return fmt::format("main+{:#x}", pc & 0xfff);
                        case 2:
                          return fmt::format("f+{:#x}", pc & 0xfff);
                        case 3:
                          return fmt::format("g+{:#x}", pc & 0xfff);
                        case 9:
                          return "handler+0x0";
                        default:
                          return {};
                      }
                    }};

  /// An instruction that takes the time of an instruction and `more`.
  void step(u64 pc, u32 instruction = addi, u64 more = 0) {
    code[pc] = instruction;
    profiler.step(pc);
    now += 10 + more;
  }
  void trap(u64 from) { back = from; }

  std::string stacks() {
    profiler.finish();
    std::string text;
    for (const auto& row : profiler.stacks()) {
      text += fmt::format("{} {} {};", fmt::join(row.names, ">"), row.self.instructions, row.self.busy);
    }
    return text;
  }
};

}  // namespace

TEST_CASE("profiler: calls and returns, of four bytes and of two", "[profile]") {
  Cpu cpu;
  cpu.step(0x1000);
  cpu.step(0x1004, jal_ra);
  cpu.step(0x2000, c_addi);
  cpu.step(0x2002, c_jalr);
  cpu.step(0x3000);
  cpu.step(0x3004, c_ret);
  cpu.step(0x2004, ret);
  cpu.step(0x1008, jalr_ra);
  cpu.step(0x3000);
  cpu.step(0x3004, c_ret);
  cpu.step(0x100c);
  CHECK(cpu.stacks() == "main 4 40;main>f 3 30;main>f>g 2 20;main>g 2 20;");
  const auto rows = cpu.profiler.functions();
  REQUIRE(rows.size() == 3);
  CHECK(rows[0].name == "main");
  CHECK(rows[0].with_callees.busy == 110);
  for (const auto& row : rows) {
    if (row.name == "g") CHECK(row.calls == 2);
    if (row.name == "f") CHECK(row.with_callees.busy == 50);
  }
}

TEST_CASE("profiler: an observer hears what was left and entered, with traps and calls in the last place",
          "[profile]") {
  Cpu cpu;
  std::string heard;
  cpu.profiler.observe({[&] { heard += ")"; }, [&](const std::string& name) { heard += name + "("; }});
  cpu.code[0x2000] = ret;
  cpu.step(0x1000, jal_ra);
  cpu.step(0x2000, ret);
  cpu.step(0x1004, jal_ra);
  cpu.step(0x2000, ret);  // the same function twice
  cpu.step(0x1008, jal_ra);
  CHECK(heard == "main(f()f()");
  cpu.trap(0x2000);  // at the first instruction of a function: two are entered at once
  cpu.step(0x9000, branch);
  cpu.step(0x9008, mret);
  cpu.step(0x2000, j);
  cpu.step(0x3000, ret);
  CHECK(heard == "main(f()f()f(handler())g(");
  cpu.step(0x100c);
  CHECK(heard == "main(f()f()f(handler())g()");
}

TEST_CASE("slices of firmware: functions nest, and accesses to devices have times", "[profile]") {
  // Loads and stores of 4 bytes by register 10: its value is the address.
  constexpr u32 load = 0x00052583, store = 0x00b52023;
  u64 now = 0, address = 0;
  u32 instruction = addi;
  std::string told;
  const auto sink = [&](const std::string& name, double begin_s, double end_s) {
    told += fmt::format("{} {:.0f}-{:.0f};", name, begin_s, end_s);
  };
  const auto name = [](u64 at, bool write) -> std::string { return at != 0x10 ? "" : write ? "uart.THR" : "uart.RBR"; };
  FirmwareSlices slices({[&] { return now; }, 10, 1, [&](u64) { return instruction; },
                         [&](unsigned index) { return index == 10 ? address : 0; }, [](unsigned) { return u64{0}; }},
                        name, {sink, sink});
  const auto step = [&](u32 code, u64 of_time) {
    instruction = code;
    slices.step(0x1000);
    now += of_time;
  };
  step(addi, 0);
  slices.enter("main");
  step(addi, 20);  // within a run of the engine, and its end
  address = 0x10;
  step(store, 55);
  slices.enter("f");
  step(load, 30);
  address = 0x20;
  step(load, 10);
  slices.leave();
  step(addi, 10);
  slices.finish();
  CHECK(told == "write uart.THR 20-75;read uart.RBR 75-105;f 20-105;main 0-125;");
}

TEST_CASE("profiler: jumps stay, branches stay, jumps into functions replace their caller", "[profile]") {
  Cpu cpu;
  cpu.step(0x1000, branch);
  cpu.step(0x1010, j);
  cpu.step(0x1000, branch);
  cpu.step(0x1004, jal_ra);
  cpu.step(0x2000, j);
  cpu.step(0x3000, ret);
  cpu.step(0x1008);
  CHECK(cpu.stacks() == "main 5 50;main>f 1 10;main>g 1 10;");
}

TEST_CASE("profiler: recursion counts once", "[profile]") {
  Cpu cpu;
  cpu.step(0x1000, jal_ra);
  for (int i = 0; i < 5; ++i) {
    cpu.step(0x2000, branch);
    cpu.step(0x2004, jal_ra);
  }
  cpu.step(0x2000, branch);
  for (int i = 0; i < 6; ++i) cpu.step(0x2008, ret);
  cpu.step(0x1004);
  cpu.profiler.finish();
  for (const auto& row : cpu.profiler.functions()) {
    if (row.name == "f") {
      CHECK(row.calls == 6);
      CHECK(row.self.busy == 170);
      CHECK(row.with_callees.busy == 170);
    }
    if (row.name == "main") CHECK(row.with_callees.busy == 190);
  }
}

TEST_CASE("profiler: a trap calls its handler, wherever it comes", "[profile]") {
  Cpu cpu;
  cpu.code[0x2000] = ret;  // known before it runs
  cpu.step(0x1000);
  cpu.trap(0x1004);  // between two instructions
  cpu.step(0x9000, branch);
  cpu.step(0x9004, jal_ra);
  cpu.step(0x3000, ret);
  cpu.step(0x9008, mret);
  cpu.step(0x1004, jal_ra);
  cpu.trap(0x2000);  // at the first instruction of a function
  cpu.step(0x9000, branch);
  cpu.step(0x9008, mret);
  cpu.step(0x2000, ret);
  cpu.trap(0x1008);  // behind a return
  cpu.step(0x9000, branch);
  cpu.step(0x9008, mret);
  cpu.step(0x1008);
  CHECK(cpu.stacks() == "main 3 30;main>handler 5 50;main>handler>g 1 10;main>f 1 10;main>f>handler 2 20;");
}

TEST_CASE("profiler: an instruction that takes longer counts for its function, and sleep by itself", "[profile]") {
  Cpu cpu;
  cpu.step(0x1000);
  cpu.step(0x1004, jal_ra);
  cpu.step(0x2000, addi, 577);
  cpu.slept += 500;
  cpu.step(0x2004, ret);
  cpu.step(0x1008);
  cpu.profiler.finish();
  Profiler::Cost sum;
  for (const auto& row : cpu.profiler.stacks()) {
    sum += row.self;
    if (row.names.back() == "f") CHECK(row.self.busy + row.self.asleep == 20 + 77 + 500);
  }
  CHECK(sum.busy + sum.asleep == cpu.now);
  CHECK(sum.asleep == 500);
}

TEST_CASE("profiler: stacks without end are bounded", "[profile]") {
  Cpu cpu;
  for (int i = 0; i < 200000; ++i) cpu.step(0x2000 + 4 * (i % 2), jal_ra);
  cpu.profiler.finish();
  Profiler::Cost sum;
  for (const auto& row : cpu.profiler.stacks()) sum += row.self;
  CHECK(sum.instructions == 200000);
  CHECK(sum.busy == cpu.now);
}

TEST_CASE("profiler: the report", "[profile]") {
  Cpu cpu;
  cpu.step(0x1000, jal_ra);
  cpu.step(0x2000, ret, 20);
  cpu.step(0x1004);
  cpu.profiler.finish();
  const ProfileReport report{cpu.profiler, 10, {{"instruction", 3.0}, {"leakage", 5.0}}};
  CHECK(report.folded() == "main 2\nmain;f 3\n");
  const auto json = nlohmann::json::parse(report.json());
  CHECK(json["total"]["cycles"] == 5);
  CHECK(json["total"]["instructions"] == 3);
  double energy = 0;
  for (const auto& row : json["functions"]) energy += row["energy_share"].get<double>();
  CHECK(energy == Approx(1));
  CHECK(json["functions"][0]["name"] == "f");
  CHECK(json["functions"][0]["energy_share"].get<double>() == Approx((3.0 / 3 + 5.0 * 3 / 5) / 8));
  CHECK_THAT(report.table(80), Catch::Contains("f ") && Catch::Contains("60.0"));
}

TEST_CASE("coverage: lines and functions as lcov has them", "[profile]") {
  LineTable table;
  table.files = {"/a.c", "/b.c"};
  table.rows = {{0x10, 0, 3}, {0x14, 0, 4}, {0x18, 0, 3}, {0x20, 1, 9}};
  table.functions = {{"f", 0x10, 0, 2}, {"g", 0x20, 1, 8}};
  Coverage coverage(table);
  for (const u64 pc : {0x10, 0x12, 0x18, 0x18}) coverage.step(pc);
  const std::string text = coverage.lcov();
  CHECK(is_sealed_text(text, Sealed::coverage));
  CHECK(text.substr(text.find('\n') + 1) ==
        "TN:\nSF:/a.c\nFN:2,f\nFNDA:1,f\nFNF:1\nFNH:1\nDA:3,2\nDA:4,0\nLF:2\nLH:1\nend_of_record\n"
        "TN:\nSF:/b.c\nFN:8,g\nFNDA:0,g\nFNF:1\nFNH:0\nDA:9,0\nLF:1\nLH:0\nend_of_record\n");
}
