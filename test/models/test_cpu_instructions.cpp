// SPDX-License-Identifier: Apache-2.0
// Every instruction of RV64IMAC against a hart that was written from the specification (test/support/riscv_hart.h).
// A program is made while that hart runs it; then the CPU runs it, and all that it leaves behind must be equal:
// registers, memory, and cause, mepc and mtval of every trap.
#include <catch2/catch.hpp>
#include <map>
#include <optional>
#include <random>
#include <sstream>
#include <vector>

#include "test/support/cpu_bench.h"
#include "test/support/riscv_hart.h"

using namespace bvp;
using namespace bvp::cpu_test;

namespace {

constexpr u64 save_area = ram_base + 0x1000;  // of the handler: where its log ends, two registers
constexpr u64 log_area = ram_base + 0xc0000;
constexpr u64 log_end = ram_base + ram_bytes;
constexpr u64 data_area = ram_base + 0x10000, data_bytes = 0x10000;
constexpr u64 code_area = ram_base + 0x20000;

const std::vector<u64> corners = {0,
                                  1,
                                  2,
                                  0x1f,
                                  0x3f,
                                  0x7fffffff,
                                  0x80000000,
                                  0xffffffff,
                                  0x100000000,
                                  0xffffffff80000000,
                                  0xffffffff7fffffff,
                                  0x7fffffffffffffff,
                                  0x8000000000000000,
                                  0x5555aaaa12345678,
                                  ~u64{0}};

struct TrapRecord {
  u64 cause, pc, value;
  bool operator==(const TrapRecord& o) const { return cause == o.cause && pc == o.pc && value == o.value; }
};

std::ostream& operator<<(std::ostream& out, const TrapRecord& trap) {
  return out << std::hex << "cause " << trap.cause << " at " << trap.pc << ", mtval " << trap.value;
}

/// Notes each trap in the log and goes on behind the instruction; no register has changed then.
Code logging_handler() {
  return {csrrw(t0, mscratch, t0),
          sd(t1, t0, 8),
          sd(t2, t0, 16),
          ld(t1, t0, 0),
          csrr(t2, mcause),
          sd(t2, t1, 0),
          csrr(t2, mtval),
          sd(t2, t1, 16),
          csrr(t2, mepc),
          sd(t2, t1, 8),
          addi(t1, t1, 24),
          sd(t1, t0, 0),
          load(5, t1, t2, 0),          // lhu: the instruction's lower half
          i_type(0x13, 7, t1, t1, 3),  // andi
          addi(t2, t2, 2),
          addi(t1, t1, -3),
          bne(t1, zero, 8),
          addi(t2, t2, 2),
          csrw(mepc, t2),
          ld(t1, t0, 8),
          ld(t2, t0, 16),
          csrrw(t0, mscratch, t0),
          mret};
}

class Comparison {
 public:
  explicit Comparison(u64 seed) : random(seed), hart_(code_area, {}) {
    std::vector<u8> memory(ram_bytes);
    for (u64 i = 0; i < data_bytes; ++i) memory[data_area - ram_base + i] = static_cast<u8>(random());
    hart_ = RiscvHart(ram_base, std::move(memory));
    hart_.pc = code_area;
    hart_.x[t0] = code_area;  // as the prologue leaves it
    start_ = hart_;
  }

  [[nodiscard]] u64 x(unsigned index) const { return hart_.x[index]; }

