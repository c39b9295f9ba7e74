// SPDX-License-Identifier: Apache-2.0
// Faults between stand-ins: which accesses, messages and interrupts they hit, and what becomes of these.
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/base/simulation_context.h"
#include "models/faults/fault_injector.h"
#include "models/transport/access_source.h"
#include "models/transport/bulk_traffic.h"
#include "models/transport/initiator.h"

using namespace bvp;
using sc_core::sc_time;

namespace {

Fault fault_of(FaultKind kind) {
  Fault fault;
  fault.kind = kind;
  return fault;
}

/// Both ends of a way.
struct Ends : sc_core::sc_module {
  explicit Ends(sc_core::sc_module_name name) : sc_module(name) { target.register_b_transport(this, &Ends::serve); }
  void serve(tlm::tlm_generic_payload& payload, sc_time& delay) {
    delay += sc_time(10, sc_core::SC_NS);
    addresses.push_back(payload.get_address());
    if (payload.is_write()) {
      data.assign(payload.get_data_ptr(), payload.get_data_ptr() + payload.get_data_length());
    } else if (payload.is_read()) {
      std::memset(payload.get_data_ptr(), 0, payload.get_data_length());
    }
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
  }
  tlm_utils::simple_initiator_socket<Ends> initiator{"initiator"};
  tlm_utils::simple_target_socket<Ends> target{"target"};
  std::vector<u64> addresses;
  std::vector<u8> data;
};

struct World {
  explicit World(std::vector<Fault> faults) {
    injector = std::make_unique<FaultInjector>("faults", faults, stats,
                                               [this](FaultInjector::Memory memory, u64 offset, u32 bit) {
                                                 flips.push_back({memory, offset, bit, sc_core::sc_time_stamp()});
                                                 return offset < 4096;
                                               });
  }
  static AccessPlace locate(u64 address) { return {address >= 0x8000, address >= 0x9000}; }
  void bind_bus(bool dma) {
    bus = dma ? injector->of_dma(locate) : injector->of_sequencer(locate);
    REQUIRE(bus);
    ends.initiator.bind(bus->from);
    bus->to.bind(ends.target);
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
  }
  tlm::tlm_response_status read(u64 address, u32 source = 0, u32 bytes = 16) {
    buffer.assign(bytes, 0xff);
    AccessSource extension(source);
    tlm::tlm_generic_payload payload;
    payload.set_extension(&extension);
    delay = sc_core::SC_ZERO_TIME;
    const auto status = access(ends.initiator, payload, tlm::TLM_READ_COMMAND, address, buffer.data(), bytes, delay);
    payload.clear_extension(&extension);
    return status;
  }
  struct Flipped {
    FaultInjector::Memory memory;
    u64 offset;
    u32 bit;
    sc_time time;
  };
  SimulationContext context;
  StatGroup stats{"test"};
  std::vector<Flipped> flips;
  std::unique_ptr<FaultInjector> injector;
  Ends ends{"ends"};
  std::unique_ptr<BusFaults> bus;
  std::vector<u8> buffer;
  sc_time delay;
};

}  // namespace

TEST_CASE("faults: without a fault nothing stands between the sockets", "[faults]") {
  World world({fault_of(FaultKind::dram_bit_flip)});
  CHECK_FALSE(world.injector->of_dma(World::locate));
  CHECK_FALSE(world.injector->of_sequencer(World::locate));
  CHECK_FALSE(world.injector->of_dma_completions(3));
  CHECK_FALSE(world.injector->of_pe_completions());
  CHECK_FALSE(world.injector->of_interrupt());
}

TEST_CASE("faults: a bus error hits the n-th access of its source and its address", "[faults]") {
  Fault fault = fault_of(FaultKind::bus_error);
  fault.unit = 3;
  fault.address = 0x1008;
  fault.nth = 2;
  fault.count = 2;
  World world({fault});
  world.bind_bus(true);
  const auto fails = [&](u64 address, u32 source) { return world.read(address, source) != tlm::TLM_OK_RESPONSE; };
  CHECK_FALSE(fails(0x1000, 2));
  CHECK_FALSE(fails(0x1000, 3));  // the first
  CHECK_FALSE(fails(0x1009, 3));  // does not touch the address
  CHECK(fails(0x1008, 3));
  CHECK(fails(0x0ff9, 3));
  CHECK_FALSE(fails(0x1000, 3));
  CHECK(world.ends.addresses == std::vector<u64>{0x1000, 0x1000, 0x1009, 0x1000});  // what was hit did not arrive
  CHECK(world.injector->hits() == 2);
}

TEST_CASE("faults: amounts of traffic are refused as long as a fault may come", "[faults]") {
  World world({fault_of(FaultKind::bus_error)});
  world.bind_bus(true);
  const auto taken = [&] {
    BulkTraffic traffic;
    tlm::tlm_generic_payload payload;
    payload.set_extension(&traffic);
    sc_time delay;
    const auto status = access(world.ends.initiator, payload, tlm::TLM_IGNORE_COMMAND, 0, nullptr, 0, delay);
    payload.clear_extension(&traffic);
    return status == tlm::TLM_OK_RESPONSE;
  };
  CHECK_FALSE(taken());
  CHECK(world.read(0) != tlm::TLM_OK_RESPONSE);
  CHECK(taken());
}

