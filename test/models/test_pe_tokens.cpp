// SPDX-License-Identifier: Apache-2.0
// A PE alone: segments start in the cycle in which their tokens and their unit are there, not one earlier or later.
#include <catch2/catch.hpp>
#include <map>

#include "test/support/pe_bench.h"

namespace {

using namespace bvp;
using bvp::test::PeBench;
using bvp::test::PeBenchConfig;

/// Kernels for one PE, written by hand. Every segment has one instruction with `count` trips over consecutive slots.
class Program {
 public:
  explicit Program(u32 pes = 1) {
    kernel_.lanes = 32;
    kernel_.pe_rows = 1;
    kernel_.pe_columns = pes;
    kernel_.pe_registers.resize(pes);
  }

  u16 load(unsigned scope, u16 count, i32 address = 0, i32 slot = 0, unsigned tag = 0) {
    return add(Unit::load, scope, tag, {Opcode::ld, {0, 0}, {1, 0}, {}, {}}, count, {slot, address}, {1, 64});
  }
  u16 store(unsigned scope, u16 count, i32 address = 0, i32 slot = 0) {
    return add(Unit::store, scope, 0, {Opcode::st, {1, 0}, {0, 0}, {}, {}}, count, {slot, address}, {1, 64});
  }
  u16 cal(unsigned scope, u16 count, i32 slot = 0) {
    return add(Unit::cal, scope, 0, {Opcode::add, {0, 0}, {0, 0}, {0, 0}, {}}, count, {slot, 0}, {1, 0});
  }
  u16 send(unsigned scope, u16 count, i32 slot = 0) {
    return add(Unit::flow, scope, 0, {Opcode::send, {1, 0}, {0, 0}, {0, 1}, {}}, count, {slot, slot}, {1, 1});
  }
  Program& data(u16 from, u16 to, unsigned mask = 0) { return edge(from, to, EdgeKind::data, 0, mask); }
  Program& space(u16 from, u16 to, unsigned initial) { return edge(from, to, EdgeKind::space, initial, 0); }
  Segment& segment(u16 index) { return kernel_.segments[index]; }
  Kernel& kernel() { return kernel_; }

 private:
  u16 add(Unit unit, unsigned scope, unsigned tag, const Instruction& instruction, u16 count, std::array<i32, 2> bases,
          std::array<i32, 2> strides) {
    Segment segment;
    segment.unit = unit;
    segment.scope = static_cast<u8>(scope);
    segment.tag = static_cast<u8>(tag);
    segment.first_instruction = static_cast<u16>(kernel_.code.size());
    segment.instruction_count = 1;
    segment.trips[0] = count;
    for (std::size_t s = 0; s < 2; ++s) {
      segment.streams[s].base = bases[s];
      segment.streams[s].trip_stride[0] = strides[s];
    }
    kernel_.code.push_back(instruction.encode());
    kernel_.segments.push_back(segment);
    return static_cast<u16>(kernel_.segments.size() - 1);
  }
  Program& edge(u16 from, u16 to, EdgeKind kind, unsigned initial, unsigned mask) {
    Edge edge;
    edge.from = from;
    edge.to = to;
    edge.kind = kind;
    edge.initial = static_cast<u8>(initial);
    edge.peer_mask = static_cast<u8>(mask);
    kernel_.edges.push_back(edge);
    return *this;
  }

  Kernel kernel_;
};

struct Fixture {
  explicit Fixture(Program& program, const PeBenchConfig& config = {}) : bench("bench", config) {
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
    REQUIRE(bench.configure(program.kernel()));
  }
  SimulationContext context;
  PeBench bench;

  void check_accounts() {
    bench.pe.settle();
    for (const char* unit : unit_names) {
      INFO(unit);
      CHECK(bench.accounted(unit) == bench.clock.now());
    }
  }
};

}  // namespace

