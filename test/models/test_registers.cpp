// SPDX-License-Identifier: Apache-2.0
#include "models/base/registers.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <deque>
#include <systemc>
#include <vector>

#include "models/base/simulation_context.h"
#include "models/transport/initiator.h"
#include "models/transport/register_target.h"

using namespace bvp;
using sc_core::sc_time;

namespace {

struct Device {
  RegisterBank bank{"device", sc_time(3, sc_core::SC_NS)};
  Register control{&bank, "CONTROL", 0x00, RegisterAccess::read_write, 0x5, "Control."};
  RegisterField enable{&control, "ENABLE", 0, 1, "on"};
  RegisterField mode{&control, "MODE", 4, 28, "how"};
  Register status{&bank, "STATUS", 0x04, RegisterAccess::read_only, 1, "Status."};
  RegisterField ready{&status, "READY", 1, 2, "how ready", 3};
  Register command{&bank, "COMMAND", 0x08, RegisterAccess::write_only, 0, "Command."};
  Register events{&bank, "EVENTS", 0x0c, RegisterAccess::write_one_to_clear, 0xff, "Events."};
  Register queue{&bank, "QUEUE", 0x14, RegisterAccess::read_only, 0, "Takes an entry."};
  Register slots{&bank, "SLOT", 0x20, RegisterAccess::read_write, 9, "Slots.", 4};
  RegisterField tokens{&slots, "TOKENS", 0, 16, "how many"};
};

struct Access {
  tlm::tlm_response_status status;
  u64 value;
  sc_time delay;
};

Access access(RegisterBank& bank, tlm::tlm_command command, u64 offset, unsigned bytes, u64 value = 0) {
  tlm::tlm_generic_payload payload;
  std::vector<u8> data(bytes);
  std::memcpy(data.data(), &value, std::min<std::size_t>(bytes, sizeof value));
  prepare(payload, command, offset, data.data(), bytes);
  sc_time delay(10, sc_core::SC_NS);
  serve(bank, payload, delay);
  std::memcpy(&value, data.data(), std::min<std::size_t>(bytes, sizeof value));
  return {payload.get_response_status(), value, delay};
}
Access read(RegisterBank& bank, u64 offset, unsigned bytes = 4) {
  return access(bank, tlm::TLM_READ_COMMAND, offset, bytes);
}
Access write(RegisterBank& bank, u64 offset, u64 value, unsigned bytes = 4) {
  return access(bank, tlm::TLM_WRITE_COMMAND, offset, bytes, value);
}

}  // namespace

TEST_CASE("registers: hold values", "[registers]") {
  SimulationContext context;
  Device device;
  CHECK(read(device.bank, 0).value == 5);
  CHECK(read(device.bank, 0).delay == sc_time(13, sc_core::SC_NS));
  CHECK(write(device.bank, 0, 0x12345678).status == tlm::TLM_OK_RESPONSE);
  CHECK(device.control.get() == 0x12345678);
  CHECK(write(device.bank, 0x0c, 0x0f).status == tlm::TLM_OK_RESPONSE);
  CHECK(read(device.bank, 0x0c).value == 0xf0);
  CHECK(write(device.bank, 0x28, 1).status == tlm::TLM_OK_RESPONSE);
  CHECK(device.slots.get(2) == 1);
  CHECK(device.slots.get(1) == 9);
  device.bank.reset();
  CHECK(device.control.get() == 5);
  CHECK(device.slots.get(2) == 9);
}

TEST_CASE("registers: pairs are served low word first", "[registers]") {
  SimulationContext context;
  Device device;
  std::vector<std::pair<u32, u32>> written;
  device.slots.on_write([&](u32 index, u32 value) { written.emplace_back(index, value); });
  CHECK(write(device.bank, 0x20, 0x0000000200000001, 8).status == tlm::TLM_OK_RESPONSE);
  CHECK(written == std::vector<std::pair<u32, u32>>{{0, 1}, {1, 2}});
  CHECK(read(device.bank, 0x20, 8).value == 0x0000000200000001);
  CHECK(read(device.bank, 0x00, 8).value == 0x0000000700000005);
}

