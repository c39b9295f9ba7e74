// SPDX-License-Identifier: Apache-2.0
// The DRAM behind its socket: data, latency, bandwidth, contention, errors.
#include <tlm_utils/simple_initiator_socket.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <functional>
#include <map>
#include <numeric>
#include <random>
#include <tuple>
#include <vector>

#include "models/base/simulation_context.h"
#include "models/memory/dram.h"
#include "test/models/dram_command_checker.h"

using namespace bvp;

namespace {

/// Runs a function as a thread with a socket to the memory.
struct Initiator : sc_core::sc_module {
  explicit Initiator(sc_core::sc_module_name name, std::function<void(Initiator&)> body)
      : sc_module(name), out("out"), body(std::move(body)) {
    SC_THREAD(run);
  }
  SC_HAS_PROCESS(Initiator);
  void run() { body(*this); }

  tlm::tlm_response_status access(tlm::tlm_command command, u64 address, void* data, u32 length,
                                  sc_core::sc_time& delay, SampledTraffic* sampled = nullptr) {
    tlm::tlm_generic_payload payload;
    if (sampled != nullptr) payload.set_extension(sampled);
    payload.set_command(command);
    payload.set_address(address);
    payload.set_data_ptr(static_cast<u8*>(data));
    payload.set_data_length(length);
    payload.set_streaming_width(length);
    payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    out->b_transport(payload, delay);
    if (sampled != nullptr) payload.clear_extension(sampled);
    return payload.get_response_status();
  }
  /// Accesses and lets the time pass; returns the latency in ns.
  double timed(tlm::tlm_command command, u64 address, u32 length) {
    std::vector<u8> data(length);
    sc_core::sc_time delay;
    access(command, address, data.data(), length, delay);
    wait(delay);
    return delay.to_seconds() * 1e9;
  }

  /// Moves `requests` requests with up to `window` in flight; returns GB/s.
  double stream(u64 requests, u32 length, std::size_t window,
                const std::function<std::pair<u64, bool>(u64)>& generate) {
    std::vector<u8> data(length);
    std::vector<sc_core::sc_time> done(window);
    const sc_core::sc_time begin = sc_core::sc_time_stamp();
    sc_core::sc_time end;
    for (u64 i = 0; i < requests; ++i) {
      const sc_core::sc_time issue = done[i % window];
      if (issue > sc_core::sc_time_stamp()) wait(issue - sc_core::sc_time_stamp());
      sc_core::sc_time delay;
      const auto [address, write] = generate(i);
      access(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND, address, data.data(), length, delay);
      done[i % window] = sc_core::sc_time_stamp() + delay;
      end = std::max(end, done[i % window]);
    }
    return static_cast<double>(requests) * length / (end - begin).to_seconds() / 1e9;
  }

  tlm_utils::simple_initiator_socket<Initiator> out;
  std::function<void(Initiator&)> body;
};

struct System {
  SimulationContext context;
  ParameterGroup root{"test"};
  DramParameters parameters{&root};
  StatGroup stats{"test"};
  std::unique_ptr<Dram> dram;

  void run(const std::function<void(Initiator&)>& body) {
    dram = std::make_unique<Dram>("dram", parameters, stats);
    Initiator initiator("initiator", body);
    initiator.out.bind(dram->target);
    sc_core::sc_start();
  }
};

}  // namespace

TEST_CASE("dram: idle latencies", "[dram]") {
  System s;
  s.run([](Initiator& i) {
    using namespace sc_core;
    CHECK(i.timed(tlm::TLM_READ_COMMAND, 0, 64) == Approx(90.0));  // closed bank
    wait(500, SC_NS);
    CHECK(i.timed(tlm::TLM_READ_COMMAND, 0, 64) == Approx(76.25).margin(0.7));  // open row
    wait(500, SC_NS);
    CHECK(i.timed(tlm::TLM_WRITE_COMMAND, 0, 64) == Approx(30.0).margin(0.7));  // posted
  });
  CHECK(s.dram->statistics().row_misses.value() == 1);
  CHECK(s.dram->statistics().row_hits.value() == 1);
  CHECK(s.dram->statistics().requests_read.value() == 2);
  CHECK(s.dram->statistics().bytes_written.value() == 64);
}

