// SPDX-License-Identifier: Apache-2.0
// The protection unit between an initiator and a memory: what it lets through, what it reports.
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <catch2/catch.hpp>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "models/base/simulation_context.h"
#include "models/peripherals/protection_unit.h"
#include "models/transport/access_source.h"
#include "models/transport/bulk_traffic.h"
#include "models/transport/initiator.h"

using namespace bvp;

namespace {

struct World : sc_core::sc_module {
  explicit World(sc_core::sc_module_name name) : sc_module(name) {
    memory.register_b_transport(this, &World::serve);
    other.register_b_transport(this, &World::serve);
  }
  void serve(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    delay += sc_core::sc_time(10, sc_core::SC_NS);
    if (payload.get_command() != tlm::TLM_IGNORE_COMMAND) {
      for (u32 i = 0; i < payload.get_data_length(); ++i) touched.insert(payload.get_address() + i);
    }
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
  }
  tlm_utils::simple_initiator_socket<World> host{"host"}, sequencer{"sequencer"}, dma{"dma"};
  tlm_utils::simple_target_socket<World> memory{"memory"}, other{"other"};
  std::set<u64> touched;
};

struct Bench {
  Bench() {
    previous = sc_core::sc_report_handler::get_handler();
    sc_core::sc_report_handler::set_handler([](const sc_core::sc_report&, const sc_core::sc_actions&) {});
    world.host.bind(unit.target);
    world.sequencer.bind(unit.from[ProtectionUnit::sequencer_path]);
    world.dma.bind(unit.from[ProtectionUnit::dma_path]);
    unit.to[ProtectionUnit::sequencer_path].bind(world.other);
    unit.to[ProtectionUnit::dma_path].bind(world.memory);
    unit.irq.bind(irq);
    settle();
  }
  ~Bench() { sc_core::sc_report_handler::set_handler(previous); }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;
  static void settle() { sc_core::sc_start(1, sc_core::SC_NS); }

  u64 offset(const std::string& name, u32 index = 0) const {
    return unit.register_bank().find(name)->offset() + u64{index} * 4;
  }
  void write(const std::string& name, u32 value, u32 index = 0) {
    sc_core::sc_time delay;
    REQUIRE(access(world.host, tlm::TLM_WRITE_COMMAND, offset(name, index), &value, 4, delay) == tlm::TLM_OK_RESPONSE);
  }
  u32 read(const std::string& name, u32 index = 0) {
    sc_core::sc_time delay;
    u32 value = 0;
    REQUIRE(access(world.host, tlm::TLM_READ_COMMAND, offset(name, index), &value, 4, delay) == tlm::TLM_OK_RESPONSE);
    return value;
  }
  void open(u32 index, u64 base, u64 size, u32 config) {
    write("BASE_LO", low_word(base), index);
    write("BASE_HI", high_word(base), index);
    write("SIZE_LO", low_word(size), index);
    write("SIZE_HI", high_word(size), index);
    write("CONFIG", config, index);
  }
  bool dma(u32 source, bool for_write, u64 address, u32 bytes) {
    std::vector<u8> data(bytes);
    AccessSource extension(source);
    tlm::tlm_generic_payload payload;
    payload.set_extension(&extension);
    sc_core::sc_time delay;
    const auto command = for_write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND;
    const auto status = access(world.dma, payload, command, address, data.data(), bytes, delay);
    payload.clear_extension(&extension);
    CHECK((delay > sc_core::SC_ZERO_TIME) == (status == tlm::TLM_OK_RESPONSE));
    return status == tlm::TLM_OK_RESPONSE;
  }

  SimulationContext context;
  ParameterGroup root{"test"};
  PeripheralParameters parameters{&root};
  ClockDomain clock{1e9};
  StatGroup stats{"test"};
  ProtectionUnit unit{"protection", parameters, clock, stats};
  World world{"world"};
  sc_core::sc_signal<bool> irq;
  sc_core::sc_report_handler_proc previous = nullptr;
};

constexpr u32 for_reads = 1, for_writes = 2, locked = 0x80;
constexpr u32 by(u32 source) { return 0x100u << source; }

}  // namespace

