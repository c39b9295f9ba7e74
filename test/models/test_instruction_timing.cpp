// SPDX-License-Identifier: Apache-2.0
// What instructions cost in time: the same for the Cal unit and for the compiler.
#include <catch2/catch.hpp>
#include <vector>

#include "models/isa/timing.h"
#include "models/pe/cal_unit.h"

namespace {

using namespace bvp;

struct Parameters : ParameterGroup {
  Parameters() : ParameterGroup("test") {}
  PeParameters pe{this};
};

std::vector<const InstructionInfo*> cal_instructions() {
  std::vector<const InstructionInfo*> all;
  for (unsigned opcode = 0; opcode < 64; ++opcode) {
    const InstructionInfo* info = instruction_info(opcode);
    if (info != nullptr && info->unit == Unit::cal) all.push_back(info);
  }
  return all;
}

/// One instruction on trip level 0; the destination of stream 0, which steps by `stride`, the operands far from it.
Kernel kernel_of(const InstructionInfo& info, u16 trips, i32 stride) {
  const auto operand = [](Space space, u16 offset) {
    if (space == Space::none) return Operand{};
    return is_immediate(space) ? Operand{0, 4} : Operand{1, offset};
  };
  Kernel kernel;
  kernel.lanes = 32;
  kernel.pe_rows = kernel.pe_columns = 1;
  kernel.code = {
      Instruction{info.opcode, {0, 0}, operand(info.a, 500), operand(info.b, 1000), operand(info.c, 1500)}.encode()};
  Segment segment;
  segment.unit = Unit::cal;
  segment.instruction_count = 1;
  segment.trips[0] = trips;
  segment.streams[0].trip_stride[0] = stride;
  segment.streams[1].base = 10000;
  kernel.segments = {segment};
  kernel.pe_registers = {{}};
  return kernel;
}

CalSchedule schedule_of(const Parameters& parameters, const Kernel& kernel) {
  return CalUnit(parameters.pe, kernel.lanes).schedule(make_program(kernel, 0).segments.front());
}

}  // namespace

TEST_CASE("instruction timing: latencies and slots are the parameters of the PE", "[isa]") {
  Parameters parameters;
  parameters.pe.cal_latency = 6;
  parameters.pe.max_latency = 3;
  parameters.pe.special_latency = 9;
  parameters.pe.special_divisor = 8;
  const CalTiming timing = cal_timing(parameters.pe, 32);
  CHECK(timing.latency(Timing::simple) == 6);
  CHECK(timing.latency(Timing::maximum) == 3);
  CHECK(timing.latency(Timing::special) == 9 + 8 - 1);
  CHECK(timing.slots(Timing::simple) == 1);
  CHECK(timing.slots(Timing::maximum) == 1);
  CHECK(timing.slots(Timing::special) == 8);
  // The special function unit serves one lane a cycle at least.
  CHECK(cal_timing(parameters.pe, 4).slots(Timing::special) == 4);
}

TEST_CASE("instruction timing: a result can be read when its latency is over", "[isa]") {
  const CalTiming timing;
  IssueSchedule issues(timing);
  const IssueSchedule::Place first{Space::vector, 1}, second{Space::vector, 2}, sum{Space::accumulator, 1};
  CHECK(issues.issue(Timing::simple, first) == 0);
  issues.read(sum);  // an accumulator of the same number is another place
  CHECK(issues.issue(Timing::special, second) == 0);
  CHECK(issues.occupancy() == 1 + 4);
  issues.read(first);
  CHECK(issues.issue(Timing::maximum, sum) == 0);
  // The special function was issued in cycle 1 and is there in cycle 1 + 11; the unit was free in cycle 6.
  issues.read(second);
  CHECK(issues.issue(Timing::simple, first) == 12 - 6);
  CHECK(issues.issued() == 4);
  CHECK(issues.occupancy() == 13);
  CHECK(issues.completion() == 12 + 4);
}

TEST_CASE("instruction timing: the compiler's estimate is the schedule, but for the last latency", "[isa]") {
  constexpr u16 trips = 64;
  Parameters parameters;
  const bool slow = GENERATE(false, true);
  if (slow) {
    parameters.pe.cal_latency = 7;
    parameters.pe.max_latency = 5;
    parameters.pe.special_divisor = 16;
  }
  const CalTiming timing = cal_timing(parameters.pe, 32);
  for (const InstructionInfo* info : cal_instructions()) {
    for (const i32 stride : {0, 1}) {
      INFO(info->name << ", stride " << stride);
      const Kernel kernel = kernel_of(*info, trips, stride);
      const CalSchedule schedule = schedule_of(parameters, kernel);
      const auto estimate =
          trips * issue_interval(timing, kernel.segments.front(), *Instruction::decode(kernel.code.front()));
      CHECK(estimate >= schedule.occupancy);
      CHECK(estimate < schedule.occupancy + timing.latency(info->timing));
      CHECK(schedule.occupancy == schedule.issue + schedule.special + schedule.latency);
      // A sum waits for itself, independent results do not.
      const bool waits = stride == 0 && adds_to_destination(*info);
      CHECK((schedule.latency > 0) == waits);
    }
  }
}

TEST_CASE("instruction timing: every lane that computes is priced, in one class", "[isa]") {
  const Parameters parameters;
  for (const InstructionInfo* info : cal_instructions()) {
    INFO(info->name);
    const CalSchedule schedule = schedule_of(parameters, kernel_of(*info, 3, 1));
    const u64 priced = schedule.multiplies + schedule.adds + schedule.fused + schedule.specials +
                       schedule.wide_specials + schedule.accumulates + schedule.shuffles;
    CHECK(priced == (info->energy == EnergyClass::none ? 0 : 3));
    CHECK(schedule.operations == 3 * info->operations);
    if (info->operations > 0) CHECK(priced == 3);
    CHECK((info->timing == Timing::special) ==
          (info->energy == EnergyClass::special || info->energy == EnergyClass::wide_special));
  }
}