TEST_CASE("registers: refuse what they cannot do, and change nothing", "[registers]") {
  SimulationContext context;
  Device device;
  unsigned calls = 0;
  device.control.on_write([&](u32) { ++calls; });
  device.control.after_read([&](u32) { ++calls; });
  CHECK(read(device.bank, 0x10).status == tlm::TLM_ADDRESS_ERROR_RESPONSE);  // a gap
  CHECK(read(device.bank, 0x30).status == tlm::TLM_ADDRESS_ERROR_RESPONSE);  // behind the last
  CHECK(read(device.bank, ~u64{3}).status == tlm::TLM_ADDRESS_ERROR_RESPONSE);
  CHECK(read(device.bank, 0x02).status == tlm::TLM_ADDRESS_ERROR_RESPONSE);
  CHECK(read(device.bank, 0x24, 8).status == tlm::TLM_ADDRESS_ERROR_RESPONSE);
  CHECK(read(device.bank, 0x00, 1).status == tlm::TLM_BURST_ERROR_RESPONSE);
  CHECK(read(device.bank, 0x00, 2).status == tlm::TLM_BURST_ERROR_RESPONSE);
  CHECK(read(device.bank, 0x00, 16).status == tlm::TLM_BURST_ERROR_RESPONSE);
  CHECK(write(device.bank, 0x04, 1).status == tlm::TLM_COMMAND_ERROR_RESPONSE);
  CHECK(read(device.bank, 0x08).status == tlm::TLM_COMMAND_ERROR_RESPONSE);
  CHECK(write(device.bank, 0x00, 1, 8).status == tlm::TLM_COMMAND_ERROR_RESPONSE);  // half of it is read-only
  CHECK(read(device.bank, 0x08, 8).status == tlm::TLM_COMMAND_ERROR_RESPONSE);
  CHECK(calls == 0);
  CHECK(device.control.get() == 5);

  tlm::tlm_generic_payload payload;
  u8 bytes[4] = {}, enable = TLM_BYTE_ENABLED;
  prepare(payload, tlm::TLM_WRITE_COMMAND, 0, bytes, 4);
  payload.set_byte_enable_ptr(&enable);
  payload.set_byte_enable_length(1);
  sc_time delay;
  serve(device.bank, payload, delay);
  CHECK(payload.get_response_status() == tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
  payload.set_byte_enable_ptr(nullptr);
  payload.set_streaming_width(2);
  serve(device.bank, payload, delay);
  CHECK(payload.get_response_status() == tlm::TLM_BURST_ERROR_RESPONSE);
  CHECK(delay == sc_core::SC_ZERO_TIME);
}

TEST_CASE("registers: callbacks", "[registers]") {
  SimulationContext context;
  Device device;
  std::deque<u32> entries = {11, 22};
  device.queue.on_read([&] { return entries.empty() ? 0 : entries.front(); });
  device.queue.after_read([&](u32) { entries.pop_front(); });
  sc_time when;
  u32 commanded = 0;
  device.command.on_write([&](u32 value) {
    commanded = value;
    when = device.bank.access_time();
  });
  device.slots.on_read([](u32 index) { return 100 + index; });

  // A debugger sees the queue, and takes nothing.
  tlm::tlm_generic_payload payload;
  u8 bytes[3] = {};
  prepare(payload, tlm::TLM_READ_COMMAND, 0x14, bytes, 3);
  CHECK(serve_debug(device.bank, payload) == 3);
  CHECK(bytes[0] == 11);
  payload.set_address(0x0e);
  CHECK(serve_debug(device.bank, payload) == 2);  // then comes a gap
  payload.set_command(tlm::TLM_WRITE_COMMAND);
  CHECK(serve_debug(device.bank, payload) == 0);

  CHECK(read(device.bank, 0x14).value == 11);
  CHECK(read(device.bank, 0x14).value == 22);
  CHECK(entries.empty());
  write(device.bank, 0x08, 77);
  CHECK(commanded == 77);
  CHECK(when == sc_time(13, sc_core::SC_NS));
  CHECK(read(device.bank, 0x2c).value == 103);
}

TEST_CASE("registers: can be enumerated", "[registers]") {
  SimulationContext context;
  Device device;
  REQUIRE(device.bank.registers().size() == 6);
  const Register& control = *device.bank.registers()[0];
  CHECK(control.name() == "CONTROL");
  CHECK(control.reset_value() == 5);
  REQUIRE(control.fields() == std::vector<const RegisterField*>{&device.enable, &device.mode});
  CHECK(device.enable.name() == "ENABLE");
  CHECK(device.enable.description() == "on");
  CHECK(device.enable.mask() == 1);
  CHECK(device.mode.lsb() == 4);
  CHECK(device.mode.width() == 28);
  CHECK(device.mode.mask() == 0xfffffff0);
  CHECK(device.bank.find("SLOT") == &device.slots);
  CHECK(device.bank.find("SLOT")->count() == 4);
  CHECK(device.bank.find("NONE") == nullptr);
  CHECK(std::string(to_string(RegisterAccess::write_one_to_clear)) == "w1c");
}

TEST_CASE("registers: impossible declarations are refused", "[registers]") {
  SimulationContext context;
  Device device;
  const auto declare = [&](u64 offset, u32 count) {
    Register extra(&device.bank, "EXTRA", offset, RegisterAccess::read_write, 0, "", count);
  };
  CHECK_THROWS_WITH(declare(0x24, 1), Catch::Contains("SLOT") && Catch::Contains("EXTRA"));
  CHECK_THROWS(declare(0x42, 1));
  CHECK_THROWS(declare(0x40, 0));

  const auto declare_field = [&](unsigned lsb, unsigned width, u32 reset) {
    RegisterField extra(&device.slots, "EXTRA", lsb, width, "", reset);
  };
  CHECK_THROWS_WITH(declare_field(30, 3, 0), Catch::Contains("SLOT.EXTRA"));
  CHECK_THROWS(declare_field(16, 0, 0));
  CHECK_THROWS(declare_field(~0U, 1, 0));
  CHECK_THROWS(declare_field(16, 2, 4));  // its reset value is too large for it
  CHECK_THROWS_WITH(declare_field(15, 2, 0), Catch::Contains("SLOT.TOKENS") && Catch::Contains("SLOT.EXTRA"));
  CHECK(device.slots.fields() == std::vector<const RegisterField*>{&device.tokens});
}

TEST_CASE("registers: fields read and write their bits alone", "[registers]") {
  SimulationContext context;
  Device device;
  CHECK(device.control[device.enable] == 1);
  CHECK(device.control[device.mode] == 0);
  device.control.set(device.mode, 0xabcdef1);
  CHECK(device.control.get() == 0xabcdef15);
  CHECK(device.control[device.mode] == 0xabcdef1);
  device.control.set(device.enable, 0);
  CHECK(device.control.get() == 0xabcdef14);
  device.control.set(device.enable, 2);  // what does not fit is lost
  CHECK(device.control.get() == 0xabcdef14);

  CHECK(device.mode.of(0x12345678) == 0x1234567);
  CHECK(device.mode.bits(0xf1234567) == 0x12345670);
  CHECK(device.mode.max() == 0xfffffff);
  CHECK(device.enable.max() == 1);

  device.slots.set(device.tokens, 77, 3);
  CHECK(device.slots.get(device.tokens, 3) == 77);
  CHECK(device.slots.get(3) == 77);
  CHECK(device.slots.get(device.tokens, 2) == 9);
}

TEST_CASE("registers: fields have reset values", "[registers]") {
  SimulationContext context;
  Device device;
  CHECK(device.status.reset_value() == 7);
  CHECK(device.status.get() == 7);
  device.status.set(device.ready, 0);
  CHECK(device.status.get() == 1);
  device.bank.reset();
  CHECK(device.status[device.ready] == 3);
}

TEST_CASE("registers: values of two words", "[registers]") {
  CHECK(low_word(0x123456789abcdef0) == 0x9abcdef0);
  CHECK(high_word(0x123456789abcdef0) == 0x12345678);
  CHECK(join_words(0x9abcdef0, 0x12345678) == 0x123456789abcdef0);
}

namespace {

struct Bytes {
  RegisterBank bank{"bytes", sc_core::SC_ZERO_TIME, 1};
  bool latched = false;
  Register in{&bank, "IN", 0, RegisterAccess::read_only, 0x11, "In."};
  Register out{&bank, "OUT", 0, RegisterAccess::write_only, 0, "Out."};
  Register latch{&bank, "LATCH", 0, RegisterAccess::read_write, 0x22, "Latch.", 1, [this] { return latched; }};
  Register next{&bank, "NEXT", 1, RegisterAccess::read_write, 0x33, "Next."};
};

}  // namespace

TEST_CASE("registers: bytes, and several at one offset", "[registers]") {
  SimulationContext context;
  Bytes device;
  CHECK(read(device.bank, 0, 1).value == 0x11);
  CHECK(read(device.bank, 1, 1).value == 0x33);
  CHECK(write(device.bank, 0, 0x44, 1).status == tlm::TLM_OK_RESPONSE);
  CHECK(device.out.get() == 0x44);
  CHECK(read(device.bank, 0, 1).value == 0x11);
  device.latched = true;
  CHECK(read(device.bank, 0, 1).value == 0x22);
  CHECK(write(device.bank, 0, 0x55, 1).status == tlm::TLM_OK_RESPONSE);
  CHECK(device.latch.get() == 0x55);
  CHECK(device.out.get() == 0x44);
  CHECK(read(device.bank, 2, 1).status == tlm::TLM_ADDRESS_ERROR_RESPONSE);
  for (const unsigned bytes : {2U, 4U, 8U}) CHECK(read(device.bank, 0, bytes).status == tlm::TLM_BURST_ERROR_RESPONSE);
  std::vector<u8> seen(4);
  CHECK(device.bank.peek(0, seen.data(), 4) == 2);
  CHECK(seen == std::vector<u8>{0x55, 0x33, 0, 0});
}
