// SPDX-License-Identifier: Apache-2.0
// The sequencer alone: kernel images, launches on the array, and random command sequences.
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

#include "test/models/sequencer_bench.h"

using namespace bvp;
using Bench = bvp::sequencer_test::SequencerBench;

namespace {

constexpr Cycle doorbell = 100;
constexpr Cycle queued = doorbell + 20 + 4;  // the first command is fetched and decoded
constexpr Cycle launch_cost = 50;

// Each of the images a and b takes 4 bursts of 256 B, all in flight together.
constexpr u64 image_a = 0x8000, image_b = 0xa000, image_c = 0xc000;
constexpr u32 image_bytes = 1024;
constexpr Cycle fetch = 20;
constexpr u32 common = 800, per_pe = 24;
constexpr Cycle config = (common + 4 * per_pe) / 8;
constexpr Cycle first_sent = queued + fetch + config + launch_cost;

Command launch(u32 tag, u64 image = image_a) { return Bench::launch(tag, image, image_bytes); }

struct ArrayBench : Bench {
  explicit ArrayBench(const Options& options = Options{}) : Bench(options) {
    setup();
    for (const u64 image : {image_a, image_b, image_c}) make_image(image, image_bytes, common, per_pe);
  }
  void issue(std::initializer_list<Command> commands) {
    for (const Command& command : commands) put(command);
    ring_at(doorbell);
  }
  [[nodiscard]] std::size_t reads_of(u64 image) const {
    return static_cast<std::size_t>(std::count_if(reads.begin(), reads.end(), [&](const auto& read) {
      return read.second >= image && read.second < image + 0x2000;
    }));
  }
};

}  // namespace

TEST_CASE("sequencer: a launch fetches, configures and starts the PEs on the cycle", "[sequencer]") {
  ArrayBench bench;
  Command command = launch(9);
  command.flags = command_flag_interrupt;
  command.signal = 6;
  bench.pes.duration = [](u32 pe, const LaunchRecord&) { return Cycle{1000} + pe; };
  bench.issue({command});

  bench.run_to(queued + fetch + config - 1);
  CHECK(bench.reads_of(image_a) == 4);
  CHECK(bench.configures.empty());
  bench.run_to(queued + fetch + config);
  REQUIRE(bench.configures.size() == 4);
  for (u32 pe = 0; pe < 4; ++pe) {
    CHECK(bench.configures[pe].pe == pe);
    CHECK(bench.configures[pe].image ==
          std::vector<u8>(bench.memory.begin() + image_a, bench.memory.begin() + image_a + image_bytes));
  }
  CHECK(bench.bit("STATUS", 8));
  bench.run_to(first_sent - 1);
  CHECK(bench.launches.empty());
  bench.run_to(first_sent);
  REQUIRE(bench.launches.size() == 4);
  for (u32 pe = 0; pe < 4; ++pe) {
    const LaunchRecord& record = bench.launches[pe].record;
    CHECK(bench.launches[pe].pe == pe);
    CHECK(bench.launches[pe].cycle == first_sent);
    CHECK(record.launch_number == 1);
    CHECK(record.flags == 0);
    CHECK(record.counts == command.counts);
    CHECK(record.registers == command.registers);
    CHECK(record.tag == 9);
  }
  bench.run_to(first_sent + 1002);
  CHECK(bench.read("COMMANDS_COMPLETED") == 0);
  CHECK(bench.bit("STATUS", 8));
  bench.run_to(first_sent + 1003);  // the slowest PE
  CHECK(bench.read("COMPLETED_TAG") == 9);
  CHECK(bench.read("SEMAPHORE6") == 1);
  CHECK(bench.read("STATUS") == 1);

  REQUIRE(bench.notes.size() == 3);
  CHECK(bench.when('s', 9) == first_sent - launch_cost);
  const LaunchPhases& phases = bench.notes[1].phases;
  CHECK(bench.notes[1].what == 'l');
  CHECK(phases.fetch_cycles == fetch);
  CHECK(phases.config_cycles == config);
  CHECK(phases.launch_cycles == launch_cost);
  CHECK(phases.exposed_cycles == fetch + config);
  CHECK(phases.launch_number == 1);
  CHECK_FALSE(phases.overlapped);
  CHECK(bench.counter("config") == config);
  CHECK(bench.counter("config_word") == (common + 4 * per_pe) / 8);
  CHECK(bench.counter("image_fetch_bytes") == image_bytes);
  CHECK(bench.counter("array_busy") == 1003);
  CHECK(bench.counter("launch_wait") == fetch + config);
}

