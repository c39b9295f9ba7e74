// SPDX-License-Identifier: Apache-2.0
// The sequencer alone: registers, ring, dispatch, semaphores, DMA channels.
#include <catch2/catch.hpp>
#include <random>

#include "test/models/sequencer_bench.h"

using namespace bvp;
using Bench = bvp::sequencer_test::SequencerBench;

namespace {

constexpr Cycle doorbell = 100;
constexpr Cycle latency = 20;  // of the bench's memory
constexpr Cycle decode = 4;    // dispatch_cycles
constexpr Cycle first_start = doorbell + latency + decode;

Command waiting(Command command, u8 first, u8 second = semaphore_none) {
  command.wait = {first, second};
  return command;
}
Command signalling(Command command, u8 semaphore) {
  command.signal = semaphore;
  return command;
}
Command interrupting(Command command) {
  command.flags |= command_flag_interrupt;
  return command;
}

}  // namespace

TEST_CASE("sequencer: registers after reset", "[sequencer]") {
  Bench bench;
  bench.run_to(1);
  for (const char* name : {"RING_BASE_LO",
                           "RING_BASE_HI",
                           "RING_ENTRIES",
                           "HEAD",
                           "TAIL",
                           "CONTROL",
                           "INTERRUPT_STATUS",
                           "INTERRUPT_ENABLE",
                           "COMPLETED_TAG",
                           "COMPLETED_COUNT",
                           "COMMANDS_COMPLETED",
                           "ERROR_CODE",
                           "ERROR_TAG",
                           "ERROR_INFO_LO",
                           "ERROR_INFO_HI",
                           "ERROR_ADDRESS_LO",
                           "ERROR_ADDRESS_HI",
                           "LAUNCH_LIMIT",
                           "DMA_LIMIT",
                           "ERROR_ROWS",
                           "ROW_DISABLE",
                           "SEMAPHORE0",
                           "SEMAPHORE31",
                           "UNIT_COMPLETED0",
                           "UNIT_COMPLETED17"}) {
    INFO(name);
    CHECK(bench.read(name) == 0);
  }
  CHECK(bench.read("STATUS") == 1);
  CHECK_FALSE(bench.irq());
}

TEST_CASE("sequencer: registers hold what is written, and only where that is allowed", "[sequencer]") {
  Bench bench;
  bench.write("RING_BASE_LO", 0x12345640);
  bench.write("RING_BASE_HI", 0x9);
  bench.write("RING_ENTRIES", 128);
  bench.write("INTERRUPT_ENABLE", 3);
  bench.write("SEMAPHORE5", 65535);
  bench.write("TAIL", 127);
  CHECK(bench.read("RING_BASE_LO") == 0x12345640);
  CHECK(bench.read("RING_BASE_HI") == 9);
  CHECK(bench.read("RING_ENTRIES") == 128);
  CHECK(bench.read("INTERRUPT_ENABLE") == 3);
  CHECK(bench.read("SEMAPHORE5") == 65535);
  CHECK(bench.read("SEMAPHORE4") == 0);
  CHECK(bench.read("TAIL") == 127);
  CHECK(bench.error() == SequencerError::none);
  for (const char* name :
       {"HEAD", "STATUS", "UNIT_COMPLETED2", "COMPLETED_TAG", "COMPLETED_COUNT", "COMMANDS_COMPLETED", "ERROR_CODE",
        "ERROR_TAG", "ERROR_INFO_LO", "ERROR_INFO_HI", "ERROR_ROWS"}) {
    INFO(name);
    u32 value = 1;
    CHECK(bench.access(tlm::TLM_WRITE_COMMAND, bench.offset_of(name), &value, 4) != tlm::TLM_OK_RESPONSE);
  }
  u32 value = 0;
  CHECK(bench.access(tlm::TLM_READ_COMMAND, 0xffc, &value, 4) == tlm::TLM_ADDRESS_ERROR_RESPONSE);
  CHECK(bench.access(tlm::TLM_READ_COMMAND, 0, &value, 2) != tlm::TLM_OK_RESPONSE);
}