TEST_CASE("pe: a segment starts with its operands' arrival and ends with its results", "[pe]") {
  for (const Cycle latency : {Cycle{1}, Cycle{10}, Cycle{11}}) {
    for (const u16 count : {u16{1}, u16{4}, u16{7}}) {
      Program program;
      const u16 load = program.load(1, count), cal = program.cal(1, count), store = program.store(1, count);
      program.data(load, cal).data(cal, store);
      PeBenchConfig config;
      config.memory_latency = latency;
      Fixture fixture(program, config);
      REQUIRE(fixture.bench.launch({1, 1, 1, 1}));
      fixture.bench.run();
      INFO("latency " << latency << ", " << count << " vectors");
      REQUIRE(fixture.bench.memory.size() == 2);
      CHECK(fixture.bench.memory[0].at == 0);
      // The last vector is there at count - 1 + latency; the last of `count` additions is issued count - 1 cycles
      // later and 4 cycles long.
      const Cycle operands = count - 1u + latency;
      CHECK(fixture.bench.memory[1].at == operands + (count - 1u) + 4);
      REQUIRE(fixture.bench.completions.size() == 1);
      CHECK(fixture.bench.completions[0].at == fixture.bench.memory[1].at + count - 1 + latency);
      CHECK(fixture.bench.completions[0].status == 0);
      CHECK(fixture.bench.counter("cal", "wait_load") == operands);
      fixture.check_accounts();
    }
  }
}

TEST_CASE("pe: a kernel that waits for ever is stopped, and another one runs", "[pe]") {
  Program waiting(2);
  const u16 load = waiting.load(1, 4), cal = waiting.cal(1, 4);
  waiting.data(load, cal).data(load, cal, 1);  // the token of a PE that never sends
  for (const Cycle after : {Cycle{1}, Cycle{7}, Cycle{1000}}) {
    INFO("after " << after << " cycles");
    Fixture fixture(waiting);
    REQUIRE(fixture.bench.launch({3, 1, 1, 1}));
    REQUIRE(fixture.bench.launch({3, 1, 1, 1}));
    fixture.bench.run(after);
    CHECK_FALSE(fixture.bench.pe.pending().empty());
    CHECK(fixture.bench.stop());
    CHECK(fixture.bench.pe.pending().empty());
    CHECK_FALSE(fixture.bench.launch({1, 1, 1, 1}));
    fixture.bench.run(100);
    CHECK(fixture.bench.completions.empty());
    fixture.check_accounts();

    Program program;
    program.data(program.load(1, 4), program.cal(1, 4));
    REQUIRE(fixture.bench.configure(program.kernel()));
    REQUIRE(fixture.bench.launch({2, 1, 1, 1}));
    fixture.bench.run();
    REQUIRE(fixture.bench.completions.size() == 1);
    CHECK(fixture.bench.completions[0].status == 0);
    fixture.check_accounts();
  }
}

TEST_CASE("pe: a unit takes the next segment in the cycle in which it is free", "[pe]") {
  for (const u16 count : {u16{1}, u16{5}}) {
    Program program;
    program.load(1, count, 0x1000, 0);
    program.load(1, 3, 0x2000, 16);
    Fixture fixture(program);
    REQUIRE(fixture.bench.launch({1, 1, 1, 1}));
    fixture.bench.run();
    REQUIRE(fixture.bench.memory.size() == 2);
    CHECK(fixture.bench.memory[1].at == fixture.bench.memory[0].at + count);
    fixture.check_accounts();
  }
}

TEST_CASE("pe: space is free when its reader is done", "[pe]") {
  for (const unsigned buffers : {1u, 2u}) {
    Program program;
    const u16 load = program.load(1, 4), cal = program.cal(1, 4);
    program.data(load, cal).space(cal, load, buffers);
    Fixture fixture(program);
    REQUIRE(fixture.bench.launch({3, 1, 1, 1}));
    fixture.bench.run();
    REQUIRE(fixture.bench.memory.size() == 3);
    const auto start = [&](std::size_t i) { return fixture.bench.memory[i].at; };
    // Load 3 + 10 cycles to the last operand, Cal 3 + 4 to the last result.
    if (buffers == 1) {
      CHECK(start(1) == 13 + 7);
      CHECK(start(2) == 2 * (13 + 7));
    } else {
      CHECK(start(1) == 4);
      CHECK(start(2) == 13 + 7);
    }
    CHECK((fixture.bench.counter("load", "wait_space") > 0));
    fixture.check_accounts();
  }
}

