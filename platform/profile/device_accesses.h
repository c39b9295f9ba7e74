// SPDX-License-Identifier: Apache-2.0
// Which devices' registers a program reads and writes, and when, by its instructions.
#pragma once

#include <functional>
#include <optional>

#include "models/base/types.h"
#include "models/cpu/riscv_instruction.h"

namespace bvp {

/// What observers of instructions need to know of the CPU, at the moment before an instruction.
struct ObservedCpu {
  std::function<u64()> time;  ///< the CPU's own time, in any unit
  u64 instruction_time = 1;   ///< of each instruction, in the same unit
  double unit_s = 1;          ///< the unit
  std::function<u32(u64)> fetch;
  std::function<u64(unsigned)> general_register;
  std::function<u64(unsigned)> csr;
};

/// When each instruction begins. Within a run of the engine the CPU's time stands still; each instruction has its time
/// nevertheless.
class InstructionClock {
 public:
  explicit InstructionClock(const ObservedCpu& cpu) : cpu_(cpu) {}
  /// To be called once before each instruction. Returns its begin in seconds, which never decreases.
  double begin();

 private:
  const ObservedCpu& cpu_;
  u64 time_ = ~u64{0}, since_ = 0;  // the CPU's time when it was last seen to change, and instructions since
  double last_s_ = 0;
};

class DeviceAccesses {
 public:
  struct Access {
    riscv::MemoryAccess decoded;
    u64 address = 0, value = 0, pc = 0;
    double begin_s = 0;
    bool refused = false;  ///< it has ended in a trap
  };
  using IsWanted = std::function<bool(u64 address, bool write)>;

  /// @param is_wanted  whether accesses to this address are followed
  DeviceAccesses(const ObservedCpu& cpu, IsWanted is_wanted) : cpu_(cpu), is_wanted_(std::move(is_wanted)) {}

  /// To be called before each instruction: the access that the instruction before has made.
  std::optional<Access> ended(u64 pc);
  /// The instruction, which comes next, is followed if it is an access.
  void begin(u64 pc, u32 instruction, double begin_s);

 private:
  const ObservedCpu& cpu_;
  const IsWanted is_wanted_;
  std::optional<Access> open_;
};

}  // namespace bvp