  /// Adds an instruction of 4 bytes, or of 2 in its lower half, and runs it.
  void emit(u32 instruction) {
    const unsigned length = RiscvHart::length_of(instruction);
    place(instruction, length);
    const u64 pc = hart_.pc;
    const auto written = written_address(instruction);
    if (written && *written - data_area < data_bytes) writers_[(*written - data_area) / 8].push_back(instruction);
    if (const auto trap = hart_.step()) {
      traps_.push_back({trap->cause, pc, trap->value});
      hart_.pc = pc + length;
    }
    ++instructions_;
    if (hart_.pc < end_ || hart_.pc >= log_area - 0x100) FAIL("the program leaves its place");
    // What a jump leaves out would change a register if it were executed.
    while (end_ < hart_.pc) place(0x0505, 2);  // c.addi a0, 1
  }
  void emit(const Code& code) {
    for (const u32 instruction : code) emit(instruction);
  }
  /// Any value, by 8 instructions and the use of no other register.
  void set(unsigned rd, u64 value) {
    const auto upper = static_cast<i64>(value) >> 32;
    const auto part = [&](u64 bits) {
      emit({i_type(0x13, 1, rd, rd, 11), i_type(0x13, 6, rd, rd, static_cast<i64>(bits))});
    };
    emit({lui(rd, static_cast<u64>((upper + 0x800) >> 12)), i_type(0x1b, 0, rd, rd, upper & 0xfff)});
    part(value >> 21 & 0x7ff);
    part(value >> 10 & 0x7ff);
    emit({i_type(0x13, 1, rd, rd, 10), i_type(0x13, 6, rd, rd, static_cast<i64>(value & 0x3ff))});
    if (x(rd) != value) FAIL("a register was not set");
  }
  /// Whether it would write memory outside of the data.
  [[nodiscard]] bool is_dangerous(u32 instruction) const {
    const auto address = written_address(instruction);
    const bool in_ram = address && *address + 8 > ram_base && *address < ram_base + ram_bytes;
    return in_ram && (*address < data_area || *address + 8 > data_area + data_bytes);
  }

  /// Runs the program on the CPU.
  void check() {
    Bench bench;
    std::memcpy(bench.around->ram.data(), start_.ram.data(), ram_bytes);
    std::memcpy(&bench.around->ram[code_area - ram_base], code_.data(), code_.size());
    const Code prologue = set_handler(handler_address) + li(t0, save_area) + Code{csrw(mscratch, t0)} +
                          li(t0, log_area) + Code{lui(t1, save_area >> 12), sd(t0, t1, 0)} + li(t0, code_area) +
                          Code{addi(t1, zero, 0), jalr(zero, t0)};
    const Code epilogue = finish();
    std::memcpy(&bench.around->ram[end_ - ram_base], epilogue.data(), epilogue.size() * sizeof(u32));
    bench.around->place(handler_address, logging_handler());
    bench.run(prologue, 1e5);
    REQUIRE(bench.cpu->sleeping());
    std::vector<TrapRecord> traps(bench.cpu->traps());
    REQUIRE(traps.size() * sizeof(TrapRecord) <= log_end - log_area);
    if (!traps.empty()) {
      std::memcpy(traps.data(), &bench.around->ram[log_area - ram_base], traps.size() * sizeof(TrapRecord));
    }
    for (std::size_t i = 0; i < std::min(traps.size(), traps_.size()); ++i) {
      if (traps[i] == traps_[i]) continue;
      INFO("trap " << i << ", instruction " << std::hex << instruction_at(traps_[i].pc));
      REQUIRE(traps[i] == traps_[i]);
    }
    CHECK(traps.size() == traps_.size());
    for (unsigned i = 1; i < 32; ++i) {
      INFO("x" << i);
      CHECK(bench.x(i) == x(i));
    }
    const u64 data = data_area - ram_base;
    for (u64 i = 0; i < data_bytes; i += 8) {
      u64 expected = 0, found = 0;
      std::memcpy(&expected, &hart_.ram[data + i], 8);
      std::memcpy(&found, &bench.around->ram[data + i], 8);
      if (found == expected) continue;
      INFO("data + " << std::hex << i << ": " << context_of(i));
      REQUIRE(found == expected);
    }
    // The handler has 23 instructions, or one fewer behind a compressed one.
    u64 expected = prologue.size() + instructions_ - traps_.size() + 1;
    for (const TrapRecord& trap : traps_) expected += (instruction_at(trap.pc) & 3) == 3 ? 23 : 22;
    CHECK(bench.cpu->instructions() == expected);
  }

  /// Notes what the next result in memory is about.
  void describe(u64 offset, const std::string& text) { notes_.emplace_back(offset, text); }

  [[nodiscard]] u64 place_of_next() const { return end_; }
  [[nodiscard]] std::size_t trap_count() const { return traps_.size(); }

  std::mt19937_64 random;

