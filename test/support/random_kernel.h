// SPDX-License-Identifier: Apache-2.0
// Random kernels that pass Kernel::check() on some machine; what they compute makes no sense.
#pragma once

#include <random>

#include "models/isa/kernel.h"

namespace bvp::test {

class RandomKernel {
 public:
  explicit RandomKernel(unsigned seed) : random_(seed) {}

  Kernel make() {
    Kernel kernel;
    kernel.lanes = 1u << below(7);
    kernel.pe_rows = 1u << below(4);
    kernel.pe_columns = 1u << below(4);
    if (below(2) == 0) kernel.resident_words = random_();
    const std::size_t registers = below(4) == 0 ? 0 : below(pe_register_limit + 1);
    const bool even = below(2) == 0;
    for (u32 pe = 0; pe < kernel.pe_rows * kernel.pe_columns; ++pe) {
      auto& values = kernel.pe_registers.emplace_back();
      for (std::size_t i = 0; i < registers; ++i) {
        values.push_back(even ? static_cast<i32>(pe * i) - 7 : static_cast<i32>(random_()) / 4);
      }
    }
    for (InstanceLevel& level : kernel.levels) {
      if (below(2) == 0) level = {static_cast<u8>(below(registers + 1)), static_cast<u16>(1 + below(65535))};
    }
    const std::size_t segments = below(12);
    for (std::size_t i = 0; i < segments; ++i) add_segment(kernel, registers);
    if (below(4) == 0) kernel.code.push_back(random_());  // of no segment
    const std::size_t edges = segments == 0 ? 0 : below(12);
    for (std::size_t i = 0; i < edges; ++i) {
      Edge edge;
      edge.from = static_cast<u16>(below(segments));
      edge.to = static_cast<u16>(below(segments));
      edge.initial = static_cast<u8>(below(256));
      edge.kind = static_cast<EdgeKind>(below(2));
      const bool same_scope = kernel.segments[edge.from].scope == kernel.segments[edge.to].scope;
      // A second data edge of a Flow segment to one peer would be refused.
      if (same_scope && kernel.segments[edge.from].unit != Unit::flow) {
        edge.peer_mask = static_cast<u8>(below(kernel.pe_rows * kernel.pe_columns));
      }
      kernel.edges.push_back(edge);
    }
    return kernel;
  }

 private:
  u32 below(std::size_t limit) { return static_cast<u32>(random_() % limit); }

  Stream stream(std::size_t registers) {
    Stream stream;
    if (below(3) == 0) return stream;
    stream.base = static_cast<i32>(random_()) / (below(2) == 0 ? 4 : 65536);
    stream.pe_register = static_cast<u8>(below(registers + 1));
    stream.launch_register = static_cast<u8>(below(launch_register_limit + 1));
    if (below(3) == 0) {
      stream.rotation_scope = static_cast<u8>(below(instance_levels + 1));
      stream.rotation_depth = static_cast<u8>(below(256));
      stream.rotation_stride = static_cast<i32>(random_());
    }
    for (i32& stride : stream.trip_stride) {
      if (below(3) == 0) stride = static_cast<i32>(below(200)) - 100;
    }
    for (i32& stride : stream.instance_stride) {
      if (below(3) == 0) stride = static_cast<i32>(random_());
    }
    return stream;
  }

  u64 instruction(Unit unit, u32 lanes) {
    for (;;) {
      const InstructionInfo& info = instructions()[below(instructions().size())];
      const bool has_distance = info.c == Space::distance;
      if (info.unit != unit || (has_distance && lanes == 1)) continue;
      Instruction made{info.opcode, {}, {}, {}, {}};
      for (std::size_t i = 0; i < operand_count; ++i) {
        const Space space = info.*spaces_of[i];
        if (space == Space::none) continue;
        Operand& operand = made.*operands_of[i];
        operand.offset = static_cast<u16>(below(operand_fields[i].largest_offset() + 1u));
        if (!is_immediate(space)) operand.stream = static_cast<u8>(below(streams_per_segment));
        if (space == Space::distance) {
          u32 bits = 0;
          while ((2u << bits) < lanes) ++bits;
          operand.offset = static_cast<u16>(1u << below(bits + 1));
        }
      }
      return made.encode();
    }
  }

  void add_segment(Kernel& kernel, std::size_t registers) {
    Segment segment;
    segment.scope = static_cast<u8>(below(instance_levels + 1));
    segment.tag = static_cast<u8>(below(3) == 0 ? below(256) : 0);
    for (u16& trips : segment.trips) {
      if (below(2) == 0) trips = static_cast<u16>(1 + below(5));
    }
    for (Stream& each : segment.streams) each = stream(registers);
    if (!kernel.segments.empty() && below(4) == 0) {
      const Segment& other = kernel.segments[below(kernel.segments.size())];
      segment.unit = other.unit;
      segment.first_instruction = other.first_instruction;
      segment.instruction_count = static_cast<u8>(1 + below(other.instruction_count));
    } else {
      segment.unit = static_cast<Unit>(below(unit_count));
      if (below(6) == 0) kernel.code.push_back(random_());
      segment.first_instruction = static_cast<u16>(kernel.code.size());
      segment.instruction_count = static_cast<u8>(1 + below(6));
      for (u8 i = 0; i < segment.instruction_count; ++i) kernel.code.push_back(instruction(segment.unit, kernel.lanes));
    }
    kernel.segments.push_back(segment);
  }

  std::mt19937 random_;
};

[[nodiscard]] inline Kernel random_kernel(unsigned seed) { return RandomKernel(seed).make(); }

}  // namespace bvp::test
