// SPDX-License-Identifier: Apache-2.0
#include "platform/debug/remote_protocol.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace bvp {
namespace {

const std::string ok = "OK", unsupported;
// Numbers of errors, as those of errno.
const std::string bad_packet = "E16", no_such_thing = "E02", bad_address = "E0e", busy = "E10";
constexpr std::size_t longest_read = longest_packet / 2 - 16;

bool is_thread(std::string_view text) { return text == "0" || text == "1" || text == "-1" || text == "01"; }

}  // namespace

void RemoteProtocol::connected() {
  reader_.reset();
  acknowledges_ = true;
  running_ = interrupt_ = false;
  request_ = Request::none;
  last_.clear();
}

RemoteProtocol::Request RemoteProtocol::take_request() { return std::exchange(request_, Request::none); }
bool RemoteProtocol::take_interrupt() { return std::exchange(interrupt_, false); }

std::string RemoteProtocol::receive(std::string_view bytes) {
  output_.clear();
  for (const Incoming& event : reader_.read(bytes)) {
    switch (event.kind) {
      case Incoming::Kind::interrupt:
        interrupt_ = true;
        break;
      case Incoming::Kind::acknowledged:
        break;
      case Incoming::Kind::repeat:
        if (acknowledges_) output_ += last_;
        break;
      case Incoming::Kind::corrupt:
        if (acknowledges_) output_ += '-';
        break;
      case Incoming::Kind::packet: {
        if (acknowledges_) output_ += '+';
        // While the machine runs, gdb can ask for nothing but an interrupt.
        const bool was_running = running_ || request_ != Request::none;
        const std::string content = was_running ? busy : answer(event.content);
        if (running_ && !was_running) break;  // the answer comes when the machine stops
        last_ = packet_of(content);
        output_ += last_;
        break;
      }
    }
  }
  return std::move(output_);
}

std::string RemoteProtocol::stop_reply() const {
  const auto signal = static_cast<unsigned>(reason_.signal);
  std::string reply = fmt::format("T{:02x}thread:1;", signal);
  if (reason_.watchpoint) {
    const StopPoint kind = *reason_.watchpoint;
    const char* const name = kind == StopPoint::write ? "watch" : kind == StopPoint::read ? "rwatch" : "awatch";
    reply += fmt::format("{}:{:x};", name, reason_.address);
  }
  return reply;
}

std::string RemoteProtocol::stopped(const StopReason& reason) {
  reason_ = reason;
  if (!std::exchange(running_, false)) return {};
  last_ = packet_of(stop_reply());
  return reason.note.empty() ? last_ : packet_of("O" + hex_of(reason.note)) + last_;
}

std::string RemoteProtocol::exited(u8 code) {
  running_ = false;
  return last_ = packet_of(fmt::format("W{:02x}", code));
}

std::string RemoteProtocol::terminated(StopReason::Signal signal) {
  running_ = false;
  return last_ = packet_of(fmt::format("X{:02x}", static_cast<unsigned>(signal)));
}

std::string RemoteProtocol::answer(std::string_view content) {
  if (content.empty()) return unsupported;
  const Scanner scanner(content.substr(1));
  switch (content[0]) {
    case '?':
      return stop_reply();
    case 'g':
      return read_registers();
    case 'G':
      return write_registers(scanner.rest());
    case 'p':
      return read_register(scanner);
    case 'P':
      return write_register(scanner);
    case 'm':
      return read_memory(scanner);
    case 'M':
      return write_memory(scanner, false);
    case 'X':
      return write_memory(scanner, true);
    case 'Z':
      return change_stop_point(scanner, true);
    case 'z':
      return change_stop_point(scanner, false);
    case 'c':
    case 's':
      return resume(scanner, content[0] == 's', false);
    case 'C':
    case 'S':
      return resume(scanner, content[0] == 'S', true);
    case 'D':
      request_ = Request::detach;
      return ok;
    case 'k':
      request_ = Request::kill;
      return ok;
    case 'H':
      return content.size() > 2 && is_thread(content.substr(2)) ? ok : no_such_thing;
    case 'T':
      return is_thread(scanner.rest()) ? ok : no_such_thing;
    case 'v':
      return answer_v(content);
    case 'q':
    case 'Q':
      return answer_query(content);
    default:
      return unsupported;
  }
}

