// SPDX-License-Identifier: Apache-2.0
// gdb's remote protocol against a machine of the test, and random input that must do no harm.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>
#include <random>

#include "platform/debug/packet.h"
#include "platform/debug/remote_protocol.h"
#include "platform/debug/target_description.h"

namespace {

using namespace bvp;
using Request = RemoteProtocol::Request;

/// Registers, and 64 bytes of memory at 0x1000.
class SmallTarget : public DebugTarget {
 public:
  [[nodiscard]] std::optional<u64> read_register(unsigned number) const override {
    if (number > debug_register::pc) return std::nullopt;
    const auto found = registers.find(number);
    return found == registers.end() ? 0 : found->second;
  }
  bool write_register(unsigned number, u64 value) override {
    if (number > debug_register::pc) return false;
    registers[number] = value;
    return true;
  }
  [[nodiscard]] std::string read_memory(u64 address, std::size_t bytes) override {
    if (address - base >= memory.size()) return {};
    return memory.substr(address - base, bytes);
  }
  bool write_memory(u64 address, std::string_view bytes) override {
    if (address - base >= memory.size() || bytes.size() > memory.size() - (address - base)) return false;
    memory.replace(address - base, bytes.size(), bytes);
    return true;
  }
  bool set(StopPoint kind, u64 address, u64) override {
    points.insert({address, kind});
    return true;
  }
  void remove(StopPoint, u64 address, u64) override { points.erase(address); }
  [[nodiscard]] std::string monitor(const std::string& command) override { return command; }
  [[nodiscard]] std::string description() const override {
    return registers_xml([](unsigned csr) { return csr == 0x300; });
  }
  [[nodiscard]] std::string memory_map() const override { return memory_map_xml({{base, 64}}); }

