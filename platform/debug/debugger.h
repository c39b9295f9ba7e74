// SPDX-License-Identifier: Apache-2.0
// Connects gdb with a simulation that runs.
#pragma once

#include <functional>
#include <string>

#include "models/cpu/cpu_debugger.h"
#include "platform/debug/remote_protocol.h"
#include "platform/debug/soc_target.h"
#include "platform/support/local_server.h"

namespace bvp {

/// While the CPU is stopped, stopped() handles what gdb asks for and simulated time stands still. While it runs, poll()
/// looks whether gdb wants to stop it.
class Debugger : private CpuDebugger {
 public:
  struct Options {
    bool stop_at_reset = true;                    ///< false: the machine runs until gdb connects
    std::function<bool()> interrupted;            ///< whether the run shall end; may be empty
    std::function<void(const std::string&)> say;  ///< notes for the user; may be empty
  };
  Debugger(Soc& soc, LocalServer& server, Options options);
  ~Debugger() override;
  Debugger(const Debugger&) = delete;
  Debugger& operator=(const Debugger&) = delete;

  /// To be called between steps of the simulation, also where sc_pause() has ended one early.
  void poll();
  /// Whether gdb has ended the run.
  [[nodiscard]] bool killed() const { return killed_; }
  /// The run has ended: tells gdb. @param exit_code  of the firmware; negative: it has not ended by itself
  void end(int exit_code);

 private:
  bool stops_before(u64 pc) override { return target_.stops_before(pc); }
  bool stopped() override;
  void halting(u64 cause) override;

  void connected();
  void disconnected();
  void received(std::string_view bytes);
  /// Talks to gdb until it lets the machine go on. Returns false if the run is to end.
  [[nodiscard]] bool converse(const StopReason& reason, bool before_instruction);
  void listen();

  Soc& soc_;
  LocalServer& server_;
  const Options options_;
  SocTarget target_;
  RemoteProtocol protocol_;
  std::string early_;  // what a gdb that has connected has sent before the CPU has stopped
  bool stopped_ = false, killed_ = false;
};

}  // namespace bvp
