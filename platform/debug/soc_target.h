// SPDX-License-Identifier: Apache-2.0
// The SoC as gdb sees it: its CPU, its memories and devices, and what stops the CPU.
#pragma once

#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "models/base/signal.h"
#include "platform/debug/debug_target.h"
#include "platform/debug/monitor.h"
#include "platform/soc/soc.h"

namespace bvp {

class SocTarget : public DebugTarget {
 public:
  explicit SocTarget(Soc& soc);

  [[nodiscard]] std::optional<u64> read_register(unsigned number) const override;
  bool write_register(unsigned number, u64 value) override;
  [[nodiscard]] std::string read_memory(u64 address, std::size_t bytes) override;
  bool write_memory(u64 address, std::string_view bytes) override;
  bool set(StopPoint kind, u64 address, u64 bytes) override;
  void remove(StopPoint kind, u64 address, u64 bytes) override;
  [[nodiscard]] std::string monitor(const std::string& command) override { return monitor_.run(command); }
  [[nodiscard]] std::string description() const override;
  [[nodiscard]] std::string memory_map() const override;

  /// As CpuDebugger::stops_before().
  [[nodiscard]] bool stops_before(u64 pc);
  /// The CPU is to stop before its next instruction.
  void ask_to_stop(StopReason::Signal why) { stop_asked_ = why; }
  /// Whether something has happened that is to stop the CPU: it was asked to, or a watchpoint was hit.
  [[nodiscard]] bool wants_to_stop() const { return stop_asked_ || hit_; }
  /// Why the CPU has stopped; forgets it.
  [[nodiscard]] StopReason take_reason();
  /// The CPU goes on. @param here  it has stopped before the instruction at pc(), which is to be executed now
  void resume(const Resumption& how, bool here);
  /// Forgets all breakpoints, watchpoints and steps.
  void forget_all();
  /// Whether stops_before() must be asked.
  [[nodiscard]] bool observes() const { return stop_asked_ || step_ || !breakpoints_.empty() || !watchpoints_.empty(); }

 private:
  struct Breakpoint {
    StopPoint kind;
    u64 address;
  };
  struct Watchpoint {
    StopPoint kind;
    u64 address, bytes;
  };
  [[nodiscard]] const Watchpoint* watchpoint_at(u64 address, u64 bytes, bool write) const;
  /// Notes what somebody other than the CPU has written over the bus.
  void note_write(u64 address, u64 bytes);
  /// Notes what a PE has written into the scratchpad.
  void note_vectors(u32 pe, const VectorAccess& access);
  /// Stops the CPU because a watched address was written by somebody else.
  void stop_for(u64 address, const std::string& writer);
  /// Whether the instruction there accesses something that is watched.
  [[nodiscard]] bool accesses_watched(u64 pc);
  void refresh();

  Soc& soc_;
  Monitor monitor_;
  std::vector<Breakpoint> breakpoints_;
  std::unordered_set<u64> addresses_;  // of the breakpoints
  std::vector<Watchpoint> watchpoints_;
  Connection writes_, vectors_;
  std::optional<StopReason> hit_;
  std::optional<Resumption> step_;
  std::optional<StopReason::Signal> stop_asked_;
  u64 passes_ = 1;  // the instruction that is executed next although the CPU has stopped before it; odd: none
};

}  // namespace bvp
