// SPDX-License-Identifier: Apache-2.0
// Where a program spends its time, by function and by who has called it.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "models/base/types.h"

namespace bvp {

/// What a profiler needs to know of the CPU, at the moment before an instruction.
struct ProfiledCpu {
  std::function<u64()> time;          ///< the CPU's own time, in any unit
  u64 instruction_time = 1;           ///< of each instruction, in the same unit
  std::function<u64()> asleep;        ///< time that it has slept in all
  std::function<u32(u64)> fetch;      ///< the instruction at an address
  std::function<u64()> handler;       ///< address of the trap handler
  std::function<u64()> trapped_from;  ///< where the CPU goes on after the trap
};

/// Follows the instructions of a program. Calls are jumps that leave their return address in ra or t0; a return is a
/// jump by a register to a return address that is outstanding; a jump into another function is a call in the last place
/// (a tail call); a trap is a call of its handler. What an instruction takes longer than others (accesses to devices,
/// sleep) is counted for its function.
class Profiler {
 public:
  /// @param name_of  "FUNCTION+0xOFFSET"; empty: unknown
  Profiler(ProfiledCpu cpu, std::function<std::string(u64 pc)> name_of);

  /// Hears, before the instruction that follows, which functions were left and entered, in this order.
  struct Observer {
    std::function<void()> leave;
    std::function<void(const std::string& function)> enter;
  };
  void observe(Observer observer) { observer_ = std::move(observer); }

  /// To be called before each instruction.
  void step(u64 pc);
  /// To be called at the end, once.
  void finish() { settle(); }

  /// What was spent, in the unit of time: `busy` is the time awake.
  struct Cost {
    u64 instructions = 0, busy = 0, asleep = 0;
    Cost& operator+=(const Cost& other);
  };
  struct FunctionRow {
    std::string name;
    u64 calls = 0;
    Cost self, with_callees;
  };
  /// The most expensive first, by the time awake.
  [[nodiscard]] std::vector<FunctionRow> functions() const;

  struct StackRow {
    std::vector<std::string> names;  ///< outermost first
    Cost self;
  };
  /// Each way by which something was reached, in the order in which they were taken first.
  [[nodiscard]] std::vector<StackRow> stacks() const;

 private:
  enum class Kind : u8 { other, call, jump, trap_return };
  struct Place {
    u32 function = 0;
    u8 bytes = 4;
    Kind kind = Kind::other;
  };
  struct Node {
    u32 function = 0, parent = 0, depth = 0;
    u64 calls = 0;
    Cost self;
    std::map<u32, u32> children;  // by function
  };
  struct Frame {
    u64 resume;  // where the caller goes on
    bool trap;
    u32 caller;  // node
  };

  const Place& place_of(u64 pc);
  static Kind kind_of(u32 instruction);
  u32 child_of(u32 parent, u32 function);
  void settle();
  void follow(u64 from, u64 to);
  void call(u64 resume, u64 to, bool trap);
  bool unwind_to(u64 pc, bool by_trap);
  void continue_in(u32 function);
  void tell(u32 from) const;

  const ProfiledCpu cpu_;
  const std::function<std::string(u64)> name_of_;
  Observer observer_;
  std::unordered_map<u64, Place> places_;  // by address of the instruction
  std::unordered_map<std::string, u32> numbers_;
  std::vector<std::string> names_;  // of functions
  std::vector<Node> nodes_;         // the first is above all that have no caller
  std::vector<Frame> frames_;
  u32 node_ = 0;
  u64 before_ = 1;  // the instruction before; odd: none
  u64 settled_ = 0, settled_asleep_ = 0;
  u64 unsettled_ = 0;  // instructions since
};

}  // namespace bvp