TEST_CASE("sequencer: a DMA command starts when fetched and decoded, not a cycle earlier", "[sequencer]") {
  Bench bench;
  bench.setup();
  bench.put(signalling(interrupting(Bench::dma(7, 1)), 3));
  bench.ring_at(doorbell);

  bench.run_to(doorbell + latency - 1);
  CHECK(bench.read("HEAD") == 0);
  bench.run_to(doorbell + latency);
  CHECK(bench.read("HEAD") == 1);
  bench.run_to(first_start - 1);
  CHECK_FALSE(bench.bit("STATUS", 17));
  CHECK(bench.bit("STATUS", 1));
  CHECK_FALSE(bench.bit("STATUS", 0));
  CHECK(bench.transfers.empty());
  bench.run_to(first_start);
  CHECK(bench.bit("STATUS", 17));
  CHECK_FALSE(bench.bit("STATUS", 16));
  REQUIRE(bench.transfers.size() == 1);
  CHECK(bench.transfers[0].channel == 1);
  CHECK(bench.transfers[0].cycle == first_start);
  const Command command = Bench::dma(7);
  CHECK(std::memcmp(&bench.transfers[0].descriptor, command.registers.data(), 64) == 0);

  bench.run_to(first_start + 99);
  CHECK(bench.read("SEMAPHORE3") == 0);
  CHECK(bench.read("COMMANDS_COMPLETED") == 0);
  CHECK_FALSE(bench.irq());
  bench.run_to(first_start + 100);
  CHECK(bench.read("SEMAPHORE3") == 1);
  CHECK(bench.read("COMMANDS_COMPLETED") == 1);
  CHECK(bench.read("COMPLETED_TAG") == 7);
  CHECK(bench.read("COMPLETED_COUNT") == 1);
  CHECK(bench.read("INTERRUPT_STATUS") == 1);
  CHECK(bench.irq());
  CHECK(bench.read("STATUS") == 1);

  bench.write("INTERRUPT_STATUS", 2);
  bench.run_to(first_start + 101);
  CHECK(bench.irq());
  bench.write("INTERRUPT_STATUS", 1);
  bench.run_to(first_start + 102);
  CHECK_FALSE(bench.irq());
  CHECK(bench.when('s', 7) == first_start);
  CHECK(bench.when('c', 7) == first_start + 100);
  CHECK(bench.counter("commands_dma") == 1);
  CHECK(bench.counter("command") == 1);
  CHECK(bench.counter("ring_fetch_bytes") == 128);
}

TEST_CASE("sequencer: each unit counts the commands that it has completed", "[sequencer]") {
  Bench bench;
  bench.dma_unit.duration = [](u32 channel) { return Cycle{channel == 0 ? 1000U : 100U}; };
  bench.setup();
  for (u32 i = 0; i < 2; ++i) bench.put(Bench::dma(i, 0));
  for (u32 i = 0; i < 3; ++i) bench.put(interrupting(Bench::dma(10 + i, 1)));
  bench.put(Bench::sync(20));
  bench.ring_at(doorbell);
  const auto counts = [&] {
    std::vector<u32> values;
    for (u32 unit = 0; unit < 4; ++unit) values.push_back(bench.read("UNIT_COMPLETED" + std::to_string(unit)));
    return values;
  };
  bench.run_to(600);
  CHECK(counts() == std::vector<u32>{1, 0, 0, 3});  // channel 1 has overtaken channel 0
  CHECK(bench.read("COMPLETED_COUNT") == 3);
  bench.run_to(1500);
  CHECK(counts() == std::vector<u32>{1, 0, 1, 3});
  bench.run_to(2500);
  CHECK(counts() == std::vector<u32>{1, 0, 2, 3});
  CHECK(bench.read("COMMANDS_COMPLETED") == 6);
  bench.write("CONTROL", 2);
  CHECK(counts() == std::vector<u32>{0, 0, 0, 0});
}

