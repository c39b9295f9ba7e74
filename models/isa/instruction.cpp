// SPDX-License-Identifier: Apache-2.0
#include "models/isa/instruction.h"

#include <fmt/format.h>

#include <iterator>

namespace bvp {

namespace {

constexpr InstructionInfo table[] = {
#define BVP_INSTRUCTION(name, opcode, unit, timing, energy, d, a, b, c, operations, function, meaning) \
  {Opcode::name, #name,    Unit::unit, Timing::timing, EnergyClass::energy, Space::d, Space::a,        \
   Space::b,     Space::c, operations, meaning},
#include "models/isa/instructions.def"
};

struct Field {
  unsigned lsb, offset_bits;
};
constexpr Field field_d{6, 11}, field_a{19, 11}, field_b{32, 16}, field_c{50, 11};

u64 pack(const Operand& operand, Field field) {
  const u64 offset = operand.offset & ((u64{1} << field.offset_bits) - 1);
  return (offset | (u64{operand.stream} & 3) << field.offset_bits) << field.lsb;
}

Operand unpack(u64 word, Field field) {
  const u64 bits = word >> field.lsb;
  return {static_cast<u8>(bits >> field.offset_bits & 3), static_cast<u16>(bits & ((u64{1} << field.offset_bits) - 1))};
}

std::string show(const Operand& operand, Space space) {
  switch (space) {
    case Space::none:
      return {};
    case Space::vector:
      return fmt::format(" v{}+{}", operand.stream, operand.offset);
    case Space::scalar:
      return fmt::format(" s{}+{}", operand.stream, operand.offset);
    case Space::accumulator:
      return fmt::format(" acc{}+{}", operand.stream, operand.offset);
    case Space::scratchpad:
      return fmt::format(" spm{}+{}", operand.stream, operand.offset);
    case Space::peer:
      return fmt::format(" peer^{}", operand.offset);
    case Space::distance:
      return fmt::format(" {}", operand.offset);
  }
  return {};
}

}  // namespace

const InstructionInfo* instruction_info(unsigned opcode) {
  static constexpr auto index = [] {
    std::array<i16, 64> positions{};
    for (auto& position : positions) position = -1;
    for (std::size_t i = 0; i < std::size(table); ++i)
      positions[static_cast<unsigned>(table[i].opcode)] = static_cast<i16>(i);
    return positions;
  }();
  return opcode < index.size() && index[opcode] >= 0 ? &table[static_cast<std::size_t>(index[opcode])] : nullptr;
}

u64 Instruction::encode() const {
  return static_cast<u64>(opcode) | pack(d, field_d) | pack(a, field_a) | pack(b, field_b) | pack(c, field_c);
}

std::optional<Instruction> Instruction::decode(u64 word) {
  const InstructionInfo* info = instruction_info(static_cast<unsigned>(word & 63));
  if (info == nullptr) return std::nullopt;
  const Instruction instruction{info->opcode, unpack(word, field_d), unpack(word, field_a), unpack(word, field_b),
                                unpack(word, field_c)};
  const auto unused = [](const Operand& operand, Space space) {
    return (space == Space::none && operand.offset != 0) ||
           ((space == Space::none || is_immediate(space)) && operand.stream != 0);
  };
  if (word >> 63 != 0 || unused(instruction.d, info->d) || unused(instruction.a, info->a) ||
      unused(instruction.b, info->b) || unused(instruction.c, info->c)) {
    return std::nullopt;
  }
  return instruction;
}

std::string Instruction::disassemble() const {
  const InstructionInfo& info = instruction_info(opcode);
  return fmt::format("{:6}{}{}{}{}", info.name, show(d, info.d), show(a, info.a), show(b, info.b), show(c, info.c));
}

}  // namespace bvp
