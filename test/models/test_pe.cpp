// SPDX-License-Identifier: Apache-2.0
// The Cal unit's static schedule: an operand cannot be used a cycle before its pipeline has it.
#include <algorithm>
#include <catch2/catch.hpp>
#include <vector>

#include "models/pe/cal_unit.h"

namespace {

using namespace bvp;

struct Bench {
  /// Ports enough for everything.
  Bench() {
    parameters.operand_banks = 1;
    parameters.operand_ports = 8;
  }
  ParameterGroup root{"test"};
  PeParameters parameters{&root};

  /// `first` then `second`, which reads its result, each `repeat` times on vectors of their own.
  CalSchedule dependent(Opcode first, Opcode second, u16 repeat, u32 lanes = 32) const {
    Kernel kernel;
    kernel.lanes = lanes;
    kernel.pe_rows = kernel.pe_columns = 1;
    const auto operand = [](Space space, u16 offset) { return space == Space::none ? Operand{} : Operand{0, offset}; };
    const InstructionInfo& one = instruction_info(first);
    const InstructionInfo& two = instruction_info(second);
    kernel.code = {Instruction{first, {0, 64}, operand(one.a, 0), operand(one.b, 32), operand(one.c, 0)}.encode(),
                   Instruction{second, {0, 128}, operand(two.a, 64), operand(two.b, 32), operand(two.c, 0)}.encode()};
    Segment segment;
    segment.unit = Unit::cal;
    segment.instruction_count = 2;
    segment.trips[0] = repeat;
    segment.streams[0].trip_stride[0] = 1;
    kernel.segments = {segment};
    kernel.pe_registers = {{}};
    const SegmentProgram program = make_program(kernel, 0).segments.front();
    return CalUnit(parameters, lanes).schedule(program, program.first);
  }
};

}  // namespace

TEST_CASE("pe: an operand is waited for until its latency is over, and no longer", "[pe]") {
  const Bench bench;
  for (u16 repeat = 1; repeat <= 8; ++repeat) {
    INFO(repeat << " independent instructions between producer and consumer");
    const CalSchedule add = bench.dependent(Opcode::mul, Opcode::add, repeat);
    CHECK(add.issue == u64{2} * repeat);
    CHECK(add.latency == (repeat < 4 ? 4u - repeat : 0u));
    CHECK(add.occupancy == add.issue + add.special + add.latency);
    CHECK(add.completion == add.occupancy - 1 + 4);
    const CalSchedule maximum = bench.dependent(Opcode::max, Opcode::add, repeat);
    CHECK(maximum.latency == (repeat < 2 ? 1u : 0u));
  }
}

TEST_CASE("pe: exchanges of lanes take the time of an addition and are no arithmetic", "[pe]") {
  const Bench bench;
  const CalSchedule schedule = bench.dependent(Opcode::mul, Opcode::thigh, 3);
  CHECK(schedule.latency == 4 - 3);
  CHECK(schedule.completion == schedule.occupancy - 1 + 4);
  CHECK(schedule.shuffles == 3);
  CHECK(schedule.adds == 0);
  CHECK(schedule.operations == 3);  // of the multiplications
  // The distance is no operand in memory.
  CHECK(schedule.vector_reads == 3 * (2 + 2));
  CHECK(schedule.vector_writes == 3 * (1 + 1));
}

TEST_CASE("pe: the special function unit takes lanes / special_divisor lanes a cycle", "[pe]") {
  Bench bench;
  const CalSchedule exponential = bench.dependent(Opcode::exp, Opcode::add, 1);
  // 4 cycles for 32 lanes, the last lanes leave the pipeline 8 + 3 cycles after the issue.
  CHECK(exponential.special == 3);
  CHECK(exponential.latency == 11 - 4);
  // Two issued at 0 and 4, ready at 11 and 15, used at 11 and 15 instead of 8 and 9.
  CHECK(bench.dependent(Opcode::exp, Opcode::add, 2).latency == 3 + 3);
  // Three, ready at 11, 15 and 19, used at 12, 15 and 19.
  CHECK(bench.dependent(Opcode::exp, Opcode::add, 3).latency == 2 + 3);
  CHECK(bench.dependent(Opcode::exp, Opcode::add, 1, 2).special == 1);
  bench.parameters.special_divisor = 1;
  CHECK(bench.dependent(Opcode::exp, Opcode::add, 1).special == 0);
}

