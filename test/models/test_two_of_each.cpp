// SPDX-License-Identifier: Apache-2.0
// Two of a model in one SoC: names, statistics and registers of their own, and what one does shows at that one alone.
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "models/abi/records.h"
#include "models/base/simulation_context.h"
#include "models/bus/bus.h"
#include "models/cpu/cpu.h"
#include "models/dma/dma.h"
#include "models/memory/dram.h"
#include "models/memory/ram.h"
#include "models/mesh/mesh.h"
#include "models/pe/pe.h"
#include "models/peripherals/clint.h"
#include "models/peripherals/plic.h"
#include "models/peripherals/power_controller.h"
#include "models/peripherals/simulation_control.h"
#include "models/peripherals/uart.h"
#include "models/power/estimators/estimators.h"
#include "models/power/monitors/mesh_monitor.h"
#include "models/power/monitors/scratchpad_monitor.h"
#include "models/scratchpad/scratchpad.h"
#include "models/sequencer/sequencer.h"
#include "models/transport/initiator.h"

using namespace bvp;

namespace {

constexpr u64 ram_base = u64{1} << 40, dram_base = u64{2} << 40, device_base = 0x10000000;
constexpr u64 memory_stride = u64{1} << 32, device_stride = 0x100000;

/// An SoC that has two of each block behind one bus.
struct TwoOfEach : sc_core::sc_module {
  explicit TwoOfEach(sc_core::sc_module_name name) : sc_module(name) {
    for (unsigned i = 0; i < 2; ++i) {
      Half& half = *halves[i];
      const std::string number = std::to_string(i);
      half.sequencer.to_bus.bind(bus.from);
      half.dma.to_bus.bind(bus.from);
      half.sequencer.to_dma.bind(half.dma.descriptors);
      half.dma.completions.bind(half.sequencer.dma_completions);
      half.sequencer.to_pe[0].bind(half.configuration);
      half.completions.bind(half.sequencer.pe_completions);
      half.sequencer.irq.bind(half.irq);
      half.uart.irq.bind(half.uart_irq);
      half.clint.timer_irq.bind(half.timer_irq);
      half.clint.software_irq.bind(half.software_irq);
      half.plic.irq.bind(half.external_irq);
      for (auto& source : half.plic.sources) source.bind(half.irq);
      bus.add_target("ram" + number, ram_base + i * memory_stride, half.ram.size()).bind(half.ram.target);
      bus.add_target("dram" + number, dram_base + i * memory_stride, half.dram.size()).bind(half.dram.target);
      u64 device = device_base + i * device_stride;
      bus.add_target("sequencer" + number, device, 0x1000).bind(half.sequencer.registers);
      for (Peripheral* peripheral : half.peripherals()) {
        device += 0x10000;
        bus.add_target(peripheral->basename(), device, 0x10000).bind(peripheral->target);
      }
    }
    driver.bind(bus.from);
  }

  /// One of each; their names end with a number.
  struct Half {
    Half(TwoOfEach& owner, const std::string& number)
        : dram(("dram" + number).c_str(), owner.dram_parameters, owner.stats),
          ram(("ram" + number).c_str(), owner.ram_parameters, owner.clock, owner.stats),
          dma(("dma" + number).c_str(), owner.dma_parameters, owner.clock, owner.stats),
          sequencer(("sequencer" + number).c_str(), owner.sequencer_parameters, ArrayShape{1, 1, 32}, 2, owner.clock,
                    owner.stats),
          uart(("uart" + number).c_str(), owner.uart_parameters, owner.clock, owner.stats),
          clint(("clint" + number).c_str(), owner.clint_parameters, owner.clock, owner.stats),
          plic(("plic" + number).c_str(), owner.peripheral_parameters, owner.clock, owner.stats),
          power_controller(("power_controller" + number).c_str(), owner.power_parameters, owner.clock, owner.stats),
          simulation_control(("simulation_control" + number).c_str(), owner.peripheral_parameters, owner.clock,
                             owner.stats),
          configuration(("configuration" + number).c_str()),
          completions(("completions" + number).c_str()),
          irq(("irq" + number).c_str()),
          uart_irq(("uart_irq" + number).c_str()),
          timer_irq(("timer_irq" + number).c_str()),
          software_irq(("software_irq" + number).c_str()),
          external_irq(("external_irq" + number).c_str()) {}
    [[nodiscard]] std::vector<Peripheral*> peripherals() {
      return {&uart, &clint, &plic, &power_controller, &simulation_control};
    }

    Dram dram;
    Ram ram;
    Dma dma;
    Sequencer sequencer;
    Uart uart;
    Clint clint;
    Plic plic;
    PowerController power_controller;
    SimulationControl simulation_control;
    tlm_utils::simple_target_socket<TwoOfEach> configuration;
    tlm_utils::simple_initiator_socket<TwoOfEach> completions;
    sc_core::sc_signal<bool> irq, uart_irq, timer_irq, software_irq, external_irq;
  };

