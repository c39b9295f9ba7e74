// SPDX-License-Identifier: Apache-2.0
// A log of what the firmware does: instructions, traps and interrupts, accesses to registers of devices.
#pragma once

#include <functional>
#include <string>

#include "platform/profile/device_accesses.h"

namespace bvp {

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

  FirmwareLog(const FirmwareLog&) = delete;
  FirmwareLog& operator=(const FirmwareLog&) = delete;
  /// @param place_of  "0x80001234 (main+0x4)"
  FirmwareLog(Options options, ObservedCpu cpu, std::function<std::string(u64 pc)> place_of);

  /// To be called before each instruction.
  void step(u64 pc);

 private:
  [[nodiscard]] bool is_logged(u64 pc) const { return pc >= options_.first && pc <= options_.last; }
  void line(double seconds, const char* kind, const std::string& text) const;
  void log_access(const DeviceAccesses::Access& access) const;
  void log_change(u64 pc, double seconds);

  const Options options_;
  const ObservedCpu cpu_;
  const std::function<std::string(u64)> place_of_;
  InstructionClock clock_;
  DeviceAccesses accesses_;
  u64 before_ = 1;  // the instruction before; odd: none
  u32 instruction_before_ = 0;
};

}  // namespace bvp
