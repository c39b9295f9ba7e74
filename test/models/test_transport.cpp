// SPDX-License-Identifier: Apache-2.0
// One access for all initiators, one check for all targets, and that targets answer the same fault alike.
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "models/base/array_parameters.h"
#include "models/base/simulation_context.h"
#include "models/dma/dma.h"
#include "models/memory/dram.h"
#include "models/memory/ram.h"
#include "models/pe/fast/lockstep_array.h"
#include "models/pe/pe.h"
#include "models/peripherals/uart.h"
#include "models/scratchpad/scratchpad.h"
#include "models/sequencer/sequencer.h"
#include "models/transport/bulk_traffic.h"
#include "models/transport/check.h"
#include "models/transport/initiator.h"

using namespace bvp;
using sc_core::sc_time;

namespace {

struct Initiator : sc_core::sc_module {
  explicit Initiator(sc_core::sc_module_name name) : sc_module(name) {}
  tlm_utils::simple_initiator_socket<Initiator> socket{"socket"};
};

/// A target that keeps a copy of each payload and gives the response that the test has set.
struct Target : sc_core::sc_module {
  explicit Target(sc_core::sc_module_name name) : sc_module(name) {
    socket.register_b_transport(this, &Target::transport);
    socket.register_transport_dbg(this, &Target::debug);
  }
  void transport(tlm::tlm_generic_payload& payload, sc_time& delay) {
    note(payload);
    at = delay;
    delay += sc_time(7, sc_core::SC_NS);
    payload.set_dmi_allowed(true);
    payload.set_response_status(response);
    if (payload.is_read()) std::memset(payload.get_data_ptr(), 0x5a, payload.get_data_length());
  }
  unsigned debug(tlm::tlm_generic_payload& payload) {
    note(payload);
    return 3;
  }
  void note(const tlm::tlm_generic_payload& payload) {
    command = payload.get_command();
    address = payload.get_address();
    bytes = payload.get_data_length();
    width = payload.get_streaming_width();
    enables = payload.get_byte_enable_ptr();
    status = payload.get_response_status();
    dmi = payload.is_dmi_allowed();
    timing_only = payload.get_extension<TimingOnly>() != nullptr;
  }
  tlm_utils::simple_target_socket<Target> socket{"socket"};
  tlm::tlm_response_status response = tlm::TLM_OK_RESPONSE;
  tlm::tlm_command command = tlm::TLM_IGNORE_COMMAND;
  u64 address = 0;
  u32 bytes = 0, width = 0;
  const u8* enables = nullptr;
  tlm::tlm_response_status status = tlm::TLM_OK_RESPONSE;
  bool dmi = false, timing_only = false;
  sc_time at;
};

struct Pair {
  Pair() { initiator.socket.bind(target.socket); }
  SimulationContext context;
  Initiator initiator{"initiator"};
  Target target{"target"};
};

/// A payload that is right for a memory of 4096 bytes.
struct Payload : tlm::tlm_generic_payload {
  Payload() { prepare(*this, tlm::TLM_READ_COMMAND, 64, data, 16); }
  u8 data[4096] = {};
};

}  // namespace

TEST_CASE("access: a transaction as TLM-2.0 wants it", "[transport]") {
  Pair pair;
  u8 data[12] = {};
  sc_time delay(5, sc_core::SC_NS);
  CHECK(access(pair.initiator.socket, tlm::TLM_READ_COMMAND, 0x123456789, data, 12, delay) == tlm::TLM_OK_RESPONSE);
  CHECK(pair.target.command == tlm::TLM_READ_COMMAND);
  CHECK(pair.target.address == 0x123456789);
  CHECK(pair.target.bytes == 12);
  CHECK(pair.target.width == 12);
  CHECK(pair.target.enables == nullptr);
  CHECK(pair.target.status == tlm::TLM_INCOMPLETE_RESPONSE);
  CHECK_FALSE(pair.target.dmi);
  CHECK(pair.target.at == sc_time(5, sc_core::SC_NS));
  CHECK(delay == sc_time(12, sc_core::SC_NS));
  CHECK(data[11] == 0x5a);

  pair.target.response = tlm::TLM_ADDRESS_ERROR_RESPONSE;
  CHECK(access(pair.initiator.socket, tlm::TLM_WRITE_COMMAND, 0, data, 12, delay) == tlm::TLM_ADDRESS_ERROR_RESPONSE);
  CHECK(pair.target.command == tlm::TLM_WRITE_COMMAND);
}

