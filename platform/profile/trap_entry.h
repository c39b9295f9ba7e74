// SPDX-License-Identifier: Apache-2.0
// Where the CPU goes on in a trap.
#pragma once

#include "models/base/types.h"
#include "models/cpu/riscv_instruction.h"

namespace bvp {

/// @param mtvec, mcause  values of the registers, the latter of the trap
[[nodiscard]] constexpr u64 trap_entry(u64 mtvec, u64 mcause) {
  const bool vectored = (mtvec & 1) != 0 && (mcause & riscv::interrupt_flag) != 0;
  return (mtvec & ~u64{3}) + (vectored ? 4 * (mcause & ~riscv::interrupt_flag) : 0);
}

}  // namespace bvp