TEST_CASE("sequencer: a wider configuration network carries the same words in fewer cycles", "[sequencer]") {
  for (const i64 width : {1, 8, 64}) {
    Bench::Options options;
    options.tune = [&](SequencerParameters& parameters) { parameters.config_bytes_per_cycle = width; };
    ArrayBench bench(options);
    bench.issue({launch(9)});
    bench.run_to(queued + fetch + common + 4 * per_pe + 1);
    CHECK(bench.counter("config") == (common + 4 * per_pe + static_cast<Cycle>(width) - 1) / static_cast<Cycle>(width));
    CHECK(bench.counter("config_word") == (common + 4 * per_pe) / 8);
  }
}

TEST_CASE("sequencer: image bursts in flight are limited", "[sequencer]") {
  ArrayBench bench;
  bench.make_image(image_b, 4000, 800, 0);
  bench.put(Bench::launch(1, image_b, 4000));
  bench.ring_at(doorbell);
  bench.run_to(5000);
  std::vector<Cycle> cycles;
  for (const auto& [cycle, address] : bench.reads) {
    if (address >= image_b) cycles.push_back(cycle);
  }
  REQUIRE(cycles.size() == 16);  // the last one is 160 bytes
  for (std::size_t i = 0; i < cycles.size(); ++i) CHECK(cycles[i] == queued + i / 4 * 20);
  REQUIRE(bench.configures.size() == 4);
  CHECK(bench.configures[0].cycle == queued + 80 + 100);
  CHECK(bench.configures[3].image ==
        std::vector<u8>(bench.memory.begin() + image_b, bench.memory.begin() + image_b + 4000));
}

TEST_CASE("sequencer: bursts that return out of order still make a whole image", "[sequencer]") {
  ArrayBench bench;
  bench.latency_of = [](u64 address) { return address < image_a ? Cycle{20} : Cycle{100 - (address - image_a) / 16}; };
  bench.issue({launch(1)});
  bench.run_to(5000);
  REQUIRE(bench.configures.size() == 4);
  CHECK(bench.configures[0].cycle == queued + 100 + config);
}

TEST_CASE("sequencer: configuration hides behind the running kernel, to the cycle", "[sequencer]") {
  for (const Cycle duration :
       {fetch + config - 7, fetch + config - 1, fetch + config, fetch + config + 1, Cycle{900}}) {
    INFO("kernel of " << duration << " cycles");
    ArrayBench bench;
    bench.pes.duration = [duration](u32, const LaunchRecord&) { return duration; };
    bench.issue({launch(1, image_a), launch(2, image_b)});
    bench.run_to(first_sent + fetch + config - 1);
    CHECK(bench.configures.size() == 4);
    bench.run_to(first_sent + fetch + config);
    CHECK(bench.configures.size() == 8);
    const Cycle sent = first_sent + std::max(duration, fetch + config) + launch_cost;
    bench.run_to(sent - 1);
    CHECK(bench.launches.size() == 4);
    bench.run_to(sent);
    CHECK(bench.launches.size() == 8);
    CHECK(bench.when('l', 2) == sent);
    const LaunchPhases& phases = std::find_if(bench.notes.begin(), bench.notes.end(), [](const Bench::Note& note) {
                                   return note.what == 'l' && note.tag == 2;
                                 })->phases;
    CHECK(phases.fetch_cycles == fetch);
    CHECK(phases.config_cycles == config);
    CHECK(phases.exposed_cycles == (duration < fetch + config ? fetch + config - duration : 0));
    CHECK_FALSE(phases.overlapped);
  }
}

TEST_CASE("sequencer: the next image is prepared while its launch still waits for a semaphore", "[sequencer]") {
  ArrayBench bench;
  Command second = launch(2, image_b);
  second.wait[0] = 11;
  bench.issue({launch(1), second});
  bench.at(3000, [&] { bench.write("SEMAPHORE11", 1); });
  bench.run_to(2999);
  CHECK(bench.configures.size() == 8);
  CHECK(bench.when('s', 2) == ~Cycle{0});
  bench.run_to(3000 + launch_cost - 1);
  CHECK(bench.launches.size() == 4);
  bench.run_to(3000 + launch_cost);
  CHECK(bench.launches.size() == 8);
  CHECK(bench.read("SEMAPHORE11") == 0);
}

TEST_CASE("sequencer: only one image is prepared ahead", "[sequencer]") {
  ArrayBench bench;
  bench.issue({launch(1, image_a), launch(2, image_b), launch(3, image_c)});
  bench.run_to(first_sent + 1000 + launch_cost - 1);
  CHECK(bench.reads_of(image_b) == 4);
  CHECK(bench.reads_of(image_c) == 0);
  bench.run_to(first_sent + 1000 + launch_cost);
  CHECK(bench.reads_of(image_c) == 4);
  bench.run_to(10000);
  CHECK(bench.read("COMMANDS_COMPLETED") == 3);
  CHECK(bench.counter("config_exposed") == fetch + config);
}

