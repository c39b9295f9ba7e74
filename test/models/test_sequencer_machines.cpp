// SPDX-License-Identifier: Apache-2.0
// The machines of the sequencer, each by itself: without sockets, and with cycles as arguments.
#include <array>
#include <catch2/catch.hpp>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "models/abi/image_checksum.h"
#include "models/base/simulation_context.h"
#include "models/sequencer/command_check.h"
#include "models/sequencer/command_ring.h"
#include "models/sequencer/dispatcher.h"
#include "models/sequencer/dma_channels.h"
#include "models/sequencer/image_loader.h"
#include "models/sequencer/launcher.h"

using namespace bvp;

namespace {

/// A memory whose reads arrive after `latency` cycles, a DMA and PEs that take everything, or nothing.
struct Ports : SequencerPorts {
  std::vector<u8> memory = std::vector<u8>(0x4000);
  Cycle now = 0;
  std::function<Cycle(u64 address)> latency = [](u64) { return Cycle{10}; };
  bool refuse = false;
  std::vector<std::pair<u64, u32>> reads;                  // address, bytes
  std::vector<std::pair<u32, DmaDescriptor>> descriptors;  // channel
  std::vector<std::pair<u32, IndexedDescriptor>> indexed;  // channel
  std::vector<std::pair<u32, u64>> pe_writes;              // PE, address
  std::vector<u32> aborts;                                 // channel

  std::optional<Cycle> read_memory(u64 address, void* data, u32 bytes) override {
    reads.emplace_back(address, bytes);
    if (address + bytes > memory.size()) return std::nullopt;
    std::memcpy(data, &memory[address], bytes);
    return now + latency(address);
  }
  bool start_transfer(u32 channel, DmaDescriptor descriptor) override {
    descriptors.emplace_back(channel, descriptor);
    return !refuse;
  }
  bool start_transfer(u32 channel, IndexedDescriptor descriptor) override {
    indexed.emplace_back(channel, descriptor);
    return !refuse;
  }
  bool abort_transfer(u32 channel) override {
    aborts.push_back(channel);
    return !refuse;
  }
  u64 transfer_address(u32 channel) override { return 0xabc000 + channel; }
  bool write_pe(u32 pe, u64 address, void*, u32) override {
    pe_writes.emplace_back(pe, address);
    return !refuse;
  }
};

Command make_command(CommandOpcode opcode, u32 tag = 1) {
  Command command{};
  command.opcode = static_cast<u8>(opcode);
  command.signal = semaphore_none;
  command.wait = {semaphore_none, semaphore_none};
  command.tag = tag;
  if (opcode == CommandOpcode::launch) {
    command.counts = {1, 1, 1, 1};
    command.image = 0x2000;
    command.image_bytes = 1024;
  }
  return command;
}

/// What the machines share, and notes of what they report.
struct Parts {
  Parts() {
    connections.push_back(reports.commands.started.connect([&](const Command& c, Cycle t) { note('s', c, t); }));
    connections.push_back(reports.commands.completed.connect([&](const Command& c, Cycle t) { note('c', c, t); }));
    connections.push_back(reports.commands.launched.connect([&](const Command& c, const LaunchPhases& p, Cycle t) {
      phases = p;
      note('l', c, t);
    }));
    connections.push_back(reports.commands.kernel_failed.connect([&](const Command& c, Cycle t) { note('f', c, t); }));
    array.rows = 2;
    array.columns = 4;
    sc_core::sc_report_handler::set_actions(sc_core::SC_WARNING, sc_core::SC_DO_NOTHING);
  }
  ~Parts() { sc_core::sc_report_handler::set_actions(sc_core::SC_WARNING, sc_core::SC_DEFAULT_WARNING_ACTIONS); }
  void note(char what, const Command& command, Cycle cycle) {
    notes += what + std::to_string(command.tag) + "@" + std::to_string(cycle) + " ";
  }
  void put(u64 address, const Command& command) { std::memcpy(&ports.memory[address], &command, sizeof command); }
  ImageHeader put_image(u64 address, u32 bytes = 1024) {
    ImageHeader header{};
    header.magic = image_magic;
    header.version = image_version;
    header.total_bytes = bytes;
    header.lanes = array.lanes;
    header.pe_rows = 2;
    header.pe_columns = 3;
    header.common_bytes = 100;
    header.per_pe_bytes = 10;
    std::memcpy(&ports.memory[address], &header, sizeof header);
    const u32 checksum = image_checksum(&ports.memory[address], bytes);
    std::memcpy(&ports.memory[address + offsetof(ImageHeader, checksum)], &checksum, sizeof checksum);
    return header;
  }
  u64 error_info() const { return join_words(registers.error.info_lo.get(), registers.error.info_hi.get()); }