 private:
  void place(u32 instruction, unsigned length) {
    for (unsigned i = 0; i < length; ++i) {
      code_.push_back(static_cast<u8>(instruction >> 8 * i));
      hart_.ram[end_++ - ram_base] = code_.back();
    }
  }
  [[nodiscard]] u32 instruction_at(u64 pc) const {
    u32 instruction = 0;
    std::memcpy(&instruction, &code_[pc - code_area], std::min<u64>(4, code_.size() - (pc - code_area)));
    return (instruction & 3) == 3 ? instruction : instruction & 0xffff;
  }
  /// Where a store or an atomic instruction writes.
  [[nodiscard]] std::optional<u64> written_address(u32 instruction) const {
    const auto expanded = RiscvHart::length_of(instruction) == 2 ? RiscvHart::expand(instruction) : instruction;
    const u32 opcode = expanded ? *expanded & 0x7f : 0;
    if (opcode != 0x23 && opcode != 0x2f) return std::nullopt;
    const i64 upper = static_cast<i32>(*expanded) >> 25;
    const i64 offset = opcode == 0x2f ? 0 : upper * 32 + (*expanded >> 7 & 31);
    return x(*expanded >> 15 & 31) + static_cast<u64>(offset);
  }
  [[nodiscard]] std::string context_of(u64 offset) const {
    std::ostringstream writers;
    if (const auto found = writers_.find(offset / 8); found != writers_.end()) {
      for (const u32 instruction : found->second) writers << "written by " << std::hex << instruction << ", ";
    }
    std::string text = writers.str();
    for (const auto& [at, note] : notes_) {
      if (at == offset) text += note;
    }
    return text;
  }

  RiscvHart hart_, start_{code_area, {}};
  std::vector<u8> code_;
  u64 end_ = code_area;
  u64 instructions_ = 0;
  std::vector<TrapRecord> traps_;
  std::map<u64, std::vector<u32>> writers_;  // of 8 bytes each, the instructions that were to write them
  std::vector<std::pair<u64, std::string>> notes_;
};

std::string hex(u64 value) {
  std::ostringstream out;
  out << std::hex << value;
  return out.str();
}

/// Runs `instruction`, which reads t1 and t2 and writes a0, for each pair of values, and stores its results.
class Table {
 public:
  explicit Table(Comparison& comparison) : program_(comparison) { program_.set(s0, data_area); }

  void add(u32 instruction, u64 a, u64 b) {
    if (a != a_ || first_) program_.set(t1, a);
    if (b != b_ || first_) program_.set(t2, b);
    a_ = a;
    b_ = b;
    first_ = false;
    program_.describe(place_, hex(instruction) + " of " + hex(a) + " and " + hex(b));
    program_.emit({instruction, sd(a0, s0, 0), addi(s0, s0, 8)});
    place_ += 8;
  }
  [[nodiscard]] bool full() const { return place_ + 16 > data_bytes || program_.place_of_next() > log_area - 0x400; }

 private:
  Comparison& program_;
  u64 a_ = 0, b_ = 0, place_ = 0;
  bool first_ = true;
};

/// All instructions for all pairs, in as many programs as it takes.
void check_table(const std::vector<u32>& instructions, const std::vector<u64>& first, const std::vector<u64>& second) {
  auto program = std::make_unique<Comparison>(1);
  auto table = std::make_unique<Table>(*program);
  for (const u64 a : first) {
    for (const u64 b : second) {
      for (const u32 instruction : instructions) {
        if (table->full()) {
          program->check();
          program = std::make_unique<Comparison>(1);
          table = std::make_unique<Table>(*program);
        }
        table->add(instruction, a, b);
      }
    }
  }
  program->check();
}

u32 amo(u32 operation, unsigned width, unsigned rd, unsigned base, unsigned source, u32 order = 0) {
  return r_type(0x2f, width, rd, base, source, operation << 2 | order);
}
constexpr u32 lr = 2, sc = 3;
const std::vector<u32> amo_operations = {0, 1, 4, 8, 12, 16, 20, 24, 28};

u32 compressed_jump(i64 offset) {
  const auto v = static_cast<u32>(offset);
  return 0xa001 | (v >> 11 & 1) << 12 | (v >> 4 & 1) << 11 | (v >> 8 & 3) << 9 | (v >> 10 & 1) << 8 |
         (v >> 6 & 1) << 7 | (v >> 7 & 1) << 6 | (v >> 1 & 7) << 3 | (v >> 5 & 1) << 2;
}
u32 compressed_branch(bool not_equal, unsigned rs1, i64 offset) {
  const auto v = static_cast<u32>(offset);
  return (not_equal ? 0xe001 : 0xc001) | (v >> 8 & 1) << 12 | (v >> 3 & 3) << 10 | (rs1 - 8) << 7 | (v >> 6 & 3) << 5 |
         (v >> 1 & 3) << 3 | (v >> 5 & 1) << 2;
}

}  // namespace

