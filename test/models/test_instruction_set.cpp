// SPDX-License-Identifier: Apache-2.0
// Encoder, decoder and disassembler of instructions and kernel images.
#include <catch2/catch.hpp>
#include <limits>
#include <random>

#include "models/abi/image_header.h"
#include "models/isa/kernel.h"

namespace {

using namespace bvp;

Kernel small_kernel() {
  Kernel kernel;
  kernel.lanes = 8;
  kernel.pe_rows = 1;
  kernel.pe_columns = 2;
  kernel.levels[0] = {1, 2};
  kernel.code = {Instruction{Opcode::ld, {0, 3}, {1, 0}, {}, {}}.encode(),
                 Instruction{Opcode::fmas, {0, 1}, {1, 2}, {2, 40000}, {3, 4}}.encode()};
  Segment load;
  load.unit = Unit::load;
  load.instruction_count = 1;
  load.trips = {4, 2, 1, 1, 1, 1};
  load.streams[0].base = -5;
  load.streams[1].trip_stride = {1, -2, 0, 0, 0, 7};
  load.streams[1].launch_register = 16;
  load.streams[1].instance_stride = {0, 100000, 0, -3};
  Segment cal;
  cal.unit = Unit::cal;
  cal.scope = 4;
  cal.tag = 9;
  cal.first_instruction = 1;
  cal.instruction_count = 1;
  cal.streams[2].rotation_scope = 4;
  cal.streams[2].rotation_depth = 255;
  cal.streams[2].rotation_stride = 48;
  cal.streams[3].pe_register = 2;
  kernel.segments = {load, cal};
  kernel.edges = {{0, 1, 0, 0, EdgeKind::data}, {1, 1, 1, 3, EdgeKind::space}};
  kernel.pe_registers = {{0, 7}, {1, -9}};
  return kernel;
}

constexpr KernelLimits limits{8, 2, 2, 256, 32, 32};

}  // namespace

TEST_CASE("addresses that leave 32 bits are refused", "[isa]") {
  const Kernel right = small_kernel();
  right.check(limits);
  Kernel far = right;
  far.segments[0].trips[0] = 60000;
  far.segments[0].streams[0].trip_stride[0] = 1 << 20;
  CHECK_THROWS_AS(far.check(limits), KernelError);
  far = right;
  far.segments[0].streams[0].pe_register = 1;
  far.segments[0].streams[0].base = std::numeric_limits<i32>::max();
  far.pe_registers[1][0] = 1;
  CHECK_THROWS_AS(far.check(limits), KernelError);
}

TEST_CASE("a PE without the swapping multiply-add refuses kernels that have it", "[isa]") {
  Kernel kernel = small_kernel();
  kernel.code[1] = Instruction{Opcode::fmar, {0, 1}, {1, 2}, {2, 40}, {3, 4}}.encode();
  CHECK_NOTHROW(kernel.check(limits));
  KernelLimits without = limits;
  without.swapping_fma = false;
  CHECK_THROWS_WITH(kernel.check(without), Catch::Contains("an fmar") && Catch::Contains("soc.pe.swapping_fma"));
  kernel.code[1] = Instruction{Opcode::fnmar, {0, 1}, {1, 2}, {2, 40}, {3, 4}}.encode();
  CHECK_THROWS_WITH(kernel.check(without), Catch::Contains("an fnmar") && Catch::Contains("soc.pe.swapping_fma"));
  CHECK_NOTHROW(small_kernel().check(without));
}

TEST_CASE("instructions survive encoding, for every opcode and random operands", "[isa]") {
  std::mt19937 random(1);
  for (unsigned opcode = 0; opcode < 64; ++opcode) {
    const InstructionInfo* info = instruction_info(opcode);
    if (info == nullptr) {
      CHECK_FALSE(Instruction::decode(opcode));
      continue;
    }
    const auto operand = [&](Space space, unsigned bits) {
      if (space == Space::none) return Operand{};
      const auto stream = static_cast<u8>(is_immediate(space) ? 0 : random() % 4);
      return Operand{stream, static_cast<u16>(random() % (1u << bits))};
    };
    for (int i = 0; i < 50; ++i) {
      const Instruction written{info->opcode, operand(info->d, 11), operand(info->a, 11), operand(info->b, 16),
                                operand(info->c, 11)};
      const auto read = Instruction::decode(written.encode());
      REQUIRE(read);
      CHECK(read->encode() == written.encode());
      CHECK(read->disassemble() == written.disassemble());
      CHECK(read->b.offset == written.b.offset);
      CHECK(read->c.stream == written.c.stream);
    }
  }
}