TEST_CASE("pe: the smaller layer goes first, equal ones take turns", "[pe]") {
  Program program;
  program.load(1, 2, 0x3000, 0, 2);
  program.load(1, 2, 0x1000, 8, 1);
  program.load(1, 2, 0x2000, 16, 1);
  Fixture fixture(program);
  REQUIRE(fixture.bench.launch({2, 1, 1, 1}));
  fixture.bench.run();
  std::vector<u32> order;
  for (const auto& transfer : fixture.bench.memory) order.push_back(transfer.addresses.front());
  CHECK(order == std::vector<u32>{0x1000, 0x2000, 0x1000, 0x2000, 0x3000, 0x3000});
  fixture.check_accounts();
}

TEST_CASE("pe: an edge between scopes carries a token per outer iteration", "[pe]") {
  Program program;
  const u16 load = program.load(1, 2), cal = program.cal(2, 2), store = program.store(1, 2);
  program.data(load, cal).data(cal, store).space(store, load, 1);
  Fixture fixture(program);
  REQUIRE(fixture.bench.launch({2, 3, 1, 1}));
  fixture.bench.run();
  // Per outer iteration one load, three Cal firings back to back and one store behind the last of them.
  REQUIRE(fixture.bench.memory.size() == 4);
  CHECK(fixture.bench.counter("cal", "instructions") == 2 * 3 * 2);
  CHECK(fixture.bench.memory[1].write);
  CHECK(fixture.bench.memory[1].at == 11 + 2 * 2 + 1 + 4);
  CHECK(!fixture.bench.memory[2].write);
  CHECK(fixture.bench.memory[2].at == fixture.bench.memory[1].at + 1 + 10);
  fixture.check_accounts();
}

TEST_CASE("pe: contexts rotate through the operand memory", "[pe]") {
  Program program(2);
  const u16 load = program.load(1, 2), send = program.send(1, 2, 40);
  program.data(load, send);
  Stream& slots = program.segment(send).streams[1];
  slots.rotation_scope = 1;
  slots.rotation_depth = 3;
  slots.rotation_stride = 5;
  slots.instance_stride[0] = 30;
  Fixture fixture(program);
  REQUIRE(fixture.bench.launch({4, 1, 1, 1}));
  fixture.bench.run();
  REQUIRE(fixture.bench.packets.size() == 4);
  for (u32 i = 0; i < 4; ++i) {
    const u32 first = 40 + i % 3 * 5 + i * 30;
    CHECK(fixture.bench.packets[i].addresses == std::vector<u32>{first, first + 1});
  }
}

TEST_CASE("pe: the token of a flow comes with its last vector", "[pe]") {
  for (const Cycle delay : {Cycle{30}, Cycle{31}}) {
    Program program(2);
    const u16 load = program.load(1, 2, 0, 0), send = program.send(1, 2, 0), cal = program.cal(1, 2, 8),
              store = program.store(1, 2, 0, 8);
    program.data(load, send).data(send, cal, 1).data(cal, store);
    Fixture fixture(program);
    REQUIRE(fixture.bench.launch({1, 1, 1, 1}));
    // The second packet carries the token: the first alone starts nothing.
    REQUIRE(fixture.bench.arrive(FlowPacket::no_edge, {8}, 5));
    REQUIRE(fixture.bench.arrive(1, {9}, delay));
    fixture.bench.run();
    REQUIRE(fixture.bench.packets.size() == 1);
    CHECK(fixture.bench.packets[0].at == 11);
    CHECK(fixture.bench.packets[0].edge == 1);
    REQUIRE(fixture.bench.memory.size() == 2);
    CHECK(fixture.bench.memory[1].at == delay + 1 + 4);
    CHECK(fixture.bench.counter("cal", "wait_flow") == delay);
    fixture.check_accounts();
  }
}

TEST_CASE("pe: a token does not overtake vectors of its sender that wait for a port", "[pe]") {
  Program program(2);
  const u16 send = program.send(1, 1, 40), store = program.store(1, 2, 0, 8);
  program.data(send, store, 1);
  PeBenchConfig config;
  config.pe.operand_ports = 1;
  config.pe.operand_bank_hash = false;
  Fixture fixture(program, config);
  REQUIRE(fixture.bench.launch({1, 1, 1, 1}));
  // Two packets of four vectors for bank 0, written in cycles 18 to 25, one for bank 1 with the token.
  REQUIRE(fixture.bench.arrive(FlowPacket::no_edge, {100, 104, 108, 112}, 22));
  REQUIRE(fixture.bench.arrive(FlowPacket::no_edge, {116, 120, 124, 128}, 22));
  REQUIRE(fixture.bench.arrive(0, {101}, 23));
  fixture.bench.run();
  REQUIRE(fixture.bench.memory.size() == 1);
  CHECK(fixture.bench.memory[0].at == 26);
}