  SimulationContext context;
  ParameterGroup root{"test"};
  SequencerParameters parameters{&root};
  ArrayShape array;
  RowMap rows{array.rows};
  SequencerStatistics statistics{"sequencer"};
  SequencerRegisters registers{"sequencer"};
  Semaphores semaphores{registers.semaphore_tokens.max(), statistics.semaphore_wait_cycles};
  CommandReports reports{"test", registers, semaphores, statistics};
  Ports ports;
  std::string notes;
  LaunchPhases phases;
  std::vector<Connection> connections;
};

}  // namespace

TEST_CASE("semaphores: tokens are taken together or not at all", "[sequencer]") {
  Parts parts;
  Semaphores& semaphores = parts.semaphores;
  LastingState blocked;
  Command command = make_command(CommandOpcode::sync);
  CHECK(semaphores.acquire(command, blocked, 0));

  command.wait = {3, 4};
  CHECK(semaphores.signal(3));
  CHECK_FALSE(semaphores.acquire(command, blocked, 10));
  CHECK(semaphores.tokens(3) == 1);
  CHECK(semaphores.signal(4));
  CHECK(semaphores.acquire(command, blocked, 25));
  CHECK(semaphores.tokens(3) == 0);
  CHECK(semaphores.tokens(4) == 0);
  CHECK(parts.statistics.semaphore_wait_cycles.value() == 15);

  command.wait = {5, 5};
  CHECK(semaphores.set(5, 1));
  CHECK_FALSE(semaphores.acquire(command, blocked, 30));
  CHECK(semaphores.set(5, 3));
  CHECK(semaphores.acquire(command, blocked, 30));
  CHECK(semaphores.tokens(5) == 1);

  CHECK_FALSE(semaphores.set(6, 0x10000));
  CHECK(semaphores.set(6, 0xffff));
  CHECK_FALSE(semaphores.signal(6));
  CHECK(semaphores.tokens(6) == 0xffff);
  semaphores.clear();
  CHECK(semaphores.tokens(6) == 0);
}

TEST_CASE("command ring: what it is set to", "[sequencer]") {
  Parts parts;
  CommandRing ring(2, parts.statistics.ring_bytes);
  CHECK_FALSE(ring.set_tail(0));  // it has no entries
  CHECK(ring.head(0) == 0);
  for (const u32 entries : {0U, 1U, 3U, 100U, 131072U, 0xffffffffU}) CHECK_FALSE(ring.set_entries(entries));
  CHECK(ring.set_entries(65536));
  CHECK(ring.set_entries(4));
  CHECK_FALSE(ring.set_base(0x1020));
  CHECK(ring.set_base(0x100001000));
  CHECK(ring.base() == 0x100001000);
  CHECK_FALSE(ring.set_tail(4));
  CHECK(ring.set_tail(3));
  CHECK(ring.has_more());
  CHECK(ring.set_entries(8));  // empties it
  CHECK(ring.tail() == 0);
  CHECK_FALSE(ring.has_more());
}

