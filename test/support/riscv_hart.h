// SPDX-License-Identifier: Apache-2.0
// RV64IMAC in machine mode, written from the unprivileged specification for tests to compare the CPU with. It shares no
// code with models/cpu. Control and status registers are left out.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <vector>

#include "models/base/types.h"

namespace bvp::cpu_test {

class RiscvHart {
 public:
  struct Trap {
    u64 cause, value;
  };

  RiscvHart(u64 base, std::vector<u8> memory) : ram_base_(base), ram(std::move(memory)) {}

  std::array<u64, 32> x{};
  u64 pc = 0;

  /// Carries out one instruction. One that traps changes nothing, the PC included.
  std::optional<Trap> step() {
    const u32 raw = fetch();
    const unsigned length = length_of(raw);
    const std::optional<u32> expanded = length == 2 ? expand(raw) : raw;
    trap_.reset();
    next_pc_ = pc + length;
    if (!expanded || !execute(*expanded)) trap_ = Trap{illegal, raw};
    x[0] = 0;
    if (!trap_) pc = next_pc_;
    return trap_;
  }

  [[nodiscard]] u32 fetch() const {
    const u32 low = get(pc, 2);
    return length_of(low) == 2 ? low : low | get(pc + 2, 2) << 16;
  }
  [[nodiscard]] static unsigned length_of(u32 instruction) { return (instruction & 3) == 3 ? 4 : 2; }

  /// The 32-bit instruction that a compressed one stands for; nothing if it is reserved, or of floating point. The
  /// function is long because it is a table: one row for each compressed instruction.
  [[nodiscard]] static std::optional<u32> expand(u32 c) {
    const auto at = [c](unsigned high, unsigned low, unsigned to) { return (c >> low & mask(high - low + 1)) << to; };
    const u32 full = at(11, 7, 0), second = at(6, 2, 0);
    const u32 upper = 8 + at(9, 7, 0), lower = 8 + at(4, 2, 0);
    const i64 six_bits = sign(at(12, 12, 5) | at(6, 2, 0), 6);
    const u32 shift = at(12, 12, 5) | at(6, 2, 0);
    const u32 word = at(5, 5, 6) | at(12, 10, 3) | at(6, 6, 2), twin = at(6, 5, 6) | at(12, 10, 3);
    const auto immediate = [](u32 opcode, u32 function, u32 rd, u32 rs1, i64 value) {
      return opcode | rd << 7 | function << 12 | rs1 << 15 | static_cast<u32>(value) << 20;
    };
    const auto registers = [](u32 opcode, u32 function, u32 rd, u32 rs1, u32 rs2, u32 top) {
      return opcode | rd << 7 | function << 12 | rs1 << 15 | rs2 << 20 | top << 25;
    };
    const auto stores = [](u32 function, u32 rs1, u32 rs2, u32 value) {
      return 0x23 | (value & 31) << 7 | function << 12 | rs1 << 15 | rs2 << 20 | value >> 5 << 25;
    };
    const auto branches = [](u32 function, u32 rs1, i64 value) {
      const auto v = static_cast<u32>(value);
      return 0x63 | (v >> 11 & 1) << 7 | (v >> 1 & 15) << 8 | function << 12 | rs1 << 15 | (v >> 5 & 63) << 25 |
             (v >> 12 & 1) << 31;
    };
    switch ((c & 3) << 3 | (c >> 13 & 7)) {
      case 0b00000: {  // c.addi4spn
        const u32 value = at(10, 7, 6) | at(12, 11, 4) | at(5, 5, 3) | at(6, 6, 2);
        if (value == 0) return {};
        return immediate(0x13, 0, lower, 2, value);
      }
      case 0b00010:
        return immediate(0x03, 2, lower, upper, word);  // c.lw
      case 0b00011:
        return immediate(0x03, 3, lower, upper, twin);  // c.ld
      case 0b00110:
        return stores(2, upper, lower, word);  // c.sw
      case 0b00111:
        return stores(3, upper, lower, twin);  // c.sd
      case 0b01000:
        return immediate(0x13, 0, full, full, six_bits);  // c.addi
      case 0b01001:
        if (full == 0) return {};
        return immediate(0x1b, 0, full, full, six_bits);  // c.addiw
      case 0b01010:
        return immediate(0x13, 0, full, 0, six_bits);  // c.li
      case 0b01011:
        if (shift == 0) return {};
        if (full == 2) {  // c.addi16sp
          const u32 value = at(12, 12, 9) | at(4, 3, 7) | at(5, 5, 6) | at(2, 2, 5) | at(6, 6, 4);
          return immediate(0x13, 0, 2, 2, sign(value, 10));
        }
        return 0x37 | full << 7 | static_cast<u32>(six_bits) << 12;  // c.lui
      case 0b01100:
        switch (at(11, 10, 0)) {
          case 0:
            return immediate(0x13, 5, upper, upper, shift);  // c.srli
          case 1:
            return immediate(0x13, 5, upper, upper, shift | 0x400);  // c.srai
          case 2:
            return immediate(0x13, 7, upper, upper, six_bits);  // c.andi
          default:
            break;
        }
        switch (at(12, 12, 2) | at(6, 5, 0)) {
          case 0:
            return registers(0x33, 0, upper, upper, lower, 0x20);  // c.sub
          case 1:
            return registers(0x33, 4, upper, upper, lower, 0);  // c.xor
          case 2:
            return registers(0x33, 6, upper, upper, lower, 0);  // c.or
          case 3:
            return registers(0x33, 7, upper, upper, lower, 0);  // c.and
          case 4:
            return registers(0x3b, 0, upper, upper, lower, 0x20);  // c.subw
          case 5:
            return registers(0x3b, 0, upper, upper, lower, 0);  // c.addw
          default:
            return {};
        }
      case 0b01101: {  // c.j
        const i64 value = sign(at(12, 12, 11) | at(8, 8, 10) | at(10, 9, 8) | at(6, 6, 7) | at(7, 7, 6) | at(2, 2, 5) |
                                   at(11, 11, 4) | at(5, 3, 1),
                               12);
        const auto v = static_cast<u32>(value);
        return 0x6f | (v >> 12 & 0xff) << 12 | (v >> 11 & 1) << 20 | (v >> 1 & 0x3ff) << 21 | (v >> 20 & 1) << 31;
      }
      case 0b01110:
      case 0b01111: {  // c.beqz, c.bnez
        const i64 value = sign(at(12, 12, 8) | at(6, 5, 6) | at(2, 2, 5) | at(11, 10, 3) | at(4, 3, 1), 9);
        return branches(c >> 13 & 1, upper, value);
      }
      case 0b10000:
        return immediate(0x13, 1, full, full, shift);  // c.slli
      case 0b10010:
        if (full == 0) return {};
        return immediate(0x03, 2, full, 2, at(3, 2, 6) | at(12, 12, 5) | at(6, 4, 2));  // c.lwsp
      case 0b10011:
        if (full == 0) return {};
        return immediate(0x03, 3, full, 2, at(4, 2, 6) | at(12, 12, 5) | at(6, 5, 3));  // c.ldsp
      case 0b10100:
        if (at(12, 12, 0) == 0) {
          if (second != 0) return registers(0x33, 0, full, 0, second, 0);  // c.mv
          if (full == 0) return {};
          return immediate(0x67, 0, 0, full, 0);  // c.jr
        }
        if (second != 0) return registers(0x33, 0, full, full, second, 0);  // c.add
        if (full == 0) return 0x00100073;                                   // c.ebreak
        return immediate(0x67, 0, 1, full, 0);                              // c.jalr
      case 0b10110:
        return stores(2, 2, second, at(8, 7, 6) | at(12, 9, 2));  // c.swsp
      case 0b10111:
        return stores(3, 2, second, at(9, 7, 6) | at(12, 10, 3));  // c.sdsp
      default:
        return {};
    }
  }