TEST_CASE("cpu: instructions of two registers, corner operands", "[cpu][instructions]") {
  std::vector<u32> instructions;
  for (u32 function = 0; function < 8; ++function) {
    for (const u32 upper : {0u, 1u}) instructions.push_back(r_type(0x33, function, a0, t1, t2, upper));
  }
  for (const u32 function : {0u, 5u}) instructions.push_back(r_type(0x33, function, a0, t1, t2, 0x20));
  for (const u32 function : {0u, 1u, 5u}) instructions.push_back(r_type(0x3b, function, a0, t1, t2, 0));
  for (const u32 function : {0u, 5u}) instructions.push_back(r_type(0x3b, function, a0, t1, t2, 0x20));
  for (const u32 function : {0u, 4u, 5u, 6u, 7u}) instructions.push_back(r_type(0x3b, function, a0, t1, t2, 1));
  CHECK(instructions.size() == 18 + 10);
  check_table(instructions, corners, corners);
}

TEST_CASE("cpu: instructions with an immediate, corner operands", "[cpu][instructions]") {
  std::vector<u32> instructions;
  for (const i64 immediate : {0, 1, 2, 0x555, 0x7ff, -1, -2, -0x556, -0x800}) {
    for (const u32 function : {0u, 2u, 3u, 4u, 6u, 7u})
      instructions.push_back(i_type(0x13, function, a0, t1, immediate));
    instructions.push_back(i_type(0x1b, 0, a0, t1, immediate));
  }
  for (u32 shift = 0; shift < 64; ++shift) {
    for (const u32 function : {1u, 5u}) instructions.push_back(i_type(0x13, function, a0, t1, shift));
    instructions.push_back(i_type(0x13, 5, a0, t1, shift | 0x400));
  }
  for (u32 shift = 0; shift < 32; ++shift) {
    for (const u32 function : {1u, 5u}) instructions.push_back(i_type(0x1b, function, a0, t1, shift));
    instructions.push_back(i_type(0x1b, 5, a0, t1, shift | 0x400));
  }
  for (const u64 upper : {0x0u, 0x1u, 0x7ffffu, 0x80000u, 0xfffffu}) {
    instructions.push_back(lui(a0, upper));
    instructions.push_back(0x17 | a0 << 7 | static_cast<u32>(upper) << 12);  // auipc
  }
  check_table(instructions, corners, {0});
}

TEST_CASE("cpu: loads and stores of every width, offset and alignment", "[cpu][instructions]") {
  Comparison program(2);
  const u64 middle = data_area + data_bytes / 2;
  program.set(t1, middle);
  for (unsigned i = 0; i < corners.size(); ++i) {
    program.set(a1, corners[i]);
    for (const i64 offset : {-2048, -2047, -9, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 2046, 2047}) {
      for (unsigned width = 0; width < 4; ++width) {
        program.emit(store(width, a1, t1, offset));
        for (unsigned loaded = 0; loaded < 7; ++loaded) {
          program.emit({load(loaded, a0, t1, offset), r_type(0x33, 4, a2, a2, a0, 0)});  // xor a2, a2, a0
        }
      }
    }
  }
  for (unsigned rd = 0; rd < 32; ++rd) program.emit(ld(rd == t1 ? a0 : rd, t1, 8 * rd));
  program.emit({sd(t1, t1, 0), sd(zero, t1, 8), ld(t1, t1, 0)});
  program.check();
}

