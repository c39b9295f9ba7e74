// SPDX-License-Identifier: Apache-2.0
// The instruction set of a PE: four units, 64-bit instructions. Defined once, in instructions.def.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/base/types.h"

namespace bvp {

/// The four decoupled units of a PE.
enum class Unit : u8 { load, cal, flow, store };
inline constexpr std::size_t unit_count = 4;
inline constexpr std::array<const char*, unit_count> unit_names{"load", "cal", "flow", "store"};

/// The space that an operand field addresses.
enum class Space : u8 {
  none,
  vector,       // operand memory, in vectors
  scalar,       // operand memory, in fp16 scalars; the value is broadcast over the lanes
  accumulator,  // fp32 accumulators, in vectors
  scratchpad,   // bytes; bit 31 selects column-wise access
  peer,         // immediate: bits of the PE index that are inverted to find the destination
  distance      // immediate: lanes, a power of two
};

/// The stream number that means "no stream": the operand is the offset in the instruction itself.
[[nodiscard]] constexpr bool is_immediate(Space space) { return space == Space::peer || space == Space::distance; }

/// How the Cal unit spends time on one instruction.
enum class Timing : u8 { simple, maximum, special, transfer };

/// What a lane of the Cal unit takes for one instruction: the actions of the energy model's component `pe` that end in
/// `_lane`; none: nothing beside the instruction and its operands.
enum class EnergyClass : u8 { none, multiply, add, fma, special, wide_special, accumulate, shuffle };

enum class Opcode : u8 {
#define BVP_INSTRUCTION(name, opcode, ...) name = opcode,
#include "models/isa/instructions.def"
};

struct InstructionInfo {
  Opcode opcode;
  const char* name;
  Unit unit;
  Timing timing;
  EnergyClass energy;
  Space d, a, b, c;
  unsigned operations;  // per lane; a fused multiply-add counts two
  const char* meaning;
};

/// nullptr for a name that no instruction has.
[[nodiscard]] const InstructionInfo* instruction_info(std::string_view name);
/// All instructions, in the order of the list.
[[nodiscard]] const std::vector<InstructionInfo>& instructions();
/// nullptr for a number that is no opcode.
[[nodiscard]] const InstructionInfo* instruction_info(unsigned opcode);
[[nodiscard]] inline const InstructionInfo& instruction_info(Opcode opcode) {
  return *instruction_info(static_cast<unsigned>(opcode));
}

/// Whether the instruction adds to the old value of its destination.
[[nodiscard]] constexpr bool adds_to_destination(const InstructionInfo& info) {
  return info.d == Space::accumulator && info.a != Space::none && info.a != Space::accumulator;
}

/// An operand: one of the segment's four streams plus a constant offset in the units of its space.
struct Operand {
  u8 stream = 0;
  u16 offset = 0;
};

/// Where an operand lies in the word: its offset, and above it two bits for the stream.
struct OperandField {
  unsigned lsb, offset_bits;
  [[nodiscard]] constexpr u16 largest_offset() const { return static_cast<u16>((1u << offset_bits) - 1); }
};
inline constexpr std::size_t operand_count = 4;
/// Of d, a, b and c.
inline constexpr std::array<OperandField, operand_count> operand_fields{{{6, 11}, {19, 11}, {32, 16}, {50, 11}}};

/// A word has the opcode in bits 5..0 and above it the operands.
struct Instruction {
  Opcode opcode = Opcode::mul;
  Operand d, a, b, c;

  [[nodiscard]] u64 encode() const;
  /// nullopt if the opcode does not exist or an unused bit is set.
  [[nodiscard]] static std::optional<Instruction> decode(u64 word);
  [[nodiscard]] std::string disassemble() const;
};

/// The operands in the order d, a, b, c: of an instruction, and what an instruction's kind says of them.
inline constexpr std::array<Operand Instruction::*, operand_count> operands_of{&Instruction::d, &Instruction::a,
                                                                               &Instruction::b, &Instruction::c};
inline constexpr std::array<Space InstructionInfo::*, operand_count> spaces_of{
    &InstructionInfo::d, &InstructionInfo::a, &InstructionInfo::b, &InstructionInfo::c};

}  // namespace bvp