TEST_CASE("an unused bit in an instruction is refused", "[isa]") {
  const u64 word = Instruction{Opcode::exp, {0, 1}, {1, 2}, {}, {}}.encode();
  CHECK(Instruction::decode(word));
  CHECK_FALSE(Instruction::decode(word | u64{1} << 63));
  CHECK_FALSE(Instruction::decode(word | u64{1} << 40));
  // A distance has no stream.
  const u64 exchange = Instruction{Opcode::tlow, {0, 1}, {1, 2}, {1, 3}, {0, 4}}.encode();
  CHECK(Instruction::decode(exchange));
  CHECK_FALSE(Instruction::decode(exchange | u64{1} << 61));
}

TEST_CASE("a kernel survives encoding", "[isa]") {
  const Kernel written = small_kernel();
  written.check(limits);
  const std::vector<u8> image = written.encode();
  const Kernel read = Kernel::decode(image.data(), image.size());
  CHECK(read.encode() == image);
  CHECK(read.disassemble() == written.disassemble());
  CHECK(read.segments[0].streams[1].instance_stride == written.segments[0].streams[1].instance_stride);
  CHECK(read.pe_registers == written.pe_registers);
}

TEST_CASE("a kernel is checked against the machine", "[isa]") {
  const auto refuse = [](const std::function<void(Kernel&)>& damage) {
    Kernel kernel = small_kernel();
    damage(kernel);
    CHECK_THROWS_AS(kernel.check(limits), KernelError);
  };
  refuse([](Kernel& k) { k.lanes = 16; });
  refuse([](Kernel& k) { k.pe_columns = 4; });
  refuse([](Kernel& k) { k.pe_columns = 3; });
  refuse([](Kernel& k) { k.code.assign(33, k.code[0]); });
  refuse([](Kernel& k) { k.code[1] = 63; });
  refuse([](Kernel& k) { k.segments[0].unit = Unit::store; });
  refuse([](Kernel& k) { k.segments[1].first_instruction = 2; });
  refuse([](Kernel& k) { k.segments[1].instruction_count = 0; });
  refuse([](Kernel& k) { k.segments[0].trips[3] = 0; });
  refuse([](Kernel& k) { k.segments[0].trips = {1000, 1000, 1, 1, 1, 1}; });
  refuse([](Kernel& k) { k.segments[0].streams[0].pe_register = 3; });
  refuse([](Kernel& k) { k.segments[0].streams[0].launch_register = 17; });
  refuse([](Kernel& k) { k.segments[0].scope = 5; });
  refuse([](Kernel& k) { k.edges[0].to = 2; });
  refuse([](Kernel& k) { k.edges[1].peer_mask = 2; });
  refuse([](Kernel& k) { k.edges[0].peer_mask = 1; });
  refuse([](Kernel& k) { k.levels[0].step = 0; });
  refuse([](Kernel& k) { k.levels[0].start_register = 3; });
  for (const u16 distance : {0, 3, 5, 8, 16, 1024}) {
    refuse([&](Kernel& k) { k.code[1] = Instruction{Opcode::thigh, {0, 0}, {0, 0}, {0, 1}, {0, distance}}.encode(); });
  }
  for (const u16 distance : {1, 2, 4}) {
    Kernel kernel = small_kernel();
    kernel.code[1] = Instruction{Opcode::thigh, {0, 0}, {0, 0}, {0, 1}, {0, distance}}.encode();
    kernel.check(limits);
  }
}

TEST_CASE("damaged images are refused or decoded, never read out of bounds", "[isa]") {
  const std::vector<u8> image = small_kernel().encode();
  for (std::size_t size = 0; size < image.size(); ++size) {
    const std::vector<u8> part(image.begin(), image.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK_THROWS_AS(Kernel::decode(part.data(), part.size()), KernelError);
  }
  for (std::size_t bit = 0; bit < image.size() * 8; ++bit) {
    std::vector<u8> damaged = image;
    damaged[bit / 8] = static_cast<u8>(damaged[bit / 8] ^ (1u << bit % 8));
    try {
      Kernel::decode(damaged.data(), damaged.size()).check(limits);
    } catch (const KernelError&) {
    }
  }
  SUCCEED();
}
