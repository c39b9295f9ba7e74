// SPDX-License-Identifier: Apache-2.0
// What gdb's remote protocol needs of the machine that is debugged.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "models/base/types.h"

namespace bvp {

/// Numbers of registers, in the target description and in packets.
namespace debug_register {
inline constexpr unsigned general_count = 32, pc = 32, general_and_pc = 33, first_csr = 128, csr_count = 4096;
}

/// As numbered in the packets Z and z.
enum class StopPoint : unsigned { software = 0, hardware = 1, write = 2, read = 3, access = 4 };

/// Why the machine has stopped.
struct StopReason {
  enum class Signal : unsigned { interrupt = 2, illegal = 4, trap = 5, bus = 7, fault = 11, terminated = 15 };
  Signal signal = Signal::trap;
  std::optional<StopPoint> watchpoint;  ///< that has been hit
  u64 address = 0;                      ///< that is accessed
  std::string note = {};                ///< for the user, beside what gdb says
};

/// How the machine goes on: without end, or for one instruction, and then until it leaves [begin, end).
struct Resumption {
  bool step = false;
  u64 begin = 0, end = 0;
};

class DebugTarget {
 public:
  virtual ~DebugTarget() = default;
  /// Nothing: there is no such register.
  [[nodiscard]] virtual std::optional<u64> read_register(unsigned number) const = 0;
  /// False: there is none, or it cannot be written.
  virtual bool write_register(unsigned number, u64 value) = 0;
  /// Without side effects; up to where nothing is.
  [[nodiscard]] virtual std::string read_memory(u64 address, std::size_t bytes) = 0;
  /// False: some of it cannot be written this way.
  virtual bool write_memory(u64 address, std::string_view bytes) = 0;
  /// Setting one that is there and removing one that is not do nothing. False: impossible there.
  virtual bool set(StopPoint kind, u64 address, u64 bytes) = 0;
  virtual void remove(StopPoint kind, u64 address, u64 bytes) = 0;
  /// The answer to a command of the user.
  [[nodiscard]] virtual std::string monitor(const std::string& command) = 0;
  /// XML as gdb defines it.
  [[nodiscard]] virtual std::string description() const = 0;
  [[nodiscard]] virtual std::string memory_map() const = 0;
};

}  // namespace bvp
