// SPDX-License-Identifier: Apache-2.0
// What stops the CPU between two instructions.
#pragma once

#include "models/base/types.h"

namespace bvp {

class CpuDebugger {
 public:
  virtual ~CpuDebugger() = default;
  /// Called before each instruction while Cpu::observe_instructions() is on: whether the CPU is to stop there. Called
  /// from within the instruction set engine: it may read registers and instructions, and must not change anything or
  /// throw.
  virtual bool stops_before(u64 pc) = 0;
  /// Called when the CPU has stopped there. Simulated time stands still until it returns; meanwhile registers, memory
  /// and observe_instructions() may be changed. Returns false if the CPU shall never go on.
  [[nodiscard]] virtual bool stopped() = 0;
  /// Called before the CPU halts because of an exception that the firmware cannot handle; pc() is where it happened.
  virtual void halting(u64 cause) = 0;
};

}  // namespace bvp
