// SPDX-License-Identifier: Apache-2.0
// The critical path of hand-made sequences of commands.
#include <array>
#include <catch2/catch.hpp>
#include <cstring>
#include <map>

#include "platform/run/critical_path.h"
#include "platform/soc/memory_map.h"

using namespace bvp;

namespace {

using Work = CriticalPath::Work;

/// Says what a sequencer would say. Semaphores have the tokens that commands have given and not taken.
class Bench {
 public:
  Bench() { path.watch(signals_); }

  Command dma(u8 channel, u64 source, u8 signal, std::array<u8, 2> wait = {semaphore_none, semaphore_none}) {
    DmaDescriptor descriptor{};
    descriptor.source = source;
    Command command = made(CommandOpcode::dma, signal, wait);
    command.unit = channel;
    std::memcpy(command.registers.data(), &descriptor, sizeof descriptor);
    return command;
  }
  Command launch(u8 signal, std::array<u8, 2> wait) { return made(CommandOpcode::launch, signal, wait); }

  void start(const Command& command, Cycle cycle) {
    for (const u8 semaphore : command.wait) {
      if (semaphore != semaphore_none) --tokens_.at(semaphore);
    }
    signals_.started(command, cycle);
  }
  void launched(const Command& command, Cycle exposed, Cycle cycle) {
    LaunchPhases phases;
    phases.exposed_cycles = exposed;
    signals_.launched(command, phases, cycle);
  }
  void complete(const Command& command, Cycle cycle) {
    signals_.completed(command, cycle);
    give(command.signal);
  }
  /// As firmware does by the sequencer's register.
  void give(u8 semaphore) {
    if (semaphore != semaphore_none) ++tokens_[semaphore];
  }
  std::map<Work, Cycle> to(Cycle end) {
    std::map<Work, Cycle> sums;
    Cycle all = 0;
    for (const auto& [part, cycles] : path.to(end)) {
      sums[part.work] += cycles.all;
      all += cycles.all;
      transfers += cycles.transfers;
    }
    CHECK(all == end);
    return sums;
  }

 private:
  static Command made(CommandOpcode opcode, u8 signal, std::array<u8, 2> wait) {
    Command command{};
    command.opcode = static_cast<u8>(opcode);
    command.signal = signal;
    command.wait = wait;
    return command;
  }
  std::map<u32, u32> tokens_;
  CompiledNetwork network_;
  CommandSignals signals_;

 public:
  std::map<u32, DmaTime> time_of_last;  // by channel
  DmaTime transfers;                    // what the transfers on the path were spent on
  CriticalPath path{[this](u32 semaphore) { return tokens_[semaphore]; },
                    [this](u32 channel) { return time_of_last[channel]; }, network_};
};

constexpr u8 no = semaphore_none;
constexpr u64 dram = memory_map::dram_base, scratchpad = memory_map::scratchpad_base;

}  // namespace

TEST_CASE("critical path: load, kernel, store", "[critical_path]") {
  Bench bench;
  const Command load = bench.dma(0, dram, 0), kernel = bench.launch(1, {0, no}),
                store = bench.dma(1, scratchpad, no, {1, no});
  bench.start(load, 10);
  bench.complete(load, 100);
  bench.start(kernel, 105);
  bench.launched(kernel, 3, 155);
  bench.complete(kernel, 300);
  bench.start(store, 310);
  bench.complete(store, 400);
  CHECK(bench.to(420) == std::map<Work, Cycle>{{Work::firmware, 10 + 2 + 10 + 20},
                                               {Work::configuration, 3},
                                               {Work::dma_read, 90},
                                               {Work::kernel, 195},
                                               {Work::dma_write, 90}});
}

TEST_CASE("critical path: transfers are divided in the proportion in which they are on it", "[critical_path]") {
  Bench bench;
  const Command load = bench.dma(0, dram, 0), store = bench.dma(1, scratchpad, no, {0, no});
  bench.start(load, 0);
  bench.time_of_last[0].bus = 60;
  bench.time_of_last[0].latency = 30;
  bench.complete(load, 100);
  bench.start(store, 100);
  bench.time_of_last[1].rows = 40;
  bench.time_of_last[1].path = 160;
  bench.complete(store, 300);
  // The run ends while half of the store is still to come.
  CHECK(bench.to(200) == std::map<Work, Cycle>{{Work::dma_read, 100}, {Work::dma_write, 100}});
  CHECK(bench.transfers.bus == Approx(60));
  CHECK(bench.transfers.latency == Approx(30));
  CHECK(bench.transfers.rows == Approx(20));
  CHECK(bench.transfers.path == Approx(80));
}

TEST_CASE("critical path: the transfer that ends last holds the kernel up", "[critical_path]") {
  Bench bench;
  const Command first = bench.dma(0, dram, 0), other = bench.dma(1, scratchpad, 1), kernel = bench.launch(no, {0, 1});
  bench.start(first, 0);
  bench.start(other, 0);
  bench.complete(other, 50);
  bench.complete(first, 80);
  bench.start(kernel, 80);
  bench.complete(kernel, 200);
  CHECK(bench.to(200) == std::map<Work, Cycle>{{Work::dma_read, 80}, {Work::kernel, 120}});
}

TEST_CASE("critical path: a transfer behind a kernel that is still running holds nothing up", "[critical_path]") {
  Bench bench;
  const Command load = bench.dma(0, dram, 0), kernel = bench.launch(no, {0, no});
  bench.start(load, 0);
  bench.complete(load, 40);
  bench.start(kernel, 40);
  bench.start(load, 40);  // of the next tile
  bench.complete(load, 90);
  bench.complete(kernel, 240);
  bench.start(kernel, 240);
  bench.complete(kernel, 440);
  CHECK(bench.to(440) == std::map<Work, Cycle>{{Work::dma_read, 40}, {Work::kernel, 400}});
}

TEST_CASE("critical path: launches that overlap follow each other", "[critical_path]") {
  Bench bench;
  const Command load = bench.dma(0, dram, 0), kernel = bench.launch(no, {0, no});
  bench.start(load, 0);
  bench.complete(load, 40);
  bench.start(load, 40);
  bench.start(kernel, 40);
  bench.complete(load, 90);
  bench.start(kernel, 100);  // while the first one runs
  bench.complete(kernel, 240);
  bench.complete(kernel, 440);
  CHECK(bench.to(440) == std::map<Work, Cycle>{{Work::dma_read, 40}, {Work::kernel, 400}});
}

TEST_CASE("critical path: tokens of the firmware name no command", "[critical_path]") {
  Bench bench;
  const Command load = bench.dma(0, dram, 0), kernel = bench.launch(no, {0, no});
  bench.give(0);
  bench.start(load, 0);
  bench.complete(load, 40);
  bench.start(kernel, 60);  // with the older token, which the firmware has given
  bench.complete(kernel, 100);
  CHECK(bench.to(100) == std::map<Work, Cycle>{{Work::firmware, 60}, {Work::kernel, 40}});
}

TEST_CASE("critical path: without commands there is only firmware", "[critical_path]") {
  CHECK(Bench().to(70) == std::map<Work, Cycle>{{Work::firmware, 70}});
  CHECK(Bench().to(0).empty());
}
