// SPDX-License-Identifier: Apache-2.0
// Models of others: a memory that knows none of our payload extensions behind our bus and DMA, in both fidelities; and
// an initiator that uses byte enables and streaming width at our targets.
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "models/base/simulation_context.h"
#include "models/bus/bus.h"
#include "models/dma/dma.h"
#include "models/memory/dram.h"
#include "models/memory/ram.h"
#include "models/scratchpad/scratchpad.h"

using namespace bvp;

namespace {

/// The optional parts of TLM-2.0 that a memory supports, and its response to TLM_IGNORE_COMMAND.
struct Habits {
  bool debug, direct;
  tlm::tlm_response_status ignored;
};

/// A memory as the TLM-2.0 examples have it: reads and writes of any length, a fixed latency.
struct PlainMemory : sc_core::sc_module {
  PlainMemory(sc_core::sc_module_name name, u64 size, Habits habits)
      : sc_module(name), target("target"), bytes(size), habits(habits) {
    target.register_b_transport(this, &PlainMemory::transport);
    if (habits.debug) target.register_transport_dbg(this, &PlainMemory::debug);
    if (habits.direct) target.register_get_direct_mem_ptr(this, &PlainMemory::direct);
  }
  unsigned move(tlm::tlm_generic_payload& payload) {
    const u64 at = payload.get_address();
    const unsigned length = payload.get_data_length();
    if (at >= bytes.size() || length > bytes.size() - at) return 0;
    if (payload.is_read()) std::memcpy(payload.get_data_ptr(), bytes.data() + at, length);
    if (payload.is_write()) std::memcpy(bytes.data() + at, payload.get_data_ptr(), length);
    return length;
  }
  void transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    if (payload.get_command() == tlm::TLM_IGNORE_COMMAND) return payload.set_response_status(habits.ignored);
    ++requests;
    delay += sc_core::sc_time(60, sc_core::SC_NS);
    payload.set_response_status(move(payload) != 0 ? tlm::TLM_OK_RESPONSE : tlm::TLM_ADDRESS_ERROR_RESPONSE);
  }
  unsigned debug(tlm::tlm_generic_payload& payload) { return move(payload); }
  bool direct(tlm::tlm_generic_payload&, tlm::tlm_dmi& dmi) {
    dmi.set_start_address(0);
    dmi.set_end_address(bytes.size() - 1);
    dmi.set_dmi_ptr(bytes.data());
    dmi.allow_read_write();
    return true;
  }
  tlm_utils::simple_target_socket<PlainMemory> target;
  std::vector<u8> bytes;
  Habits habits;
  u64 requests = 0;
};

/// Runs transfers of the DMA one after another.
struct Driver : sc_core::sc_module {
  Driver(sc_core::sc_module_name name, std::function<void(Driver&)> body)
      : sc_module(name), to_dma("to_dma"), completions("completions"), body(std::move(body)) {
    completions.register_b_transport(this, &Driver::complete);
    SC_THREAD(run);
  }
  SC_HAS_PROCESS(Driver);
  void complete(tlm::tlm_generic_payload& payload, sc_core::sc_time&) {
    std::memcpy(&status, payload.get_data_ptr(), sizeof status);
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
    done.notify(sc_core::SC_ZERO_TIME);
  }
  u32 transfer(DmaDescriptor descriptor) {
    tlm::tlm_generic_payload payload;
    payload.set_command(tlm::TLM_WRITE_COMMAND);
    payload.set_address(0);
    payload.set_data_ptr(reinterpret_cast<u8*>(&descriptor));
    payload.set_data_length(sizeof descriptor);
    payload.set_streaming_width(sizeof descriptor);
    sc_core::sc_time delay;
    to_dma->b_transport(payload, delay);
    wait(done);
    return status;
  }
  void run() { body(*this); }