TEST_CASE("command ring: commands arrive in order, around its end", "[sequencer]") {
  Parts parts;
  CommandRing ring(2, parts.statistics.ring_bytes);
  REQUIRE(ring.set_base(0x1000));
  REQUIRE(ring.set_entries(4));
  for (u32 i = 0; i < 4; ++i) parts.put(0x1000 + u64{i} * 128, make_command(CommandOpcode::sync, i));
  REQUIRE(ring.set_tail(3));
  ring.wait_until(5);
  CHECK(ring.next_fetch() == 5);
  CHECK_FALSE(ring.fetch(4, parts.ports));
  parts.ports.now = 5;
  parts.ports.latency = [](u64 address) { return address == 0x1000 ? 30 : 10; };
  CHECK(ring.fetch(5, parts.ports));
  CHECK(parts.ports.reads == std::vector<std::pair<u64, u32>>{{0x1000, 128}, {0x1080, 128}});
  CHECK_FALSE(ring.fetch(5, parts.ports));  // two are under way
  CHECK(ring.head(34) == 0);
  CHECK(ring.head(35) == 2);  // the second waits for the first
  CHECK(ring.next_arrival() == 35);
  CHECK_FALSE(ring.take(34));
  CHECK(ring.take(35)->command.tag == 0);
  CHECK(ring.take(35)->command.tag == 1);
  CHECK_FALSE(ring.in_flight());
  CHECK(ring.next_arrival() == never);
  REQUIRE(ring.set_tail(1));
  parts.ports.now = 40;
  CHECK(ring.fetch(40, parts.ports));
  CHECK(ring.take(50)->command.tag == 2);
  parts.ports.now = 50;
  CHECK(ring.fetch(50, parts.ports));  // there is room for one, the entry at index 0 again
  CHECK(ring.take(50)->command.tag == 3);
  CHECK_FALSE(ring.fetch(50, parts.ports));  // none is left
  CHECK(ring.take(80)->command.tag == 0);
  CHECK(ring.next_fetch() == never);
  CHECK(parts.statistics.ring_bytes.value() == 5 * 128);

  REQUIRE(ring.set_base(0x8000));  // nothing is there
  REQUIRE(ring.set_tail(1));
  CHECK(ring.fetch(90, parts.ports));
  const auto entry = ring.take(90);
  REQUIRE(entry);
  CHECK(entry->failed);
  CHECK(entry->address == 0x8000);
}

TEST_CASE("command check: the check word finds any bit and any two adjacent ones", "[sequencer]") {
  const CommandLimits limits{2, 4096};
  const auto opcode = GENERATE(CommandOpcode::sync, CommandOpcode::dma, CommandOpcode::launch);
  Command command = make_command(opcode);
  command.flags |= command_flag_checked;
  std::array<u32, sizeof(Command) / sizeof(u32)> words{};
  const auto copy = [&] { std::memcpy(words.data(), &command, sizeof command); };
  copy();
  for (const u32 word : words) command.check ^= word;
  CHECK_FALSE(check_command(command, limits));
  copy();
  constexpr unsigned bits = sizeof(Command) * 8;
  for (unsigned bit = 0; bit < bits; ++bit) {
    for (unsigned count = 1; count <= 2 && bit + count <= bits; ++count) {
      INFO("bit " << bit << ", " << count << " bits");
      auto spoilt = words;
      for (unsigned i = bit; i < bit + count; ++i) spoilt[i / 32] ^= u32{1} << i % 32;
      Command arrived;
      std::memcpy(&arrived, spoilt.data(), sizeof arrived);
      const auto found = check_command(arrived, limits);
      REQUIRE(found);
      const bool flag_lost = (arrived.flags & command_flag_checked) == 0;
      CHECK(found->error == (flag_lost ? SequencerError::reserved_not_zero : SequencerError::command_corrupt));
    }
  }
}

