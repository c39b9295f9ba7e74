// SPDX-License-Identifier: Apache-2.0
// The bus: decode, arbitration and latency, forwarding of direct and debug accesses.
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <catch2/catch.hpp>
#include <memory>

#include "models/base/simulation_context.h"
#include "models/bus/bus.h"
#include "models/transport/initiator.h"

using namespace bvp;

namespace {

struct Initiator : sc_core::sc_module {
  explicit Initiator(sc_core::sc_module_name name) : sc_module(name) {
    socket.register_invalidate_direct_mem_ptr(this, &Initiator::invalidate);
  }
  void invalidate(sc_dt::uint64 start, sc_dt::uint64 end) {
    first = start;
    last = end;
  }
  tlm_utils::simple_initiator_socket<Initiator> socket{"socket"};
  u64 first = 0, last = 0;
};

/// Takes 10 ns and remembers the address.
struct Device : sc_core::sc_module {
  explicit Device(sc_core::sc_module_name name) : sc_module(name) {
    socket.register_b_transport(this, &Device::transport);
    socket.register_transport_dbg(this, &Device::debug);
    socket.register_get_direct_mem_ptr(this, &Device::direct);
  }
  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    address = payload.get_address();
    arrival = delay;
    delay += sc_core::sc_time(10, sc_core::SC_NS);
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
  }
  unsigned debug(tlm::tlm_generic_payload& payload) {
    address = payload.get_address();
    return payload.get_data_length();
  }
  bool direct(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) {
    address = payload.get_address();
    dmi.init();
    dmi.set_dmi_ptr(bytes);
    dmi.allow_read_write();
    return true;  // all addresses: the bus has to limit it
  }
  tlm_utils::simple_target_socket<Device> socket{"socket"};
  u8 bytes[16] = {};
  u64 address = 0;
  sc_core::sc_time arrival;
};

struct Bench {
  Bench() {
    bus.add_target("b", 0x20000, 0x100).bind(b.socket);
    bus.add_target("a", 0x10000, 0x1000).bind(a.socket);
    bus.add_target("top", ~u64{0} - 0xff, 0x100).bind(top.socket);
    one.socket.bind(bus.from);
    two.socket.bind(bus.from);
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
  }
  tlm::tlm_response_status access(Initiator& initiator, u64 address, unsigned bytes, u64 at_ns = 0) {
    sc_core::sc_time delay(static_cast<double>(at_ns), sc_core::SC_NS);
    bvp::access(initiator.socket, payload, tlm::TLM_READ_COMMAND, address, data, bytes, delay);
    taken = clock.to_cycles(delay) - at_ns;
    CHECK(payload.get_address() == address);
    return payload.get_response_status();
  }

  SimulationContext context;
  ParameterGroup root{"test"};
  BusParameters parameters{&root};
  ClockDomain clock{1e9};
  StatGroup stats{"test"};
  Bus bus{"bus", parameters, clock, stats};
  Initiator one{"one"}, two{"two"};
  Device a{"device_a"}, b{"device_b"}, top{"device_top"};
  tlm::tlm_generic_payload payload;
  u8 data[4096] = {};
  Cycle taken = 0;
};

}  // namespace

TEST_CASE("bus: decodes to offsets from the region's base") {
  Bench bench;
  CHECK(bench.access(bench.one, 0x10ffc, 4) == tlm::TLM_OK_RESPONSE);
  CHECK(bench.a.address == 0xffc);
  CHECK(bench.access(bench.two, 0x20004, 4) == tlm::TLM_OK_RESPONSE);
  CHECK(bench.b.address == 4);
  CHECK(bench.access(bench.two, ~u64{0} - 3, 4) == tlm::TLM_OK_RESPONSE);
  CHECK(bench.top.address == 0xfc);
}

TEST_CASE("bus: what is not mapped as a whole is an address error") {
  Bench bench;
  const u64 address = GENERATE(u64{0}, u64{0xfffc}, u64{0x10ffe}, u64{0x11000}, u64{0x20100}, ~u64{0} - 2);
  CHECK(bench.access(bench.one, address, 4) == tlm::TLM_ADDRESS_ERROR_RESPONSE);
  CHECK(bench.taken == 4);
  CHECK(bench.access(bench.one, 0x10000, 0) == tlm::TLM_BURST_ERROR_RESPONSE);
}

TEST_CASE("bus: latency, and beats shared between initiators") {
  Bench bench;
  bench.access(bench.one, 0x10000, 64);
  CHECK(bench.a.arrival == sc_core::sc_time(2, sc_core::SC_NS));
  CHECK(bench.taken == 2 + 10 + 2);
  bench.access(bench.one, 0x10000, 65, 100);  // two beats, cycles 100 and 101
  CHECK(bench.taken == 2 + 10 + 2 + 1);
  bench.access(bench.two, 0x10000, 4, 100);  // waits for both
  CHECK(bench.taken == 2 + 14);
  bench.access(bench.two, 0x10000, 4, 103);  // 102 is the last one taken
  CHECK(bench.taken == 14);
  bench.access(bench.two, 0x20000, 4, 100);  // another target's port is free
  CHECK(bench.taken == 14);
}

TEST_CASE("bus: regions must be possible and apart") {
  const SimulationContext context;
  ParameterGroup root("test");
  const BusParameters parameters(&root);
  StatGroup stats("test");
  Bus bus("bus", parameters, ClockDomain(1e9), stats);
  bus.add_target("a", 0x1000, 0x1000);
  CHECK_THROWS_AS(bus.add_target("b", 0x1fff, 1), sc_core::sc_report);
  CHECK_THROWS_AS(bus.add_target("c", 0, 0x1001), sc_core::sc_report);
  CHECK_THROWS_AS(bus.add_target("d", 0, 0), sc_core::sc_report);
  CHECK_THROWS_AS(bus.add_target("e", ~u64{0}, 2), sc_core::sc_report);
  CHECK_NOTHROW(bus.add_target("f", 0x2000, 0x1000));
}

TEST_CASE("bus: direct access is translated and limited to the region, invalidation likewise") {
  Bench bench;
  bench.payload.set_address(0x20010);
  tlm::tlm_dmi dmi;
  REQUIRE(bench.one.socket->get_direct_mem_ptr(bench.payload, dmi));
  CHECK(bench.b.address == 0x10);
  CHECK(dmi.get_start_address() == 0x20000);
  CHECK(dmi.get_end_address() == 0x200ff);
  CHECK(dmi.get_dmi_ptr() == bench.b.bytes);
  bench.payload.set_address(0x30000);
  CHECK_FALSE(bench.one.socket->get_direct_mem_ptr(bench.payload, dmi));
  bench.b.socket->invalidate_direct_mem_ptr(0x10, ~u64{0});
  for (const Initiator* initiator : {&bench.one, &bench.two}) {
    CHECK(initiator->first == 0x20010);
    CHECK(initiator->last == 0x200ff);
  }
}

TEST_CASE("bus: debug accesses end at the region's end") {
  Bench bench;
  bench.payload.set_command(tlm::TLM_READ_COMMAND);
  bench.payload.set_data_ptr(bench.data);
  bench.payload.set_data_length(0x20);
  bench.payload.set_address(0x200f0);
  CHECK(bench.one.socket->transport_dbg(bench.payload) == 0x10);
  CHECK(bench.b.address == 0xf0);
  CHECK(bench.payload.get_data_length() == 0x20);
  bench.payload.set_address(0x30000);
  CHECK(bench.one.socket->transport_dbg(bench.payload) == 0);
}