  tlm_utils::simple_initiator_socket<Driver> to_dma;
  tlm_utils::simple_target_socket<Driver> completions;
  std::function<void(Driver&)> body;
  sc_core::sc_event done;
  u32 status = ~0u;
};

/// Copies within a memory behind the bus; when it ended, in ns.
double copies(const Habits& habits, bool fast) {
  constexpr u64 size = 1 << 20, base = 0x80000000;
  const SimulationContext context;
  ParameterGroup root{"test"};
  DmaParameters dma_parameters{&root};
  BusParameters bus_parameters{&root};
  StatGroup stats{"test"};
  ClockDomain clock{1e9};
  Dma::Mode mode;
  mode.fast = fast;
  Bus bus("bus", bus_parameters, clock, stats);
  Dma dma("dma", dma_parameters, clock, stats, mode);
  PlainMemory memory("memory", size, habits);
  dma.to_bus.bind(bus.from);
  bus.add_target("memory", base, size).bind(memory.target);
  std::mt19937 random(5);
  for (u8& byte : memory.bytes) byte = static_cast<u8>(random());
  std::vector<u8> expected = memory.bytes;
  double end = 0;
  Driver driver("driver", [&](Driver& d) {
    for (int repeat = 0; repeat < 4; ++repeat) {
      DmaDescriptor copy{};
      const u64 from = static_cast<u64>(repeat) * 3001;
      copy.source = base + from;
      copy.destination = base + size / 2;
      copy.length = 300000;
      copy.count = {1, 1, 1};
      CHECK(d.transfer(copy) == 0);
      std::copy_n(expected.begin() + static_cast<std::ptrdiff_t>(from), copy.length,
                  expected.begin() + static_cast<std::ptrdiff_t>(size / 2));
      CHECK((memory.bytes == expected));
    }
    end = sc_core::sc_time_stamp().to_seconds() * 1e9;
  });
  driver.to_dma.bind(dma.descriptors);
  dma.completions.bind(driver.completions);
  sc_core::sc_start();
  CHECK(end > 0);
  return end;
}

/// Sends single payloads.
struct Sender : sc_core::sc_module {
  Sender(sc_core::sc_module_name name, std::function<void(Sender&)> body)
      : sc_module(name), out("out"), body(std::move(body)) {
    SC_THREAD(run);
  }
  SC_HAS_PROCESS(Sender);
  void run() { body(*this); }
  tlm::tlm_response_status send(tlm::tlm_command command, u64 address, std::vector<u8>& data, unsigned width,
                                std::vector<u8> enables = {}) {
    tlm::tlm_generic_payload payload;
    payload.set_command(command);
    payload.set_address(address);
    payload.set_data_ptr(data.data());
    payload.set_data_length(static_cast<unsigned>(data.size()));
    payload.set_streaming_width(width);
    if (!enables.empty()) {
      payload.set_byte_enable_ptr(enables.data());
      payload.set_byte_enable_length(static_cast<unsigned>(enables.size()));
    }
    payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    sc_core::sc_time delay;
    out->b_transport(payload, delay);
    CHECK(payload.get_address() == address);
    return payload.get_response_status();
  }
  tlm_utils::simple_initiator_socket<Sender> out;
  std::function<void(Sender&)> body;
};

/// Takes the place of the PEs.
struct Nobody : sc_core::sc_module {
  explicit Nobody(sc_core::sc_module_name name, std::size_t count) : sc_module(name), to("to", count) {}
  sc_core::sc_vector<tlm_utils::simple_initiator_socket<Nobody>> to;
};