TEST_CASE("sequencer: interrupts are masked and coalesced", "[sequencer]") {
  Bench bench;
  bench.setup();
  bench.write("INTERRUPT_ENABLE", 2);
  for (u32 i = 0; i < 3; ++i) bench.put(i == 1 ? Bench::sync(i) : interrupting(Bench::sync(i)));
  bench.ring_at(doorbell);
  bench.run_to(1000);
  CHECK_FALSE(bench.irq());
  CHECK(bench.read("COMPLETED_COUNT") == 2);
  CHECK(bench.read("COMPLETED_TAG") == 2);
  CHECK(bench.read("COMMANDS_COMPLETED") == 3);
  bench.write("INTERRUPT_ENABLE", 1);
  bench.run_to(1001);
  CHECK(bench.irq());
}

TEST_CASE("sequencer: commands are fetched ahead, one behind the other on the bus", "[sequencer]") {
  Bench bench;
  bench.setup();
  for (u32 i = 0; i < 12; ++i) bench.put(Bench::sync(i));
  bench.ring_at(doorbell);
  bench.run_to(doorbell);
  REQUIRE(bench.reads.size() == 4);
  bench.run_to(doorbell + latency);
  CHECK(bench.reads.size() == 5);  // the first one has left for the decoder
  bench.run_to(1000);
  CHECK(bench.reads.size() == 12);
  for (u32 i = 0; i < 4; ++i) CHECK(bench.when('c', i) == first_start + i * decode);
  // Four commands a round trip of 20 cycles: the fifth was asked for when the first arrived.
  CHECK(bench.when('c', 4) == doorbell + 2 * latency + decode);
  CHECK(bench.read("HEAD") == 12);
  CHECK(bench.read("STATUS") == 1);
}

TEST_CASE("sequencer: a ring wraps around, and TAIL stops it", "[sequencer]") {
  Bench bench;
  bench.setup(4);
  u32 tag = 0;
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 3; ++i) bench.put(Bench::sync(tag++));
    bench.ring();
    bench.run_to(1000 * (round + 1));
    CHECK(bench.read("COMMANDS_COMPLETED") == tag);
    CHECK(bench.read("HEAD") == bench.tail);
  }
  std::vector<u32> order;
  for (const auto& note : bench.notes) {
    if (note.what == 'c') order.push_back(note.tag);
  }
  for (u32 i = 0; i < tag; ++i) CHECK(order.at(i) == i);
}

TEST_CASE("sequencer: a ring of 65536 entries", "[sequencer]") {
  Bench bench;
  bench.write("RING_ENTRIES", 65536);
  CHECK(bench.error() == SequencerError::none);
  bench.write("TAIL", 65535);
  CHECK(bench.error() == SequencerError::none);
}

TEST_CASE("sequencer: disabled it fetches nothing, but finishes what it has", "[sequencer]") {
  Bench bench;
  bench.setup();
  bench.write("CONTROL", 0);
  bench.put(Bench::sync(0));
  bench.ring_at(doorbell);
  bench.run_to(500);
  CHECK(bench.reads.empty());
  CHECK(bench.bit("STATUS", 0));
  bench.at(600, [&] { bench.write("CONTROL", 1); });
  bench.run_to(600 + latency + decode);
  CHECK(bench.when('c', 0) == 600 + latency + decode);
  CHECK(bench.read("CONTROL") == 1);

  for (u32 i = 1; i < 10; ++i) bench.put(Bench::sync(i));
  bench.ring_at(1000);
  bench.at(1005, [&] { bench.write("CONTROL", 0); });
  bench.run_to(2000);
  CHECK(bench.read("HEAD") == 5);  // four were on the bus
  CHECK(bench.read("COMMANDS_COMPLETED") == 5);
  bench.write("CONTROL", 1);
  bench.run_to(3000);
  CHECK(bench.read("COMMANDS_COMPLETED") == 10);
}