TEST_CASE("dram: data of any size and alignment", "[dram]") {
  System s;
  s.parameters.geometry.size_bytes = 65536;
  s.run([&](Initiator& i) {
    std::mt19937 random(1);
    std::vector<u8> expected(65536, 0);
    sc_core::sc_time delay;
    for (int n = 0; n < 3000; ++n) {
      const u32 length = 1 + random() % (n % 10 == 0 ? 4096 : 100);
      const u64 address = random() % (65536 - length + 1);
      std::vector<u8> data(length);
      if (random() % 2 == 0) {
        for (u8& byte : data) byte = static_cast<u8>(random());
        std::copy(data.begin(), data.end(), expected.begin() + static_cast<std::ptrdiff_t>(address));
        REQUIRE(i.access(tlm::TLM_WRITE_COMMAND, address, data.data(), length, delay) == tlm::TLM_OK_RESPONSE);
      } else {
        REQUIRE(i.access(tlm::TLM_READ_COMMAND, address, data.data(), length, delay) == tlm::TLM_OK_RESPONSE);
        REQUIRE(std::equal(data.begin(), data.end(), expected.begin() + static_cast<std::ptrdiff_t>(address)));
      }
    }
    // The debug view sees the same bytes and is cut off at the end.
    tlm::tlm_generic_payload payload;
    std::vector<u8> data(100);
    payload.set_command(tlm::TLM_READ_COMMAND);
    payload.set_address(65536 - 40);
    payload.set_data_ptr(data.data());
    payload.set_data_length(100);
    CHECK(i.out->transport_dbg(payload) == 40);
    CHECK(std::equal(data.begin(), data.begin() + 40, expected.end() - 40));
    payload.set_address(65536);
    CHECK(i.out->transport_dbg(payload) == 0);
  });
}

TEST_CASE("dram: an access of 4 GB memory at its end, pages on demand", "[dram]") {
  System s;
  s.parameters.geometry.size_bytes = i64{1} << 32;
  s.run([](Initiator& i) {
    u64 value = 0x0123456789abcdef;
    sc_core::sc_time delay;
    CHECK(i.access(tlm::TLM_WRITE_COMMAND, 0xfffffff8, &value, 8, delay) == tlm::TLM_OK_RESPONSE);
    u64 read = 0;
    CHECK(i.access(tlm::TLM_READ_COMMAND, 0xfffffff8, &read, 8, delay) == tlm::TLM_OK_RESPONSE);
    CHECK(read == value);
    CHECK(i.access(tlm::TLM_READ_COMMAND, 0xfffffff9, &read, 8, delay) == tlm::TLM_ADDRESS_ERROR_RESPONSE);
  });
}