TEST_CASE("access: a payload that has been used before", "[transport]") {
  Pair pair;
  tlm::tlm_generic_payload payload;
  TimingOnly timing_only;
  u8 data[8] = {}, enable = 0;
  payload.set_extension(&timing_only);
  payload.set_byte_enable_ptr(&enable);
  payload.set_dmi_allowed(true);
  payload.set_streaming_width(1);
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
  sc_time delay;
  for (int i = 0; i < 2; ++i) {
    CHECK(access(pair.initiator.socket, payload, tlm::TLM_WRITE_COMMAND, 4, data, 8, delay) == tlm::TLM_OK_RESPONSE);
    CHECK(pair.target.enables == nullptr);
    CHECK(pair.target.width == 8);
    CHECK(pair.target.status == tlm::TLM_INCOMPLETE_RESPONSE);
    CHECK_FALSE(pair.target.dmi);
    CHECK(pair.target.timing_only);
    CHECK(payload.is_dmi_allowed());  // what the target says can be read
  }
  payload.clear_extension(&timing_only);
}

TEST_CASE("access: debuggers", "[transport]") {
  Pair pair;
  u8 data[8] = {};
  CHECK(debug_access(pair.initiator.socket, tlm::TLM_WRITE_COMMAND, 77, data, 8) == 3);
  CHECK(pair.target.address == 77);
  CHECK(pair.target.bytes == 8);
}