TEST_CASE("command check: the first fault and where it is", "[sequencer]") {
  const CommandLimits limits{2, 4096};
  const auto fault = [&](CommandOpcode opcode, const std::function<void(Command&)>& spoil) {
    Command command = make_command(opcode);
    spoil(command);
    const std::optional<CommandFault> found = check_command(command, limits);
    return found ? std::make_pair(found->error, found->info) : std::make_pair(SequencerError::none, u64{0});
  };
  using Found = std::pair<SequencerError, u64>;
  const auto opcode = GENERATE(CommandOpcode::sync, CommandOpcode::dma, CommandOpcode::launch);
  const bool dma = opcode == CommandOpcode::dma, launch = opcode == CommandOpcode::launch;
  CHECK(fault(opcode, [](Command&) {}) == Found{SequencerError::none, 0});
  CHECK(fault(opcode, [](Command& c) { c.opcode = 77; }) == Found{SequencerError::bad_opcode, 77});
  CHECK(fault(opcode, [](Command& c) { c.unit = 2; }) ==
        (dma ? Found{SequencerError::bad_channel, 2} : Found{SequencerError::reserved_not_zero, 1}));
  CHECK(fault(opcode, [](Command& c) { c.unit = 1; }) ==
        (dma ? Found{SequencerError::none, 0} : Found{SequencerError::reserved_not_zero, 1}));
  CHECK(fault(opcode, [](Command& c) { c.flags = command_flag_interrupt; }) == Found{SequencerError::none, 0});
  CHECK(fault(opcode, [](Command& c) { c.flags = command_flag_resident; }) ==
        (launch ? Found{SequencerError::none, 0} : Found{SequencerError::reserved_not_zero, 2}));
  CHECK(fault(opcode, [](Command& c) { c.flags = command_flag_indexed; }) ==
        (dma ? Found{SequencerError::none, 0} : Found{SequencerError::reserved_not_zero, 2}));
  CHECK(fault(opcode, [](Command& c) { c.flags = 16; }) == Found{SequencerError::reserved_not_zero, 2});
  CHECK(fault(opcode, [](Command& c) { c.check = 1; }) ==
        Found{SequencerError::reserved_not_zero, offsetof(Command, check)});
  CHECK(fault(opcode, [](Command& c) { c.reserved4[2] = 1; }) ==
        Found{SequencerError::reserved_not_zero, offsetof(Command, reserved4)});
  CHECK(fault(opcode, [](Command& c) { c.signal = 32; }) == Found{SequencerError::bad_semaphore, 3});
  CHECK(fault(opcode, [](Command& c) { c.wait[1] = 254; }) == Found{SequencerError::bad_semaphore, 5});
  if (!launch) return;
  CHECK(fault(opcode, [](Command& c) { c.counts[2] = 0; }) ==
        Found{SequencerError::bad_count, offsetof(Command, counts) + 8});
  CHECK(fault(opcode, [](Command& c) { c.image_bytes = sizeof(ImageHeader); }) == Found{SequencerError::none, 0});
  CHECK(fault(opcode, [](Command& c) { c.image_bytes = sizeof(ImageHeader) - 1; }) ==
        Found{SequencerError::bad_image_size, sizeof(ImageHeader) - 1});
  CHECK(fault(opcode, [](Command& c) { c.image_bytes = 4096; }) == Found{SequencerError::none, 0});
  CHECK(fault(opcode, [](Command& c) { c.image_bytes = 4097; }) == Found{SequencerError::bad_image_size, 4097});
  CHECK(fault(opcode, [](Command& c) { c.image = ~u64{0}; }) == Found{SequencerError::bad_image_size, 1024});
}