TEST_CASE("sequencer: a command waits for both of its semaphores and takes both tokens at once", "[sequencer]") {
  Bench bench;
  bench.setup();
  bench.put(waiting(Bench::dma(1), 4, 9));
  bench.ring_at(doorbell);
  bench.at(300, [&] { bench.write("SEMAPHORE4", 2); });
  bench.at(400, [&] { bench.write("SEMAPHORE9", 1); });
  bench.run_to(350);
  bench.sequencer->settle();
  CHECK(bench.counter("semaphore_wait") == 351 - first_start);  // run_to() ends within the cycle
  bench.run_to(399);
  CHECK(bench.transfers.empty());
  CHECK(bench.read("SEMAPHORE4") == 2);
  bench.run_to(400);
  REQUIRE(bench.transfers.size() == 1);
  CHECK(bench.transfers[0].cycle == 400);
  CHECK(bench.read("SEMAPHORE4") == 1);
  CHECK(bench.read("SEMAPHORE9") == 0);
  CHECK(bench.counter("semaphore_wait") == 400 - first_start);
}

TEST_CASE("sequencer: waiting twice for one semaphore takes two tokens", "[sequencer]") {
  Bench bench;
  bench.setup();
  bench.put(waiting(Bench::dma(1), 4, 4));
  bench.ring_at(doorbell);
  bench.at(300, [&] { bench.write("SEMAPHORE4", 1); });
  bench.at(400, [&] { bench.write("SEMAPHORE4", 2); });
  bench.run_to(399);
  CHECK(bench.transfers.empty());
  CHECK(bench.read("SEMAPHORE4") == 1);
  bench.run_to(400);
  CHECK(bench.transfers.size() == 1);
  CHECK(bench.read("SEMAPHORE4") == 0);
}

TEST_CASE("sequencer: a signal starts the waiter in the same cycle", "[sequencer]") {
  Bench bench;
  bench.setup();
  bench.put(signalling(Bench::dma(1, 0), 0));
  bench.put(waiting(Bench::dma(2, 1), 0));
  bench.ring_at(doorbell);
  bench.run_to(1000);
  CHECK(bench.when('c', 1) == first_start + 100);
  CHECK(bench.when('s', 2) == first_start + 100);
  CHECK(bench.read("SEMAPHORE0") == 0);
}

TEST_CASE("sequencer: channels run in parallel, each in order", "[sequencer]") {
  Bench bench;
  bench.setup();
  for (u32 i = 0; i < 6; ++i) bench.put(Bench::dma(i, static_cast<u8>(i % 2)));
  bench.ring_at(doorbell);
  bench.run_to(2000);
  CHECK(bench.when('s', 0) == first_start);
  CHECK(bench.when('s', 1) == first_start + decode);
  CHECK(bench.when('s', 2) == first_start + 100);
  CHECK(bench.when('s', 3) == first_start + decode + 100);
  CHECK(bench.when('s', 4) == first_start + 200);
  CHECK(bench.read("COMMANDS_COMPLETED") == 6);
}

TEST_CASE("sequencer: sync blocks the commands behind it", "[sequencer]") {
  Bench bench;
  bench.setup();
  bench.put(signalling(waiting(Bench::sync(1), 2), 3));
  bench.put(Bench::dma(2));
  bench.ring_at(doorbell);
  bench.at(500, [&] { bench.write("SEMAPHORE2", 1); });
  bench.run_to(499);
  CHECK(bench.notes.empty());
  CHECK(bench.bit("STATUS", 1));
  bench.run_to(500);
  CHECK(bench.when('c', 1) == 500);
  CHECK(bench.read("SEMAPHORE3") == 1);
  bench.run_to(1000);
  CHECK(bench.when('s', 2) == 500 + decode);
}

TEST_CASE("sequencer: a full queue stalls dispatch and then the ring", "[sequencer]") {
  Bench bench;
  bench.setup();
  bench.dma_unit.automatic = false;
  for (u32 i = 0; i < 30; ++i) bench.put(Bench::dma(i));
  bench.put(Bench::sync(100));
  bench.ring_at(doorbell);
  bench.run_to(5000);
  // one running, eight queued, one in the dispatcher, four fetched
  CHECK(bench.read("HEAD") == 14);
  CHECK(bench.transfers.size() == 1);
  CHECK(bench.when('s', 100) == ~Cycle{0});
  bench.at(6000, [&] { bench.complete_dma(0); });
  bench.run_to(6000);
  CHECK(bench.when('s', 1) == 6000);
  CHECK(bench.counter("dispatch_stall") > 4000);
  bench.run_to(6000 + latency);
  CHECK(bench.read("HEAD") == 15);
  bench.dma_unit.automatic = true;
  bench.complete_dma(0);
  bench.run_to(20000);
  CHECK(bench.read("COMMANDS_COMPLETED") == 31);
  CHECK(bench.read("STATUS") == 1);
}