TEST_CASE("protection: all is allowed until it is enabled", "[protection]") {
  Bench bench;
  CHECK(bench.dma(2, true, 0x80000000, 64));
  bench.write("CONTROL", 1);
  CHECK_FALSE(bench.dma(2, true, 0x80000000, 64));
  bench.write("CONTROL", 0);
  CHECK(bench.dma(3, false, 0x80000000, 64));
}

TEST_CASE("protection: a window is open for its sources, its directions and its bytes", "[protection]") {
  Bench bench;
  bench.open(0, 0x80001000, 0x100, for_reads | by(2));
  bench.open(7, 0x180000000, 0x40, for_writes | by(2) | by(3));
  bench.write("CONTROL", 1);
  CHECK(bench.dma(2, false, 0x80001000, 0x100));
  CHECK(bench.dma(2, false, 0x800010ff, 1));
  CHECK_FALSE(bench.dma(2, false, 0x80000fff, 1));
  CHECK_FALSE(bench.dma(2, false, 0x80001100, 1));
  CHECK_FALSE(bench.dma(2, false, 0x800010ff, 2));
  CHECK_FALSE(bench.dma(2, true, 0x80001000, 1));
  CHECK_FALSE(bench.dma(3, false, 0x80001000, 1));
  CHECK(bench.dma(3, true, 0x18000003f, 1));
  CHECK(bench.dma(2, true, 0x180000000, 64));
  CHECK_FALSE(bench.dma(2, false, 0x180000000, 64));
  // Two windows side by side are not one.
  bench.open(1, 0x80001100, 0x100, for_reads | by(2));
  CHECK(bench.dma(2, false, 0x80001100, 1));
  CHECK_FALSE(bench.dma(2, false, 0x800010ff, 2));
}

TEST_CASE("protection: the first violation is kept, and raises the interrupt", "[protection]") {
  Bench bench;
  bench.write("CONTROL", 1);
  CHECK_FALSE(bench.dma(3, true, 0x123456789, 48));
  CHECK_FALSE(bench.dma(2, false, 0x80000000, 64));
  bench.settle();
  CHECK_FALSE(bench.irq.read());
  bench.write("INTERRUPT_ENABLE", 1);
  bench.settle();
  CHECK(bench.irq.read());
  CHECK(bench.read("STATUS") == 1);
  CHECK(bench.read("VIOLATION_SOURCE") == (3 | 1u << 8));
  CHECK(bench.read("VIOLATION_ADDRESS_LO") == 0x23456789);
  CHECK(bench.read("VIOLATION_ADDRESS_HI") == 1);
  CHECK(bench.read("VIOLATION_BYTES") == 48);
  CHECK(bench.read("VIOLATION_COUNT") == 2);
  bench.write("STATUS", 1);
  bench.settle();
  CHECK_FALSE(bench.irq.read());
  CHECK_FALSE(bench.dma(2, false, 0x80000040, 64));
  CHECK(bench.read("VIOLATION_SOURCE") == 2);
  CHECK(bench.read("VIOLATION_ADDRESS_LO") == 0x80000040);
}

TEST_CASE("protection: the sequencer's accesses name no source and are source 0", "[protection]") {
  Bench bench;
  bench.open(0, 0x1000, 0x80, for_reads | by(0));
  bench.write("CONTROL", 1);
  u8 data[256];
  sc_core::sc_time delay;
  CHECK(access(bench.world.sequencer, tlm::TLM_READ_COMMAND, 0x1000, data, 128, delay) == tlm::TLM_OK_RESPONSE);
  CHECK(access(bench.world.sequencer, tlm::TLM_READ_COMMAND, 0x1000, data, 129, delay) ==
        tlm::TLM_ADDRESS_ERROR_RESPONSE);
  CHECK(bench.read("VIOLATION_SOURCE") == 0);
}

TEST_CASE("protection: what is locked does not change", "[protection]") {
  Bench bench;
  bench.open(3, 0x1000, 0x80, for_reads | locked | by(2));
  bench.open(3, 0x2000, 0x4000, for_writes | by(3));
  CHECK(bench.read("BASE_LO", 3) == 0x1000);
  CHECK(bench.read("SIZE_LO", 3) == 0x80);
  CHECK(bench.read("CONFIG", 3) == (for_reads | locked | by(2)));
  bench.write("CONTROL", 3);
  bench.write("CONTROL", 0);
  CHECK(bench.read("CONTROL") == 3);
  CHECK(bench.dma(2, false, 0x1000, 0x80));
  CHECK_FALSE(bench.dma(2, false, 0x2000, 4));
}