TEST_CASE("dispatcher: one command at a time, which waits for room and for tokens", "[sequencer]") {
  Parts parts;
  parts.parameters.dispatch_cycles = 4;
  Dispatcher dispatcher(parts.parameters, 1, parts.semaphores, parts.reports, parts.statistics);
  UnitQueues queues(unit_index_dma + 1, CommandQueue(1));
  CommandRing ring(8, parts.statistics.ring_bytes);
  REQUIRE(ring.set_base(0x1000));
  REQUIRE(ring.set_entries(8));
  parts.put(0x1000, make_command(CommandOpcode::dma, 1));
  parts.put(0x1080, make_command(CommandOpcode::dma, 2));
  Command sync = make_command(CommandOpcode::sync, 3);
  sync.wait = {7, semaphore_none};
  sync.signal = 8;
  parts.put(0x1100, sync);
  Command bad = make_command(CommandOpcode::launch, 4);
  bad.counts[0] = 0;
  parts.put(0x1180, bad);
  REQUIRE(ring.set_tail(4));
  REQUIRE(ring.fetch(0, parts.ports));  // they arrive at 10

  CHECK_FALSE(dispatcher.advance(9, ring, queues));
  CHECK(dispatcher.advance(10, ring, queues));
  CHECK(dispatcher.done() == 14);
  CHECK_FALSE(dispatcher.advance(13, ring, queues));
  CHECK(dispatcher.advance(14, ring, queues));
  CHECK(queues[unit_index_dma].front().tag == 1);
  CHECK(dispatcher.idle());
  CHECK(dispatcher.done() == never);

  CHECK(dispatcher.advance(14, ring, queues));
  CHECK_FALSE(dispatcher.advance(18, ring, queues));  // the queue is full
  CHECK(queues[unit_index_dma].pop().tag == 1);
  CHECK(dispatcher.advance(20, ring, queues));
  CHECK(parts.statistics.dispatch_stall_cycles.value() == 2);

  CHECK(dispatcher.advance(20, ring, queues));
  CHECK_FALSE(dispatcher.advance(24, ring, queues));
  CHECK(parts.notes.empty());
  REQUIRE(parts.semaphores.signal(7));
  CHECK(dispatcher.advance(30, ring, queues));
  CHECK(parts.notes == "s3@30 c3@30 ");
  CHECK(parts.semaphores.tokens(8) == 1);
  CHECK(parts.statistics.semaphore_wait_cycles.value() == 6);
  CHECK(parts.registers.unit_completed.get(unit_index_sync) == 1);

  CHECK(dispatcher.advance(30, ring, queues));
  CHECK(dispatcher.advance(34, ring, queues));
  CHECK(dispatcher.idle());
  CHECK(parts.reports.halted());
  CHECK(parts.registers.first_error() == SequencerError::bad_count);
  CHECK(parts.registers.error.tag.get() == 4);
  CHECK(parts.statistics.commands_decoded.value() == 4);
}

TEST_CASE("reports: the first error halts, completions are counted by unit", "[sequencer]") {
  Parts parts;
  unsigned halts = 0, interrupts = 0;
  const Connection halt = parts.reports.halts.connect([&] { ++halts; });
  const Connection interrupt = parts.reports.interrupt_pending.connect([&] { ++interrupts; });
  Command command = make_command(CommandOpcode::dma, 9);
  command.unit = 1;
  parts.reports.completed(command, 5);
  CHECK(interrupts == 0);
  command.flags = command_flag_interrupt;
  parts.reports.completed(command, 6);
  CHECK(interrupts == 1);
  CHECK(parts.registers.interrupt_status[parts.registers.completion_pending] == 1);
  CHECK_FALSE(parts.registers.interrupt());  // it is not enabled
  parts.registers.interrupt_enable.set(parts.registers.error_enable, 1);
  CHECK_FALSE(parts.registers.interrupt());
  CHECK(parts.registers.completed.tag.get() == 9);
  CHECK(parts.registers.completed.count.get() == 1);
  CHECK(parts.registers.completed.commands.get() == 2);
  CHECK(parts.registers.unit_completed.get(unit_index_dma + 1) == 2);

  parts.reports.raise(SequencerError::dma_failed, 9, 0x300000001);
  parts.reports.raise(SequencerError::bad_image, 10, 4);
  CHECK(halts == 1);
  CHECK(parts.registers.interrupt());
  CHECK(parts.registers.first_error() == SequencerError::dma_failed);
  CHECK(parts.error_info() == 0x300000001);
  CHECK(parts.statistics.errors.value() == 2);
  parts.registers.clear_results();
  CHECK_FALSE(parts.reports.halted());
  CHECK_FALSE(parts.registers.interrupt());
}