TEST_CASE("sequencer: launches of the same image overlap and are not configured again", "[sequencer]") {
  ArrayBench bench;
  bench.issue({launch(1), launch(2), launch(3), launch(4, image_b)});
  bench.run_to(first_sent + launch_cost - 1);
  CHECK(bench.launches.size() == 4);
  bench.run_to(first_sent + launch_cost);
  CHECK(bench.launches.size() == 8);  // the first one runs for 1000 cycles
  CHECK(bench.bit("STATUS", 8));
  // Two at a time: the third waits for the first.
  bench.run_to(first_sent + 1000 + launch_cost - 1);
  CHECK(bench.launches.size() == 8);
  bench.run_to(first_sent + 1000 + launch_cost);
  CHECK(bench.launches.size() == 12);
  CHECK(bench.reads_of(image_a) == 4);
  // The other image is prepared meanwhile, but waits until the array is empty.
  bench.run_to(first_sent + 3000 + launch_cost - 1);
  CHECK(bench.configures.size() == 8);
  CHECK(bench.launches.size() == 12);
  bench.run_to(first_sent + 3000 + launch_cost);
  CHECK(bench.launches.size() == 16);
  bench.run_to(10000);
  for (u32 tag = 1; tag <= 4; ++tag)
    CHECK(bench.when('c', tag) == first_sent + tag * 1000 + (tag == 4 ? launch_cost : 0));
  CHECK(bench.counter("launches_same_image") == 2);
  CHECK(bench.counter("launches_overlapped") == 2);
  CHECK(bench.counter("array_busy") == 4000);
}

TEST_CASE("sequencer: a launch queue of one drains the array between tiles", "[sequencer]") {
  Bench::Options options;
  options.tune = [](SequencerParameters& parameters) { parameters.launch_queue = 1; };
  ArrayBench bench(options);
  bench.issue({launch(1), launch(2)});
  bench.run_to(5000);
  CHECK(bench.when('l', 2) == first_sent + 1000 + launch_cost);
  CHECK(bench.counter("launches_same_image") == 1);
  CHECK(bench.counter("launches_overlapped") == 0);
}

TEST_CASE("sequencer: PEs may report two launches in any interleaving", "[sequencer]") {
  ArrayBench bench;
  bench.pes.automatic = false;
  bench.issue({launch(1), launch(2)});
  bench.run_to(1000);
  REQUIRE(bench.launches.size() == 8);
  CHECK(bench.complete_pe(0, 1) == tlm::TLM_OK_RESPONSE);
  CHECK(bench.complete_pe(0, 1) == tlm::TLM_GENERIC_ERROR_RESPONSE);
  CHECK(bench.complete_pe(0, 2) == tlm::TLM_OK_RESPONSE);
  CHECK(bench.complete_pe(1, 1) == tlm::TLM_OK_RESPONSE);
  CHECK(bench.complete_pe(2, 1) == tlm::TLM_OK_RESPONSE);
  CHECK(bench.complete_pe(1, 2) == tlm::TLM_OK_RESPONSE);
  bench.run_to(1100);
  CHECK(bench.read("COMMANDS_COMPLETED") == 0);
  CHECK(bench.complete_pe(3, 1, 0, 50) == tlm::TLM_OK_RESPONSE);
  CHECK(bench.complete_pe(3, 3) == tlm::TLM_GENERIC_ERROR_RESPONSE);
  bench.run_to(1150);
  CHECK(bench.read("COMMANDS_COMPLETED") == 0);
  bench.run_to(1151);  // the write came between two clock edges
  CHECK(bench.when('c', 1) == 1151);
  CHECK(bench.complete_pe(2, 2) == tlm::TLM_OK_RESPONSE);
  CHECK(bench.complete_pe(3, 2) == tlm::TLM_OK_RESPONSE);
  bench.run_to(1200);
  CHECK(bench.read("COMMANDS_COMPLETED") == 2);
  CHECK(bench.read("STATUS") == 1);
}

TEST_CASE("sequencer: a kernel for a part of the array concerns its PEs only", "[sequencer]") {
  Bench::Options options;
  options.rows = 3;
  options.columns = 4;
  ArrayBench bench(options);
  ImageHeader header = bench.make_image(image_b, image_bytes, 80, 8);
  header.pe_rows = 2;
  header.pe_columns = 3;
  bench.put_header(image_b, header);
  bench.issue({launch(1, image_b)});
  bench.run_to(queued + 200);
  std::vector<u32> configured, launched;
  for (const auto& each : bench.configures) configured.push_back(each.pe);
  for (const auto& each : bench.launches) launched.push_back(each.pe);
  CHECK(configured == std::vector<u32>{0, 1, 2, 4, 5, 6});
  CHECK(launched == configured);
  CHECK(bench.configures.at(0).cycle == queued + fetch + (80 + 6 * 8) / 8);
  CHECK(bench.complete_pe(3, 1) == tlm::TLM_GENERIC_ERROR_RESPONSE);
  bench.run_to(3000);
  CHECK(bench.read("COMMANDS_COMPLETED") == 1);
}