namespace {

/// Trips over vectors that lie `stride` apart; stream 0 lower points, 1 upper points, 2 scalars, 3 temporaries.
SegmentProgram layer_of(const std::vector<Instruction>& code, i32 upper, i32 stride) {
  Kernel kernel;
  kernel.lanes = 32;
  kernel.pe_rows = kernel.pe_columns = 1;
  for (const Instruction& instruction : code) kernel.code.push_back(instruction.encode());
  Segment segment;
  segment.unit = Unit::cal;
  segment.instruction_count = static_cast<u8>(code.size());
  segment.trips[0] = 4;
  segment.trips[1] = 2;
  segment.streams[1].base = upper;
  segment.streams[2].base = 200 * 32;
  segment.streams[3].base = 220;
  segment.streams[0].trip_stride = segment.streams[1].trip_stride = {stride, 40};
  segment.streams[2].trip_stride = {1, 4};
  segment.streams[3].trip_stride = {1};
  kernel.segments = {segment};
  kernel.pe_registers = {{}};
  return make_program(kernel, 0).segments.front();
}

std::vector<Instruction> real_layer() {
  return {{Opcode::muls, {3, 0}, {0, 0}, {2, 0}, {}},
          {Opcode::muls, {3, 4}, {0, 0}, {2, 8}, {}},
          {Opcode::fmas, {0, 0}, {1, 0}, {2, 16}, {3, 0}},
          {Opcode::fmas, {1, 0}, {1, 0}, {2, 24}, {3, 4}}};
}

std::vector<Instruction> complex_layer() {
  return {{Opcode::muls, {3, 0}, {1, 0}, {2, 0}, {}},        {Opcode::muls, {3, 4}, {1, 100}, {2, 0}, {}},
          {Opcode::fnmas, {3, 0}, {1, 100}, {2, 8}, {3, 0}}, {Opcode::fmas, {3, 4}, {1, 0}, {2, 8}, {3, 4}},
          {Opcode::sub, {1, 0}, {0, 0}, {3, 0}, {}},         {Opcode::sub, {1, 100}, {0, 100}, {3, 4}, {}},
          {Opcode::add, {0, 0}, {0, 0}, {3, 0}, {}},         {Opcode::add, {0, 100}, {0, 100}, {3, 4}, {}}};
}

}  // namespace

TEST_CASE("pe: layers of butterflies run as one do what their instructions do", "[pe]") {
  const Bench bench;
  const CalUnit cal(bench.parameters, 32);
  struct Layer {
    std::vector<Instruction> code;
    i32 upper, stride;
  };
  for (const Layer& layer : {Layer{real_layer(), 20, 1}, Layer{real_layer(), 1, 2}, Layer{complex_layer(), 20, 1},
                             Layer{complex_layer(), 1, 2}}) {
    const SegmentProgram fused = layer_of(layer.code, layer.upper, layer.stride);
    CHECK((fused.butterflies || fused.complex_butterflies));
    SegmentProgram stepwise = fused;
    stepwise.butterflies = stepwise.complex_butterflies = false;
    OperandMemory one(256, 1, 32), other(256, 1, 32);
    for (i64 i = 0; i < 220 * 32; ++i) {
      // From 0.5 to 2, of both signs.
      one.vector(0)[i] = other.vector(0)[i] = static_cast<u16>(0x3800 + i * 37 % 0x7ff + i % 3 / 2 * 0x8000);
    }
    StreamBases bases{};
    for (std::size_t s = 0; s < streams_per_segment; ++s) bases[s] = fused.streams[s].base;
    cal.execute(fused, bases, one);
    cal.execute(stepwise, bases, other);
    CHECK(std::equal(one.vector(0), one.vector(220), other.vector(0)));
  }
}

TEST_CASE("pe: what only looks like a layer of butterflies is not run as one", "[pe]") {
  CHECK(!layer_of(real_layer(), 2, 1).butterflies);  // upper points that are lower points of a later trip
  CHECK(!layer_of(real_layer(), 20, 0).butterflies);
  CHECK(!layer_of(complex_layer(), 2, 1).complex_butterflies);
  CHECK(!layer_of(complex_layer(), 20, 0).complex_butterflies);
  for (std::size_t changed = 0; changed < 8; ++changed) {
    auto code = complex_layer();
    code[changed].a.offset ^= 1;
    CHECK(!layer_of(code, 20, 1).complex_butterflies);
  }
  auto code = complex_layer();
  code[3].c.offset = 0;
  CHECK(!layer_of(code, 20, 1).complex_butterflies);
}

namespace {

u64 latency_of(const PeParameters& parameters, const Kernel& kernel) {
  const SegmentProgram program = make_program(kernel, 0).segments.front();
  return CalUnit(parameters, kernel.lanes).schedule(program, program.first).latency;
}

}  // namespace

TEST_CASE("pe: a chain of sums into one accumulator is as slow as its latency", "[pe]") {
  const Bench bench;
  Kernel kernel;
  kernel.lanes = 32;
  kernel.pe_rows = kernel.pe_columns = 1;
  kernel.code = {Instruction{Opcode::aadd, {1, 0}, {0, 0}, {}, {}}.encode()};
  Segment segment;
  segment.unit = Unit::cal;
  segment.instruction_count = 1;
  segment.trips[0] = 10;
  segment.streams[0].trip_stride[0] = 1;
  kernel.segments = {segment};
  kernel.pe_registers = {{}};
  CHECK(latency_of(bench.parameters, kernel) == Cycle{9} * 3);
  kernel.segments[0].streams[1].trip_stride[0] = 1;
  CHECK(latency_of(bench.parameters, kernel) == 0);
}
