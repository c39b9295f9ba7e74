// SPDX-License-Identifier: Apache-2.0
// The table of blocks (platform/soc/blocks.def) and what is made from it: the memory map, the interrupt lines, the
// groups of parameters, the wires of the SoC.
#include <tlm_utils/simple_initiator_socket.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "models/base/simulation_context.h"
#include "models/transport/initiator.h"
#include "platform/codegen/register_banks.h"
#include "platform/soc/memory_map.h"
#include "platform/soc/soc.h"

using namespace bvp;

namespace {

struct Initiator : sc_core::sc_module {
  explicit Initiator(sc_core::sc_module_name name) : sc_module(name) {}
  tlm_utils::simple_initiator_socket<Initiator> socket{"socket"};
};

/// An SoC with one more initiator at its bus. There is no firmware: the CPU takes an exception at once and halts.
struct Bench {
  explicit Bench(Soc::Mode mode = {}) : soc("soc", parameters, mode) {
    initiator.socket.bind(soc.bus.from);
    halted = soc.cpu.halts.connect([](const std::string&) {});
  }
  tlm::tlm_response_status access(tlm::tlm_command command, u64 address, u32& value, u32 bytes = 4) {
    sc_core::sc_time delay;
    return bvp::access(initiator.socket, command, address, &value, bytes, delay);
  }
  u32 read_byte(u64 address) {
    u32 value = 0;
    CHECK(access(tlm::TLM_READ_COMMAND, address, value, 1) == tlm::TLM_OK_RESPONSE);
    return value;
  }
  void write_byte(u64 address, u32 value) {
    CHECK(access(tlm::TLM_WRITE_COMMAND, address, value, 1) == tlm::TLM_OK_RESPONSE);
  }
  u32 read(u64 address) {
    u32 value = 0;
    CHECK(access(tlm::TLM_READ_COMMAND, address, value) == tlm::TLM_OK_RESPONSE);
    return value;
  }
  void write(u64 address, u32 value) { CHECK(access(tlm::TLM_WRITE_COMMAND, address, value) == tlm::TLM_OK_RESPONSE); }
  void run() { soc.advance(sc_core::sc_time(1, sc_core::SC_US)); }

  SimulationContext context;
  ParameterGroup root{"test"};
  SocParameters parameters{&root};
  Soc soc;
  Initiator initiator{"initiator"};
  Connection halted;
};

u64 address_of(const std::vector<RegisterBankView>& banks, const std::string& block, const std::string& name) {
  for (const RegisterBankView& bank : banks) {
    for (const RegisterView& reg : bank.registers) {
      if (bank.name == block && reg.name == name) return bank.base + reg.offset;
    }
  }
  FAIL("there is no register " << block << '.' << name);
  return 0;
}

}  // namespace

TEST_CASE("blocks: regions come in the order of their addresses and do not overlap", "[blocks]") {
  const std::vector<MemoryRegion> regions = memory_regions();
  REQUIRE_FALSE(regions.empty());
  for (std::size_t i = 0; i < regions.size(); ++i) {
    INFO(regions[i].name);
    CHECK(regions[i].span > 0);
    CHECK_FALSE(regions[i].description.empty());
    if (i > 0) CHECK(regions[i].base >= regions[i - 1].base + regions[i - 1].span);
  }
  CHECK(regions.back().name == "dram");
  CHECK(memory_map::dram_base == regions.back().base);
  CHECK(memory_map::dram_span == regions.back().span);
}

TEST_CASE("blocks: every interrupt line has one block", "[blocks]") {
  std::set<unsigned> lines;
  for (const InterruptLine& interrupt : interrupt_lines()) {
    INFO(interrupt.name);
    CHECK(interrupt.line > Plic::no_line);
    CHECK(interrupt.line < Plic::lines);
    CHECK(lines.insert(interrupt.line).second);
  }
}

