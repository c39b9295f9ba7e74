// SPDX-License-Identifier: Apache-2.0
// The RAM: data, time, direct access, refusals.
#include <tlm_utils/simple_initiator_socket.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <memory>

#include "models/base/simulation_context.h"
#include "models/memory/ram.h"
#include "models/transport/initiator.h"

using namespace bvp;

namespace {

struct Initiator : sc_core::sc_module {
  explicit Initiator(sc_core::sc_module_name name) : sc_module(name) {}
  tlm_utils::simple_initiator_socket<Initiator> socket{"socket"};
};

struct Bench {
  explicit Bench(i64 size = 8192) {
    parameters.size_bytes = size;
    ram = std::make_unique<Ram>("ram", parameters, clock, stats);
    initiator.socket.bind(ram->target);
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
  }
  tlm::tlm_response_status access(tlm::tlm_command command, u64 address, void* data, unsigned bytes) {
    delay = sc_core::SC_ZERO_TIME;
    return bvp::access(initiator.socket, payload, command, address, data, bytes, delay);
  }

  SimulationContext context;
  ParameterGroup root{"test"};
  RamParameters parameters{&root};
  ClockDomain clock{1e9};
  StatGroup stats{"test"};
  std::unique_ptr<Ram> ram;
  Initiator initiator{"initiator"};
  tlm::tlm_generic_payload payload;
  sc_core::sc_time delay;
};

}  // namespace

TEST_CASE("ram: keeps what is written, at its latency") {
  Bench bench;
  u64 value = 0x0123456789abcdef, found = 1;
  CHECK(bench.access(tlm::TLM_READ_COMMAND, 8184, &found, 8) == tlm::TLM_OK_RESPONSE);
  CHECK(found == 0);
  CHECK(bench.access(tlm::TLM_WRITE_COMMAND, 8184, &value, 8) == tlm::TLM_OK_RESPONSE);
  CHECK(bench.delay == sc_core::sc_time(2, sc_core::SC_NS));
  CHECK(bench.payload.is_dmi_allowed());
  CHECK(bench.access(tlm::TLM_READ_COMMAND, 8184, &found, 8) == tlm::TLM_OK_RESPONSE);
  CHECK(found == value);
}

TEST_CASE("ram: refuses what it cannot serve") {
  Bench bench;
  u64 value = 0;
  CHECK(bench.access(tlm::TLM_READ_COMMAND, 8185, &value, 8) == tlm::TLM_ADDRESS_ERROR_RESPONSE);
  CHECK(bench.access(tlm::TLM_READ_COMMAND, ~u64{0}, &value, 8) == tlm::TLM_ADDRESS_ERROR_RESPONSE);
  CHECK(bench.access(tlm::TLM_IGNORE_COMMAND, 0, &value, 8) == tlm::TLM_COMMAND_ERROR_RESPONSE);
  CHECK(bench.access(tlm::TLM_READ_COMMAND, 0, &value, 0) == tlm::TLM_BURST_ERROR_RESPONSE);
  CHECK(bench.delay == sc_core::SC_ZERO_TIME);
  u8 enables[8] = {};
  bench.payload.set_command(tlm::TLM_WRITE_COMMAND);
  bench.payload.set_data_length(8);
  bench.payload.set_byte_enable_ptr(enables);
  bench.initiator.socket->b_transport(bench.payload, bench.delay);
  CHECK(bench.payload.get_response_status() == tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
}

TEST_CASE("ram: direct and debug access reach the same bytes") {
  Bench bench;
  u32 value = 0xcafe;
  bench.access(tlm::TLM_WRITE_COMMAND, 4096, &value, 4);
  tlm::tlm_dmi dmi;
  REQUIRE(bench.initiator.socket->get_direct_mem_ptr(bench.payload, dmi));
  CHECK(dmi.get_start_address() == 0);
  CHECK(dmi.get_end_address() == 8191);
  CHECK(dmi.is_read_write_allowed());
  CHECK(reinterpret_cast<std::uintptr_t>(dmi.get_dmi_ptr()) % 4096 == 0);
  u32 found = 0;
  std::memcpy(&found, dmi.get_dmi_ptr() + 4096, 4);
  CHECK(found == value);
  u8 bytes[8] = {};
  bench.payload.set_command(tlm::TLM_READ_COMMAND);
  bench.payload.set_address(8188);
  bench.payload.set_data_ptr(bytes);
  bench.payload.set_data_length(8);
  CHECK(bench.initiator.socket->transport_dbg(bench.payload) == 4);
  bench.payload.set_address(8192);
  CHECK(bench.initiator.socket->transport_dbg(bench.payload) == 0);
  CHECK_FALSE(bench.initiator.socket->get_direct_mem_ptr(bench.payload, dmi));
}

TEST_CASE("ram: a size that is not whole pages is an error") { CHECK_THROWS_AS(Bench(5000), sc_core::sc_report); }