 private:
  enum Cause : u64 {
    illegal = 2,
    breakpoint = 3,
    load_misaligned = 4,
    load_fault = 5,
    store_misaligned = 6,
    store_fault = 7,
    call = 11
  };

  static constexpr u32 mask(unsigned bits) { return (u32{1} << bits) - 1; }
  static constexpr i64 sign(u64 value, unsigned bits) { return static_cast<i64>(value << (64 - bits)) >> (64 - bits); }
  static constexpr u64 word(u64 value) { return static_cast<u64>(sign(value, 32)); }

  [[nodiscard]] u32 get(u64 address, unsigned bytes) const {
    u32 value = 0;
    std::memcpy(&value, &ram.at(address - ram_base_), bytes);
    return value;
  }
  [[nodiscard]] bool inside(u64 address, u64 bytes) const {
    return address >= ram_base_ && address - ram_base_ <= ram.size() - bytes;
  }
  /// Plain accesses may be misaligned within RAM, atomic ones may not.
  u8* reach(u64 address, u64 bytes, bool store, bool aligned) {
    const bool misaligned = address % bytes != 0;
    if (inside(address, bytes) && !(misaligned && aligned)) return &ram[address - ram_base_];
    trap_ =
        Trap{misaligned ? (store ? store_misaligned : load_misaligned) : (store ? store_fault : load_fault), address};
    return nullptr;
  }
  std::optional<u64> read(u64 address, u64 bytes, bool aligned) {
    const u8* const memory = reach(address, bytes, false, aligned);
    if (memory == nullptr) return std::nullopt;
    u64 value = 0;
    std::memcpy(&value, memory, bytes);
    return value;
  }

