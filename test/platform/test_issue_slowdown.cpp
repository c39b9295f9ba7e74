// SPDX-License-Identifier: Apache-2.0
// The cost model's estimate of waits for ports of the operand memory, against the schedules of the PE.
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "models/pe/cal_unit.h"
#include "platform/compiler/cost/issue_slowdown.h"
#include "platform/compiler/kernels/block_layers.h"
#include "platform/compiler/kernels/butterfly_kernel.h"
#include "platform/network/half.h"
#include "test/support/array_bench.h"

namespace {

using namespace bvp;
using test::ArrayConfig;

ButterflyStage stage_of(unsigned bits, bool complex, bool normal) {
  const PanelLayout layout{32, 1024};
  ButterflyStage stage;
  stage.complex = stage.real_input = complex;
  stage.ratios = complex && normal;
  stage.normal = normal && !complex;
  stage.pays = std::vector<bool>(stage.normal ? bits : 0, false);
  stage.index_bits = bits;
  stage.column_access = true;
  for (unsigned bit = 0; bit < bits; ++bit) {
    stage.layer_bits.push_back(bit);
    stage.input_stride.push_back(layout.column_stride(bit));
    stage.output_stride.push_back(layout.column_stride(bit));
  }
  stage.input_group_stride = stage.output_group_stride = static_cast<i32>(layout.group_bytes());
  return stage;
}

std::vector<Instruction> code_of(const Kernel& kernel, const Segment& segment) {
  std::vector<Instruction> code;
  for (unsigned i = 0; i < segment.instruction_count; ++i) {
    code.push_back(*Instruction::decode(kernel.code[segment.first_instruction + i]));
  }
  return code;
}

/// Holds the segments whose results do not wait for each other against their schedules; returns how many.
unsigned compare(const ArrayConfig& config, const Kernel& kernel) {
  const CompilerTarget target = config.target();
  const auto program = make_program(kernel, 0);
  unsigned compared = 0;
  for (std::size_t i = 0; i < kernel.segments.size(); ++i) {
    const Segment& segment = kernel.segments[i];
    if (segment.unit != Unit::cal || segment.trips[0] < 8) continue;
    const CalSchedule schedule =
        CalUnit(config.pe, kernel.lanes).schedule(program.segments[i], program.segments[i].first);
    const double slots = static_cast<double>(schedule.issue + schedule.special);
    const double measured = static_cast<double>(schedule.occupancy) / slots;
    INFO("segment " << i << ", " << schedule.issue << " issues");
    CHECK(issue_slowdown(target, kernel, segment, code_of(kernel, segment)) == Approx(measured).epsilon(0.05));
    ++compared;
  }
  return compared;
}

}  // namespace

TEST_CASE("issue slowdown: butterflies wait for ports as their schedules do", "[planner]") {
  for (const auto& [banks, ports, hash] :
       {std::tuple<i64, i64, bool>{4, 2, true}, {4, 2, false}, {8, 2, true}, {4, 1, true}, {1, 16, true}}) {
    INFO(banks << " banks, " << ports << " ports, " << (hash ? "hashed" : "in turn"));
    ArrayConfig config;
    config.pe.operand_banks = banks;
    config.pe.operand_ports = ports;
    config.pe.operand_bank_hash = hash;
    unsigned compared = 0;
    for (const bool normal : {false, true}) {
      for (const bool complex : {false, true}) {
        compared += compare(config, make_butterfly_kernel(config.target(), stage_of(9, complex, normal), 32).kernel);
      }
    }
    BlockLayersSpec spec;
    spec.layers = 2;
    spec.normal = true;
    spec.pays = {false, false};
    spec.blocks = 3;
    spec.kept = 4;
    spec.columns = 256;
    spec.layout = {32, 128};
    compared += compare(config, make_block_layers_kernel(config.target(), spec).kernel);
    CHECK(compared >= 10);
  }
}

TEST_CASE("issue slowdown: operands of one bank take turns", "[planner]") {
  ArrayConfig config;
  Kernel kernel;
  kernel.lanes = 32;
  kernel.pe_rows = kernel.pe_columns = 1;
  kernel.pe_registers = {{}};
  Segment segment;
  segment.unit = Unit::cal;
  segment.instruction_count = 1;
  segment.trips[0] = 64;
  segment.streams[0].base = 1;  // bank 1
  const auto slowdown = [&](u16 a, u16 b, u16 c) {
    kernel.code = {Instruction{Opcode::fma, {0, 0}, {1, a}, {1, b}, {1, c}}.encode()};
    kernel.segments = {segment};
    return issue_slowdown(config.target(), kernel, segment, code_of(kernel, segment));
  };
  CHECK(slowdown(4, 8, 12) == Approx(1).epsilon(0.02));   // banks 1, 2, 3, and the result's: two ports each
  CHECK(slowdown(5, 10, 15) == Approx(2).epsilon(0.02));  // all in bank 0: three reads take two cycles
  config.pe.operand_ports = 4;
  CHECK(slowdown(5, 10, 15) == Approx(1).epsilon(0.02));
}