TEST_CASE("dma channels: one transfer at a time, whose completion is taken once", "[sequencer]") {
  Parts parts;
  DmaChannels channels(2, parts.ports, parts.semaphores, parts.reports);
  CommandQueue queue(4);
  CHECK_FALSE(channels.start(1, queue, 0));
  Command command = make_command(CommandOpcode::dma, 1);
  command.unit = 1;
  for (u32 i = 0; i < 16; ++i) command.registers[i] = i;
  REQUIRE(queue.push(command));
  REQUIRE(queue.push(command));
  CHECK_FALSE(channels.take_completion(1));
  CHECK(channels.start(1, queue, 3));
  CHECK(channels.running() == 2);
  REQUIRE(parts.ports.descriptors.size() == 1);
  CHECK(parts.ports.descriptors[0].first == 1);
  CHECK(parts.ports.descriptors[0].second.destination == 0x300000002);
  CHECK(parts.ports.indexed.empty());
  CHECK_FALSE(channels.start(1, queue, 4));
  CHECK(channels.take_completion(1));
  CHECK_FALSE(channels.take_completion(1));
  channels.finish(1, 0, 9);
  CHECK(parts.notes == "s1@3 c1@9 ");

  CHECK(channels.start(1, queue, 10));
  channels.abandon();
  CHECK(channels.take_completion(1));
  channels.finish(1, 2, 20);  // unheard, though it failed
  CHECK(channels.running() == 0);
  CHECK_FALSE(parts.reports.halted());

  REQUIRE(queue.push(command));
  parts.ports.refuse = true;
  CHECK(channels.start(1, queue, 30));
  CHECK(channels.running() == 0);
  CHECK(parts.registers.first_error() == SequencerError::dma_refused);
}

TEST_CASE("dma channels: an indexed transfer is sent with where its indices are", "[sequencer]") {
  Parts parts;
  DmaChannels channels(2, parts.ports, parts.semaphores, parts.reports);
  CommandQueue queue(4);
  Command command = make_command(CommandOpcode::dma, 1);
  command.flags |= command_flag_indexed;
  command.image = 0x123456780;
  command.image_bytes = 77;
  for (u32 i = 0; i < 16; ++i) command.registers[i] = i;
  REQUIRE(queue.push(command));
  CHECK(channels.start(0, queue, 3));
  CHECK(parts.ports.descriptors.empty());
  REQUIRE(parts.ports.indexed.size() == 1);
  CHECK(parts.ports.indexed[0].first == 0);
  const IndexedDescriptor& sent = parts.ports.indexed[0].second;
  CHECK(sent.descriptor.destination == 0x300000002);
  CHECK(sent.indices.address == 0x123456780);
  CHECK(sent.indices.bound == 77);
  CHECK(sent.indices.reserved == 0);
}

TEST_CASE("dma channels: a transfer that reaches the limit is aborted, and its command fails", "[sequencer]") {
  Parts parts;
  DmaChannels channels(2, parts.ports, parts.semaphores, parts.reports);
  CommandQueue queue(4);
  Command command = make_command(CommandOpcode::dma, 7);
  command.unit = 1;
  REQUIRE(queue.push(command));
  REQUIRE(queue.push(command));
  CHECK(channels.start(1, queue, 10));
  CHECK(channels.next() == never);
  CHECK(channels.take_completion(1));
  channels.finish(1, 0, 500);  // without a limit any time is good

  channels.set_limit(100);
  CHECK(channels.start(1, queue, 510));
  CHECK(channels.next() == 610);
  CHECK_FALSE(channels.expire(609));
  CHECK(parts.ports.aborts.empty());
  CHECK(channels.expire(610));
  CHECK(parts.ports.aborts == std::vector<u32>{1});
  CHECK(parts.registers.first_error() == SequencerError::dma_timeout);
  CHECK(parts.registers.error.tag.get() == 7);
  CHECK(parts.registers.error.info_lo.get() == 1);
  CHECK(parts.registers.error.address_lo.get() == 0xabc001);
  CHECK_FALSE(channels.expire(611));  // once
  CHECK(channels.running() == 2);     // until the engine reports the end
  CHECK(channels.take_completion(1));
  channels.finish(1, 4, 640);
  CHECK(channels.running() == 0);
  CHECK(parts.notes == "s7@10 c7@500 s7@510 ");
}