/// Enables and widths that a target may only refuse or obey, and must not ignore.
void check_target(Sender& s, u64 base) {
  std::vector<u8> old(8, 0x11), now(8, 0x22), read(8);
  REQUIRE(s.send(tlm::TLM_WRITE_COMMAND, base, old, 8) == tlm::TLM_OK_RESPONSE);
  CHECK(s.send(tlm::TLM_WRITE_COMMAND, base, now, 8, {0xff, 0, 0xff, 0}) == tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
  CHECK(s.send(tlm::TLM_READ_COMMAND, base, now, 8, {0xff, 0}) == tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
  CHECK(s.send(tlm::TLM_WRITE_COMMAND, base, now, 4) == tlm::TLM_BURST_ERROR_RESPONSE);
  CHECK(s.send(tlm::TLM_READ_COMMAND, base, now, 1) == tlm::TLM_BURST_ERROR_RESPONSE);
  CHECK(now == std::vector<u8>(8, 0x22));
  REQUIRE(s.send(tlm::TLM_READ_COMMAND, base, read, 8) == tlm::TLM_OK_RESPONSE);
  CHECK(read == old);
  // A streaming width above the length has no effect.
  CHECK(s.send(tlm::TLM_WRITE_COMMAND, base, now, 64) == tlm::TLM_OK_RESPONSE);
  CHECK(s.send(tlm::TLM_READ_COMMAND, base, read, 64) == tlm::TLM_OK_RESPONSE);
  CHECK(read == now);
}

}  // namespace

TEST_CASE("a memory that knows no extension works behind bus and DMA, cycle by cycle and fast", "[memory][foreign]") {
  for (const bool debug : {true, false}) {
    for (const bool direct : {true, false}) {
      for (const auto ignored :
           {tlm::TLM_OK_RESPONSE, tlm::TLM_COMMAND_ERROR_RESPONSE, tlm::TLM_GENERIC_ERROR_RESPONSE}) {
        INFO("debug " << debug << ", direct " << direct << ", answer " << ignored);
        const Habits habits{debug, direct, ignored};
        CHECK(copies(habits, true) == Approx(copies(habits, false)).epsilon(0.02));
      }
    }
  }
}

TEST_CASE("targets refuse byte enables and streaming, also behind the bus, and change nothing", "[memory][foreign]") {
  const SimulationContext context;
  ParameterGroup root{"test"};
  ArrayParameters array{&root};
  DramParameters dram_parameters{&root};
  RamParameters ram_parameters{&root};
  ScratchpadParameters scratchpad_parameters{&root};
  BusParameters bus_parameters{&root};
  StatGroup stats{"test"};
  ClockDomain clock{1e9};
  dram_parameters.geometry.size_bytes = 65536;
  Bus bus("bus", bus_parameters, clock, stats);
  Dram dram("dram", dram_parameters, stats);
  Ram ram("ram", ram_parameters, clock, stats);
  CycleAgenda agenda("agenda", clock);
  Scratchpad scratchpad("scratchpad", array, scratchpad_parameters, clock, agenda, stats);
  Nobody nobody("nobody", scratchpad.vector.size());
  for (std::size_t i = 0; i < scratchpad.vector.size(); ++i) nobody.to[i].bind(scratchpad.vector[i]);
  constexpr u64 dram_base = 0x80000000, ram_base = 0x10000, scratchpad_base = 0x40000000;
  bus.add_target("scratchpad", scratchpad_base, scratchpad.size()).bind(scratchpad.linear);
  bus.add_target("ram", ram_base, ram.size()).bind(ram.target);
  bus.add_target("dram", dram_base, dram.size()).bind(dram.target);
  Sender sender("sender", [&](Sender& s) {
    check_target(s, ram_base + 64);
    check_target(s, dram_base + 128);
    check_target(s, scratchpad_base + 192);
    std::vector<u8> byte(1);
    CHECK(s.send(tlm::TLM_READ_COMMAND, 0x40, byte, 1) == tlm::TLM_ADDRESS_ERROR_RESPONSE);
    CHECK(s.send(tlm::TLM_IGNORE_COMMAND, ram_base, byte, 1) == tlm::TLM_COMMAND_ERROR_RESPONSE);
  });
  sender.out.bind(bus.from);
  sc_core::sc_start();
}
