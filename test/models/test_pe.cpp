// SPDX-License-Identifier: Apache-2.0
// The Cal unit's static schedule: an operand cannot be used a cycle before its pipeline has it.
#include <catch2/catch.hpp>

#include "models/pe/cal_unit.h"

namespace {

using namespace bvp;

struct Bench {
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
    return CalUnit(parameters, lanes).schedule(make_program(kernel, 0).segments.front());
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
  CHECK(CalUnit(bench.parameters, 32).schedule(make_program(kernel, 0).segments.front()).latency == Cycle{9} * 3);
  kernel.segments[0].streams[1].trip_stride[0] = 1;
  CHECK(CalUnit(bench.parameters, 32).schedule(make_program(kernel, 0).segments.front()).latency == 0);
}