std::string RemoteProtocol::answer_query(std::string_view content) {
  Scanner scanner(content);
  if (scanner.take("qSupported")) {
    return fmt::format("PacketSize={:x};QStartNoAckMode+;qXfer:features:read+;qXfer:memory-map:read+;vContSupported+",
                       longest_packet);
  }
  if (content == "QStartNoAckMode") {
    acknowledges_ = false;
    return ok;
  }
  if (scanner.take("qXfer:features:read:")) {
    return scanner.take("target.xml:") ? part_of(target_.description(), scanner) : no_such_thing;
  }
  if (scanner.take("qXfer:memory-map:read::")) return part_of(target_.memory_map(), scanner);
  if (scanner.take("qRcmd,")) return run_command(scanner.rest());
  if (content == "qfThreadInfo") return "m1";
  if (content == "qsThreadInfo") return "l";
  if (content == "qC") return "QC1";
  if (scanner.take("qAttached")) return "1";
  if (scanner.take("qSymbol")) return ok;
  if (scanner.take("qThreadExtraInfo,")) return hex_of("the host CPU");
  return unsupported;
}

std::string RemoteProtocol::answer_v(std::string_view content) {
  if (content == "vCont?") return "vCont;c;C;s;S;r";
  Scanner scanner(content);
  if (scanner.take("vCont;")) return resume_by(scanner.rest());
  if (scanner.take("vKill;")) {
    request_ = Request::kill;
    return ok;
  }
  return unsupported;
}

std::string RemoteProtocol::part_of(const std::string& document, Scanner range) const {
  const auto offset = range.number();
  if (!offset || !range.take(",")) return bad_packet;
  const auto length = range.number();
  if (!length || !range.at_end()) return bad_packet;
  if (*offset >= document.size()) return "l";
  const u64 left = document.size() - *offset;
  const u64 taken = std::min({*length, left, u64{longest_read}});
  return (taken == left ? "l" : "m") + escape(std::string_view(document).substr(*offset, taken));
}

std::string RemoteProtocol::run_command(std::string_view hex) {
  const auto command = bytes_of(hex);
  if (!command) return bad_packet;
  const std::string text = target_.monitor(*command);
  for (std::size_t at = 0; at < text.size(); at += longest_read) {
    output_ += packet_of("O" + hex_of(std::string_view(text).substr(at, longest_read)));
  }
  return ok;
}

std::string RemoteProtocol::read_registers() const {
  std::string bytes;
  for (unsigned number = 0; number < debug_register::general_and_pc; ++number) {
    bytes += little_endian(target_.read_register(number).value_or(0));
  }
  return hex_of(bytes);
}

std::string RemoteProtocol::write_registers(std::string_view hex) {
  const auto bytes = bytes_of(hex);
  constexpr std::size_t width = sizeof(u64);
  if (!bytes || bytes->size() < debug_register::general_and_pc * width) return bad_packet;
  for (unsigned number = 0; number < debug_register::general_and_pc; ++number) {
    target_.write_register(number, from_little_endian(std::string_view(*bytes).substr(number * width, width)));
  }
  return ok;
}

std::string RemoteProtocol::read_register(Scanner scanner) const {
  const auto number = scanner.number();
  if (!number || !scanner.at_end()) return bad_packet;
  if (*number > debug_register::first_csr + debug_register::csr_count) return no_such_thing;
  const auto value = target_.read_register(static_cast<unsigned>(*number));
  return value ? hex_of(little_endian(*value)) : no_such_thing;
}