TEST_CASE("sequencer: unexpected or malformed completions are refused", "[sequencer]") {
  Bench bench;
  bench.setup();
  bench.run_to(1);
  CHECK(bench.complete_dma(0) == tlm::TLM_GENERIC_ERROR_RESPONSE);
  CHECK(bench.complete_dma(2) == tlm::TLM_ADDRESS_ERROR_RESPONSE);
  CHECK(bench.complete_dma(0, 0, 0, 4) == tlm::TLM_BURST_ERROR_RESPONSE);
  CHECK(bench.complete_pe(0, 1) == tlm::TLM_GENERIC_ERROR_RESPONSE);
  CHECK(bench.complete_pe(4, 1) == tlm::TLM_ADDRESS_ERROR_RESPONSE);
  bench.dma_unit.automatic = false;
  bench.put(Bench::dma(1));
  bench.ring_at(doorbell);
  bench.run_to(200);
  CHECK(bench.complete_dma(0, 0, 10) == tlm::TLM_OK_RESPONSE);
  CHECK(bench.complete_dma(0, 0, 10) == tlm::TLM_GENERIC_ERROR_RESPONSE);
  bench.run_to(300);
  CHECK(bench.read("COMMANDS_COMPLETED") == 1);
}

TEST_CASE("sequencer: idle cycles are counted", "[sequencer]") {
  Bench bench;
  bench.setup();
  bench.put(Bench::sync(0));
  bench.ring_at(doorbell);
  bench.run_to(1000);
  CHECK(bench.counter("idle") == doorbell);
  bench.put(Bench::sync(1));
  bench.ring_at(1100);
  bench.run_to(2000);
  CHECK(bench.counter("idle") == doorbell + 1100 - first_start);
  bench.sequencer->settle();
  CHECK(bench.counter("idle") == doorbell + (1100 - first_start) + (2001 - 1100 - latency - decode));
}

// Errors ------------------------------------------------------------------------------------------------------

namespace {

/// Runs one faulty command with work before and behind it, and checks that everything halts as it should.
void check_error(Bench& bench, const Command& command, SequencerError error, u64 info) {
  bench.setup();
  bench.dma_unit.duration = [](u32) { return Cycle{500}; };
  bench.put(signalling(Bench::dma(1), 30));
  bench.put(command);
  if (error != SequencerError::image_fetch_failed && error != SequencerError::bad_image) bench.put(Bench::dma(3, 1));
  bench.ring_at(doorbell);
  bench.run_to(400);
  CHECK(bench.error() == error);
  CHECK(bench.read("ERROR_TAG") == command.tag);
  CHECK(bench.error_info() == info);
  CHECK(bench.bit("STATUS", 2));
  CHECK(bench.bit("STATUS", 16));
  CHECK((bench.read("INTERRUPT_STATUS") & 2) == 2);
  CHECK(bench.irq());
  CHECK(bench.sequencer->error() == error);
  bench.run_to(5000);
  CHECK(bench.read("SEMAPHORE30") == 1);  // the running transfer finished
  CHECK_FALSE(bench.bit("STATUS", 16));
  CHECK(bench.when('s', 3) == ~Cycle{0});

  // After a reset everything works again, from the ring's first entry.
  bench.write("CONTROL", 3);
  bench.tail = 0;
  bench.put(interrupting(Bench::dma(4)));
  bench.ring();
  bench.run_to(9000);
  CHECK(bench.error() == SequencerError::none);
  CHECK(bench.read("SEMAPHORE30") == 0);
  CHECK(bench.read("COMPLETED_TAG") == 4);
  CHECK(bench.read("STATUS") == 1);
  CHECK(bench.read("INTERRUPT_STATUS") == 1);
}

}  // namespace

