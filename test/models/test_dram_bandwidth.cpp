// SPDX-License-Identifier: Apache-2.0
// How much of its peak the DRAM gives to streams of requests, against DRAMsim3: the table of docs/models/dram.md.
#include <fmt/format.h>
#include <tlm_utils/simple_initiator_socket.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <queue>
#include <random>
#include <vector>

#include "models/base/simulation_context.h"
#include "models/memory/dram.h"

namespace {

using namespace bvp;

constexpr u64 requests = 20000;

struct Request {
  u64 address;
  bool write;
};
/// The requests of a stream, one after the other.
using Pattern = std::function<Request(u64 index)>;

Pattern sequential(u64 bytes) {
  return [bytes](u64 i) { return Request{i * bytes, false}; };
}
Pattern strided(u64 stride) {
  return [stride](u64 i) { return Request{i * stride % (u64{1} << 30), false}; };
}
Pattern scattered(u64 bytes, u32 percent_reads) {
  return [bytes, percent_reads, random = std::mt19937(3)](u64) mutable {
    const u64 address = random() % ((u64{1} << 30) / bytes) * bytes;
    return Request{address, random() % 100 >= percent_reads};
  };
}
Pattern copy(u64 bytes) {
  return [bytes](u64 i) { return Request{i / 2 * bytes + (i % 2 == 0 ? 0 : 0x20000000), i % 2 == 1}; };
}

struct Stream {
  const char* name;
  u32 bytes;  // of a request
  std::size_t in_flight;
  Pattern pattern;
  double dramsim3;  // percent of the peak
};

/// DRAMsim3's figures are those of its commit 2981759; docs/models/dram.md says how it was set up.
const std::vector<Stream>& streams() {
  static const std::vector<Stream> list{
      {"256 B reads in sequence", 256, 4, sequential(256), 44.4},
      {"256 B reads in sequence", 256, 8, sequential(256), 86.6},
      {"256 B reads in sequence", 256, 16, sequential(256), 94.0},
      {"256 B reads in sequence", 256, 32, sequential(256), 93.9},
      {"64 B reads in sequence", 64, 64, sequential(64), 94.4},
      {"64 B reads, stride 512 B", 64, 64, strided(512), 47.6},
      {"64 B reads, stride 1 KB", 64, 64, strided(1024), 47.6},
      {"64 B reads, stride 4 KB", 64, 64, strided(4096), 47.5},
      {"64 B reads, stride 16 KB", 64, 64, strided(16384), 20.5},
      {"256 B random reads", 256, 8, scattered(256, 100), 50.3},
      {"256 B random reads", 256, 32, scattered(256, 100), 62.0},
      {"64 B random reads", 64, 64, scattered(64, 100), 31.4},
      {"64 B random, 80 % reads", 64, 64, scattered(64, 80), 30.9},
      {"256 B copy, reads and writes 1:1", 256, 8, copy(256), 63.7},
      {"256 B copy, reads and writes 1:1", 256, 16, copy(256), 79.6},
      {"256 B copy, reads and writes 1:1", 256, 32, copy(256), 79.8},
  };
  return list;
}

/// Keeps a number of requests of a stream in flight: each further one begins when any of them is done.
struct ClosedLoop : sc_core::sc_module {
  ClosedLoop(sc_core::sc_module_name name, const Stream& stream) : sc_module(name), out("out"), stream(stream) {
    SC_THREAD(run);
  }
  SC_HAS_PROCESS(ClosedLoop);

  void run() {
    using sc_core::sc_time;
    std::priority_queue<sc_time, std::vector<sc_time>, std::greater<sc_time>> done;
    std::vector<u8> data(stream.bytes);
    Pattern next = stream.pattern;
    for (u64 i = 0; i < requests; ++i) {
      if (done.size() == stream.in_flight) {
        if (done.top() > sc_core::sc_time_stamp()) wait(done.top() - sc_core::sc_time_stamp());
        done.pop();
      }
      const Request request = next(i);
      tlm::tlm_generic_payload payload;
      payload.set_command(request.write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND);
      payload.set_address(request.address);
      payload.set_data_ptr(data.data());
      payload.set_data_length(stream.bytes);
      payload.set_streaming_width(stream.bytes);
      sc_time delay;
      out->b_transport(payload, delay);
      served += payload.is_response_ok() ? 1 : 0;
      done.push(sc_core::sc_time_stamp() + delay);
      end = std::max(end, sc_core::sc_time_stamp() + delay);
    }
  }