TEST_CASE("sequencer: a kernel runs on the rows that are not left out", "[sequencer]") {
  const auto run = [](u32 left_out, u32 kernel_rows) {
    Bench::Options options;
    options.rows = 4;
    options.columns = 3;
    ArrayBench bench(options);
    ImageHeader header = bench.make_image(image_b, image_bytes, 80, 8);
    header.pe_rows = kernel_rows;
    header.pe_columns = 2;
    bench.put_header(image_b, header);
    bench.write("ROW_DISABLE", left_out);
    CHECK(bench.read("ROW_DISABLE") == left_out);
    // Every PE is told.
    CHECK(bench.pes.rows_left_out.size() == 12);
    for (u32 pe = 0; pe < 12; ++pe) CHECK(bench.pes.rows_left_out.at(pe) == std::pair(pe, left_out));
    bench.issue({launch(1, image_b)});
    bench.run_to(5000);
    std::vector<u32> configured, launched;
    for (const auto& each : bench.configures) configured.push_back(each.pe);
    for (const auto& each : bench.launches) launched.push_back(each.pe);
    CHECK(launched == configured);
    if (bench.error() == SequencerError::none) {
      CHECK(bench.read("COMMANDS_COMPLETED") == 1);
    } else {
      CHECK(bench.error() == SequencerError::image_mismatch);
      CHECK(bench.error_info() == offsetof(ImageHeader, pe_rows));
    }
    return configured;
  };
  using Pes = std::vector<u32>;
  CHECK(run(0, 2) == Pes{0, 1, 3, 4});
  CHECK(run(1, 2) == Pes{3, 4, 6, 7});
  CHECK(run(2, 2) == Pes{0, 1, 6, 7});
  CHECK(run(4, 2) == Pes{0, 1, 3, 4});
  CHECK(run(1 | 2, 2) == Pes{6, 7, 9, 10});
  CHECK(run(1 | 4, 2) == Pes{3, 4, 9, 10});
  CHECK(run(1 | 2 | 4, 1) == Pes{9, 10});
  CHECK(run(1, 4).empty());
  CHECK(run(1 | 2 | 8, 2).empty());
}

TEST_CASE("sequencer: rows are left out only while nothing is at work, and a reset keeps that", "[sequencer]") {
  ArrayBench bench;
  bench.write("ROW_DISABLE", 2);
  bench.write("CONTROL", 3);
  CHECK(bench.read("ROW_DISABLE") == 2);
  bench.write("ROW_DISABLE", 0);
  bench.issue({launch(5)});
  bench.run_to(first_sent + 10);
  bench.write("ROW_DISABLE", 1);
  CHECK(bench.error() == SequencerError::bad_row_disable);
  CHECK(bench.error_info() == 1);
  CHECK(bench.read("ROW_DISABLE") == 0);
  bench.run_to(first_sent + 2000);
  CHECK(bench.read("COMMANDS_COMPLETED") == 1);  // what runs goes on
}

TEST_CASE("sequencer: PEs get their kernel again when rows have been left out", "[sequencer]") {
  ArrayBench bench;
  ImageHeader header = bench.make_image(image_b, image_bytes, 80, 8);
  header.pe_rows = 1;
  bench.put_header(image_b, header);
  bench.issue({launch(1, image_b)});
  bench.run_to(3000);
  CHECK(bench.configures.size() == 2);
  bench.write("ROW_DISABLE", 1);
  bench.put(launch(2, image_b));
  bench.ring();
  bench.run_to(6000);
  REQUIRE(bench.configures.size() == 4);
  CHECK(bench.configures.at(2).pe == 2);
  CHECK(bench.read("COMMANDS_COMPLETED") == 2);
  CHECK(bench.error() == SequencerError::none);
}

TEST_CASE("sequencer: resident weights", "[sequencer]") {
  ArrayBench bench;
  Command resident = launch(2);
  resident.flags = command_flag_resident | command_flag_interrupt;
  SECTION("are kept by the same image") {
    bench.issue({launch(1), resident});
    bench.run_to(5000);
    CHECK(bench.error() == SequencerError::none);
    CHECK(bench.launches.at(4).record.flags == command_flag_resident);
    CHECK(bench.launches.at(0).record.flags == 0);
  }
  SECTION("are lost with another image") {
    bench.issue({launch(1), launch(3, image_b), resident});
    bench.run_to(5000);
    CHECK(bench.error() == SequencerError::not_resident);
    CHECK(bench.read("ERROR_TAG") == 2);
    CHECK(bench.error_info() == image_a);
  }
  SECTION("are lost with an invalidation") {
    bench.issue({launch(1)});
    bench.run_to(3000);
    bench.write("CONTROL", 5);
    bench.put(resident);
    bench.ring();
    bench.run_to(5000);
    CHECK(bench.error() == SequencerError::not_resident);
  }
}