TEST_CASE("faults: commands and images are corrupted on their way", "[faults]") {
  Fault command = fault_of(FaultKind::corrupt_command), image = fault_of(FaultKind::corrupt_image);
  command.bit = 9;
  command.bits = 2;
  image.bit = 127;
  image.bits = 2;  // the second one is the first bit of the burst again
  World world({command, image});
  world.bind_bus(false);
  CHECK(world.read(0x8000) == tlm::TLM_OK_RESPONSE);
  CHECK(world.buffer[15] == 0x80);
  CHECK(world.buffer[0] == 0x01);
  CHECK(world.read(0x9000) == tlm::TLM_OK_RESPONSE);
  CHECK(world.buffer[1] == 0x06);
  CHECK(world.read(0x9000) == tlm::TLM_OK_RESPONSE);
  CHECK(world.buffer == std::vector<u8>(16, 0));
}

TEST_CASE("faults: a slow DRAM delays its accesses from a time on", "[faults]") {
  Fault slow = fault_of(FaultKind::slow_dram);
  slow.delay_s = 3e-9;
  slow.time_s = 1e-6;
  slow.count = 0;
  World world({slow});
  world.bind_bus(true);
  world.read(0x8000);
  CHECK(world.delay == sc_time(10, sc_core::SC_NS));
  sc_core::sc_start(1, sc_core::SC_US);
  for (int i = 0; i < 3; ++i) {
    world.read(0x8000);
    CHECK(world.delay == sc_time(13, sc_core::SC_NS));
  }
  world.read(0x1000);
  CHECK(world.delay == sc_time(10, sc_core::SC_NS));
}

TEST_CASE("faults: completions are lost, or say that the transfer has failed", "[faults]") {
  Fault lost = fault_of(FaultKind::lost_completion), error = fault_of(FaultKind::dma_error);
  lost.unit = 1;
  error.nth = 2;
  World world({lost, error});
  auto messages = world.injector->of_dma_completions(77);
  REQUIRE(messages);
  world.ends.initiator.bind(messages->from);
  messages->to.bind(world.ends.target);
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  const auto send = [&](u64 channel) {
    u32 message[2] = {0, 0};
    sc_time delay;
    world.ends.data.clear();
    CHECK(access(world.ends.initiator, tlm::TLM_WRITE_COMMAND, channel * 8, message, 8, delay) == tlm::TLM_OK_RESPONSE);
    u32 status = 0;
    if (!world.ends.data.empty()) std::memcpy(&status, world.ends.data.data(), 4);
    return world.ends.data.empty() ? -1 : static_cast<int>(status);
  };
  CHECK(send(0) == 0);
  CHECK(send(1) == -1);
  CHECK(send(0) == 77);
  CHECK(send(1) == 0);
}

TEST_CASE("faults: bits turn over at their times", "[faults]") {
  Fault late = fault_of(FaultKind::dram_bit_flip), early = fault_of(FaultKind::scratchpad_bit_flip);
  late.address = 100;
  late.time_s = 2e-6;
  late.bit = 7;
  late.bits = 2;
  early.address = 5000;  // beyond the memory
  early.time_s = 1e-6;
  World world({late, early});
  world.ends.initiator.bind(world.ends.target);
  sc_core::sc_report_handler::set_actions(sc_core::SC_WARNING, sc_core::SC_DO_NOTHING);
  sc_core::sc_start(3, sc_core::SC_US);
  REQUIRE(world.flips.size() == 3);
  CHECK(world.flips[0].memory == FaultInjector::Memory::scratchpad);
  CHECK(world.flips[0].time == sc_time(1, sc_core::SC_US));
  CHECK(world.flips[1].offset == 100);
  CHECK(world.flips[1].bit == 7);
  CHECK(world.flips[2].offset == 101);
  CHECK(world.flips[2].bit == 0);
  CHECK(world.flips[2].time == sc_time(2, sc_core::SC_US));
  CHECK(world.injector->hits() == 1);
}

TEST_CASE("faults: an interrupt is dropped, late, or comes without a reason", "[faults]") {
  Fault dropped = fault_of(FaultKind::interrupt_dropped), late = fault_of(FaultKind::interrupt_late);
  Fault spurious = fault_of(FaultKind::interrupt_spurious);
  dropped.nth = 2;
  late.nth = 3;
  late.delay_s = 1e-6;
  spurious.time_s = 20e-6;
  spurious.delay_s = 2e-6;
  World world({dropped, late, spurious});
  world.ends.initiator.bind(world.ends.target);
  auto line = world.injector->of_interrupt();
  REQUIRE(line);
  sc_core::sc_signal<bool> in, out;
  line->in.bind(in);
  line->out.bind(out);
  const auto after = [&](bool level, double us) {
    in.write(level);
    sc_core::sc_start(us, sc_core::SC_US);
    return out.read();
  };
  CHECK_FALSE(after(false, 0.5));
  CHECK(after(true, 0.5));  // the first gets through
  CHECK_FALSE(after(false, 0.5));
  CHECK_FALSE(after(true, 5));  // the second does not
  CHECK_FALSE(after(false, 0.5));
  CHECK_FALSE(after(true, 0.9));  // the third is late
  CHECK(after(true, 0.2));
  CHECK_FALSE(after(false, 10));
  CHECK_FALSE(after(false, 1.5));  // 19.6 us
  CHECK(after(false, 1));
  CHECK_FALSE(after(false, 2));
  CHECK(world.injector->hits() == 3);
}