TEST_CASE("dma channels: a transfer that the engine has forgotten ends with its abort", "[sequencer]") {
  Parts parts;
  DmaChannels channels(1, parts.ports, parts.semaphores, parts.reports);
  CommandQueue queue(4);
  REQUIRE(queue.push(make_command(CommandOpcode::dma, 3)));
  CHECK(channels.start(0, queue, 0));
  parts.ports.refuse = true;
  channels.abort(0, SequencerError::aborted, unit_index_dma);
  CHECK(channels.running() == 0);
  CHECK(parts.registers.first_error() == SequencerError::aborted);
  CHECK(parts.registers.error.info_lo.get() == unit_index_dma);
  channels.abort(0, SequencerError::aborted, unit_index_dma);  // nothing runs: nothing happens
  CHECK(parts.ports.aborts == std::vector<u32>{0});
}

TEST_CASE("loader and launcher: from an image in memory to a completed launch", "[sequencer]") {
  Parts parts;
  parts.parameters.burst_bytes = 256;
  parts.parameters.outstanding_bursts = 2;
  parts.parameters.config_bytes_per_cycle = 8;
  parts.parameters.launch_cycles = 50;
  ImageLoader loader(parts.parameters, parts.array, parts.rows, parts.ports, parts.reports, parts.statistics);
  Launcher launcher(parts.parameters, parts.array, parts.rows, parts.ports, parts.semaphores, parts.reports,
                    parts.statistics);
  CommandQueue queue(4);
  parts.put_image(0x2000);
  REQUIRE(queue.push(make_command(CommandOpcode::launch, 1)));
  REQUIRE(queue.push(make_command(CommandOpcode::launch, 2)));

  const auto advance = [&](Cycle now) {
    parts.ports.now = now;
    return loader.advance(queue.front(), now, launcher.busy_cycles(now));
  };
  CHECK(advance(100));
  CHECK(advance(100));
  CHECK(parts.ports.reads.size() == 2);
  CHECK(loader.next(100) == 110);
  CHECK_FALSE(advance(109));
  CHECK(advance(110));
  CHECK(parts.ports.reads.size() == 4);
  CHECK(advance(120));  // all has arrived
  // 100 bytes for all and 10 for each of six PEs, 8 a cycle.
  CHECK(loader.next(120) == 140);
  CHECK_FALSE(loader.ready());
  CHECK(advance(140));
  CHECK(loader.ready());
  CHECK(loader.image().rows == 2);
  CHECK(loader.image().columns == 3);
  using Writes = std::vector<std::pair<u32, u64>>;
  CHECK(parts.ports.pe_writes == Writes{{0, 0}, {1, 0}, {2, 0}, {4, 0}, {5, 0}, {6, 0}});

  CHECK(launcher.start(queue, loader, 140));
  CHECK(launcher.next() == 190);
  CHECK_FALSE(launcher.send(189));
  parts.ports.pe_writes.clear();
  CHECK(launcher.send(190));
  CHECK(parts.ports.pe_writes == Writes{{0, 0x1000}, {1, 0x1000}, {2, 0x1000}, {4, 0x1000}, {5, 0x1000}, {6, 0x1000}});
  CHECK(parts.phases.fetch_cycles == 20);
  CHECK(parts.phases.config_cycles == 20);
  CHECK(parts.phases.exposed_cycles == 40);
  CHECK(parts.phases.launch_cycles == 50);

  // The second one has the same image, and is sent while the first runs.
  CHECK(advance(190));
  CHECK(loader.ready());
  CHECK(launcher.start(queue, loader, 190));
  CHECK(launcher.send(240));
  CHECK(parts.phases.overlapped);
  CHECK(parts.phases.config_cycles == 0);
  CHECK_FALSE(launcher.take_completion(3, 1));  // not of the sub-array
  CHECK_FALSE(launcher.take_completion(0, 3));
  for (const u32 number : {1U, 2U}) {
    for (const u32 pe : {0U, 1U, 2U, 4U, 5U, 6U}) {
      // The failure of PE 5 stops the launch, and nobody waits for PE 6 any more.
      CHECK(launcher.take_completion(pe, number) == (number == 1 || pe != 6));
      CHECK_FALSE(launcher.take_completion(pe, number));
      launcher.finish(pe, number, number == 2 && pe == 5 ? 3 : 0, 300 + number);
    }
  }
  CHECK_FALSE(launcher.busy());
  CHECK(launcher.busy_cycles(1000) == 302 - 190);
  CHECK(parts.notes == "s1@140 l1@190 s2@190 l2@240 c1@301 f2@302 ");
  CHECK(parts.registers.first_error() == SequencerError::kernel_failed);
  CHECK(parts.error_info() == 0x300000005);
  CHECK(parts.statistics.launches_same_image.value() == 1);
  CHECK(parts.statistics.launches_overlapped.value() == 1);
}

