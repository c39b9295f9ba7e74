// SPDX-License-Identifier: Apache-2.0
// The instruction set of a PE: four units, 64-bit instructions. Defined once, in BVP_INSTRUCTIONS.
#pragma once

#include <array>
#include <optional>
#include <string>

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

// X(name, opcode, unit, timing, d, a, b, c, arithmetic operations per lane, meaning)
#define BVP_INSTRUCTIONS(X)                                                                                          \
  X(ld, 1, load, transfer, vector, scratchpad, none, none, 0, "d = scratchpad[a]")                                   \
  X(st, 2, store, transfer, scratchpad, vector, none, none, 0, "scratchpad[d] = a")                                  \
  X(send, 3, flow, transfer, vector, vector, peer, none, 0, "peer's operand memory[d] = a")                          \
  X(mul, 8, cal, simple, vector, vector, vector, none, 1, "d = a * b")                                               \
  X(muls, 9, cal, simple, vector, vector, scalar, none, 1, "d = a * b")                                              \
  X(fma, 10, cal, simple, vector, vector, vector, vector, 2, "d = a * b + c")                                        \
  X(fmas, 11, cal, simple, vector, vector, scalar, vector, 2, "d = a * b + c")                                       \
  X(fmass, 12, cal, simple, vector, vector, scalar, scalar, 2, "d = a * b + c")                                      \
  X(fnmas, 13, cal, simple, vector, vector, scalar, vector, 2, "d = c - a * b")                                      \
  X(add, 14, cal, simple, vector, vector, vector, none, 1, "d = a + b")                                              \
  X(adds, 15, cal, simple, vector, vector, scalar, none, 1, "d = a + b")                                             \
  X(sub, 16, cal, simple, vector, vector, vector, none, 1, "d = a - b")                                              \
  X(max, 17, cal, maximum, vector, vector, vector, none, 1, "d = a > b ? a : b")                                     \
  X(maxs, 18, cal, maximum, vector, vector, scalar, none, 1, "d = a > b ? a : b")                                    \
  X(tlow, 20, cal, simple, vector, vector, vector, distance, 0,                                                      \
    "d = of each 2 * c lanes: a's lower half, then b's lower half")                                                  \
  X(thigh, 21, cal, simple, vector, vector, vector, distance, 0,                                                     \
    "d = of each 2 * c lanes: a's upper half, then b's upper half")                                                  \
  X(exp, 24, cal, special, vector, vector, none, none, 1, "d = exp(a)")                                              \
  X(erf, 25, cal, special, vector, vector, none, none, 1, "d = erf(a)")                                              \
  X(rcp, 26, cal, special, vector, vector, none, none, 1, "d = 1 / a")                                               \
  X(rsqrt, 27, cal, special, vector, vector, none, none, 1, "d = 1 / sqrt(a)")                                       \
  X(azero, 32, cal, simple, accumulator, none, none, none, 0, "d = 0")                                               \
  X(aadd, 33, cal, simple, accumulator, vector, none, none, 1, "d = d + a, in fp32")                                 \
  X(amac, 34, cal, simple, accumulator, vector, vector, none, 2, "d = d + a * b, in fp32")                           \
  X(amacs, 35, cal, simple, accumulator, vector, scalar, none, 2, "d = d + a * b, in fp32")                          \
  X(around, 36, cal, simple, vector, accumulator, none, none, 0, "d = a, rounded")                                   \
  X(amul, 37, cal, simple, vector, accumulator, vector, none, 1, "d = a * b in fp32, rounded")                       \
  X(amuls, 38, cal, simple, vector, accumulator, scalar, none, 1, "d = a * b in fp32, rounded")                      \
  X(asub, 39, cal, simple, vector, accumulator, vector, none, 1, "d = b - a in fp32, rounded")                       \
  X(alow, 40, cal, simple, vector, accumulator, none, none, 0, "d = lower halves of a's bits")                       \
  X(ahigh, 41, cal, simple, vector, accumulator, none, none, 0, "d = upper halves of a's bits")                      \
  X(ajoin, 42, cal, simple, accumulator, vector, vector, none, 1, "d = d + (fp32 of halves a, b)")                   \
  X(ascale, 43, cal, special, accumulator, accumulator, scalar, scalar, 1, "d = a * (fp32 of halves b, c), in fp32") \
  X(arsqrt, 44, cal, special, accumulator, accumulator, none, none, 1, "d = 1 / sqrt(a), in fp32")

#define BVP_DECLARE_INSTRUCTION(name, opcode, ...) name = opcode,
enum class Opcode : u8 { BVP_INSTRUCTIONS(BVP_DECLARE_INSTRUCTION) };

struct InstructionInfo {
  Opcode opcode;
  const char* name;
  Unit unit;
  Timing timing;
  Space d, a, b, c;
  unsigned operations;  // per lane; a fused multiply-add counts two
  const char* meaning;
};

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

/// Bits: opcode 5..0, d 18..6, a 31..19, b 49..32, c 62..50; an operand is offset (11 bits, b 16) then stream (2).
struct Instruction {
  Opcode opcode = Opcode::mul;
  Operand d, a, b, c;

  [[nodiscard]] u64 encode() const;
  /// nullopt if the opcode does not exist or an unused bit is set.
  [[nodiscard]] static std::optional<Instruction> decode(u64 word);
  [[nodiscard]] std::string disassemble() const;
};

}  // namespace bvp