TEST_CASE("cpu: branches and jumps", "[cpu][instructions]") {
  Comparison program(3);
  for (const u64 a : corners) {
    program.set(t1, a);
    program.set(s0 + 1, a);
    for (const u64 b : corners) {
      program.set(t2, b);
      for (const u32 function : {0u, 1u, 4u, 5u, 6u, 7u}) program.emit({branch(function, t1, t2, 8), addi(a0, a0, 1)});
    }
    program.emit({compressed_branch(false, s0 + 1, 4), 0x0585, compressed_branch(true, s0 + 1, 6), 0x0585, 0x0585});
  }
  program.emit({jal(ra, 8), addi(a0, a0, 1), jal(zero, 12), addi(a0, a0, 1), jal(a1, 6), compressed_jump(8)});
  program.emit(
      {branch(0, zero, zero, 4094), jal(a2, 0x4000), compressed_jump(2046), compressed_branch(false, s0, 254)});
  for (const unsigned link : {ra, zero, t1, a3}) {
    for (const i64 offset : {0, -2048, 2047, 1}) {
      // Target: behind it and 16 bytes; the lowest bit is dropped.
      const u64 target = program.place_of_next() + 40 + 4 + 16;
      program.set(t1, target - static_cast<u64>(offset));
      while (program.place_of_next() < target - 20) program.emit(nop);
      program.emit(i_type(0x67, 0, link, t1, offset));
    }
  }
  const u64 target = program.place_of_next() + 40 + 8;
  program.set(t1, target);
  while (program.place_of_next() < target - 8) program.emit(nop);
  program.emit(0x9302);  // c.jalr t1
  program.set(t1, program.place_of_next() + 40 + 8);
  program.emit(0x8302);  // c.jr t1
  program.check();
}

TEST_CASE("cpu: backward branches and jumps of every size", "[cpu][instructions]") {
  // Forward to a jump back to the second instruction, which leaves.
  for (const i64 distance : {-8, -0x800, -0xffe, -0x1000}) {
    for (const bool is_branch : {true, false}) {
      Bench bench;
      const u64 back = code_area + static_cast<u64>(-distance);
      bench.around->place(code_area, Code{addi(a0, zero, 42)} + finish());
      bench.around->place(back, {is_branch ? branch(0, zero, zero, distance) : jal(ra, distance)});
      bench.run(li(t0, back) + Code{jalr(zero, t0)});
      CHECK(bench.x(a0) == 42);
      CHECK(bench.x(ra) == (is_branch ? 0 : back + 4));
    }
  }
}

TEST_CASE("cpu: atomic instructions, corner operands", "[cpu][instructions]") {
  for (const unsigned width : {2u, 3u}) {
    Comparison program(4);
    program.set(s0, data_area);
    u64 place = 0;
    for (const u64 in_memory : corners) {
      for (const u64 operand : corners) {
        program.set(t1, in_memory);
        program.set(t2, operand);
        for (const u32 operation : amo_operations) {
          program.describe(place, "amo " + hex(operation) + " of " + hex(in_memory) + " in memory and " + hex(operand));
          program.emit({sd(t1, s0, 0), amo(operation, width, a0, s0, t2), sd(a0, s0, 8), addi(s0, s0, 16)});
          place += 16;
        }
      }
    }
    program.check();
  }
}

TEST_CASE("cpu: atomic instructions with registers in common, and with acquire and release", "[cpu][instructions]") {
  Comparison program(5);
  for (const unsigned width : {2u, 3u}) {
    for (const u32 operation : amo_operations) {
      for (u32 order = 0; order < 4; ++order) {
        program.set(s0, data_area + 8 * (operation + order));
        program.set(t2, 0xfedcba9876543210);
        program.emit({amo(operation, width, zero, s0, t2, order), amo(operation, width, t2, s0, t2, order),
                      amo(operation, width, a0, s0, zero, order), amo(operation, width, t1, s0, s0, order),
                      amo(operation, width, s0, s0, t2, order)});
      }
    }
  }
  program.check();
}

TEST_CASE("cpu: load reserved and store conditional", "[cpu][instructions]") {
  for (const unsigned width : {2u, 3u}) {
    Comparison program(6);
    program.set(s0, data_area);
    for (const u64 value : corners) {
      program.set(t2, value);
      const u32 load_reserved = amo(lr, width, a0, s0, 0), store_conditional = amo(sc, width, a1, s0, t2);
      program.emit({store_conditional, sd(a1, s0, 8)});                                     // no reservation
      program.emit({load_reserved, addi(a0, a0, 1), store_conditional, sd(a1, s0, 16)});    // succeeds
      program.emit({store_conditional, sd(a1, s0, 24)});                                    // used up
      program.emit({load_reserved, addi(s0, s0, 8), store_conditional, sd(a1, s0, 32)});    // another address
      program.emit({addi(s0, s0, -8), store_conditional, sd(a1, s0, 48), sd(a0, s0, 56)});  // lost by that
      program.emit({load_reserved, 0xffffffff, store_conditional, sd(a1, s0, 64)});         // a trap in between
      program.emit({amo(lr, width, zero, s0, 0, 3), amo(sc, width, zero, s0, t2, 3)});      // no result wanted
      program.emit({amo(lr, width, s0, s0, 0)});
      program.set(s0, data_area + 0x100);
      // Addresses are checked with and without a reservation.
      for (const u64 bad : {data_area + 1, data_area + 2, data_area + (width == 3 ? 4 : 6), unmapped, unmapped + 2,
                            ram_base + ram_bytes, device_base, rom_base + rom_bytes}) {
        program.set(t1, bad);
        program.emit({amo(lr, width, a2, t1, 0), amo(sc, width, a2, t1, t2), load_reserved, amo(sc, width, a2, t1, t2),
                      store_conditional, sd(a1, s0, 72)});
      }
    }
    program.check();
  }
}

