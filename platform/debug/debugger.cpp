// SPDX-License-Identifier: Apache-2.0
#include "platform/debug/debugger.h"

#include <utility>

#include "models/cpu/riscv_instruction.h"

namespace bvp {
namespace {

using Request = RemoteProtocol::Request;

/// Between two looks whether the run is to end.
constexpr std::chrono::milliseconds patience(50);
constexpr std::chrono::milliseconds farewell(500);

StopReason::Signal signal_of(u64 cause) {
  switch (cause) {
    case riscv::illegal_instruction:
      return StopReason::Signal::illegal;
    case riscv::breakpoint:
      return StopReason::Signal::trap;
    case riscv::load_misaligned:
    case riscv::store_misaligned:
      return StopReason::Signal::bus;
    default:
      return StopReason::Signal::fault;
  }
}

}  // namespace

Debugger::Debugger(Soc& soc, LocalServer& server, Options options)
    : soc_(soc), server_(server), options_(std::move(options)), target_(soc), protocol_(target_) {
  soc_.cpu.set_debugger(this);
  listen();
  if (!options_.stop_at_reset) return;
  target_.ask_to_stop(StopReason::Signal::trap);
  soc_.cpu.observe_instructions(true);
}

void Debugger::listen() {
  server_.set_events(
      {[this] { connected(); }, [this] { disconnected(); }, [this](std::string_view bytes) { received(bytes); }});
}

Debugger::~Debugger() {
  soc_.cpu.set_debugger(nullptr);
  server_.set_events({});
}

void Debugger::connected() {
  protocol_.connected();
  early_.clear();
  if (options_.say) options_.say("gdb has connected\n");
  if (!stopped_) target_.ask_to_stop(StopReason::Signal::trap);
}

void Debugger::disconnected() {
  target_.forget_all();
  protocol_.connected();
  if (options_.say) {
    options_.say(stopped_ ? "gdb has gone; the machine stays stopped until one connects\n" : "gdb has gone\n");
  }
}

void Debugger::received(std::string_view bytes) {
  if (!stopped_ && !protocol_.running()) {
    // Registers are read when the CPU is between two instructions.
    if (early_.size() + bytes.size() <= longest_packet) early_.append(bytes);
    return;
  }
  server_.send(protocol_.receive(bytes));
  if (protocol_.take_interrupt() && !stopped_) target_.ask_to_stop(StopReason::Signal::interrupt);
}

void Debugger::poll() {
  server_.poll();
  if (killed_ || soc_.cpu.halted() || !target_.wants_to_stop()) return;
  // A CPU that sleeps is between two instructions. Any other comes to its next one within a quantum.
  if (!soc_.cpu.sleeping()) return soc_.cpu.observe_instructions(true);
  // Whoever calls poll() sees that the run is to end.
  static_cast<void>(converse(target_.take_reason(), false));
}

bool Debugger::stopped() {
  const bool goes_on = converse(target_.take_reason(), true);
  if (!goes_on) sc_core::sc_stop();
  return goes_on;
}

void Debugger::halting(u64 cause) {
  if (!server_.connected()) return;
  if (!converse({signal_of(cause), std::nullopt, 0, {}}, true)) sc_core::sc_stop();
}

bool Debugger::converse(const StopReason& reason, bool before_instruction) {
  stopped_ = true;
  server_.send(protocol_.stopped(reason));
  if (!early_.empty()) server_.send(protocol_.receive(std::exchange(early_, {})));
  bool goes_on = false;
  for (;;) {
    if (options_.interrupted && options_.interrupted()) break;
    const Request request = protocol_.take_request();
    if (request == Request::kill) {
      killed_ = true;
      break;
    }
    if (request == Request::detach) {
      target_.forget_all();
      server_.close(farewell);
      listen();
      if (options_.say) options_.say("gdb has detached; the machine goes on\n");
    }
    if (request == Request::detach || request == Request::resume) {
      target_.resume(request == Request::resume ? protocol_.resumption() : Resumption{}, before_instruction);
      goes_on = true;
      break;
    }
    server_.wait(patience);
  }
  stopped_ = false;
  soc_.cpu.observe_instructions(goes_on && target_.observes());
  return goes_on;
}

void Debugger::end(int exit_code) {
  if (!server_.connected()) return;
  if (protocol_.running()) {
    server_.send(exit_code >= 0 ? protocol_.exited(static_cast<u8>(exit_code))
                                : protocol_.terminated(soc_.cpu.halted() ? StopReason::Signal::fault
                                                                         : StopReason::Signal::terminated));
  }
  server_.close(farewell);
}

}  // namespace bvp
