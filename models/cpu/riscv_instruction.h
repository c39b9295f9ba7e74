// SPDX-License-Identifier: Apache-2.0
// The part of the RV64IMAC encoding that is needed to finish the instructions that the engine leaves to the CPU model:
// memory accesses outside of RAM, and system instructions.
#pragma once

#include <optional>

#include "models/base/types.h"

namespace bvp::riscv {

// mcause values
inline constexpr u64 interrupt_flag = u64{1} << 63;
enum Cause : u64 {
  instruction_access_fault = 1,
  illegal_instruction = 2,
  breakpoint = 3,
  load_misaligned = 4,
  load_access_fault = 5,
  store_misaligned = 6,
  store_access_fault = 7,
  call_from_user = 8,
  call_from_machine = 11,
  software_interrupt = interrupt_flag | 3,
  timer_interrupt = interrupt_flag | 7,
  external_interrupt = interrupt_flag | 11
};

[[nodiscard]] const char* cause_text(u64 cause);

[[nodiscard]] constexpr unsigned instruction_bytes(u32 instruction) { return (instruction & 3) == 3 ? 4 : 2; }

struct MemoryAccess {
  enum class Kind { load, store, load_reserved, atomic };
  Kind kind;
  unsigned bytes;
  bool sign_extend;
  unsigned data_register;  // destination of a load, source of a store
  unsigned base_register;
  i64 offset;

  [[nodiscard]] bool writes() const { return kind == Kind::store || kind == Kind::atomic; }
};

/// Decodes `instruction` if it is a load, a store or an atomic.
[[nodiscard]] std::optional<MemoryAccess> decode_memory_access(u32 instruction);

struct CsrAccess {
  enum class Operation { write, set, clear };
  Operation operation;
  unsigned csr;
  unsigned destination;
  bool immediate;
  unsigned source;  // a register, or the immediate itself

  /// The forms "set" and "clear" without a source (x0 or 0) only read the register.
  [[nodiscard]] bool writes() const { return operation == Operation::write || source != 0; }
};

[[nodiscard]] std::optional<CsrAccess> decode_csr_access(u32 instruction);

/// SC.W or SC.D.
[[nodiscard]] constexpr bool is_store_conditional(u32 instruction) { return (instruction & 0xf800607f) == 0x1800202f; }

/// Whether the instruction is FENCE.I, whatever its reserved fields hold.
[[nodiscard]] constexpr bool is_fence_i(u32 instruction) { return (instruction & 0x707f) == 0x100f; }

/// AMOMIN.W, AMOMAX.W, AMOMINU.W and AMOMAXU.W.
struct WordExtremum {
  enum class Operation { minimum, maximum, unsigned_minimum, unsigned_maximum };
  Operation operation;
  unsigned destination, base_register, source;

  /// The value in memory after the atomic operation.
  [[nodiscard]] u32 choose(u32 in_memory, u32 operand) const;
};

[[nodiscard]] std::optional<WordExtremum> decode_word_extremum(u32 instruction);

inline constexpr u32 instruction_mret = 0x30200073;
inline constexpr u32 instruction_wfi = 0x10500073;
inline constexpr u32 instruction_ebreak = 0x00100073;
inline constexpr u32 instruction_c_ebreak = 0x9002;

}  // namespace bvp::riscv