  static constexpr u64 base = 0x1000;
  std::map<unsigned, u64> registers;
  std::string memory = std::string(64, '\x5a');
  std::map<u64, StopPoint> points;
};

struct Gdb {
  SmallTarget target;
  RemoteProtocol protocol{target};
  Gdb() { protocol.connected(); }
  /// The content of the answer.
  std::string ask(const std::string& content) {
    const std::string answer = protocol.receive(packet_of(content));
    REQUIRE(answer.substr(0, 2) == "+$");
    REQUIRE(answer == "+" + packet_of(answer.substr(2, answer.size() - 5)));
    return answer.substr(2, answer.size() - 5);
  }
};

u64 number_of(const char* variable, u64 otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

const std::vector<std::string> seeds{"g",
                                     "G00",
                                     "p20",
                                     "P1=0123456789abcdef",
                                     "m1000,40",
                                     "m0,ffffffffffffffff",
                                     "M1000,2:abcd",
                                     "X1000,4:}]ab",
                                     "Z0,1000,4",
                                     "z2,1000,8",
                                     "vCont;c",
                                     "vCont;r1,2:1",
                                     "vCont;s:1;c",
                                     "qRcmd,68656c70",
                                     "qXfer:features:read:target.xml:0,ffff",
                                     "qXfer:memory-map:read::5,3",
                                     "QStartNoAckMode",
                                     "qSupported:a+;b-",
                                     "?",
                                     "H",
                                     "Hg0",
                                     "T1",
                                     "D",
                                     "k",
                                     "c",
                                     "s1000",
                                     "S05;20",
                                     "qfThreadInfo",
                                     "bc",
                                     "bs",
                                     "vKill;1"};

/// Bytes as gdb or an enemy might send them.
std::string random_input(std::mt19937_64& random) {
  std::string content = seeds[random() % seeds.size()];
  switch (random() % 6) {
    case 0:
      for (u64 i = random() % 8; i > 0 && !content.empty(); --i)
        content[random() % content.size()] = static_cast<char>(random());
      break;
    case 1:
      content.resize(random() % (content.size() + 1));
      break;
    case 2:
      content.append(random() % 40000, static_cast<char>(random()));
      break;
    case 3:
      content.insert(random() % (content.size() + 1), std::to_string(random()));
      break;
    default:
      break;
  }
  std::string input = packet_of(content);
  switch (random() % 5) {
    case 0:
      input[input.size() - 1] = static_cast<char>(random());  // a bad checksum
      break;
    case 1:
      input.resize(random() % (input.size() + 1));
      break;
    case 2:
      for (u64 i = random() % 64; i > 0; --i) input.insert(input.begin(), static_cast<char>(random()));
      break;
    default:
      break;
  }
  return input;
}

/// After any input, a packet is answered as if nothing had happened.
void send_random(u64 seed, u64 inputs) {
  Gdb gdb;
  for (u64 i = 0; i < inputs; ++i) {
    INFO("seed " << seed << ", input " << i);
    std::mt19937_64 random(seed * 1000003 + i);
    const std::string output = gdb.protocol.receive(random_input(random));
    REQUIRE(output.size() < 100000);
    static_cast<void>(gdb.protocol.take_request());
    static_cast<void>(gdb.protocol.take_interrupt());
    static_cast<void>(gdb.protocol.stopped({}));
    // Ends what a packet that was cut off has begun.
    static_cast<void>(gdb.protocol.receive("#00"));
    static_cast<void>(gdb.protocol.take_request());
    static_cast<void>(gdb.protocol.stopped({}));
    gdb.target.write_memory(SmallTarget::base, std::string_view("\x11\x22", 2));
    REQUIRE(gdb.protocol.receive(packet_of("m1000,2")).find(packet_of("1122")) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("debug: packets are found in any pieces") {
  PacketReader reader;
  const std::string stream = "+$m1,2#" + packet_of("m1,2").substr(6) + "\x03-";
  std::vector<Incoming> found;
  for (const char byte : stream) {
    for (Incoming& event : reader.read(std::string_view(&byte, 1))) found.push_back(std::move(event));
  }
  REQUIRE(found.size() == 4);
  CHECK(found[0].kind == Incoming::Kind::acknowledged);
  CHECK(found[1].kind == Incoming::Kind::packet);
  CHECK(found[1].content == "m1,2");
  CHECK(found[2].kind == Incoming::Kind::interrupt);
  CHECK(found[3].kind == Incoming::Kind::repeat);
}

TEST_CASE("debug: packets with errors") {
  PacketReader reader;
  CHECK(reader.read("$g#00").at(0).kind == Incoming::Kind::corrupt);
  CHECK(reader.read("$g#zz").at(0).kind == Incoming::Kind::corrupt);
  // The beginning of a packet gives up the one before.
  const auto found = reader.read("$m1," + packet_of("g"));
  REQUIRE(found.size() == 1);
  CHECK(found[0].content == "g");
  const std::string longest(longest_packet, 'a');
  CHECK(reader.read(packet_of(longest)).at(0).kind == Incoming::Kind::packet);
  CHECK(reader.read(packet_of(longest + "a")).at(0).kind == Incoming::Kind::corrupt);
}

TEST_CASE("debug: registers and memory") {
  Gdb gdb;
  gdb.target.registers = {{1, 0x0123456789abcdef}, {32, 0x1000}};
  CHECK(gdb.ask("p1") == "efcdab8967452301");
  CHECK(gdb.ask("p20") == "0010000000000000");
  CHECK(gdb.ask("p21") == "E02");
  CHECK(gdb.ask("P2=0100000000000000") == "OK");
  CHECK(gdb.target.registers[2] == 1);
  const std::string all = gdb.ask("g");
  REQUIRE(all.size() == 33 * 16);
  CHECK(all.substr(16, 16) == "efcdab8967452301");
  CHECK(gdb.ask("G" + std::string(33 * 16, '1')) == "OK");
  CHECK(gdb.target.registers[32] == 0x1111111111111111);
  CHECK(gdb.ask("G11") == "E16");
  CHECK(gdb.ask("M1000,2:0102") == "OK");
  CHECK(gdb.ask("X1002,2:}\x03}]") == "OK");
  CHECK(gdb.ask("m1000,5") == "0102237d5a");
  CHECK(gdb.ask("m103f,10") == "5a");
  CHECK(gdb.ask("m1040,1") == "E0e");
  CHECK(gdb.ask("M1040,1:00") == "E0e");
  CHECK(gdb.ask("M1000,3:00") == "E16");
}

TEST_CASE("debug: going on and stopping") {
  Gdb gdb;
  CHECK(gdb.ask("?") == "T05thread:1;");
  CHECK(gdb.ask("vCont?") == "vCont;c;C;s;S;r");
  CHECK(gdb.ask("Z2,1010,4") == "OK");
  CHECK(gdb.target.points.at(0x1010) == StopPoint::write);
  CHECK(gdb.ask("Z5,1010,4").empty());
  CHECK(gdb.protocol.receive(packet_of("vCont;r1000,1010:1;c")) == "+");
  CHECK(gdb.protocol.running());
  CHECK(gdb.protocol.take_request() == Request::resume);
  CHECK(gdb.protocol.resumption().step);
  CHECK(gdb.protocol.resumption().end == 0x1010);
  CHECK_FALSE(gdb.protocol.take_interrupt());
  CHECK(gdb.protocol.receive("\x03").empty());
  CHECK(gdb.protocol.take_interrupt());
  CHECK(gdb.protocol.stopped({StopReason::Signal::trap, StopPoint::write, 0x1012}) ==
        packet_of("T05thread:1;watch:1012;"));
  // The machine stops by itself while gdb waits for nothing.
  CHECK(gdb.protocol.stopped({}).empty());
  CHECK(gdb.protocol.receive(packet_of("c")) == "+");
  CHECK(gdb.protocol.take_request() == Request::resume);
  CHECK(gdb.protocol.exited(7) == packet_of("W07"));
  // Backwards is refused.
  CHECK(gdb.ask("bc").empty());
  CHECK(gdb.ask("bs").empty());
}

TEST_CASE("debug: documents in parts, and packets without acknowledgement") {
  Gdb gdb;
  const std::string xml = gdb.target.description();
  CHECK(xml.find("mstatus") != std::string::npos);
  CHECK(xml.find("mepc") == std::string::npos);
  std::string read;
  for (;;) {
    const auto part = gdb.ask("qXfer:features:read:target.xml:" + [&] {
      char text[16];
      std::snprintf(text, sizeof text, "%zx", read.size());
      return std::string(text);
    }() + ",100");
    read += part.substr(1);
    if (part[0] == 'l') break;
  }
  CHECK(unescape(read) == xml);
  CHECK(gdb.ask("QStartNoAckMode") == "OK");
  CHECK(gdb.protocol.receive(packet_of("qC")) == packet_of("QC1"));
  CHECK(gdb.protocol.receive(packet_of("qRcmd,6869")) == packet_of("O6869") + packet_of("OK"));
}

TEST_CASE("debug: random input does no harm") { send_random(1, 2000); }

TEST_CASE("random packets from gdb", "[.][nightly][fuzz]") {
  send_random(number_of("BVP_FUZZ_SEED", 1), number_of("BVP_FUZZ_INPUTS", 10000));
}
