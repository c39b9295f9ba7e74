// SPDX-License-Identifier: Apache-2.0
#include "models/cpu/riscv_instruction.h"

#include <algorithm>

namespace bvp::riscv {
namespace {

constexpr unsigned stack_pointer = 2;

constexpr u32 bits(u32 value, unsigned high, unsigned low) { return value >> low & ((u32{1} << (high - low + 1)) - 1); }
constexpr i64 sign_extend(u32 value, unsigned width) {
  const u64 sign = u64{1} << (width - 1);
  return static_cast<i64>((u64{value} ^ sign) - sign);
}
constexpr unsigned compressed_register(u32 field) { return field + 8; }

std::optional<MemoryAccess> decode_compressed(u32 i) {
  using Kind = MemoryAccess::Kind;
  const u32 word_offset = bits(i, 5, 5) << 6 | bits(i, 12, 10) << 3 | bits(i, 6, 6) << 2;
  const u32 double_offset = bits(i, 6, 5) << 6 | bits(i, 12, 10) << 3;
  const unsigned data = compressed_register(bits(i, 4, 2)), base = compressed_register(bits(i, 9, 7));
  switch (bits(i, 1, 0) << 3 | bits(i, 15, 13)) {
    case 0b00010:  // c.lw
      return MemoryAccess{Kind::load, 4, true, data, base, word_offset};
    case 0b00011:  // c.ld
      return MemoryAccess{Kind::load, 8, true, data, base, double_offset};
    case 0b00110:  // c.sw
      return MemoryAccess{Kind::store, 4, false, data, base, word_offset};
    case 0b00111:  // c.sd
      return MemoryAccess{Kind::store, 8, false, data, base, double_offset};
    case 0b10010:  // c.lwsp
      return MemoryAccess{Kind::load,    4,
                          true,          bits(i, 11, 7),
                          stack_pointer, bits(i, 12, 12) << 5 | bits(i, 6, 4) << 2 | bits(i, 3, 2) << 6};
    case 0b10011:  // c.ldsp
      return MemoryAccess{Kind::load,    8,
                          true,          bits(i, 11, 7),
                          stack_pointer, bits(i, 12, 12) << 5 | bits(i, 6, 5) << 3 | bits(i, 4, 2) << 6};
    case 0b10110:  // c.swsp
      return MemoryAccess{
          Kind::store, 4, false, bits(i, 6, 2), stack_pointer, bits(i, 12, 9) << 2 | bits(i, 8, 7) << 6};
    case 0b10111:  // c.sdsp
      return MemoryAccess{
          Kind::store, 8, false, bits(i, 6, 2), stack_pointer, bits(i, 12, 10) << 3 | bits(i, 9, 7) << 6};
    default:
      return std::nullopt;
  }
}

}  // namespace

const char* cause_text(u64 cause) {
  switch (cause) {
    case instruction_access_fault:
      return "instruction access fault";
    case illegal_instruction:
      return "illegal instruction";
    case breakpoint:
      return "breakpoint";
    case load_misaligned:
      return "load address misaligned";
    case load_access_fault:
      return "load access fault";
    case store_misaligned:
      return "store address misaligned";
    case store_access_fault:
      return "store access fault";
    case call_from_machine:
      return "environment call";
    case timer_interrupt:
      return "timer interrupt";
    case external_interrupt:
      return "external interrupt";
    default:
      return "unknown cause";
  }
}

std::optional<MemoryAccess> decode_memory_access(u32 i) {
  using Kind = MemoryAccess::Kind;
  if (instruction_bytes(i) == 2) return decode_compressed(i & 0xffff);
  const u32 width = bits(i, 14, 12);
  const unsigned base = bits(i, 19, 15), rd = bits(i, 11, 7), rs2 = bits(i, 24, 20);
  switch (bits(i, 6, 0)) {
    case 0x03:
      if (width == 7) return std::nullopt;
      return MemoryAccess{Kind::load, 1u << (width & 3), width < 4, rd, base, sign_extend(bits(i, 31, 20), 12)};
    case 0x23:
      if (width > 3) return std::nullopt;
      return MemoryAccess{Kind::store, 1u << width, false,
                          rs2,         base,        sign_extend(bits(i, 31, 25) << 5 | bits(i, 11, 7), 12)};
    case 0x2f:
      if (width != 2 && width != 3) return std::nullopt;
      return MemoryAccess{bits(i, 31, 27) == 2 ? Kind::load_reserved : Kind::atomic, 1u << width, true, rd, base, 0};
    default:
      return std::nullopt;
  }
}

u32 WordExtremum::choose(u32 in_memory, u32 operand) const {
  const auto a = static_cast<i32>(in_memory), b = static_cast<i32>(operand);
  switch (operation) {
    case Operation::minimum:
      return a < b ? in_memory : operand;
    case Operation::maximum:
      return a > b ? in_memory : operand;
    case Operation::unsigned_minimum:
      return std::min(in_memory, operand);
    case Operation::unsigned_maximum:
      break;
  }
  return std::max(in_memory, operand);
}

std::optional<WordExtremum> decode_word_extremum(u32 i) {
  const u32 function = bits(i, 31, 27);
  const bool matches = bits(i, 6, 0) == 0x2f && bits(i, 14, 12) == 2 && function >= 16 && function % 4 == 0;
  if (!matches) return std::nullopt;
  return WordExtremum{static_cast<WordExtremum::Operation>((function - 16) / 4), bits(i, 11, 7), bits(i, 19, 15),
                      bits(i, 24, 20)};
}

std::optional<CsrAccess> decode_csr_access(u32 i) {
  const u32 function = bits(i, 14, 12);
  if (bits(i, 6, 0) != 0x73 || (function & 3) == 0) return std::nullopt;
  return CsrAccess{static_cast<CsrAccess::Operation>((function & 3) - 1), bits(i, 31, 20), bits(i, 11, 7),
                   (function & 4) != 0, bits(i, 19, 15)};
}

}  // namespace bvp::riscv