  /// False: illegal.
  bool execute(u32 i) {
    const unsigned rd = i >> 7 & 31, rs1 = i >> 15 & 31, rs2 = i >> 20 & 31, function = i >> 12 & 7, top = i >> 25;
    const u64 a = x[rs1], b = x[rs2];
    const i64 immediate = sign(i >> 20, 12);
    switch (i & 0x7f) {
      case 0x37:
        return set(rd, word(i & 0xfffff000));
      case 0x17:
        return set(rd, pc + word(i & 0xfffff000));
      case 0x6f: {
        const u64 value = (i >> 31 & 1) << 20 | (i >> 12 & 0xff) << 12 | (i >> 20 & 1) << 11 | (i >> 21 & 0x3ff) << 1;
        const u64 link = next_pc_;
        next_pc_ = pc + static_cast<u64>(sign(value, 21));
        return set(rd, link);
      }
      case 0x67: {
        if (function != 0) return false;
        const u64 link = next_pc_;
        next_pc_ = (a + static_cast<u64>(immediate)) & ~u64{1};
        return set(rd, link);
      }
      case 0x63:
        return branch(i, function, a, b);
      case 0x03:
        return load(rd, function, a + static_cast<u64>(immediate));
      case 0x23:
        return store(function, a + static_cast<u64>(sign(top << 5 | rd, 12)), b);
      case 0x13:
        return operate_immediate(rd, function, i >> 26, a, static_cast<u64>(immediate));
      case 0x1b:
        return operate_word_immediate(rd, function, top, a, static_cast<u64>(immediate));
      case 0x33:
        return operate(rd, function, top, a, b);
      case 0x3b:
        return operate_word(rd, function, top, a, b);
      case 0x2f:
        return atomic(i, rd, a, b);
      case 0x0f:
        return function <= 1;  // FENCE, FENCE.I
      case 0x73:
        if (i == 0x00000073) trap_ = Trap{call, 0};
        if (i == 0x00100073) trap_ = Trap{breakpoint, pc};
        return trap_.has_value();
      default:
        return false;
    }
  }

  bool set(unsigned rd, u64 value) {
    x[rd] = value;
    return true;
  }

  bool branch(u32 i, unsigned function, u64 a, u64 b) {
    const auto sa = static_cast<i64>(a), sb = static_cast<i64>(b);
    bool taken = false;
    switch (function >> 1) {
      case 0:
        taken = a == b;
        break;
      case 2:
        taken = sa < sb;
        break;
      case 3:
        taken = a < b;
        break;
      default:
        return false;
    }
    const u64 offset = (i >> 31 & 1) << 12 | (i >> 7 & 1) << 11 | (i >> 25 & 63) << 5 | (i >> 8 & 15) << 1;
    if (taken != ((function & 1) != 0)) next_pc_ = pc + static_cast<u64>(sign(offset, 13));
    return true;
  }

  bool load(unsigned rd, unsigned function, u64 address) {
    if (function == 7) return false;
    const unsigned bytes = 1U << (function & 3);
    const auto value = read(address, bytes, false);
    if (!value) return true;
    return set(rd, function < 4 ? static_cast<u64>(sign(*value, 8 * bytes)) : *value);
  }

  bool store(unsigned function, u64 address, u64 value) {
    if (function > 3) return false;
    const unsigned bytes = 1U << function;
    if (u8* const memory = reach(address, bytes, true, false)) std::memcpy(memory, &value, bytes);
    return true;
  }

  bool operate_immediate(unsigned rd, unsigned function, unsigned top, u64 a, u64 b) {
    const unsigned shift = b & 63;
    if (function == 1) return top == 0 && set(rd, a << shift);
    if (function == 5 && top == 0) return set(rd, a >> shift);
    if (function == 5) return top == 0x10 && set(rd, static_cast<u64>(static_cast<i64>(a) >> shift));
    return operate(rd, function, 0, a, b);
  }

  bool operate_word_immediate(unsigned rd, unsigned function, unsigned top, u64 a, u64 b) {
    if (function == 0) return set(rd, word(a + b));
    if (function != 1 && function != 5) return false;
    if (top != 0 && !(function == 5 && top == 0x20)) return false;
    return operate_word(rd, function, top, a, b & 31);
  }

  bool operate(unsigned rd, unsigned function, unsigned top, u64 a, u64 b) {
    const auto sa = static_cast<i64>(a), sb = static_cast<i64>(b);
    const unsigned shift = b & 63;
    if (top == 1) return set(rd, multiply_or_divide(function, a, b));
    if (top == 0x20 && function == 0) return set(rd, a - b);
    if (top == 0x20 && function == 5) return set(rd, static_cast<u64>(sa >> shift));
    if (top != 0) return false;
    const std::array<u64, 8> results{a + b, a << shift, u64{sa < sb}, u64{a < b}, a ^ b, a >> shift, a | b, a & b};
    return set(rd, results[function]);
  }