TEST_CASE("check: what a plain memory takes and refuses", "[transport]") {
  PayloadRules rules;
  rules.span = 4096;
  u8 enable = 0;
  Payload payload;
  CHECK(check(payload, rules) == tlm::TLM_OK_RESPONSE);

  SECTION("commands") {
    payload.set_command(tlm::TLM_WRITE_COMMAND);
    CHECK(check(payload, rules) == tlm::TLM_OK_RESPONSE);
    payload.set_command(tlm::TLM_IGNORE_COMMAND);
    CHECK(check(payload, rules) == tlm::TLM_COMMAND_ERROR_RESPONSE);
  }
  SECTION("byte enables") {
    payload.set_byte_enable_ptr(&enable);
    payload.set_byte_enable_length(1);
    CHECK(check(payload, rules) == tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
  }
  SECTION("lengths") {
    payload.set_data_length(0);
    CHECK(check(payload, rules) == tlm::TLM_BURST_ERROR_RESPONSE);
    payload.set_data_length(1);
    CHECK(check(payload, rules) == tlm::TLM_OK_RESPONSE);
  }
  SECTION("streaming") {
    payload.set_streaming_width(15);
    CHECK(check(payload, rules) == tlm::TLM_BURST_ERROR_RESPONSE);
    payload.set_streaming_width(0);
    CHECK(check(payload, rules) == tlm::TLM_BURST_ERROR_RESPONSE);
    payload.set_streaming_width(17);
    CHECK(check(payload, rules) == tlm::TLM_OK_RESPONSE);
  }
  SECTION("addresses") {
    payload.set_address(4080);
    CHECK(check(payload, rules) == tlm::TLM_OK_RESPONSE);
    for (const u64 address : {u64{4081}, u64{4096}, ~u64{0}, ~u64{0} - 15}) {
      payload.set_address(address);
      CHECK(check(payload, rules) == tlm::TLM_ADDRESS_ERROR_RESPONSE);
    }
    rules.span = 0;
    payload.set_address(~u64{0} - 15);
    CHECK(check(payload, rules) == tlm::TLM_OK_RESPONSE);
  }
}

TEST_CASE("check: what targets support beyond or below that", "[transport]") {
  Payload payload;
  PayloadRules rules;
  u8 enable = 0;
  SECTION("one command") {
    rules.read = false;
    CHECK(check(payload, rules) == tlm::TLM_COMMAND_ERROR_RESPONSE);
    rules = {};
    rules.write = false;
    CHECK(check(payload, rules) == tlm::TLM_OK_RESPONSE);
    payload.set_command(tlm::TLM_WRITE_COMMAND);
    CHECK(check(payload, rules) == tlm::TLM_COMMAND_ERROR_RESPONSE);
    rules.ignore = true;
    payload.set_command(tlm::TLM_IGNORE_COMMAND);
    CHECK(check(payload, rules) == tlm::TLM_OK_RESPONSE);
  }
  SECTION("byte enables") {
    rules.byte_enables = true;
    payload.set_byte_enable_ptr(&enable);
    payload.set_byte_enable_length(1);
    CHECK(check(payload, rules) == tlm::TLM_OK_RESPONSE);
    payload.set_byte_enable_length(0);
    CHECK(check(payload, rules) == tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
  }
  SECTION("streaming") {
    rules.streaming = true;
    payload.set_streaming_width(4);
    CHECK(check(payload, rules) == tlm::TLM_OK_RESPONSE);
    payload.set_streaming_width(0);
    CHECK(check(payload, rules) == tlm::TLM_BURST_ERROR_RESPONSE);
  }
  SECTION("words") {
    rules = PayloadRules::words(8);
    CHECK(check(payload, rules) == tlm::TLM_BURST_ERROR_RESPONSE);
    payload.set_data_length(8);
    CHECK(check(payload, rules) == tlm::TLM_OK_RESPONSE);
    payload.set_address(68);
    CHECK(check(payload, rules) == tlm::TLM_ADDRESS_ERROR_RESPONSE);
    payload.set_data_length(4);
    CHECK(check(payload, rules) == tlm::TLM_BURST_ERROR_RESPONSE);
  }
  SECTION("multiples") {
    rules.multiple = 32;
    CHECK(check(payload, rules) == tlm::TLM_BURST_ERROR_RESPONSE);
    payload.set_data_length(96);
    payload.set_streaming_width(96);
    CHECK(check(payload, rules) == tlm::TLM_OK_RESPONSE);
    rules.most_bytes = 64;
    CHECK(check(payload, rules) == tlm::TLM_BURST_ERROR_RESPONSE);
  }
}

TEST_CASE("check: the fault that comes first", "[transport]") {
  Payload payload;
  PayloadRules rules;
  rules.read = false;
  rules.span = 1;
  u8 enable = 0;
  payload.set_byte_enable_ptr(&enable);
  payload.set_streaming_width(1);
  CHECK(check(payload, rules) == tlm::TLM_COMMAND_ERROR_RESPONSE);
  rules.read = true;
  CHECK(check(payload, rules) == tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
  payload.set_byte_enable_ptr(nullptr);
  CHECK(check(payload, rules) == tlm::TLM_BURST_ERROR_RESPONSE);
  payload.set_streaming_width(16);
  CHECK(check(payload, rules) == tlm::TLM_ADDRESS_ERROR_RESPONSE);
  payload.set_address(0);
  CHECK(check(payload, rules) == tlm::TLM_ADDRESS_ERROR_RESPONSE);
}

TEST_CASE("targets answer the same fault alike", "[transport]") {
  const SimulationContext context;
  ParameterGroup root("test");
  const ClockDomain clock(1e9);
  StatGroup stats("test");
  const RamParameters ram_parameters(&root);
  const UartParameters uart_parameters(&root);
  const SequencerParameters sequencer_parameters(&root);
  const ArrayParameters array(&root);
  const DmaParameters dma_parameters(&root);
  Ram ram("ram", ram_parameters, clock, stats);
  Uart uart("uart", uart_parameters, clock, stats);
  Sequencer sequencer("sequencer", sequencer_parameters, array, 2, clock, stats);
  Dma dma("dma", dma_parameters, clock, stats, {});
  const DramParameters dram_parameters(&root);
  Dram dram("dram", dram_parameters, stats);
  const ScratchpadParameters scratchpad_parameters(&root);
  const PeParameters pe_parameters(&root);
  CycleAgenda agenda("agenda", clock);
  Scratchpad scratchpad("scratchpad", array, scratchpad_parameters, clock, agenda, stats);
  Pe pe("pe", 0, array, pe_parameters, clock, agenda, stats);
  LockstepArray pes("pes", array, pe_parameters, clock, stats);

  struct Socket {
    std::string name;
    tlm::tlm_fw_transport_if<>* target;
    tlm::tlm_command command;  // that it takes at `address`
    u64 address;
    u32 bytes;
    bool both_commands;  // it takes the other one there, too
  };
  const auto interface = [](auto& socket) {
    return dynamic_cast<tlm::tlm_fw_transport_if<>*>(socket.get_base_export().get_interface());
  };
  const std::vector<Socket> sockets = {
      {"ram", interface(ram.target), tlm::TLM_READ_COMMAND, 64, 8, true},
      {"uart", interface(uart.target), tlm::TLM_READ_COMMAND, 5, 1, false},
      {"sequencer", interface(sequencer.registers), tlm::TLM_READ_COMMAND, 0x0c, 4, false},
      {"dma completions", interface(sequencer.dma_completions), tlm::TLM_WRITE_COMMAND, 8, 8, false},
      {"dma descriptors", interface(dma.descriptors), tlm::TLM_WRITE_COMMAND, 0x100, 64, false},
      {"dma status", interface(dma.descriptors), tlm::TLM_READ_COMMAND, 0x140, 4, false},
      {"dram", interface(dram.target), tlm::TLM_READ_COMMAND, 64, 8, true},
      {"scratchpad", interface(scratchpad.linear), tlm::TLM_WRITE_COMMAND, 64, 8, true},
      {"pe", interface(pe.config), tlm::TLM_WRITE_COMMAND, stop_address, 4, false},
      {"array", interface(pes.config[3]), tlm::TLM_WRITE_COMMAND, stop_address, 4, false}};
  for (const Socket& socket : sockets) {
    INFO(socket.name);
    REQUIRE(socket.target != nullptr);
    std::vector<u8> data(256, 0);
    u8 enable = 0;
    const auto respond = [&](const std::function<void(tlm::tlm_generic_payload&)>& spoil) {
      tlm::tlm_generic_payload payload;
      prepare(payload, socket.command, socket.address, data.data(), socket.bytes);
      spoil(payload);
      sc_time delay;
      socket.target->b_transport(payload, delay);
      return payload.get_response_status();
    };
    CHECK(respond([](auto& payload) { payload.set_command(tlm::TLM_IGNORE_COMMAND); }) ==
          tlm::TLM_COMMAND_ERROR_RESPONSE);
    if (!socket.both_commands) {
      const bool read = socket.command == tlm::TLM_READ_COMMAND;
      CHECK(respond([&](auto& payload) {
              payload.set_command(read ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND);
            }) == tlm::TLM_COMMAND_ERROR_RESPONSE);
    }
    CHECK(respond([&](auto& payload) {
            payload.set_byte_enable_ptr(&enable);
            payload.set_byte_enable_length(1);
          }) == tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
    CHECK(respond([](auto& payload) { payload.set_data_length(0); }) == tlm::TLM_BURST_ERROR_RESPONSE);
    CHECK(respond([&](auto& payload) { payload.set_streaming_width(socket.bytes - 1); }) ==
          tlm::TLM_BURST_ERROR_RESPONSE);
    CHECK(respond([](auto& payload) { payload.set_address(u64{1} << 40); }) == tlm::TLM_ADDRESS_ERROR_RESPONSE);
    CHECK(respond([](auto& payload) { payload.set_address(~u64{0} - 3); }) == tlm::TLM_ADDRESS_ERROR_RESPONSE);
  }
}
