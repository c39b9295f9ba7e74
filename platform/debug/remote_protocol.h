// SPDX-License-Identifier: Apache-2.0
// gdb's remote serial protocol, from the bytes that gdb sends to the bytes that it gets.
// See https://sourceware.org/gdb/current/onlinedocs/gdb.html/Remote-Protocol.html
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "platform/debug/debug_target.h"
#include "platform/debug/packet.h"

namespace bvp {

/// Any bytes get an answer or none; they never do harm beyond what a debugger may do to its target.
class RemoteProtocol {
 public:
  /// What gdb wants to happen beside an answer.
  enum class Request { none, resume, detach, kill };

  explicit RemoteProtocol(DebugTarget& target) : target_(target) {}

  /// A new connection: gdb expects the machine to be stopped.
  void connected();
  /// Returns the bytes to send.
  [[nodiscard]] std::string receive(std::string_view bytes);
  /// What gdb has asked for since the last call.
  [[nodiscard]] Request take_request();
  [[nodiscard]] const Resumption& resumption() const { return resumption_; }
  /// Whether gdb has asked to stop the machine since the last call.
  [[nodiscard]] bool take_interrupt();
  /// Whether gdb waits for the machine to stop.
  [[nodiscard]] bool running() const { return running_; }

  /// The machine has stopped; returns what gdb gets if it waits for that.
  [[nodiscard]] std::string stopped(const StopReason& reason);
  /// The run has ended with this exit code, or by a signal.
  [[nodiscard]] std::string exited(u8 code);
  [[nodiscard]] std::string terminated(StopReason::Signal signal);

 private:
  [[nodiscard]] std::string answer(std::string_view content);
  [[nodiscard]] std::string answer_query(std::string_view content);
  [[nodiscard]] std::string answer_v(std::string_view content);
  [[nodiscard]] std::string part_of(const std::string& document, Scanner range) const;
  [[nodiscard]] std::string run_command(std::string_view hex);
  [[nodiscard]] std::string read_registers() const;
  [[nodiscard]] std::string write_registers(std::string_view hex);
  [[nodiscard]] std::string read_register(Scanner scanner) const;
  [[nodiscard]] std::string write_register(Scanner scanner);
  [[nodiscard]] std::string read_memory(Scanner scanner);
  [[nodiscard]] std::string write_memory(Scanner scanner, bool binary);
  [[nodiscard]] std::string change_stop_point(Scanner scanner, bool set);
  [[nodiscard]] std::string resume(Scanner scanner, bool step, bool signal);
  [[nodiscard]] std::string resume_by(std::string_view actions);
  [[nodiscard]] std::string stop_reply() const;

  DebugTarget& target_;
  PacketReader reader_;
  bool acknowledges_ = true, running_ = false, interrupt_ = false;
  Request request_ = Request::none;
  Resumption resumption_;
  StopReason reason_;
  std::string last_;    // packet sent, in case it is to be repeated
  std::string output_;  // packets before the answer
};

}  // namespace bvp
