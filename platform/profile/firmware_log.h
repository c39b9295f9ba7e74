// SPDX-License-Identifier: Apache-2.0
// A log of what the firmware does: instructions, traps and interrupts, accesses to registers of devices.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "models/base/types.h"
#include "models/cpu/riscv_instruction.h"

namespace bvp {

/// What the log needs to know of the CPU, at the moment before an instruction.
struct LoggedCpu {
  std::function<u64()> time;  ///< the CPU's own time, in any unit
  u64 instruction_time = 1;   ///< of each instruction, in the same unit
  double unit_s = 1;          ///< the unit
  std::function<u32(u64)> fetch;
  std::function<u64(unsigned)> general_register;
  std::function<u64(unsigned)> csr;
};

class FirmwareLog {
 public:
  struct Options {
    bool instructions = false;
    bool traps = false;             ///< and interrupts, returns from both, and sleep
    bool registers = false;         ///< of devices
    u64 first = 0, last = ~u64{0};  ///< addresses of the instructions that are logged
    /// "uart.THR = 0x41", with the names of fields; empty: the address is no register that is logged.
    std::function<std::string(u64 address, u64 value, bool write)> register_text;
    std::function<void(const std::string& line)> write;
  };

  /// @param place_of  "0x80001234 (main+0x4)"
  FirmwareLog(Options options, LoggedCpu cpu, std::function<std::string(u64 pc)> place_of);

  /// To be called before each instruction.
  void step(u64 pc);

 private:
  /// An access to a device whose outcome is not known yet.
  struct Access {
    riscv::MemoryAccess decoded;
    u64 address, value;  // value: of a write
    u64 pc;
    double seconds;
  };

  [[nodiscard]] bool is_logged(u64 pc) const { return pc >= options_.first && pc <= options_.last; }
  void line(double seconds, const char* kind, const std::string& text) const;
  [[nodiscard]] double now();
  void finish_access(u64 pc);
  void log_change(u64 pc, double seconds);
  void begin_access(u64 pc, u32 instruction, double seconds);

  const Options options_;
  const LoggedCpu cpu_;
  const std::function<std::string(u64)> place_of_;
  std::optional<Access> access_;
  u64 time_ = 0, since_ = 0;  // the CPU's time when it was last seen to change, and instructions since
  u64 before_ = 1;            // the instruction before; odd: none
  u32 instruction_before_ = 0;
};

}  // namespace bvp