TEST_CASE("sequencer: INVALIDATE makes changed memory visible", "[sequencer]") {
  ArrayBench bench;
  bench.issue({launch(1)});
  bench.run_to(2000);
  bench.memory[image_a + 100] ^= 0xff;
  bench.seal_image(image_a, image_bytes);
  bench.put(launch(2));
  bench.ring();
  bench.run_to(4000);
  CHECK(bench.configures.size() == 4);
  bench.write("CONTROL", 5);
  CHECK(bench.read("CONTROL") == 1);
  bench.put(launch(3));
  bench.ring();
  bench.run_to(6000);
  REQUIRE(bench.configures.size() == 8);
  CHECK(bench.configures[4].image[100] == bench.memory[image_a + 100]);
  CHECK(bench.configures[0].image[100] != bench.memory[image_a + 100]);
  CHECK(bench.read("COMMANDS_COMPLETED") == 3);
}

TEST_CASE("sequencer: INVALIDATE at any time prepares the head's image again", "[sequencer]") {
  // while fetching, while configuring, when prepared, during the launch cycles, while running
  for (const Cycle when : {queued + 5, queued + fetch + 50, queued + fetch + config + 5, first_sent + 100}) {
    INFO("at " << when);
    ArrayBench bench;
    Command command = launch(1);
    command.wait[0] = 1;
    bench.issue({command});
    bench.at(when, [&] { bench.write("CONTROL", 5); });
    bench.at(2000, [&] { bench.write("SEMAPHORE1", 1); });
    bench.run_to(4000);
    CHECK(bench.reads_of(image_a) == 8);
    CHECK(bench.read("COMMANDS_COMPLETED") == 1);
    CHECK(bench.when('l', 1) == 2000 + launch_cost);
  }
  ArrayBench bench;
  bench.issue({launch(1), launch(2)});
  bench.at(first_sent - 10, [&] { bench.write("CONTROL", 5); });
  bench.run_to(5000);
  CHECK(bench.read("COMMANDS_COMPLETED") == 2);
  CHECK(bench.reads_of(image_a) == 8);
  CHECK(bench.when('l', 2) == first_sent + 1000 + launch_cost);  // a new configuration does not overlap
}

// Errors -------------------------------------------------------------------------------------------------------

TEST_CASE("sequencer: images that are refused", "[sequencer]") {
  struct Case {
    const char* what;
    std::function<void(ImageHeader&)> spoil;
    SequencerError error;
    u64 offset;
  };
  const auto bad = SequencerError::bad_image, mismatch = SequencerError::image_mismatch;
  const Case cases[] = {
      {"magic", [](ImageHeader& h) { h.magic ^= 1; }, bad, offsetof(ImageHeader, magic)},
      {"version", [](ImageHeader& h) { h.version += 1; }, bad, offsetof(ImageHeader, version)},
      {"total short", [](ImageHeader& h) { h.total_bytes -= 1; }, bad, offsetof(ImageHeader, total_bytes)},
      {"total long", [](ImageHeader& h) { h.total_bytes += 1; }, bad, offsetof(ImageHeader, total_bytes)},
      {"no rows", [](ImageHeader& h) { h.pe_rows = 0; }, bad, offsetof(ImageHeader, pe_rows)},
      {"no columns", [](ImageHeader& h) { h.pe_columns = 0; }, bad, offsetof(ImageHeader, pe_columns)},
      {"common", [](ImageHeader& h) { h.common_bytes = 1025; }, bad, offsetof(ImageHeader, common_bytes)},
      {"per PE", [](ImageHeader& h) { h.per_pe_bytes = ~0u; }, bad, offsetof(ImageHeader, per_pe_bytes)},
      {"code", [](ImageHeader& h) { h.offset_code = 1025; }, bad, offsetof(ImageHeader, offset_code)},
      {"segments", [](ImageHeader& h) { h.offset_segments = ~0u; }, bad, offsetof(ImageHeader, offset_segments)},
      {"edges", [](ImageHeader& h) { h.offset_edges = 2000; }, bad, offsetof(ImageHeader, offset_edges)},
      {"registers", [](ImageHeader& h) { h.offset_pe_registers = 1028; }, bad,
       offsetof(ImageHeader, offset_pe_registers)},
      {"lanes", [](ImageHeader& h) { h.lanes = 8; }, mismatch, offsetof(ImageHeader, lanes)},
      {"rows", [](ImageHeader& h) { h.pe_rows = 3; }, mismatch, offsetof(ImageHeader, pe_rows)},
      {"columns", [](ImageHeader& h) { h.pe_columns = ~0u; }, mismatch, offsetof(ImageHeader, pe_columns)},
  };
  for (const Case& test : cases) {
    INFO(test.what);
    ArrayBench bench;
    ImageHeader header = bench.make_image(image_b, image_bytes, common, per_pe);
    test.spoil(header);
    bench.put_header(image_b, header);
    bench.issue({launch(1), launch(2, image_b), launch(3)});
    bench.run_to(first_sent + fetch);
    CHECK(bench.error() == test.error);
    CHECK(bench.error_info() == test.offset);
    CHECK(bench.read("ERROR_TAG") == 2);
    CHECK(bench.bit("STATUS", 8));  // the first one runs on
    bench.run_to(5000);
    CHECK(bench.read("COMMANDS_COMPLETED") == 1);
    CHECK(bench.launches.size() == 4);
    CHECK(bench.configures.size() == 4);
  }
}