TEST_CASE("sequencer: commands that are refused", "[sequencer]") {
  struct Case {
    const char* what;
    std::function<void(Command&)> spoil;
    SequencerError error;
    u64 info;
  };
  const auto as_launch = [](Command& command) { command = Bench::launch(2, 0x8000, 64); };
  const Case cases[] = {
      {"opcode 0", [](Command& c) { c.opcode = 0; }, SequencerError::bad_opcode, 0},
      {"opcode 4", [](Command& c) { c.opcode = 4; }, SequencerError::bad_opcode, 4},
      {"opcode 255", [](Command& c) { c.opcode = 255; }, SequencerError::bad_opcode, 255},
      {"reserved", [](Command& c) { c.reserved = 1; }, SequencerError::reserved_not_zero, offsetof(Command, reserved)},
      {"reserved2", [](Command& c) { c.reserved2 = 1; }, SequencerError::reserved_not_zero,
       offsetof(Command, reserved2)},
      {"reserved3", [](Command& c) { c.reserved3 = 1; }, SequencerError::reserved_not_zero,
       offsetof(Command, reserved3)},
      {"reserved4", [](Command& c) { c.reserved4[2] = 1; }, SequencerError::reserved_not_zero,
       offsetof(Command, reserved4)},
      {"no check word", [](Command& c) { c.check = 5; }, SequencerError::reserved_not_zero, offsetof(Command, check)},
      {"flag", [](Command& c) { c.flags = 16; }, SequencerError::reserved_not_zero, offsetof(Command, flags)},
      {"resident DMA", [](Command& c) { c.flags = command_flag_resident; }, SequencerError::reserved_not_zero,
       offsetof(Command, flags)},
      {"unit of a sync",
       [](Command& c) {
         c.opcode = 1;
         c.unit = 1;
       },
       SequencerError::reserved_not_zero, offsetof(Command, unit)},
      {"unit of a launch",
       [&](Command& c) {
         as_launch(c);
         c.unit = 1;
       },
       SequencerError::reserved_not_zero, offsetof(Command, unit)},
      {"wait 32", [](Command& c) { c.wait[0] = 32; }, SequencerError::bad_semaphore, offsetof(Command, wait)},
      {"wait 254", [](Command& c) { c.wait[1] = 254; }, SequencerError::bad_semaphore, offsetof(Command, wait) + 1},
      {"signal 100", [](Command& c) { c.signal = 100; }, SequencerError::bad_semaphore, offsetof(Command, signal)},
      {"channel", [](Command& c) { c.unit = 2; }, SequencerError::bad_channel, 2},
      {"count",
       [&](Command& c) {
         as_launch(c);
         c.counts[2] = 0;
       },
       SequencerError::bad_count, offsetof(Command, counts) + 8},
      {"no image",
       [&](Command& c) {
         as_launch(c);
         c.image_bytes = 0;
       },
       SequencerError::bad_image_size, 0},
      {"image shorter than a header",
       [&](Command& c) {
         as_launch(c);
         c.image_bytes = 63;
       },
       SequencerError::bad_image_size, 63},
      {"image too large",
       [&](Command& c) {
         as_launch(c);
         c.image_bytes = (1 << 20) + 1;
       },
       SequencerError::bad_image_size, (1 << 20) + 1},
      {"image beyond the address space",
       [&](Command& c) {
         as_launch(c);
         c.image = ~u64{0} - 10;
       },
       SequencerError::bad_image_size, 64},
      {"image nowhere",
       [&](Command& c) {
         as_launch(c);
         c.image = Bench::bad_address;
       },
       SequencerError::image_fetch_failed, Bench::bad_address},
      {"image without a magic number", as_launch, SequencerError::bad_image, 0},
      {"resident without a launch before",
       [&](Command& c) {
         as_launch(c);
         c.flags = command_flag_resident;
       },
       SequencerError::not_resident, 0x8000},
  };
  for (const Case& test : cases) {
    INFO(test.what);
    Bench bench;
    Command command = Bench::dma(2, 1);
    test.spoil(command);
    check_error(bench, command, test.error, test.info);
  }
}