TEST_CASE("dram: errors", "[dram]") {
  System s;
  s.parameters.geometry.size_bytes = 65536;
  s.run([](Initiator& i) {
    std::vector<u8> data(8192);
    sc_core::sc_time delay;
    CHECK(i.access(tlm::TLM_READ_COMMAND, 65536, data.data(), 1, delay) == tlm::TLM_ADDRESS_ERROR_RESPONSE);
    CHECK(i.access(tlm::TLM_READ_COMMAND, 65535, data.data(), 2, delay) == tlm::TLM_ADDRESS_ERROR_RESPONSE);
    CHECK(i.access(tlm::TLM_WRITE_COMMAND, ~u64{0}, data.data(), 64, delay) == tlm::TLM_ADDRESS_ERROR_RESPONSE);
    CHECK(i.access(tlm::TLM_READ_COMMAND, 0, data.data(), 4097, delay) == tlm::TLM_BURST_ERROR_RESPONSE);
    CHECK(i.access(tlm::TLM_READ_COMMAND, 0, data.data(), 0, delay) == tlm::TLM_BURST_ERROR_RESPONSE);
    CHECK(i.access(tlm::TLM_IGNORE_COMMAND, 0, data.data(), 4, delay) == tlm::TLM_COMMAND_ERROR_RESPONSE);
    tlm::tlm_generic_payload payload;
    u8 enable = 0xff;
    payload.set_command(tlm::TLM_WRITE_COMMAND);
    payload.set_data_ptr(data.data());
    payload.set_data_length(4);
    payload.set_streaming_width(4);
    payload.set_byte_enable_ptr(&enable);
    payload.set_byte_enable_length(1);
    i.out->b_transport(payload, delay);
    CHECK(payload.get_response_status() == tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
    payload.set_byte_enable_ptr(nullptr);
    payload.set_streaming_width(2);
    i.out->b_transport(payload, delay);
    CHECK(payload.get_response_status() == tlm::TLM_BURST_ERROR_RESPONSE);
    CHECK(delay == sc_core::SC_ZERO_TIME);
  });
  CHECK(s.dram->statistics().errors.value() == 8);
}

TEST_CASE("dram: direct memory access", "[dram]") {
  for (const bool allowed : {true, false}) {
    System s;
    s.parameters.dmi = allowed;
    s.parameters.geometry.size_bytes = 65536;
    s.run([allowed](Initiator& i) {
      u32 value = 42;
      sc_core::sc_time delay;
      i.access(tlm::TLM_WRITE_COMMAND, 400, &value, 4, delay);
      tlm::tlm_generic_payload payload;
      payload.set_command(tlm::TLM_READ_COMMAND);
      payload.set_address(400);
      tlm::tlm_dmi dmi;
      CHECK(i.out->get_direct_mem_ptr(payload, dmi) == allowed);
      CHECK(dmi.get_end_address() == 65535);
      if (allowed) {
        CHECK(dmi.get_dmi_ptr()[400] == 42);
        CHECK(dmi.is_read_write_allowed());
      }
    });
  }
}

TEST_CASE("dram: data without time, with and without direct memory access", "[dram]") {
  for (const bool allowed : {true, false}) {
    System s;
    s.parameters.dmi = allowed;
    s.parameters.geometry.size_bytes = 65536;
    s.run([](Initiator& i) {
      std::array<u8, 12> bytes{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
      // The second run lies below the first.
      const std::array<BulkData::Run, 2> runs{{{0, 4}, {static_cast<u64>(-300), 8}}};
      BulkData bulk;
      bulk.runs = runs.data();
      bulk.count = runs.size();
      tlm::tlm_generic_payload payload;
      payload.set_command(tlm::TLM_IGNORE_COMMAND);
      payload.set_extension(&bulk);
      const auto send = [&](u64 address, bool write, std::array<u8, 12>& data) {
        bulk.write = write;
        bulk.done = false;
        payload.set_address(address);
        payload.set_data_ptr(data.data());
        sc_core::sc_time delay;
        i.out->b_transport(payload, delay);
        CHECK(delay == sc_core::SC_ZERO_TIME);
        return bulk.done;
      };
      CHECK(send(400, true, bytes));
      std::array<u8, 8> second{};
      sc_core::sc_time delay;
      i.access(tlm::TLM_READ_COMMAND, 100, second.data(), 8, delay);
      CHECK(std::equal(second.begin(), second.end(), bytes.begin() + 4));
      std::array<u8, 12> read{};
      CHECK(send(400, false, read));
      CHECK(read == bytes);
      CHECK_FALSE(send(65533, true, bytes));
      CHECK(payload.get_response_status() == tlm::TLM_ADDRESS_ERROR_RESPONSE);
      payload.clear_extension(&bulk);
    });
    // Nothing of it is counted.
    CHECK(s.dram->statistics().requests_written.value() == 0);
    CHECK(s.dram->statistics().requests_read.value() == 1);
    CHECK(s.dram->statistics().errors.value() == 0);
  }
}

TEST_CASE("dram: traffic without time is counted as the sample of its pattern was", "[dram]") {
  System s;
  s.run([&s](Initiator& i) {
    const auto tell = [&i](BulkTraffic bulk) {
      tlm::tlm_generic_payload payload;
      payload.set_command(tlm::TLM_IGNORE_COMMAND);
      payload.set_extension(&bulk);
      sc_core::sc_time delay;
      i.out->b_transport(payload, delay);
      payload.clear_extension(&bulk);
    };
    const auto sample = [&](u64 pattern, u32 step, bool write) {
      SampledTraffic sampled;
      sampled.pattern = pattern;
      for (u64 address = 0; address < 65536; address += step) {
        std::array<u8, 16> data{};
        sc_core::sc_time delay;
        i.access(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND, address, data.data(), 16, delay, &sampled);
        // What others do meanwhile does not count.
        std::array<u8, 64> image{};
        i.access(tlm::TLM_READ_COMMAND, 0x40000 + 4 * address, image.data(), 64, delay);
        sc_core::wait(sc_core::sc_time(16, sc_core::SC_NS));
      }
    };
    const DramStatistics& counted = s.dram->statistics();
    const auto moved = [&](u64 pattern, bool write) {
      const u64 before = counted.read_64b.value() + counted.write_64b.value();
      BulkTraffic bulk;
      bulk.pattern = pattern;
      bulk.write = write;
      bulk.bytes = 64000;
      bulk.requests = 4000;
      tell(bulk);
      return counted.read_64b.value() + counted.write_64b.value() - before;
    };
    // Four writes to a block are one access, unless the queue is emptied between them; four reads are four, and
    // scattered writes do not join.
    sample(1, 16, true);
    sample(2, 16, false);
    sample(3, 64, true);
    CHECK(moved(1, true) == Approx(1050).epsilon(0.05));
    CHECK(moved(2, false) == 4000);
    CHECK(moved(3, true) == 4000);
    CHECK(moved(1, true) == Approx(1050).epsilon(0.05));
  });
}

TEST_CASE("dram: every channel of every machine obeys the rules of its devices", "[dram]") {
  for (u32 seed = 0; seed < 24; ++seed) {
    INFO("seed " << seed);
    std::mt19937 random(seed);
    System s;
    s.parameters.geometry.channels = i64{1} << random() % 4;
    s.parameters.bank_hash = random() % 2 == 0;
    s.parameters.page_policy = std::string(random() % 2 == 0 ? "open" : "closed");
    s.parameters.geometry.interleave_bytes = i64{64} << random() % 8;
    s.parameters.queue_entries = 1 + random() % 64;
    s.parameters.writes.queue_entries = 1 + random() % 64;
    s.parameters.writes.queue_high = 1 + random() % static_cast<u64>(s.parameters.writes.queue_entries.get());
    s.parameters.writes.queue_low = random() % static_cast<u64>(s.parameters.writes.queue_high.get());
    const u64 reads = random() % 101;
    std::vector<std::vector<DramCommand>> commands(static_cast<std::size_t>(s.parameters.geometry.channels.get()));
    s.run([&](Initiator& i) {
      const auto connections =
          s.dram->connect_commands([&](u32 channel, const DramCommand& c) { commands.at(channel).push_back(c); });
      i.stream(2000, 256, 1 + random() % 64, [&](u64 n) {
        const u64 block = random() % 2 == 0 ? n : random() % (1u << 20);
        return std::make_pair(block * 256, random() % 100 >= reads);
      });
      s.dram->update_statistics();
    });
    for (const std::vector<DramCommand>& channel : commands) {
      const std::vector<std::string> violations = test::DramCommandChecker(s.parameters).check(channel);
      INFO((violations.empty() ? "" : violations.front()));
      CHECK(violations.size() == 0);
    }
    // Nothing is lost: what was not read has been written, joined another write or still waits in a queue.
    const DramStatistics& counted = s.dram->statistics();
    const u64 served =
        counted.read_64b.value() + counted.forwarded.value() + counted.write_64b.value() + counted.merged.value();
    CHECK(served <= 2000 * 4);
    CHECK(served + static_cast<u64>(s.parameters.geometry.channels * s.parameters.writes.queue_entries) >= 2000 * 4);
    CHECK(counted.bytes_read.value() + counted.bytes_written.value() == 2000 * 256);
  }
}

TEST_CASE("dram: two initiators share the bandwidth", "[dram]") {
  System s;
  s.dram = std::make_unique<Dram>("dram", s.parameters, s.stats);
  // A socket each: the memory's socket takes one initiator, so a small hub forwards.
  struct Hub : sc_core::sc_module {
    explicit Hub(sc_core::sc_module_name name) : sc_module(name), a("a"), b("b"), out("out") {
      a.register_b_transport(this, &Hub::forward);
      b.register_b_transport(this, &Hub::forward);
    }
    void forward(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) { out->b_transport(payload, delay); }
    tlm_utils::simple_target_socket<Hub> a, b;
    tlm_utils::simple_initiator_socket<Hub> out;
  };
  Hub hub("hub");
  hub.out.bind(s.dram->target);
  double rates[2] = {0, 0};
  const auto stream = [&](double& rate, u64 base) {
    return [&rate, base](Initiator& i) {
      rate = i.stream(20000, 256, 32, [base](u64 n) { return std::make_pair(base + n * 256, false); });
    };
  };
  Initiator first("first", stream(rates[0], 0));
  Initiator second("second", stream(rates[1], 0x30000000));
  first.out.bind(hub.a);
  second.out.bind(hub.b);
  sc_core::sc_start();
  const double sum = rates[0] + rates[1];
  CHECK(sum > 0.75 * 51.2);
  CHECK(sum < 0.97 * 51.2);
  CHECK(rates[0] == Approx(rates[1]).epsilon(0.1));
}

TEST_CASE("dram: refreshes are counted by time", "[dram]") {
  System s;
  s.run([](Initiator&) { sc_core::wait(100, sc_core::SC_US); });
  CHECK(s.dram->statistics().refresh.value() == 0);
  s.dram->update_statistics();
  CHECK(s.dram->statistics().refresh.value() == 2 * 12);  // 100 / 7.8
}

TEST_CASE("dram: the address map is one-to-one", "[dram]") {
  ParameterGroup root("test");
  for (int variant = 0; variant < 12; ++variant) {
    DramParameters parameters(&root);
    parameters.address_map = parameters.address_map.choices().at(variant < 6 ? 0 : 1);
    parameters.geometry.channels = variant % 6 == 1 ? 8 : variant % 6 == 2 ? 1 : 2;
    parameters.geometry.banks = variant % 6 == 3 ? 8 : 16;
    parameters.geometry.bank_groups = variant % 6 == 3 ? 1 : 4;
    parameters.geometry.interleave_bytes = variant % 6 == 4 ? 4096 : 256;
    parameters.geometry.row_bytes = variant % 6 == 5 ? 1024 : 8192;
    const std::unique_ptr<DramAddressMap> map = make_dram_address_map(parameters);
    // Each row of each bank holds exactly row_bytes.
    std::map<std::tuple<u32, u32, u64>, u64> blocks;
    const u64 bytes = 8 << 20;
    for (u64 address = 0; address < bytes; address += 64) {
      const DramLocation at = map->locate(address);
      REQUIRE(at.channel < parameters.geometry.channels);
      REQUIRE(at.bank < parameters.geometry.banks);
      ++blocks[{at.channel, at.bank, at.row}];
    }
    for (const auto& [key, count] : blocks) REQUIRE(count == static_cast<u64>(parameters.geometry.row_bytes / 64));
  }
}