TEST_CASE("sequencer: an image that has changed is refused, and right again it runs", "[sequencer]") {
  ArrayBench bench;
  bench.memory[image_b + image_bytes - 1] ^= 0x80;
  bench.issue({launch(1), launch(2, image_b), launch(3)});
  bench.run_to(5000);
  CHECK(bench.error() == SequencerError::image_corrupt);
  CHECK(bench.read("ERROR_TAG") == 2);
  CHECK(bench.read("ERROR_ADDRESS_LO") == image_b);
  CHECK(bench.read("COMMANDS_COMPLETED") == 1);
  CHECK(bench.configures.size() == 4);  // of the image before: no PE gets one that has changed
}

TEST_CASE("sequencer: bus error in the middle of an image", "[sequencer]") {
  ArrayBench bench;
  const u64 image = Bench::memory_bytes - 512;
  bench.put(Bench::launch(1, image, 1024));
  bench.ring_at(doorbell);
  bench.run_to(1000);
  CHECK(bench.error() == SequencerError::image_fetch_failed);
  CHECK(bench.error_info() == Bench::memory_bytes);
}

TEST_CASE("sequencer: PEs that refuse or fail", "[sequencer]") {
  ArrayBench bench;
  SECTION("the image") {
    bench.pes.refuse_configure = 2;
    bench.issue({launch(5)});
    bench.run_to(3000);
    CHECK(bench.error() == SequencerError::configure_refused);
    CHECK(bench.error_info() == 2);
    CHECK(bench.read("ERROR_ROWS") == 2);
    CHECK(bench.launches.empty());
  }
  SECTION("the launch") {
    bench.pes.refuse_launch = 1;
    bench.issue({launch(5)});
    bench.run_to(3000);
    CHECK(bench.error() == SequencerError::launch_refused);
    CHECK(bench.error_info() == 1);
    CHECK(bench.read("ERROR_ROWS") == 1);
    CHECK(bench.read("COMMANDS_COMPLETED") == 0);
    CHECK_FALSE(bench.bit("STATUS", 8));  // the others have been stopped
    CHECK(bench.stops == std::vector<u32>{0, 1, 2, 3});
  }
  SECTION("while running") {
    bench.pes.status = [](u32 pe) { return pe == 3 ? 0x77u : 0u; };
    bench.pes.duration = [](u32 pe, const LaunchRecord&) { return pe == 3 ? Cycle{10} : Cycle{1000}; };
    bench.issue({launch(5), launch(6)});
    bench.run_to(first_sent + 9);
    CHECK(bench.error() == SequencerError::none);
    bench.run_to(first_sent + 10);
    CHECK(bench.error() == SequencerError::kernel_failed);
    CHECK(bench.error_info() == (u64{0x77} << 32 | 3));
    CHECK(bench.read("ERROR_ROWS") == 2);
    // The others may wait for vectors of the one that failed, so they are stopped.
    CHECK(bench.stops == std::vector<u32>{0, 1, 2, 3});
    CHECK_FALSE(bench.bit("STATUS", 8));
    bench.run_to(5000);
    CHECK(bench.read("COMMANDS_COMPLETED") == 0);
  }
  CHECK(bench.read("ERROR_TAG") == 5);

  // A reset brings it back.
  bench.pes.refuse_configure = bench.pes.refuse_launch = -1;
  bench.pes.status = [](u32) { return 0u; };
  bench.write("CONTROL", 3);
  bench.tail = 0;
  bench.put(launch(8));
  bench.ring();
  bench.run_to(20000);
  CHECK(bench.error() == SequencerError::none);
  CHECK(bench.read("COMMANDS_COMPLETED") == 1);
}