  ParameterGroup root{"test"};
  DramParameters dram_parameters{&root};
  RamParameters ram_parameters{&root};
  DmaParameters dma_parameters{&root};
  SequencerParameters sequencer_parameters{&root};
  UartParameters uart_parameters{&root};
  ClintParameters clint_parameters{&root};
  PowerControllerParameters power_parameters{&root};
  PeripheralParameters peripheral_parameters{&root};
  BusParameters bus_parameters{&root};
  ClockDomain clock{1e9};
  StatGroup stats{"board"};
  Bus bus{"bus", bus_parameters, clock, stats};
  Half first{*this, "0"}, second{*this, "1"};
  Half* const halves[2] = {&first, &second};
  tlm_utils::simple_initiator_socket<TwoOfEach> driver{"driver"};
};

struct Bench {
  tlm::tlm_response_status access(tlm::tlm_command command, u64 address, void* data, u32 bytes) {
    sc_core::sc_time delay;
    return bvp::access(board.driver, command, address, data, bytes, delay);
  }
  void write(u64 address, u32 value) {
    REQUIRE(access(tlm::TLM_WRITE_COMMAND, address, &value, 4) == tlm::TLM_OK_RESPONSE);
  }
  static void run() { sc_core::sc_start(sc_core::sc_time(20, sc_core::SC_US)); }
  /// Lets the sequencer of a half copy `bytes` from its DRAM to its RAM.
  void copy(unsigned half, u32 bytes) {
    const u64 dram = dram_base + half * memory_stride, ring = dram, source = dram + 0x1000;
    std::vector<u8> data(bytes, static_cast<u8>(0xa0 + half));
    REQUIRE(access(tlm::TLM_WRITE_COMMAND, source, data.data(), bytes) == tlm::TLM_OK_RESPONSE);
    DmaDescriptor descriptor{};
    descriptor.source = source;
    descriptor.destination = ram_base + half * memory_stride;
    descriptor.length = bytes;
    descriptor.count = {1, 1, 1};
    Command command{};
    command.opcode = static_cast<u8>(CommandOpcode::dma);
    command.signal = 255;
    command.wait = {255, 255};
    std::memcpy(&command.registers, &descriptor, sizeof descriptor);
    REQUIRE(access(tlm::TLM_WRITE_COMMAND, ring, &command, sizeof command) == tlm::TLM_OK_RESPONSE);
    const RegisterBank& bank = board.halves[half]->sequencer.register_bank();
    const u64 registers = device_base + half * device_stride;
    const auto set = [&](const char* name, u32 value) { write(registers + bank.find(name)->offset(), value); };
    set("RING_BASE_LO", low_word(ring));
    set("RING_BASE_HI", high_word(ring));
    set("RING_ENTRIES", 2);
    set("CONTROL", 1);
    set("TAIL", 1);
    run();
  }

  SimulationContext context;
  TwoOfEach board{"board"};
};

void collect_names(const StatGroup& group, const std::string& path, std::vector<std::string>& names) {
  for (const Counter* counter : group.counters()) names.push_back(path + counter->name());
  for (const StatGroup* child : group.children()) collect_names(*child, path + child->name() + ".", names);
}

u64 sum_of(const StatGroup& group) {
  u64 sum = 0;
  for (const Counter* counter : group.counters()) sum += counter->value();
  for (const StatGroup* child : group.children()) sum += sum_of(*child);
  return sum;
}

}  // namespace

TEST_CASE("two of each: every counter has a name of its own", "[two]") {
  Bench bench;
  std::vector<std::string> names;
  collect_names(bench.board.stats, "", names);
  CHECK(std::set<std::string>(names.begin(), names.end()).size() == names.size());
  for (const char* model :
       {"dram", "ram", "dma", "sequencer", "uart", "clint", "plic", "power_controller", "simulation_control"}) {
    for (const char* number : {"0", "1"}) {
      const std::string name = std::string(model) + number;
      INFO(name);
      CHECK(bench.board.stats.child(name).name() == name);
      CHECK(sc_core::sc_find_object(("board." + name).c_str()) != nullptr);
    }
  }
}

TEST_CASE("two of each: register banks and parameters are named after their module", "[two]") {
  Bench bench;
  std::set<std::string> banks;
  for (TwoOfEach::Half* half : bench.board.halves) {
    banks.insert(half->sequencer.register_bank().name());
    CHECK(half->sequencer.register_bank().name() == half->sequencer.name());
    for (Peripheral* peripheral : half->peripherals()) {
      CHECK(peripheral->register_bank().name() == peripheral->name());
      banks.insert(peripheral->register_bank().name());
    }
  }
  CHECK(banks.size() == 12);
  const UartParameters other(&bench.board.root, "second_uart", "another console");
  CHECK(bench.board.root.find_group("second_uart")->description() == "another console");
  CHECK(bench.board.root.find_group("uart") == &bench.board.uart_parameters);
}