TEST_CASE("loader: what it refuses", "[sequencer]") {
  Parts parts;
  ImageLoader loader(parts.parameters, parts.array, parts.rows, parts.ports, parts.reports, parts.statistics);
  parts.ports.latency = [](u64) { return Cycle{0}; };
  Command command = make_command(CommandOpcode::launch, 6);
  ImageHeader header = parts.put_image(command.image);
  const auto error = [&] {
    for (Cycle now = 0; now < 100 && !parts.reports.halted(); ++now) loader.advance(command, now, 0);
    loader.cancel(100, 0);
    const auto found = std::make_pair(parts.registers.first_error(), parts.error_info());
    parts.registers.clear_results();
    return found;
  };
  using Found = std::pair<SequencerError, u64>;
  command.flags = command_flag_resident;
  CHECK(error() == Found{SequencerError::not_resident, 0x2000});
  command.flags = 0;
  command.image = 0x3f00;  // it does not lie in memory to its end
  CHECK(error() == Found{SequencerError::image_fetch_failed, 0x4000});
  command.image = 0x2000;
  header.lanes += 1;
  std::memcpy(&parts.ports.memory[0x2000], &header, sizeof header);
  CHECK(error() == Found{SequencerError::image_mismatch, offsetof(ImageHeader, lanes)});
  header = parts.put_image(command.image, 1023);
  CHECK(error() == Found{SequencerError::bad_image, offsetof(ImageHeader, total_bytes)});
  header = parts.put_image(command.image);
  // Of the check sum's own bytes, of the header's that nobody checks otherwise, and of the rest.
  for (const u64 offset :
       {offsetof(ImageHeader, checksum), offsetof(ImageHeader, resident_words), std::size_t{64}, std::size_t{1023}}) {
    INFO(offset);
    parts.ports.memory[0x2000 + offset] ^= 0x10;
    const u32 arrived = image_checksum(&parts.ports.memory[0x2000], 1024);
    CHECK(error() == Found{SequencerError::image_corrupt, arrived});
    parts.ports.memory[0x2000 + offset] ^= 0x10;
  }
  parts.ports.refuse = true;
  CHECK(error() == Found{SequencerError::configure_refused, 0});
  parts.ports.refuse = false;
  CHECK(error() == Found{SequencerError::none, 0});
}