TEST_CASE("sequencer: the watchdog stops a launch that takes longer than its limit", "[sequencer]") {
  ArrayBench bench;
  bench.write("LAUNCH_LIMIT", 1200);
  bench.annotate = false;
  // The second launch of the image is sent while the first runs: its time begins with the end of the first.
  bench.pes.duration = [](u32 pe, const LaunchRecord& record) {
    return record.launch_number == 3 && pe == 2 ? Cycle{1000000} : Cycle{1000};
  };
  bench.issue({launch(5), launch(6), launch(7)});
  bench.run_to(first_sent + 3000);
  CHECK(bench.error() == SequencerError::none);
  CHECK(bench.read("COMMANDS_COMPLETED") == 2);
  bench.run_to(first_sent + 2000 + 1199);
  CHECK(bench.error() == SequencerError::none);
  bench.run_to(first_sent + 2000 + 1200);
  CHECK(bench.error() == SequencerError::launch_timeout);
  CHECK(bench.error_info() == 2);
  CHECK(bench.read("ERROR_ROWS") == 2);  // PE 2 is in row 1
  CHECK(bench.read("ERROR_TAG") == 7);
  CHECK(bench.stops == std::vector<u32>{0, 1, 2, 3});
  CHECK_FALSE(bench.bit("STATUS", 8));
  bench.write("CONTROL", 3);
  CHECK(bench.read("LAUNCH_LIMIT") == 1200);
  CHECK(bench.read("ERROR_ROWS") == 0);
  bench.tail = 0;
  bench.pes.duration = [](u32, const LaunchRecord&) { return Cycle{1199}; };
  bench.put(launch(8));
  bench.ring();
  bench.run_to(first_sent + 20000);
  CHECK(bench.error() == SequencerError::none);
  CHECK(bench.read("COMMANDS_COMPLETED") == 1);
}

TEST_CASE("sequencer: a limit that is not reached leaves no event behind", "[sequencer]") {
  ArrayBench bench;
  bench.write("LAUNCH_LIMIT", 100000);
  bench.write("DMA_LIMIT", 100000);
  bench.issue({launch(5), Bench::dma(6)});
  bench.run_to(first_sent + 5000);
  CHECK(bench.read("COMMANDS_COMPLETED") == 2);
  CHECK_FALSE(sc_core::sc_pending_activity());
}

TEST_CASE("sequencer: ABORT stops launches and transfers and halts", "[sequencer]") {
  ArrayBench bench;
  bench.pes.automatic = bench.dma_unit.automatic = false;
  bench.dma_unit.error_address = 0x80001230;
  bench.issue({launch(5), Bench::dma(9, 1)});
  bench.run_to(first_sent + 100);
  SECTION("a transfer") {
    bench.write("ABORT", 1u << 17);
    REQUIRE(bench.dma_unit.aborts.size() == 1);
    CHECK(bench.dma_unit.aborts[0].second == 1);
    CHECK(bench.error_info() == unit_index_dma + 1);
    CHECK(bench.read("ERROR_ROWS") == 0);
    CHECK(bench.read("ERROR_TAG") == 9);
    CHECK(bench.read("ERROR_ADDRESS_LO") == 0x80001230);
    CHECK(bench.bit("STATUS", 17));
    CHECK(bench.complete_dma(1, 4) == tlm::TLM_OK_RESPONSE);
    bench.run_to(first_sent + 102);
    CHECK_FALSE(bench.bit("STATUS", 17));
    CHECK(bench.bit("STATUS", 8));
  }
  SECTION("a launch") {
    bench.write("ABORT", 1u << 8);
    CHECK(bench.stops == std::vector<u32>{0, 1, 2, 3});
    CHECK(bench.error_info() == unit_index_array);
    CHECK(bench.read("ERROR_ROWS") == 3);  // no PE has ended
    CHECK(bench.read("ERROR_TAG") == 5);
    CHECK_FALSE(bench.bit("STATUS", 8));
    CHECK(bench.bit("STATUS", 17));
  }
  SECTION("units that do nothing") {
    bench.write("ABORT", 1u << 16 | 1u << 31);
    CHECK(bench.error() == SequencerError::none);
    return;
  }
  CHECK(bench.error() == SequencerError::aborted);
  CHECK(bench.read("COMMANDS_COMPLETED") == 0);
}

TEST_CASE("sequencer: a reset stops a kernel that never ends", "[sequencer]") {
  ArrayBench bench;
  bench.pes.automatic = false;
  bench.issue({launch(5), launch(6)});
  bench.run_to(first_sent + 10000);
  CHECK(bench.bit("STATUS", 8));
  CHECK(bench.stops.empty());
  bench.write("CONTROL", 3);
  CHECK(bench.stops == std::vector<u32>{0, 1, 2, 3});
  CHECK_FALSE(bench.bit("STATUS", 8));
  CHECK(bench.counter("array_busy") == 10001);  // the write takes effect a cycle later
  // A report that comes after all means nothing.
  CHECK(bench.complete_pe(0, 1) != tlm::TLM_OK_RESPONSE);
  bench.pes.automatic = true;
  bench.tail = 0;
  bench.put(launch(8));
  bench.ring();
  bench.run_to(first_sent + 20000);
  CHECK(bench.configures.size() == 8);
  CHECK(bench.error() == SequencerError::none);
  CHECK(bench.read("COMMANDS_COMPLETED") == 1);
}