TEST_CASE("cpu: a store conditional to memory that cannot be written", "[cpu][instructions]") {
  for (const bool reserved : {false, true}) {
    Bench bench;
    bench.around->place(handler_address, Code{csrr(a0, mcause), csrr(a1, mepc), csrr(a2, mtval)} + finish());
    bench.run(set_handler(handler_address) + li(t0, rom_base) +
              Code{lw(a0, t0, 0), reserved ? amo(lr, 2, a3, t0, 0) : nop, amo(sc, 2, s0, t0, a0)});
    CHECK(bench.x(a0) == 7);
    CHECK(bench.x(a1) == ram_base + 7 * 4);
    CHECK(bench.x(a2) == rom_base);
    CHECK(bench.x(s0) == 0);
  }
}

TEST_CASE("cpu: every compressed instruction", "[cpu][instructions]") {
  auto program = std::make_unique<Comparison>(7);
  const auto prepare = [&] {
    for (unsigned i = 1; i < 32; ++i) {
      const bool pointer = i == sp || i % 2 == 0;
      program->set(i, pointer ? data_area + data_bytes / 2 + 8 * i : corners[i % corners.size()]);
    }
  };
  prepare();
  for (u32 encoding = 0; encoding < 0x10000; ++encoding) {
    if ((encoding & 3) == 3) continue;
    const auto expanded = RiscvHart::expand(encoding);
    const u32 opcode = expanded ? *expanded & 0x7f : 0;
    if (opcode == 0x6f || opcode == 0x63 || opcode == 0x67) continue;  // jumps have a test of their own
    if (program->place_of_next() > log_area - 0x1000 || program->trap_count() > 10000) {
      program->check();
      program = std::make_unique<Comparison>(encoding);
      prepare();
    }
    // Registers that have become anything get values again, so that loads and stores reach data.
    if (encoding % 64 == 0) prepare();
    if (!program->is_dangerous(encoding)) program->emit(encoding);
  }
  program->check();
}

TEST_CASE("cpu: random instructions, legal and not", "[cpu][instructions]") {
  const std::vector<u32> opcodes = {0x03, 0x13, 0x17, 0x1b, 0x23, 0x2f, 0x33, 0x37, 0x3b, 0x0f, 0x07, 0x27, 0x43, 0x53};
  for (u64 seed = 100; seed < 103; ++seed) {
    Comparison program(seed);
    auto& random = program.random;
    for (unsigned i = 1; i < 32; ++i) program.set(i, corners[random() % corners.size()]);
    while (program.place_of_next() < log_area - 0x400 && program.trap_count() < 10000) {
      if (random() % 8 == 0) {
        const u64 place = data_area + random() % (data_bytes - 0x1000) + 0x800;
        program.set(1 + random() % 31, random() % 4 == 0 ? random() : random() % 3 == 0 ? place : place & ~u64{7});
        continue;
      }
      const u32 opcode = opcodes[random() % opcodes.size()];
      u32 instruction = (static_cast<u32>(random()) & ~u32{0x7f}) | opcode;
      // Half of them are such as have few illegal neighbours.
      if (random() % 2 == 0 && (opcode == 0x33 || opcode == 0x3b)) {
        const u32 upper[] = {0, 0x20, 1};
        instruction = (instruction & 0x01ffffff) | upper[random() % 3] << 25;
      }
      if (random() % 2 == 0 && opcode == 0x2f) instruction = (instruction & 0x87ff8fff) | 0x2000 | (random() & 0x1000);
      const bool reservation = opcode == 0x2f && instruction >> 28 == 1;  // LR and SC: those have a test of their own
      if (!reservation && !program.is_dangerous(instruction)) program.emit(instruction);
    }
    program.check();
  }
}
