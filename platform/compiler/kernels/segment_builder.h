// SPDX-License-Identifier: Apache-2.0
// The language of kernels: a segment in the making, whose instructions name their operands.
//
//   SegmentBuilder sum(builder, Unit::cal, scope, tag, {rows});           // a loop of `rows` trips
//   const auto y = sum.at(y_slots, {1}), x = sum.at(x_slots, {1});        // both advance by a vector in each trip
//   sum.add(y, y, x);
//   const u16 add = sum.finish();
//
// Each instruction of models/isa/instructions.def is a member function of its name. It takes the operands that the
// instruction has, in the order d, a, b, c.
#pragma once

#include <array>
#include <initializer_list>
#include <vector>

#include "platform/compiler/kernels/kernel_builder.h"
#include "platform/compiler/kernels/residual_factor.h"

namespace bvp {

/// An operand of an instruction: a place in one of the segment's streams, or a number in the instruction itself.
struct SegmentOperand {
  Operand field;
  /// The place so many units of the operand's space further on.
  [[nodiscard]] SegmentOperand operator+(u32 units) const {
    return {{field.stream, static_cast<u16>(field.offset + units)}};
  }
};

/// The number of a peer mask or of a distance in lanes.
[[nodiscard]] inline SegmentOperand number(u32 value) { return {{0, static_cast<u16>(value)}}; }

/// A stream, and by how much it advances in each trip of the loops around the code, the innermost loop first. Loops
/// without a number leave it where it is.
struct Walk {
  Stream stream;
  std::vector<i32> strides;
};

class SegmentBuilder {
 public:
  /// @param scope, tag  of models/isa/kernel.h
  /// @param trips       of each loop around the code, innermost first
  SegmentBuilder(KernelBuilder& builder, Unit unit, unsigned scope, unsigned tag, const std::vector<u32>& trips = {});

  /// An operand that walks along a stream. Throws std::out_of_range if it is one more than streams_per_segment, or if
  /// there are more strides than loops.
  [[nodiscard]] SegmentOperand at(const Walk& walk);
  [[nodiscard]] SegmentOperand at(const Stream& stream, const std::vector<i32>& strides = {}) {
    return at(Walk{stream, strides});
  }

#define BVP_INSTRUCTION(name, opcode, unit, timing, energy, d, a, b, c, ...)                                           \
  template <class... Operands>                                                                                         \
  void name(const Operands&... operands) {                                                                             \
    static_assert(sizeof...(Operands) == operand_count(Space::d, Space::a, Space::b, Space::c), "operands of " #name); \
    append(instruction_info(Opcode::name), {operands...});                                                             \
  }
#include "models/isa/instructions.def"

  /// Instructions whose operands are the fields of some that at() has given.
  void insert(const std::vector<Instruction>& code) { code_.insert(code_.end(), code.begin(), code.end()); }
  /// Adds the segment to the kernel; returns its number.
  u16 finish();

 private:
  /// @param operands  as many as the instruction has
  void append(const InstructionInfo& info, std::initializer_list<SegmentOperand> operands);

  template <class... Spaces>
  static constexpr std::size_t operand_count(Spaces... spaces) {
    return (std::size_t{spaces != Space::none} + ...);
  }

  KernelBuilder& builder_;
  Unit unit_;
  unsigned scope_, tag_;
  std::vector<Loop> loops_;
  std::array<Stream, streams_per_segment> streams_{};
  u8 used_streams_ = 0;
  std::vector<Instruction> code_;
};

/// y becomes its sum with the residual x, of which one is multiplied by the factor.
void add_scaled_residual(SegmentBuilder& segment, SegmentOperand y, SegmentOperand x, SegmentOperand factor,
                         const ResidualFactor& scaled);

/// Adds a segment that loads a vector in each trip, or one that stores a vector; returns its number.
u16 add_load(KernelBuilder& builder, unsigned scope, unsigned tag, const std::vector<u32>& trips, const Walk& vectors,
             const Walk& scratchpad);
u16 add_store(KernelBuilder& builder, unsigned scope, unsigned tag, const std::vector<u32>& trips, const Walk& vectors,
              const Walk& scratchpad);

}  // namespace bvp