TEST_CASE("protection: amounts of traffic are allowed where all of it is, and do not count as violations",
          "[protection]") {
  Bench bench;
  bench.open(0, 0x1000, 0x1000, for_reads | by(2));
  bench.write("CONTROL", 1);
  const auto ask = [&](u64 address, u64 span, bool for_write) {
    BulkTraffic traffic;
    traffic.span = span;
    traffic.write = for_write;
    AccessSource source(2);
    tlm::tlm_generic_payload payload;
    payload.set_extension(&traffic);
    payload.set_extension(&source);
    sc_core::sc_time delay;
    const auto status = access(bench.world.dma, payload, tlm::TLM_IGNORE_COMMAND, address, nullptr, 0, delay);
    payload.clear_extension(&traffic);
    payload.clear_extension(&source);
    return status == tlm::TLM_OK_RESPONSE;
  };
  CHECK(ask(0x1000, 0x1000, false));
  CHECK_FALSE(ask(0x1000, 0x1001, false));
  CHECK_FALSE(ask(0x1000, 0x1000, true));
  CHECK(bench.read("VIOLATION_COUNT") == 0);
}

TEST_CASE("protection: vectors of PEs, row by row and column by column", "[protection]") {
  Bench bench;
  bench.unit.set_scratchpad_base(0x40000000);
  // A tile of 4 x 4 values: rows of 8 bytes.
  bench.open(0, 0x40000000, 32, for_reads | by(1));
  bench.open(1, 0x40000020, 8, for_reads | for_writes | by(1));
  const auto admits = [&](bool for_write, std::vector<u32> addresses) {
    VectorAccess vectors;
    vectors.addresses = addresses.data();
    vectors.count = static_cast<u32>(addresses.size());
    vectors.lanes = 4;
    return bench.unit.admits(for_write, vectors);
  };
  CHECK(admits(false, {0, 8, 24, 32}));
  CHECK_FALSE(admits(false, {0, 40}));
  CHECK(admits(true, {32}));
  CHECK_FALSE(admits(true, {32, 24}));
  CHECK(admits(false, {VectorAccess::column_flag | 6}));
  CHECK_FALSE(admits(true, {VectorAccess::column_flag | 6}));
  // The column of the second tile begins in an open row and goes on in closed ones.
  CHECK_FALSE(admits(false, {VectorAccess::column_flag | 32}));
}

TEST_CASE("protection: random accesses touch nothing outside of random windows", "[protection][properties]") {
  std::mt19937 random(17);
  const auto below = [&](u32 limit) { return static_cast<u32>(random() % limit); };
  for (int round = 0; round < 20; ++round) {
    Bench bench;
    std::vector<AccessWindow> windows;
    for (u32 i = 0; i < AccessWindows::count; ++i) {
      AccessWindow window{below(4096), below(512), below(2) == 0, below(2) == 0, static_cast<u32>(random() & 0xff)};
      windows.push_back(window);
      bench.open(i, window.base, window.size, u32{window.read} | u32{window.write} << 1 | window.sources << 8);
    }
    bench.write("CONTROL", 1);
    u32 taken = 0;
    for (int i = 0; i < 2000; ++i) {
      bench.world.touched.clear();
      const u32 source = 2 + below(6), bytes = 1 + below(64);
      const u64 address = below(4608);
      const bool for_write = below(2) == 0, done = bench.dma(source, for_write, address, bytes);
      // Written byte by byte, as plainly as possible: one window must hold every byte.
      bool allowed = false;
      for (const AccessWindow& w : windows) {
        bool all = (for_write ? w.write : w.read) && (w.sources >> source & 1) != 0;
        for (u64 byte = address; byte < address + bytes; ++byte) all = all && byte >= w.base && byte < w.base + w.size;
        allowed = allowed || all;
      }
      REQUIRE(done == allowed);
      REQUIRE(bench.world.touched.empty() == !allowed);
      taken += done;
    }
    CHECK(taken > 0);
  }
}