TEST_CASE("pe: weights are loaded once per launch, and not again where they are resident", "[pe]") {
  Program program;
  const u16 weights = program.load(0, 3, 0x4000, 20), load = program.load(1, 2), cal = program.cal(1, 2);
  program.data(weights, cal).data(load, cal).space(cal, load, 2).space(cal, weights, 1);
  Fixture fixture(program);
  const auto weight_loads = [&] {
    std::size_t count = 0;
    for (const auto& transfer : fixture.bench.memory) count += transfer.addresses.front() == 0x4000 ? 1 : 0;
    return count;
  };
  REQUIRE(fixture.bench.launch({4, 1, 1, 1}));
  fixture.bench.run();
  CHECK(weight_loads() == 1);
  REQUIRE(fixture.bench.launch({4, 1, 1, 1}, command_flag_resident));
  REQUIRE(fixture.bench.launch({2, 1, 1, 1}, command_flag_resident));
  fixture.bench.run();
  CHECK(weight_loads() == 1);
  REQUIRE(fixture.bench.launch({1, 1, 1, 1}));
  fixture.bench.run();
  CHECK(weight_loads() == 2);
  REQUIRE(fixture.bench.completions.size() == 4);
  for (u32 i = 0; i < 4; ++i) CHECK(fixture.bench.completions[i].number == i + 1);
  CHECK(fixture.bench.counter("cal", "instructions") == (4 + 4 + 2 + 1) * 2);
  fixture.check_accounts();
}

TEST_CASE("pe: a launch that is queued begins while the one before drains", "[pe]") {
  Program program;
  const u16 load = program.load(1, 4), cal = program.cal(1, 4), store = program.store(1, 4);
  program.data(load, cal).data(cal, store).space(store, load, 2);
  Fixture fixture(program);
  REQUIRE(fixture.bench.launch({1, 1, 1, 1}));
  REQUIRE(fixture.bench.launch({1, 1, 1, 1}));
  fixture.bench.run();
  REQUIRE(fixture.bench.memory.size() == 4);
  CHECK(fixture.bench.memory[1].at == 4);  // the second launch's load, right behind the first's
  REQUIRE(fixture.bench.completions.size() == 2);
  CHECK(fixture.bench.completions[0].at < fixture.bench.completions[1].at);
  fixture.check_accounts();
}

TEST_CASE("pe: PEs take their share of the iterations", "[pe]") {
  // 10 iterations, every third from 1 on: 1, 4, 7. From 12 on: none, the launch completes at once.
  for (const auto& [start, expected] : {std::pair<i32, std::size_t>{1, 3}, {0, 4}, {9, 1}, {12, 0}}) {
    Program program;
    const u16 load = program.load(1, 1);
    program.segment(load).streams[1].instance_stride[0] = 0x1000;
    program.kernel().pe_registers[0] = {start};
    program.kernel().levels[0] = {1, 3};
    Fixture fixture(program);
    REQUIRE(fixture.bench.launch({10, 1, 1, 1}));
    fixture.bench.run();
    REQUIRE(fixture.bench.memory.size() == expected);
    for (std::size_t i = 0; i < expected; ++i) {
      CHECK(fixture.bench.memory[i].addresses.front() == 0x1000 * (static_cast<u32>(start) + 3 * i));
    }
    CHECK(fixture.bench.completions.size() == 1);
    fixture.check_accounts();
  }
}