std::string RemoteProtocol::write_register(Scanner scanner) {
  const auto number = scanner.number();
  if (!number || !scanner.take("=")) return bad_packet;
  const auto bytes = bytes_of(scanner.rest());
  if (!bytes || bytes->empty() || bytes->size() > sizeof(u64)) return bad_packet;
  if (*number > debug_register::first_csr + debug_register::csr_count) return no_such_thing;
  return target_.write_register(static_cast<unsigned>(*number), from_little_endian(*bytes)) ? ok : no_such_thing;
}

std::string RemoteProtocol::read_memory(Scanner scanner) {
  const auto address = scanner.number();
  if (!address || !scanner.take(",")) return bad_packet;
  const auto length = scanner.number();
  if (!length || !scanner.at_end()) return bad_packet;
  if (*length == 0) return ok;
  const std::string bytes = target_.read_memory(*address, std::min<u64>(*length, longest_read));
  return bytes.empty() ? bad_address : hex_of(bytes);
}

std::string RemoteProtocol::write_memory(Scanner scanner, bool binary) {
  const auto address = scanner.number();
  if (!address || !scanner.take(",")) return bad_packet;
  const auto length = scanner.number();
  if (!length || !scanner.take(":")) return bad_packet;
  const auto bytes = binary ? unescape(scanner.rest()) : bytes_of(scanner.rest());
  if (!bytes || bytes->size() != *length) return bad_packet;
  return bytes->empty() || target_.write_memory(*address, *bytes) ? ok : bad_address;
}

std::string RemoteProtocol::change_stop_point(Scanner scanner, bool set) {
  const auto kind = scanner.number();
  if (!kind || !scanner.take(",")) return bad_packet;
  const auto address = scanner.number();
  if (!address || !scanner.take(",")) return bad_packet;
  const auto bytes = scanner.number();
  if (!bytes) return bad_packet;
  if (*kind > static_cast<u64>(StopPoint::access)) return unsupported;
  // Conditions and commands of breakpoints (after ';') are not offered: gdb evaluates them itself.
  if (!set) {
    target_.remove(static_cast<StopPoint>(*kind), *address, *bytes);
    return ok;
  }
  return target_.set(static_cast<StopPoint>(*kind), *address, *bytes) ? ok : bad_address;
}

std::string RemoteProtocol::resume(Scanner scanner, bool step, bool signal) {
  if (signal) {
    // The number of the signal is of no use to a bare machine.
    if (!scanner.number()) return bad_packet;
    if (!scanner.at_end() && !scanner.take(";")) return bad_packet;
  }
  if (!scanner.at_end()) {
    const auto address = scanner.number();
    if (!address || !scanner.at_end()) return bad_packet;
    target_.write_register(debug_register::pc, *address);
  }
  resumption_ = {step, 0, 0};
  request_ = Request::resume;
  running_ = true;
  return {};
}

// There is one thread: the first action that is for it, or for all, is carried out.
std::string RemoteProtocol::resume_by(std::string_view actions) {
  Scanner all(actions);
  while (!all.at_end()) {
    Scanner one(all.until(';'));
    const std::string_view action = one.until(':');
    if (!one.at_end() && !is_thread(one.rest())) continue;
    Scanner range(action.substr(std::min<std::size_t>(1, action.size())));
    const char kind = action.empty() ? '\0' : action[0];
    if (kind == 'c' || kind == 's') return resume(Scanner(""), kind == 's', false);
    if (kind == 'C' || kind == 'S') return resume(range, kind == 'S', true);
    if (kind != 'r') return bad_packet;
    const auto begin = range.number();
    if (!begin || !range.take(",")) return bad_packet;
    const auto end = range.number();
    if (!end || !range.at_end()) return bad_packet;
    const std::string answer = resume(Scanner(""), true, false);
    resumption_ = {true, *begin, *end};
    return answer;
  }
  return bad_packet;
}

}  // namespace bvp