  bool operate_word(unsigned rd, unsigned function, unsigned top, u64 a, u64 b) {
    const auto ua = static_cast<u32>(a), ub = static_cast<u32>(b);
    const unsigned shift = ub & 31;
    switch (top << 3 | function) {
      case 0:
        return set(rd, word(ua + ub));
      case 1:
        return set(rd, word(ua << shift));
      case 5:
        return set(rd, word(ua >> shift));
      case 0x20 << 3:
        return set(rd, word(ua - ub));
      case 0x20 << 3 | 5:
        return set(rd, static_cast<u64>(sign(ua, 32) >> shift));
      case 8:
        return set(rd, word(ua * ub));
      case 8 | 4:
      case 8 | 6:
        return set(rd, word(multiply_or_divide(function, word(ua), word(ub))));
      case 8 | 5:
        return set(rd, word(ub == 0 ? ~u32{0} : ua / ub));
      case 8 | 7:
        return set(rd, word(ub == 0 ? ua : ua % ub));
      default:
        return false;
    }
  }

  /// The upper half of the product of two unsigned numbers, from products of their halves.
  static u64 upper_product(u64 a, u64 b) {
    const u64 al = a & 0xffffffff, ah = a >> 32, bl = b & 0xffffffff, bh = b >> 32;
    const u64 middle = ah * bl + (al * bl >> 32), other = al * bh + (middle & 0xffffffff);
    return ah * bh + (middle >> 32) + (other >> 32);
  }

  static u64 multiply_or_divide(unsigned function, u64 a, u64 b) {
    const auto sa = static_cast<i64>(a), sb = static_cast<i64>(b);
    const bool overflows = a == u64{1} << 63 && sb == -1;
    switch (function) {
      case 0:
        return a * b;
      case 1:
        return upper_product(a, b) - (sa < 0 ? b : 0) - (sb < 0 ? a : 0);
      case 2:
        return upper_product(a, b) - (sa < 0 ? b : 0);
      case 3:
        return upper_product(a, b);
      case 4:
        return b == 0 ? ~u64{0} : overflows ? a : static_cast<u64>(sa / sb);
      case 5:
        return b == 0 ? ~u64{0} : a / b;
      case 6:
        return b == 0 ? a : overflows ? 0 : static_cast<u64>(sa % sb);
      default:
        return b == 0 ? a : a % b;
    }
  }

  bool atomic(u32 i, unsigned rd, u64 address, u64 b) {
    const unsigned function = i >> 12 & 7, operation = i >> 27;
    if (function != 2 && function != 3) return false;
    const u64 bytes = u64{1} << function;
    const auto extend = [bytes](u64 value) { return static_cast<u64>(sign(value, 8 * static_cast<unsigned>(bytes))); };
    if (operation == 2) {  // LR
      if ((i >> 20 & 31) != 0) return false;
      const auto value = read(address, bytes, true);
      if (!value) return true;
      reservation_ = address;
      return set(rd, extend(*value));
    }
    if (operation == 3) {  // SC
      u8* const memory = reach(address, bytes, true, true);
      if (memory == nullptr) return true;
      const bool succeeds = reservation_ == address;
      reservation_.reset();
      if (succeeds) std::memcpy(memory, &b, bytes);
      return set(rd, succeeds ? 0 : 1);
    }
    if (operation > 1 && operation % 4 != 0) return false;
    u8* const memory = reach(address, bytes, true, true);
    if (memory == nullptr) return true;
    u64 old = 0;
    std::memcpy(&old, memory, bytes);
    old = extend(old);
    const u64 operand = extend(b);
    const u64 bits = bytes == 8 ? ~u64{0} : 0xffffffff;
    const auto smaller = [&](bool is_signed) {
      return is_signed ? static_cast<i64>(old) < static_cast<i64>(operand) : (old & bits) < (operand & bits);
    };
    u64 value = 0;
    switch (operation) {
      case 0:
        value = old + operand;
        break;
      case 1:
        value = operand;
        break;
      case 4:
        value = old ^ operand;
        break;
      case 8:
        value = old | operand;
        break;
      case 12:
        value = old & operand;
        break;
      case 16:
      case 24:
        value = smaller(operation == 16) ? old : operand;
        break;
      default:
        value = smaller(operation == 20) ? operand : old;
        break;
    }
    std::memcpy(memory, &value, bytes);
    return set(rd, old);
  }

  u64 ram_base_;
  u64 next_pc_ = 0;
  std::optional<u64> reservation_;
  std::optional<Trap> trap_;

 public:
  std::vector<u8> ram;
};

}  // namespace bvp::cpu_test