TEST_CASE("sequencer: a reset at any time leaves a working sequencer", "[sequencer]") {
  for (Cycle when = doorbell; when < first_sent + 1200; when += 31) {
    INFO("at " << when);
    ArrayBench bench;
    bench.annotate = when % 2 == 0;
    Command first = launch(1);
    first.signal = 0;
    bench.issue({Bench::dma(0), first, launch(2), launch(3, image_b), Bench::sync(4)});
    bench.at(when, [&] {
      bench.write("CONTROL", 3);
      bench.tail = 0;
      Command again = launch(11, image_b);
      again.signal = 1;
      bench.put(again);
      bench.put(Bench::dma(12));
      bench.ring();
    });
    bench.run_to(when);
    CHECK(bench.read("SEMAPHORE0") == 0);
    bench.run_to(20000);
    CHECK(bench.error() == SequencerError::none);
    CHECK(bench.read("STATUS") == 1);
    CHECK(bench.read("COMMANDS_COMPLETED") == 2);
    CHECK(bench.read("SEMAPHORE0") == 0);
    CHECK(bench.read("SEMAPHORE1") == 1);
  }
}

// Property ------------------------------------------------------------------------------------------------------

TEST_CASE("sequencer: random command sequences keep the order of each unit and balance all semaphores", "[sequencer]") {
  for (u32 seed = 0; seed < 25; ++seed) {
    INFO("seed " << seed);
    std::mt19937 random(seed);
    Bench::Options options;
    options.tune = [&](SequencerParameters& parameters) {
      parameters.fetch_entries = 1 + random() % 8;
      parameters.queue_depth = 1 + random() % 8;
      parameters.launch_queue = 1 + random() % 3;
      parameters.dispatch_cycles = 1 + random() % 8;
    };
    ArrayBench bench(options);
    bench.write("CONTROL", 0);
    bench.setup(256);
    bench.annotate = seed % 2 == 0;
    bench.dma_unit.duration = [&](u32) { return Cycle{1 + random() % 300}; };
    bench.pes.duration = [&](u32, const LaunchRecord&) { return Cycle{1 + random() % 600}; };

    // Each command waits only for what an earlier one signals, and each semaphore is waited for by one unit only,
    // so that the sequence cannot deadlock: nobody takes a token that an earlier command counted on.
    std::vector<Command> commands;
    std::array<int, 8> open{};
    for (u32 tag = 0; tag < 200; ++tag) {
      const u32 kind = random() % 4;
      Command command = kind == 0   ? Bench::sync(tag)
                        : kind == 1 ? launch(tag, std::array{image_a, image_b, image_c}[random() % 8 / 3])
                                    : Bench::dma(tag, static_cast<u8>(kind - 2));
      for (u8& wait : command.wait) {
        const auto semaphore = static_cast<u8>(kind + 4 * (random() % 2));
        if (open[semaphore] == 0) continue;
        --open[semaphore];
        wait = semaphore;
      }
      if (random() % 3 != 0) {
        command.signal = static_cast<u8>(random() % 8);
        ++open[command.signal];
      }
      if (random() % 5 == 0) command.flags = command_flag_interrupt;
      commands.push_back(command);
      bench.put(command);
    }
    bench.ring_at(doorbell);
    bench.run_to(400000);

    REQUIRE(bench.error() == SequencerError::none);
    CHECK(bench.read("COMMANDS_COMPLETED") == 200);
    CHECK(bench.read("STATUS") == 1);
    for (u32 i = 0; i < 8; ++i) CHECK(bench.read("SEMAPHORE" + std::to_string(i)) == static_cast<u32>(open[i]));

    // Replay of the observer's notes: tokens are never negative, units start in order, DMA channels run one at a time.
    std::array<int, 8> tokens{};
    std::array<u32, 4> last{};
    std::array<int, 4> running{};
    bool sound = true;
    for (const auto& note : bench.notes) {
      const Command& command = commands.at(note.tag);
      const std::size_t unit = command.opcode == 2 ? command.unit : command.opcode == 3 ? 2 : 3;
      if (note.what == 's') {
        sound = sound && note.tag + 1 > last[unit];
        last[unit] = note.tag + 1;
        sound = sound && (++running[unit] == 1 || unit == 2);
        for (const u8 wait : command.wait) {
          if (wait != semaphore_none) sound = sound && --tokens[wait] >= 0;
        }
      } else if (note.what == 'c') {
        --running[unit];
        if (command.signal != semaphore_none) ++tokens[command.signal];
      }
    }
    CHECK(sound);
    CHECK(running == std::array<int, 4>{});

    // Each PE saw every launch in order, with the right image in its context.
    for (u32 pe = 0; pe < 4; ++pe) {
      std::vector<u32> tags;
      for (const auto& seen : bench.launches) {
        if (seen.pe == pe) tags.push_back(seen.record.tag);
      }
      CHECK(std::is_sorted(tags.begin(), tags.end()));
      CHECK(tags.size() == bench.counter("commands_launch"));
    }
    const u64 configured = bench.configures.size() / 4;
    CHECK(configured + bench.counter("launches_same_image") == bench.counter("commands_launch"));
  }
}