TEST_CASE("sequencer: bus errors on the ring", "[sequencer]") {
  Bench bench;
  bench.setup();
  bench.write("CONTROL", 0);
  bench.write("RING_BASE_LO", static_cast<u32>(Bench::memory_bytes) - 128);
  bench.write("CONTROL", 1);
  const Command good = Bench::sync(1);
  std::memcpy(&bench.memory[Bench::memory_bytes - 128], &good, 128);
  bench.write("TAIL", 3);
  bench.run_to(500);
  CHECK(bench.when('c', 1) != ~Cycle{0});  // what came before the error is done
  CHECK(bench.error() == SequencerError::fetch_failed);
  CHECK(bench.error_info() == Bench::memory_bytes);
  CHECK(bench.read("ERROR_TAG") == 0xffffffff);
}

TEST_CASE("sequencer: DMA errors", "[sequencer]") {
  SECTION("reported at the end") {
    Bench bench;
    bench.setup();
    bench.dma_unit.status = 5;
    bench.dma_unit.error_address = 0x12345678abcd;
    bench.put(signalling(Bench::dma(9, 1), 1));
    bench.ring_at(doorbell);
    bench.run_to(1000);
    CHECK(bench.error() == SequencerError::dma_failed);
    CHECK(bench.error_info() == (u64{5} << 32 | 1));
    CHECK(bench.read("ERROR_TAG") == 9);
    CHECK(bench.read("ERROR_ADDRESS_LO") == 0x5678abcd);
    CHECK(bench.read("ERROR_ADDRESS_HI") == 0x1234);
    CHECK(bench.read("SEMAPHORE1") == 0);
    CHECK(bench.read("COMMANDS_COMPLETED") == 0);
  }
  SECTION("refused at once") {
    Bench bench;
    bench.setup();
    bench.dma_unit.refuses = true;
    bench.put(Bench::dma(9, 1));
    bench.ring_at(doorbell);
    bench.run_to(1000);
    CHECK(bench.error() == SequencerError::dma_refused);
    CHECK(bench.error_info() == 1);
    CHECK_FALSE(bench.bit("STATUS", 17));
  }
}

TEST_CASE("sequencer: semaphore overflow, tight", "[sequencer]") {
  Bench bench;
  bench.setup();
  bench.write("SEMAPHORE31", 65534);
  bench.put(signalling(Bench::sync(1), 31));
  bench.put(signalling(Bench::sync(2), 31));
  bench.ring_at(doorbell);
  bench.run_to(first_start + decode - 1);
  CHECK(bench.read("SEMAPHORE31") == 65535);
  CHECK(bench.error() == SequencerError::none);
  bench.run_to(first_start + decode);
  CHECK(bench.error() == SequencerError::semaphore_overflow);
  CHECK(bench.error_info() == 31);
  CHECK(bench.read("ERROR_TAG") == 2);
  CHECK(bench.read("SEMAPHORE31") == 65535);
}

TEST_CASE("sequencer: register writes that are errors", "[sequencer]") {
  const auto check = [](const std::string& name, u32 value, SequencerError error, bool set_up) {
    INFO(name << " = " << value);
    Bench bench;
    if (set_up) bench.setup(16);
    bench.write(name, value);
    CHECK(bench.error() == error);
    CHECK(bench.error_info() == (name == "SEMAPHORE7" ? 7 : value));
    bench.run_to(10);
    CHECK(bench.bit("STATUS", 2));
    CHECK(bench.read("INTERRUPT_STATUS") == 2);
    CHECK(bench.irq() == set_up);  // enabled there
    bench.put(Bench::sync(0));
  };
  check("TAIL", 16, SequencerError::bad_doorbell, true);
  check("TAIL", 0xffffffff, SequencerError::bad_doorbell, true);
  check("SEMAPHORE7", 65536, SequencerError::semaphore_overflow, true);
  check("RING_ENTRIES", 32, SequencerError::ring_in_use, true);
  check("RING_BASE_LO", 64, SequencerError::ring_in_use, true);
  check("RING_BASE_HI", 1, SequencerError::ring_in_use, true);
  // The array has two rows: none would be left, or there are not as many.
  check("ROW_DISABLE", 3, SequencerError::bad_row_disable, true);
  check("ROW_DISABLE", 4, SequencerError::bad_row_disable, true);
  check("ROW_DISABLE", 0xffffffff, SequencerError::bad_row_disable, true);
}