TEST_CASE("pe: a wild kernel or command is an error, not a crash", "[pe]") {
  SECTION("a stream outside of the operand memory") {
    Program program;
    program.load(1, 2, 0, 255);
    Fixture fixture(program);
    REQUIRE(fixture.bench.launch({1, 1, 1, 1}));
    fixture.bench.run();
    REQUIRE(fixture.bench.completions.size() == 1);
    CHECK(fixture.bench.completions[0].status != 0);
    CHECK(fixture.bench.pe.error().find("outside of the operand memory") != std::string::npos);
    CHECK_FALSE(fixture.bench.launch({1, 1, 1, 1}));
  }
  SECTION("a launch without a kernel, with a count of 0, and images that are none") {
    const SimulationContext context;
    PeBench bench("bench", {});
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
    CHECK_FALSE(bench.launch({1, 1, 1, 1}));
    Program program;
    program.load(1, 1);
    std::vector<u8> image = program.kernel().encode();
    CHECK_FALSE(bench.configure(std::vector<u8>(image.begin(), image.end() - 1)));
    CHECK_FALSE(bench.configure(std::vector<u8>{1, 2, 3}));
    for (std::size_t byte = 0; byte < image.size(); ++byte) {
      std::vector<u8> wrong = image;
      wrong[byte] ^= 0xff;
      bench.configure(wrong);  // whatever it says: no crash
    }
    CHECK(bench.configure(image));
    CHECK_FALSE(bench.launch({0, 1, 1, 1}));
    CHECK(bench.launch({1, 1, 1, 1}));
    bench.run();
    CHECK(bench.completions.size() == 1);
  }
  SECTION("two data edges from a flow to one peer") {
    Program program(2);
    const u16 load = program.load(1, 2), send = program.send(1, 2), cal = program.cal(1, 2), other = program.cal(1, 2);
    program.data(load, send).data(send, cal, 1).data(send, other, 1);
    const SimulationContext context;
    PeBench bench("bench", {});
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
    CHECK_FALSE(bench.configure(program.kernel()));
  }
  SECTION("packets that make no sense") {
    Program program(2);
    const u16 load = program.load(1, 2), send = program.send(1, 2), cal = program.cal(1, 2);
    program.data(load, send).data(send, cal, 1);
    Fixture fixture(program);
    REQUIRE(fixture.bench.launch({1, 1, 1, 1}));
    fixture.bench.run(1);  // the kernel is active
    CHECK_FALSE(fixture.bench.arrive(99, {0}, 0));
    CHECK_FALSE(fixture.bench.arrive(1, {256}, 0));
    CHECK(fixture.bench.arrive(1, {255}, 0));
  }
}

TEST_CASE("pe: in no cycle more ports of an operand bank are used than there are, whoever uses them", "[pe]") {
  const auto banks = GENERATE(1, 4), ports = GENERATE(1, 2, 8);
  Program program(2);
  const u16 load = program.load(1, 13), cal = program.cal(1, 40, 3), send = program.send(1, 11, 5);
  const u16 store = program.store(1, 9, 0, 7);
  program.data(load, cal).data(cal, send).data(cal, store).space(cal, load, 2).space(send, cal, 1).space(store, cal, 1);
  PeBenchConfig config;
  config.pe.operand_banks = banks;
  config.pe.operand_ports = ports;
  Fixture fixture(program, config);
  std::map<std::pair<u32, Cycle>, i64> used;
  u64 total = 0;
  const Connection connection = fixture.bench.pe.ports_taken().connect([&](u32 bank, Cycle cycle, u32 count) {
    CHECK(bank < static_cast<u32>(banks));
    used[{bank, cycle}] += count;
    total += count;
  });
  REQUIRE(fixture.bench.launch({40, 1, 1, 1}));
  for (u16 step = 0; step < 60; ++step) {
    fixture.bench.run(17);
    // Vectors of another PE: neighbours, and all for one bank.
    std::vector<u16> slots;
    for (u16 i = 0; i < 6; ++i) slots.push_back(static_cast<u16>(100 + step + i * (step % 2 == 0 ? 1 : 5)));
    REQUIRE(fixture.bench.arrive(FlowPacket::no_edge, slots, 6 + step % 5));
  }
  fixture.bench.run(100000);
  REQUIRE(fixture.bench.completions.size() == 1);
  for (const auto& [where, count] : used) REQUIRE(count <= ports);
  // Every access takes a port; the additions read one vector as both operands.
  u64 reads = 0, writes = 0;
  for (const Counter* counter : fixture.bench.pe.statistics().counters()) {
    if (counter->name() == "operand_read") reads = counter->value();
    if (counter->name() == "operand_write") writes = counter->value();
  }
  CHECK(total == reads - 40 * 40 + writes);
  CHECK(writes == 40 * (13 + 40) + 60 * 6);
  fixture.check_accounts();
}