  tlm_utils::simple_initiator_socket<ClosedLoop> out;
  const Stream& stream;
  u64 served = 0;
  sc_core::sc_time end;
};

/// Percent of the peak of all channels.
double share_of_peak(const Stream& stream, i64 channels, bool hash, const std::string& standard = "ddr4_3200",
                     const std::string& refresh = "all_bank") {
  const SimulationContext context;
  ParameterGroup root{"test"};
  DramParameters parameters{&root};
  StatGroup stats{"test"};
  parameters.standard = standard;
  apply_dram_standard(parameters);
  parameters.geometry.channels = channels;
  parameters.refresh.policy = refresh;
  parameters.bank_hash = hash;
  Dram dram("dram", parameters, stats);
  ClosedLoop initiator("initiator", stream);
  initiator.out.bind(dram.target);
  sc_core::sc_start();
  REQUIRE(initiator.served == requests);
  const double peak =
      parameters.geometry.clock_hz *
      static_cast<double>(channels * parameters.geometry.transfers_per_clock * parameters.geometry.bus_bytes);
  return 100 * static_cast<double>(requests) * stream.bytes / initiator.end.to_seconds() / peak;
}

/// Streams that every standard is measured with.
const std::vector<Stream>& common_streams() {
  static const std::vector<Stream> list{
      {"256 B reads in sequence", 256, 4, sequential(256), 0},
      {"256 B reads in sequence", 256, 16, sequential(256), 0},
      {"256 B reads in sequence", 256, 32, sequential(256), 0},
      {"64 B reads in sequence", 64, 64, sequential(64), 0},
      {"64 B reads, stride 4 KB", 64, 64, strided(4096), 0},
      {"256 B random reads", 256, 32, scattered(256, 100), 0},
      {"64 B random reads", 64, 64, scattered(64, 100), 0},
      {"64 B random, 80 % reads", 64, 64, scattered(64, 80), 0},
      {"256 B copy, reads and writes 1:1", 256, 32, copy(256), 0},
  };
  return list;
}

/// Percent of the peak that DRAMsim3 gives to the common streams, with the timings of our table, by standard.
const std::map<std::string, std::vector<double>>& dramsim3_of_standards() {
  static const std::map<std::string, std::vector<double>> figures{
      {"lpddr4x_4266", {85.8, 91.6, 91.7, 91.8, 45.3, 91.3, 66.0, 59.4, 88.4}},
      {"hbm2e", {37.9, 89.6, 90.0, 89.8, 21.3, 51.2, 51.3, 37.5, 84.9}},
  };
  return figures;
}

/// A table a standard that DRAMsim3 has, in Markdown.
std::string standards_table() {
  std::string text;
  for (const auto& [standard, figures] : dramsim3_of_standards()) {
    text +=
        fmt::format("| `{}` | in flight | DRAMsim3 | no hash | apart | hash, refreshes of single banks |\n", standard);
    text += "| --- | --- | --- | --- | --- | --- |\n";
    for (std::size_t i = 0; i < common_streams().size(); ++i) {
      const Stream& stream = common_streams()[i];
      const double plain = share_of_peak(stream, 1, false, standard);
      text +=
          fmt::format("| {} | {} | {:.1f} | {:.1f} | {:+.1f} % | {:.1f} |\n", stream.name, stream.in_flight, figures[i],
                      plain, 100 * (plain / figures[i] - 1), share_of_peak(stream, 1, true, standard, "per_bank"));
    }
    text += "\n";
  }
  return text;
}

/// The table, in Markdown.
std::string table() {
  std::string text =
      "| stream | in flight | DRAMsim3 | one channel, no hash | apart | one channel | two channels |\n"
      "| --- | --- | --- | --- | --- | --- | --- |\n";
  for (const Stream& stream : streams()) {
    const double plain = share_of_peak(stream, 1, false);
    text += fmt::format("| {} | {} | {:.1f} | {:.1f} | {:+.1f} % | {:.1f} | {:.1f} |\n", stream.name, stream.in_flight,
                        stream.dramsim3, plain, 100 * (plain / stream.dramsim3 - 1), share_of_peak(stream, 1, true),
                        share_of_peak(stream, 2, true));
  }
  return text;
}

}  // namespace

TEST_CASE("dram: bandwidth is that of DRAMsim3 within 10 %", "[dram]") {
  for (const Stream& stream : streams()) {
    INFO(stream.name << ", " << stream.in_flight << " in flight");
    CHECK(share_of_peak(stream, 1, false) == Approx(stream.dramsim3).epsilon(0.1));
  }
}

TEST_CASE("dram: bandwidth of other standards is that of DRAMsim3 within 14 %", "[dram][standards]") {
  for (const auto& [standard, figures] : dramsim3_of_standards()) {
    for (std::size_t i = 0; i < figures.size(); ++i) {
      const Stream& stream = common_streams()[i];
      INFO(standard << ": " << stream.name << ", " << stream.in_flight << " in flight");
      CHECK(share_of_peak(stream, 1, false, standard) == Approx(figures[i]).epsilon(0.14));
    }
  }
}

TEST_CASE("dram: every standard as it is configured gives streams most of its peak", "[dram][standards]") {
  for (const DramStandard& standard : dram_standards()) {
    INFO(standard.name);
    ParameterGroup root{"test"};
    DramParameters parameters{&root};
    parameters.standard = standard.name;
    apply_dram_standard(parameters);
    const Stream stream{"", 64, 64, sequential(64), 0};
    CHECK(share_of_peak(stream, 1, true, standard.name, parameters.refresh.policy) > 85);
    CHECK(share_of_peak(stream, 1, true, standard.name, parameters.refresh.policy) <= 100);
  }
}

TEST_CASE("dram: strides of powers of two spread over channels and banks", "[dram]") {
  for (const u64 stride : {128, 256, 512, 1024, 2048, 4096}) {
    INFO("stride " << stride);
    const Stream stream{"", 64, 64, strided(stride), 0};
    CHECK(share_of_peak(stream, 2, true) > 55);
  }
}

TEST_CASE("dram: the page has the table as it is measured", "[dram]") {
  const char* const root = std::getenv("BVP_SOURCE_DIR");
  std::ifstream file(std::string(root != nullptr ? root : ".") + "/docs/models/dram.md");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  REQUIRE_FALSE(page.empty());
  for (const std::string& measured : {table(), standards_table()}) {
    INFO("test_models \"[.dram_table]\" prints the tables to paste:\n" << measured);
    CHECK((page.find(measured) != std::string::npos));
  }
}

// Prints the tables of docs/models/dram.md.
TEST_CASE("tables of the DRAM's bandwidth", "[.dram_table]") { std::cout << table() << "\n" << standards_table(); }