TEST_CASE("sequencer: ring parameters that are errors", "[sequencer]") {
  for (const u32 entries : {0u, 1u, 3u, 65537u, 131072u, 0xffffffffu}) {
    Bench bench;
    bench.write("RING_ENTRIES", entries);
    CHECK(bench.error() == SequencerError::bad_ring);
    CHECK(bench.error_info() == entries);
    CHECK(bench.read("RING_ENTRIES") == 0);
  }
  for (const u32 base : {1u, 32u, 0xffffffffu}) {
    Bench bench;
    bench.write("RING_BASE_LO", base);
    CHECK(bench.error() == SequencerError::bad_ring);
    CHECK(bench.error_info() == base);
  }
  Bench bench;
  bench.write("TAIL", 0);  // no ring yet
  CHECK(bench.error() == SequencerError::bad_doorbell);
}

TEST_CASE("sequencer: the first error is kept, doorbells after it do nothing", "[sequencer]") {
  Bench bench;
  bench.setup(16);
  bench.put(Bench::sync(1));
  bench.write("TAIL", 99);
  bench.write("TAIL", 1);
  bench.write("TAIL", 98);
  bench.run_to(500);
  CHECK(bench.error_info() == 99);
  CHECK(bench.reads.empty());
  CHECK(bench.counter("errors") == 2);
}

TEST_CASE("sequencer: a transfer that runs across a reset is not signalled and keeps its channel", "[sequencer]") {
  Bench bench;
  bench.setup();
  bench.dma_unit.automatic = false;
  bench.put(signalling(interrupting(Bench::dma(1)), 3));
  bench.ring_at(doorbell);
  bench.run_to(500);
  bench.write("CONTROL", 3);
  CHECK(bench.bit("STATUS", 16));
  CHECK(bench.read("HEAD") == 0);
  bench.tail = 0;
  bench.put(signalling(Bench::dma(2), 4));
  bench.ring_at(600);
  bench.run_to(1000);
  CHECK(bench.transfers.size() == 1);
  bench.at(1100, [&] { bench.complete_dma(0); });
  bench.run_to(1100);
  CHECK(bench.read("SEMAPHORE3") == 0);
  CHECK(bench.read("COMPLETED_COUNT") == 0);
  CHECK(bench.transfers.size() == 2);
  bench.complete_dma(0);
  bench.run_to(1200);
  CHECK(bench.read("SEMAPHORE4") == 1);
}

TEST_CASE("sequencer: garbage in the ring halts it, whatever it is", "[sequencer]") {
  std::mt19937 random(1);
  for (int run = 0; run < 60; ++run) {
    Bench bench;
    bench.setup(16);
    bench.make_image(0x8000, 128);
    for (int i = 0; i < 15; ++i) {
      Command command =
          run % 2 == 0 ? Bench::launch(static_cast<u32>(i), 0x8000, 128) : Bench::dma(static_cast<u32>(i));
      auto* bytes = reinterpret_cast<u8*>(&command);
      if (run < 20) {
        for (std::size_t k = 0; k < sizeof(command); ++k) bytes[k] = static_cast<u8>(random());
      } else {
        bytes[random() % sizeof(command)] ^= static_cast<u8>(1u << random() % 8);
      }
      bench.put(command);
    }
    bench.ring();
    bench.run_to(200000);
    const bool accounted = bench.error() != SequencerError::none || bench.read("COMMANDS_COMPLETED") == 15 ||
                           bench.counter("command") > bench.read("COMMANDS_COMPLETED");  // waits for a semaphore
    CHECK(accounted);
    bench.write("CONTROL", 3);
    bench.run_to(400000);
    CHECK(bench.error() == SequencerError::none);
    CHECK(bench.read("STATUS") == 1);
  }
}
