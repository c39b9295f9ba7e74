// SPDX-License-Identifier: Apache-2.0
#include "models/isa/instruction.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace bvp {

namespace {

constexpr InstructionInfo table[] = {
#define BVP_INSTRUCTION(name, opcode, unit, timing, energy, d, a, b, c, operations, function, meaning) \
  {Opcode::name, #name,    Unit::unit, Timing::timing, EnergyClass::energy, Space::d, Space::a,        \
   Space::b,     Space::c, operations, meaning},
#include "models/isa/instructions.def"
};

u64 pack(const Operand& operand, OperandField field) {
  const u64 offset = operand.offset & field.largest_offset();
  return (offset | (u64{operand.stream} & 3) << field.offset_bits) << field.lsb;
}

Operand unpack(u64 word, OperandField field) {
  const u64 bits = word >> field.lsb;
  return {static_cast<u8>(bits >> field.offset_bits & 3), static_cast<u16>(bits & field.largest_offset())};
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

const std::vector<InstructionInfo>& instructions() {
  static const std::vector<InstructionInfo> all(std::begin(table), std::end(table));
  return all;
}

const InstructionInfo* instruction_info(std::string_view name) {
  const auto* found =
      std::find_if(std::begin(table), std::end(table), [&](const InstructionInfo& info) { return info.name == name; });
  return found == std::end(table) ? nullptr : found;
}

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
  u64 word = static_cast<u64>(opcode);
  for (std::size_t i = 0; i < operand_count; ++i) word |= pack(this->*operands_of[i], operand_fields[i]);
  return word;
}

std::optional<Instruction> Instruction::decode(u64 word) {
  const InstructionInfo* info = instruction_info(static_cast<unsigned>(word & 63));
  if (info == nullptr || word >> 63 != 0) return std::nullopt;
  Instruction instruction{info->opcode, {}, {}, {}, {}};
  for (std::size_t i = 0; i < operand_count; ++i) {
    const Operand operand = unpack(word, operand_fields[i]);
    const Space space = info->*spaces_of[i];
    const bool none = space == Space::none;
    if ((none && operand.offset != 0) || ((none || is_immediate(space)) && operand.stream != 0)) return std::nullopt;
    instruction.*operands_of[i] = operand;
  }
  return instruction;
}

std::string Instruction::disassemble() const {
  const InstructionInfo& info = instruction_info(opcode);
  return fmt::format("{:6}{}{}{}{}", info.name, show(d, info.d), show(a, info.a), show(b, info.b), show(c, info.c));
}

}  // namespace bvp
