// SPDX-License-Identifier: Apache-2.0
// Driver and runtime compiled for the host do what those that the simulated CPU runs do: the commands of a network are
// the same byte by byte, and so are the windows of the protection unit. On the host a sequencer stands behind the
// registers that completes each command as soon as it is shown.
#include <array>
#include <catch2/catch.hpp>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "models/base/simulation_context.h"
#include "models/sequencer/command_observer.h"
#include "platform/run/loader.h"
#include "platform/soc/memory_map.h"
#include "platform/soc/soc.h"

extern "C" {
#include "driver/sequencer.h"
#include "hal/csr.h"
#include "hal/interrupt_controller.h"
#include "hal/mmio.h"
#include "hal/timer.h"
#include "hal/trap.h"
#include "runtime/network.h"
}

using namespace bvp;

namespace {

using Commands = std::vector<std::vector<bvp_command>>;  // by unit, in the unit's order
using Windows = std::map<u64, u32>;                      // registers of the protection unit

/// The command without what depends on where the program lies: a stand-in fills bytes of the program.
bvp_command without_places(bvp_command command) {
  bvp_dma_descriptor descriptor;
  std::memcpy(&descriptor, command.registers, sizeof descriptor);
  if (command.opcode != BVP_OPCODE_DMA || descriptor.fill == 0 || descriptor.length != 2) return command;
  descriptor.destination = 0;
  std::memcpy(command.registers, &descriptor, sizeof descriptor);
  command.check = 0;
  return command;
}

bool equal(const bvp_command& a, const bvp_command& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

/// The sequencer that the firmware on the host sees.
struct HostSequencer {
  const bvp_command* ring = nullptr;
  u32 entries = 1, tail = 0;
  Commands commands = Commands(BVP_UNIT_INDEX_COUNT);
  Windows windows;
  interrupt_handler handler = nullptr;
  void* context = nullptr;

  u32 read(u64 offset) const {
    const u64 completed = BVP_SEQUENCER_UNIT_COMPLETED(0);
    if (offset >= completed && offset < BVP_SEQUENCER_UNIT_COMPLETED(BVP_UNIT_INDEX_COUNT)) {
      return static_cast<u32>(commands[(offset - completed) / 4].size());
    }
    if (offset == BVP_SEQUENCER_HEAD) return tail;
    if (offset == BVP_SEQUENCER_INTERRUPT_STATUS) return BVP_SEQUENCER_INTERRUPT_STATUS_COMPLETION_MASK;
    return 0;
  }
  void write(u64 offset, u32 value) {
    if (offset == BVP_SEQUENCER_RING_ENTRIES) entries = value;
    if (offset != BVP_SEQUENCER_TAIL) return;
    for (; tail != value; tail = (tail + 1) % entries) {
      commands.at(sequencer_unit_of(&ring[tail])).push_back(without_places(ring[tail]));
    }
  }
};
HostSequencer* host = nullptr;  // the C functions below have no other way to it

/// What the simulated CPU has the sequencer do.
class Recorder : public CommandObserver {
 public:
  Commands commands = Commands(BVP_UNIT_INDEX_COUNT);

 private:
  void command_started(const Command& command, Cycle) override {
    bvp_command copy;
    static_assert(sizeof copy == sizeof command);
    std::memcpy(&copy, &command, sizeof copy);
    commands.at(sequencer_unit_of(&copy)).push_back(without_places(copy));
  }
  void command_completed(const Command&, Cycle) override {}
  void kernel_launched(const Command&, const LaunchPhases&, Cycle) override {}
};

struct Done {
  Commands commands;
  Windows windows;
  int exit_code = -1;
};

bool has_place(u64 offset) { return offset == BVP_PROTECTION_BASE_LO(0) || offset == BVP_PROTECTION_BASE_HI(0); }

Done run_simulated(const Scenario& scenario, const RunInputs& inputs) {
  Done done;
  const SimulationContext context;
  Soc soc("soc", scenario.soc, {true, true, false, {}});
  Recorder recorder;
  recorder.watch(soc.sequencer.commands());
  const Connection exit = soc.simulation_control.exited.connect([&](int code) {
    done.exit_code = code;
    sc_core::sc_stop();
  });
  soc.simulation_control.set_argument(inputs.compiled.descriptor);
  soc.cpu.set_reset_pc(inputs.firmware.entry);
  soc.set_loader([&] { load_inputs(soc, inputs, true); });
  soc.advance(sc_core::sc_time(1, sc_core::SC_SEC), true);
  done.commands = recorder.commands;
  for (u64 offset = BVP_PROTECTION_BASE_LO(0); offset < BVP_PROTECTION_CONFIG(BVP_PROTECTION_CONFIG_COUNT);
       offset += 4) {
    u32 value = 0;
    if (!soc.read_memory(BVP_PROTECTION_BASE + offset, reinterpret_cast<u8*>(&value), sizeof value)) continue;
    if (value != 0 && !has_place(offset)) done.windows[offset] = value;
  }
  return done;
}

/// The records of the network, and the memory of its ring, at addresses of this process.
class HostCopy {
 public:
  explicit HostCopy(const CompiledNetwork& compiled) : words_((compiled.end - memory_map::dram_base) / 8 + 16) {
    for (const MemoryBlob& blob : compiled.blobs) {
      std::memcpy(at(blob.address), blob.bytes.data(), blob.bytes.size());
    }
    header_ = reinterpret_cast<bvp_network_header*>(at(compiled.descriptor));
    header_->tasks = reinterpret_cast<u64>(at(header_->tasks));
    header_->steps = reinterpret_cast<u64>(at(header_->steps));
    header_->ring = reinterpret_cast<u64>(at(header_->ring));
  }
  [[nodiscard]] const bvp_network_header& header() const { return *header_; }

 private:
  u8* at(u64 address) {
    u8* const aligned = reinterpret_cast<u8*>((reinterpret_cast<u64>(words_.data()) + 63) / 64 * 64);
    return aligned + (address - memory_map::dram_base);
  }
  std::vector<u64> words_;
  bvp_network_header* header_ = nullptr;
};

Done run_on_host(const RunInputs& inputs) {
  const HostCopy copy(inputs.compiled);
  const bvp_network_header& network = copy.header();
  HostSequencer behind;
  host = &behind;
  behind.ring = reinterpret_cast<const bvp_command*>(network.ring);
  sequencer seq;
  Done done;
  if (sequencer_init(&seq, reinterpret_cast<bvp_command*>(network.ring), network.ring_entries)) {
    network_prepare(&network, &seq);
    const network_observer nobody = {nullptr, nullptr, nullptr, nullptr};
    done.exit_code = network_run(&network, &seq, &nobody);
  }
  host = nullptr;
  done.commands = std::move(behind.commands);
  done.windows = std::move(behind.windows);
  return done;
}

}  // namespace

extern "C" {
uint32_t mmio_read32(uint64_t address) { return host->read(address - BVP_SEQUENCER_BASE); }
void mmio_write32(uint64_t address, uint32_t value) {
  const u64 of_protection = address - BVP_PROTECTION_BASE;
  if (of_protection < BVP_PROTECTION_CONFIG(BVP_PROTECTION_CONFIG_COUNT)) {
    if (of_protection < BVP_PROTECTION_BASE_LO(0) || has_place(of_protection)) return;
    host->windows.erase(of_protection);
    if (value != 0) host->windows[of_protection] = value;
    return;
  }
  host->write(address - BVP_SEQUENCER_BASE, value);
}
void sleep_until_interrupt() { host->handler(host->context); }
uint64_t cycle_count() { return 0; }
uint64_t timer_now() { return 0; }
void timer_call_after(uint64_t, void (*)(void*), void*) {}
void timer_cancel() {}
void interrupt_controller_attach(uint32_t line, interrupt_handler handler, void* context) {
  REQUIRE(line == BVP_IRQ_SEQUENCER);
  host->handler = handler;
  host->context = context;
}
}

TEST_CASE("firmware on the host: commands and windows are those of the simulated CPU", "[firmware]") {
  const bool guarded = GENERATE(false, true);
  const std::string file = GENERATE(as<std::string>{}, "encoder_128x64", "encoder_128x64_pre", "text_classifier");
  INFO(file << (guarded ? ", guarded" : ""));
  ScenarioOptions options;
  if (guarded) {
    for (const char* const set : {"run.protection=true", "run.wait_limit_us=1000", "run.launch_limit=100000"}) {
      options.overrides.push_back(parse_override(set));
    }
  }
  const auto scenario = read_scenario(BVP_SCENARIOS "/" + file + ".yaml", options);
  const RunInputs inputs = read_inputs(*scenario);
  const Done simulated = run_simulated(*scenario, inputs);
  const Done on_host = run_on_host(inputs);
  CHECK(simulated.exit_code == 0);
  CHECK(on_host.exit_code == network_ok);
  CHECK(on_host.windows == simulated.windows);
  CHECK(simulated.windows.empty() != guarded);
  for (u32 unit = 0; unit < BVP_UNIT_INDEX_COUNT; ++unit) {
    INFO("unit " << unit);
    const auto& ours = on_host.commands[unit];
    const auto& theirs = simulated.commands[unit];
    REQUIRE(ours.size() == theirs.size());
    if (unit == BVP_UNIT_INDEX_ARRAY) CHECK(ours.size() > 10);
    for (std::size_t i = 0; i < ours.size(); ++i) {
      INFO("command " << i);
      REQUIRE(equal(ours[i], theirs[i]));
      REQUIRE((ours[i].flags & BVP_COMMAND_FLAG_CHECKED) == (guarded ? BVP_COMMAND_FLAG_CHECKED : 0));
    }
  }
}