TEST_CASE("blocks: every block has a group of parameters, a module and a group of statistics of its name", "[blocks]") {
  Bench bench;
  for (const MemoryRegion& region : memory_regions()) {
    INFO(region.name);
    CHECK(bench.parameters.find_group(region.name) != nullptr);
    CHECK(sc_core::sc_find_object(("soc." + region.name).c_str()) != nullptr);
    CHECK(bench.soc.statistics().child(region.name).name() == region.name);
    CHECK(bench.soc.statistics().child("bus").child("to_" + region.name).name() == "to_" + region.name);
  }
  for (const ParameterGroup* group : bench.parameters.groups()) CHECK_FALSE(group->description().empty());
}

TEST_CASE("blocks: the bus maps every region to its block, and of a memory as much as there is", "[blocks]") {
  Soc::Mode mode;
  mode.fast = GENERATE(false, true);
  mode.power = GENERATE(false, true);
  const std::vector<RegisterBankView> banks = register_banks();
  Bench bench(mode);
  bench.run();
  const std::map<std::string, u64> sizes{{"boot_ram", bench.soc.boot_ram.size()},
                                         {"scratchpad", bench.soc.scratchpad.size()},
                                         {"dram", bench.soc.dram.size()}};
  std::set<std::string> with_registers;
  for (const RegisterBankView& bank : banks) {
    INFO(bank.name);
    with_registers.insert(bank.name);
    const auto readable = std::find_if(bank.registers.begin(), bank.registers.end(),
                                       [](const RegisterView& reg) { return reg.access != "w"; });
    if (readable == bank.registers.end()) continue;
    u32 value = 0;
    CHECK(bench.access(tlm::TLM_READ_COMMAND, bank.base + readable->offset, value, bank.register_bytes) ==
          tlm::TLM_OK_RESPONSE);
  }
  for (const MemoryRegion& region : memory_regions()) {
    INFO(region.name);
    const auto size = sizes.find(region.name);
    CHECK((size == sizes.end()) == (with_registers.count(region.name) == 1));
    u32 value = 0;
    if (size == sizes.end()) continue;
    bench.write(region.base + size->second - 4, 0x12345678);
    CHECK(bench.read(region.base + size->second - 4) == 0x12345678);
    if (size->second == region.span) continue;
    CHECK(bench.access(tlm::TLM_READ_COMMAND, region.base + size->second, value) == tlm::TLM_ADDRESS_ERROR_RESPONSE);
  }
}

TEST_CASE("blocks: interrupts reach the lines that the table gives them", "[blocks]") {
  const std::vector<RegisterBankView> banks = register_banks();
  Bench bench;
  const u64 pending = address_of(banks, "plic", "PENDING");
  std::map<std::string, unsigned> line;
  for (const InterruptLine& interrupt : interrupt_lines()) line[interrupt.name] = interrupt.line;
  bench.run();
  CHECK(bench.read(pending) == 0);
  bench.write_byte(address_of(banks, "uart", "IER"), 1);
  bench.soc.uart.receive('x');
  bench.run();
  CHECK(bench.read(pending) == 1U << line.at("uart"));
  bench.write(address_of(banks, "sequencer", "INTERRUPT_ENABLE"), 3);
  bench.write(address_of(banks, "sequencer", "TAIL"), 1);  // no ring: an error
  bench.run();
  CHECK(bench.read(pending) == (1U << line.at("uart") | 1U << line.at("sequencer")));
  // A request stays pending until it is claimed.
  CHECK(bench.read_byte(address_of(banks, "uart", "RBR")) == 'x');
  bench.write(address_of(banks, "plic", "PRIORITY") + 4 * line.at("uart"), 2);
  bench.write(address_of(banks, "plic", "PRIORITY") + 4 * line.at("sequencer"), 1);
  bench.write(address_of(banks, "plic", "ENABLE"), ~0U);
  CHECK(bench.read(address_of(banks, "plic", "CLAIM")) == line.at("uart"));
  bench.write(address_of(banks, "plic", "CLAIM"), line.at("uart"));
  bench.run();
  CHECK(bench.read(pending) == 1U << line.at("sequencer"));
}