TEST_CASE("two of each: a copy by one sequencer and DMA moves their data and counters alone", "[two]") {
  Bench bench;
  const auto half = GENERATE(0U, 1U);
  const u32 bytes = GENERATE(64U, 1024U);
  TwoOfEach& board = bench.board;
  bench.run();
  bench.copy(half, bytes);
  const std::string mine = std::to_string(half), other = std::to_string(1 - half);
  const auto counted = [&](const std::string& group, const char* counter) {
    return board.stats.child(group).counter(counter).value();
  };
  CHECK(board.halves[half]->sequencer.error() == SequencerError::none);
  CHECK(counted("sequencer" + mine, "commands_dma") == 1);
  CHECK(counted("sequencer" + other, "commands_dma") == 0);
  CHECK(board.stats.child("dma" + mine).child("channel0").counter("byte").value() == bytes);
  CHECK(counted("ram" + mine, "bytes_written") == bytes);
  CHECK(counted("dram" + mine, "bytes_read") >= bytes);
  for (const char* idle : {"dma", "ram", "dram"}) {
    INFO(idle);
    CHECK(sum_of(board.stats.child(idle + other)) == 0);
  }
  std::vector<u8> copied(bytes);
  REQUIRE(bench.access(tlm::TLM_READ_COMMAND, ram_base + half * memory_stride, copied.data(), bytes) ==
          tlm::TLM_OK_RESPONSE);
  CHECK(copied == std::vector<u8>(bytes, static_cast<u8>(0xa0 + half)));
  REQUIRE(bench.access(tlm::TLM_READ_COMMAND, ram_base + (1 - half) * memory_stride, copied.data(), bytes) ==
          tlm::TLM_OK_RESPONSE);
  CHECK(copied == std::vector<u8>(bytes, 0));
}

TEST_CASE("two of each: an estimator reads the actions of both", "[two]") {
  Bench bench;
  bench.run();
  bench.copy(0, 512);
  bench.copy(1, 64);
  for (Estimator& estimator : all_estimators()) {
    if (estimator.component() != "dram") continue;
    for (const char* unit : {"dram0", "dram1"}) estimator.attach(bench.board.stats.child(unit));
    for (std::size_t action = 0; action < estimator.actions().size(); ++action) {
      REQUIRE(estimator.sources(action).size() == 2);
      CHECK(estimator.sources(action)[0] != estimator.sources(action)[1]);
    }
    return;
  }
  FAIL("there is no estimator of the DRAM");
}

TEST_CASE("two of each: blocks of the array, buses and CPUs have groups of their own names", "[two]") {
  const SimulationContext context;
  ParameterGroup root("test");
  const MeshParameters mesh_parameters(&root);
  const BusParameters bus_parameters(&root);
  const CpuParameters cpu_parameters(&root);
  const ArrayParameters array_parameters(&root);
  const ScratchpadParameters scratchpad_parameters(&root);
  const PeParameters pe_parameters(&root);
  const ClockDomain clock(1e9);
  const ArrayShape array;
  StatGroup stats("board");
  const Mesh east("east", array, mesh_parameters, clock, stats), west("west", array, mesh_parameters, clock, stats);
  const Bus fast("fast", bus_parameters, clock, stats), slow("slow", bus_parameters, clock, stats);
  const Cpu large("large", cpu_parameters, stats), small("small", cpu_parameters, stats);
  CycleAgenda agenda("agenda", clock);
  const Scratchpad near("near", array_parameters, scratchpad_parameters, clock, agenda, stats),
      far("far", array_parameters, scratchpad_parameters, clock, agenda, stats);
  const Pe left("left", 0, array_parameters, pe_parameters, clock, agenda, stats),
      right("right", 1, array_parameters, pe_parameters, clock, agenda, stats);
  const MeshMonitor east_seen("east_seen", array, clock, stats), west_seen("west_seen", array, clock, stats);
  const ScratchpadMonitor low_seen("low_seen", array, clock, stats), high_seen("high_seen", array, clock, stats);
  std::vector<std::string> names;
  for (const StatGroup* child : stats.children()) names.push_back(child->name());
  CHECK(names == std::vector<std::string>{"east", "west", "fast", "slow", "large", "small", "near", "far", "left",
                                          "right", "east_seen", "west_seen", "low_seen", "high_seen"});
}

TEST_CASE("statistics: a group refuses a second child of a name", "[two]") {
  StatGroup stats("board");
  StatGroup first("dma"), second("dma"), third("dram");
  stats.add(&first);
  CHECK_THROWS_WITH(stats.add(&second), Catch::Contains("board") && Catch::Contains("'dma'"));
  stats.add(&third);
  CHECK(stats.children().size() == 2);
}
