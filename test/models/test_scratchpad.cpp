// SPDX-License-Identifier: Apache-2.0
// The scratchpad: data against a plain array, timing by hand-made cases.
#include <tlm_utils/simple_initiator_socket.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "models/base/simulation_context.h"
#include "models/scratchpad/scratchpad.h"

using namespace bvp;

namespace {

constexpr u32 column_flag = VectorAccess::column_flag;

struct Options {
  i64 rows = 4, columns = 4, lanes = 32;
  std::function<void(ScratchpadParameters&)> tune;
};

/// What is bound to the scratchpad's sockets.
struct Initiators : sc_core::sc_module {
  Initiators(sc_core::sc_module_name name, std::size_t pes) : sc_module(name), pe("pe", pes) {}
  tlm_utils::simple_initiator_socket<Initiators> linear{"linear"};
  sc_core::sc_vector<tlm_utils::simple_initiator_socket<Initiators>> pe;
};

class Bench {
 public:
  struct Result {
    tlm::tlm_response_status status;
    Cycle done;  // after the cycle at which the transaction began
    u64 conflicts, issue;
  };

  explicit Bench(const Options& options = {}) : root_("test"), array_(&root_), parameters_(&root_), stats_("test") {
    array_.rows = options.rows;
    array_.columns = options.columns;
    array_.lanes = options.lanes;
    if (options.tune) options.tune(parameters_);
    dut = std::make_unique<Scratchpad>("scratchpad", array_, parameters_, clock_, agenda_, stats_);
    initiators_ = std::make_unique<Initiators>("initiators", dut->vector.size());
    initiators_->linear.bind(dut->linear);
    for (std::size_t pe = 0; pe < dut->vector.size(); ++pe) initiators_->pe[pe].bind(dut->vector[pe]);
    sc_core::sc_start(clock_.period());
  }

  u32 lanes() const { return static_cast<u32>(array_.lanes); }
  u32 row_bytes() const { return 2 * lanes(); }
  u32 tile_bytes() const { return row_bytes() * lanes(); }

  Result vectors(u32 pe, bool read, const std::vector<u32>& addresses, std::vector<u16>& data, Cycle at = 0) {
    data.resize(addresses.size() * lanes());
    VectorAccess access;
    access.addresses = addresses.data();
    access.count = static_cast<u32>(addresses.size());
    access.lanes = lanes();
    tlm::tlm_generic_payload payload;
    prepare(payload, read, reinterpret_cast<u8*>(data.data()), data.size() * 2);
    payload.set_extension(&access);
    sc_core::sc_time delay = clock_.to_time(at);
    initiators_->pe[pe]->b_transport(payload, delay);
    payload.clear_extension(&access);
    return {payload.get_response_status(), clock_.to_cycles(delay) - at, access.conflict_cycles, access.issue_cycles};
  }
  Result read(u32 pe, const std::vector<u32>& addresses, Cycle at = 0) {
    std::vector<u16> data;
    return vectors(pe, true, addresses, data, at);
  }
  Result write(u32 pe, const std::vector<u32>& addresses, Cycle at = 0) {
    std::vector<u16> data;
    return vectors(pe, false, addresses, data, at);
  }
  Result bytes(bool read, u64 address, std::vector<u8>& data, Cycle at = 0) {
    tlm::tlm_generic_payload payload;
    prepare(payload, read, data.data(), data.size());
    payload.set_address(address);
    sc_core::sc_time delay = clock_.to_time(at);
    initiators_->linear->b_transport(payload, delay);
    return {payload.get_response_status(), clock_.to_cycles(delay) - at, 0, 0};
  }
  Result bytes(bool read, u64 address, std::size_t length, Cycle at = 0) {
    std::vector<u8> data(length);
    return bytes(read, address, data, at);
  }
  unsigned debug(bool read, u64 address, std::vector<u8>& data) {
    tlm::tlm_generic_payload payload;
    prepare(payload, read, data.data(), data.size());
    payload.set_address(address);
    return initiators_->linear->transport_dbg(payload);
  }

  /// The first row of the first tile that lies in `bank`.
  u32 row_in_bank(u32 bank) const {
    for (u32 offset = 0; offset < dut->size(); offset += tile_bytes()) {
      if (dut->bank_of(offset) == bank) return offset;
    }
    FAIL("no tile in bank " << bank);
    return 0;
  }
  u64 counter(const std::string& name) const {
    for (const Counter* counter : dut->statistics().counters()) {
      if (counter->name() == name) return counter->value();
    }
    FAIL("no counter " << name);
    return 0;
  }

  Initiators& initiators() { return *initiators_; }
  static void prepare(tlm::tlm_generic_payload& payload, bool read, u8* data, std::size_t length) {
    payload.set_command(read ? tlm::TLM_READ_COMMAND : tlm::TLM_WRITE_COMMAND);
    payload.set_data_ptr(data);
    payload.set_data_length(static_cast<unsigned>(length));
    payload.set_streaming_width(static_cast<unsigned>(length));
    payload.set_byte_enable_ptr(nullptr);
    payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  }

 private:
  SimulationContext context_;
  ParameterGroup root_;
  ArrayParameters array_;
  ScratchpadParameters parameters_;
  ClockDomain clock_{1e9};
  CycleAgenda agenda_{"agenda", clock_};
  StatGroup stats_;

 public:
  std::unique_ptr<Scratchpad> dut;

 private:
  std::unique_ptr<Initiators> initiators_;
};

std::vector<u32> rows_from(u32 first, u32 count, u32 stride) {
  std::vector<u32> addresses(count);
  for (u32 i = 0; i < count; ++i) addresses[i] = first + i * stride;
  return addresses;
}

/// Random row and column accesses and linear transfers, compared with an array of bytes.
void check_against_array(const Options& options, unsigned seed) {
  Bench bench(options);
  std::vector<u8> model(bench.dut->size(), 0);
  std::mt19937 random(seed);
  const u32 lanes = bench.lanes(), row = bench.row_bytes(), tile = bench.tile_bytes();
  const auto byte_of = [&](u32 entry, u32 lane) {
    const u32 offset = entry & ~column_flag;
    return offset + lane * ((entry & column_flag) != 0 ? row : 2);
  };
  for (int step = 0; step < 300; ++step) {
    if (random() % 4 == 0) {
      const std::size_t length = 1 + random() % 4096;
      const u64 address = random() % (model.size() - length);
      std::vector<u8> data(length);
      if (random() % 2 == 0) {
        for (u8& byte : data) byte = static_cast<u8>(random());
        std::copy(data.begin(), data.end(), model.begin() + static_cast<std::ptrdiff_t>(address));
        REQUIRE(bench.bytes(false, address, data).status == tlm::TLM_OK_RESPONSE);
      } else {
        REQUIRE(bench.bytes(true, address, data).status == tlm::TLM_OK_RESPONSE);
        REQUIRE(std::equal(data.begin(), data.end(), model.begin() + static_cast<std::ptrdiff_t>(address)));
      }
      continue;
    }
    std::vector<u32> addresses(1 + random() % 20);
    // Few tiles, so that rows and columns meet.
    const u32 tiles = std::min<u32>(8, static_cast<u32>(model.size() / tile));
    for (u32& entry : addresses) {
      entry = random() % tiles * tile;
      entry += random() % 2 == 0 ? random() % lanes * row : column_flag + random() % lanes * 2;
    }
    std::vector<u16> data(addresses.size() * lanes);
    const u32 pe = random() % static_cast<u32>(options.rows * options.columns);
    if (random() % 2 == 0) {
      for (u16& value : data) value = static_cast<u16>(random());
      REQUIRE(bench.vectors(pe, false, addresses, data).status == tlm::TLM_OK_RESPONSE);
      for (std::size_t i = 0; i < data.size(); ++i) {
        std::memcpy(&model[byte_of(addresses[i / lanes], i % lanes)], &data[i], 2);
      }
    } else {
      REQUIRE(bench.vectors(pe, true, addresses, data).status == tlm::TLM_OK_RESPONSE);
      for (std::size_t i = 0; i < data.size(); ++i) {
        REQUIRE(std::memcmp(&model[byte_of(addresses[i / lanes], i % lanes)], &data[i], 2) == 0);
      }
    }
  }
  std::vector<u8> all(model.size());
  REQUIRE(bench.debug(true, 0, all) == all.size());
  REQUIRE(all == model);
}

}  // namespace

TEST_CASE("scratchpad: random accesses equal a plain array", "[scratchpad]") {
  unsigned seed = 1;
  for (const i64 lanes : {1, 4, 8, 32, 64}) {
    for (const i64 banks : {1, 2, 16, 64}) {
      Options options;
      options.lanes = lanes;
      options.tune = [&](ScratchpadParameters& parameters) {
        parameters.size_bytes = 65536;
        parameters.banks = banks;
      };
      INFO("lanes " << lanes << ", banks " << banks);
      check_against_array(options, seed++);
    }
  }
}

TEST_CASE("scratchpad: loosely timed accesses move the vectors of several PEs at once", "[scratchpad]") {
  Bench bench;
  const u32 lanes = bench.lanes();
  const std::vector<u32> addresses{0, column_flag + 2, bench.tile_bytes(), column_flag + bench.tile_bytes() + 6};
  std::vector<u16> written(addresses.size() * lanes), found(written.size());
  for (std::size_t i = 0; i < written.size(); ++i) written[i] = static_cast<u16>(7 * i + 1);
  const auto access = [&](bool read, std::vector<u16>& words) {
    std::vector<u16*> places(addresses.size());
    // The last vector lies first.
    for (std::size_t i = 0; i < places.size(); ++i) places[i] = words.data() + (places.size() - 1 - i) * lanes;
    VectorAccess vectors;
    vectors.addresses = addresses.data();
    vectors.count = 2;
    vectors.lanes = lanes;
    vectors.untimed_copies = 2;
    vectors.untimed_places = places.data();
    tlm::tlm_generic_payload payload;
    Bench::prepare(payload, read, nullptr, std::size_t{2} * bench.row_bytes());
    payload.set_extension(&vectors);
    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    bench.initiators().pe[0]->b_transport(payload, delay);
    payload.clear_extension(&vectors);
    CHECK(payload.is_response_ok());
    CHECK(delay == sc_core::SC_ZERO_TIME);
  };
  access(false, written);
  access(true, found);
  // Where the row and the column of a tile meet, the later one counts.
  auto expected = written;
  expected[3 * lanes + 1] = written[2 * lanes];
  expected[1 * lanes + 3] = written[0];
  CHECK(found == expected);
  CHECK(bench.counter("vector_reads") == 4);
  CHECK(bench.counter("vector_writes") == 4);
  CHECK(bench.counter("column_accesses") == 4);
}

TEST_CASE("scratchpad: vectors without time are served in turn", "[scratchpad]") {
  Bench bench;
  std::vector<Cycle> turns;
  const auto access = [&](const std::vector<u32>& addresses, u32 pes) {
    VectorAccess vectors;
    vectors.addresses = addresses.data();
    vectors.count = static_cast<u32>(addresses.size()) / pes;
    vectors.lanes = bench.lanes();
    vectors.untimed_copies = pes;
    vectors.turns = &turns;
    tlm::tlm_generic_payload payload;
    Bench::prepare(payload, true, nullptr, std::size_t{vectors.count} * bench.row_bytes());
    payload.set_extension(&vectors);
    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    bench.initiators().pe[0]->b_transport(payload, delay);
    payload.clear_extension(&vectors);
    CHECK(payload.is_response_ok());
    CHECK(delay == sc_core::SC_ZERO_TIME);
    return std::pair{vectors.turn_cycles, vectors.drain_cycles};
  };
  using Cycles = std::pair<Cycle, Cycle>;
  const u32 row = static_cast<u32>(bench.row_bytes()), tile = bench.tile_bytes();
  // Three PEs with two rows each: five of one bank, one of another.
  const std::vector<u32> addresses{0, row, 2 * row, 3 * row, 4 * row, tile};
  CHECK(access(addresses, 3) == Cycles{0, 5});
  CHECK(access(addresses, 3) == Cycles{5, 10});
  CHECK(access({tile}, 1) == Cycles{2, 10});
  CHECK(bench.counter("vector_reads") == 13);
}

TEST_CASE("scratchpad: unloaded latency is four cycles and the hops of the column", "[scratchpad]") {
  Bench bench;
  for (u32 pe = 0; pe < 16; ++pe) {
    const Cycle at = 100 * (pe + 1);
    CHECK(bench.read(pe, {0}, at).done == 4 + 2 * (pe % 4));
    CHECK(bench.write(pe, {0}, at + 50).done == 3 + pe % 4);
    CHECK(bench.dut->unloaded_read_latency(pe) == 4 + 2 * (pe % 4));
    CHECK(bench.dut->unloaded_write_latency(pe) == 3 + pe % 4);
  }
  CHECK(bench.counter("conflict_cycles") == 0);
  CHECK(bench.counter("vector_reads") == 16);
  CHECK(bench.counter("vector_writes") == 16);
}

TEST_CASE("scratchpad: a port issues one vector a cycle", "[scratchpad]") {
  Bench bench;
  const auto result = bench.read(0, rows_from(0, 8, bench.row_bytes()), 10);
  CHECK(result.done == 7 + 4);
  CHECK(result.issue == 8);
  CHECK(result.conflicts == 0);
  // The loads' next segment waits for the first one's issue; the stores have a channel of their own.
  const auto next = bench.read(0, {bench.row_in_bank(5)}, 12);
  CHECK(next.done == 6 + 4);
  CHECK(next.issue == 7);
  CHECK(bench.write(0, {bench.row_in_bank(6)}, 12).done == 3);
}

TEST_CASE("scratchpad: a column is one access of one bank", "[scratchpad]") {
  Bench bench;
  const auto columns = rows_from(column_flag, 32, 2);
  const auto result = bench.read(0, columns);
  CHECK(result.done == 31 + 4);
  CHECK(result.conflicts == 0);
  CHECK(bench.counter("column_accesses") == 32);
  CHECK(bench.dut->bank_accesses(bench.dut->bank_of(0)) == 32);
}

TEST_CASE("scratchpad: without column access a column is refused and nothing moves", "[scratchpad]") {
  Options options;
  options.tune = [](ScratchpadParameters& parameters) { parameters.column_access = false; };
  Bench bench(options);
  std::vector<u16> data(2 * bench.lanes(), 0x3c00);
  CHECK(bench.vectors(0, false, {0, column_flag}, data).status == tlm::TLM_COMMAND_ERROR_RESPONSE);
  CHECK(bench.vectors(0, true, {column_flag + 2, 0}, data).status == tlm::TLM_COMMAND_ERROR_RESPONSE);
  CHECK(bench.counter("vector_reads") + bench.counter("vector_writes") == 0);
  std::vector<u8> all(bench.dut->size(), 1);
  bench.debug(true, 0, all);
  CHECK(std::count(all.begin(), all.end(), 0) == static_cast<std::ptrdiff_t>(all.size()));
  CHECK(bench.read(0, {0}, 200).done == 4);
}

TEST_CASE("scratchpad: PEs in different banks do not meet, in the same bank they queue", "[scratchpad]") {
  SECTION("different") {
    Bench bench;
    for (u32 pe = 0; pe < 16; ++pe) {
      const auto result = bench.read(pe, rows_from(bench.row_in_bank(pe), 32, bench.row_bytes()));
      CHECK(result.done == 31 + 4 + 2 * (pe % 4));
      CHECK(result.conflicts == 0);
    }
    for (u32 bank = 0; bank < 16; ++bank) CHECK(bench.dut->bank_accesses(bank) == 32);
  }
  SECTION("same") {
    Bench bench;
    for (u32 row = 0; row < 4; ++row) {  // PEs of column 0
      const auto result = bench.read(4 * row, {0});
      CHECK(result.done == 4 + row);
      CHECK(result.conflicts == row);
    }
    CHECK(bench.counter("conflict_cycles") == 0 + 1 + 2 + 3);
  }
  SECTION("two ports halve the queue") {
    Options options;
    options.tune = [](ScratchpadParameters& parameters) { parameters.ports = 2; };
    Bench bench(options);
    for (u32 row = 0; row < 4; ++row) CHECK(bench.read(4 * row, {0}).done == 4 + row / 2);
  }
  SECTION("a bank's cycle is refused when taken and given when free") {
    // PE 0 takes the bank in cycle 101: requests that arrive then wait, those before and after do not.
    Bench bench;
    bench.read(0, {0}, 100);
    CHECK(bench.read(4, {0}, 99).conflicts == 0);
    CHECK(bench.read(8, {0}, 101).conflicts == 0);
    CHECK(bench.read(12, {0}, 100).conflicts == 2);
  }
}

TEST_CASE("scratchpad: the limit of vectors under way is tight", "[scratchpad]") {
  // One vector takes 4 cycles: with 4 under way the port issues every cycle, with 3 it pauses one in four.
  const auto run = [](i64 outstanding) {
    Options options;
    options.tune = [&](ScratchpadParameters& parameters) { parameters.outstanding = outstanding; };
    Bench bench(options);
    const auto result = bench.read(0, rows_from(0, 16, bench.row_bytes()));
    CHECK(result.issue == result.done - 3);
    CHECK(bench.counter("outstanding_cycles") == result.issue - 16);
    return result.done;
  };
  CHECK(run(4) == 15 + 4);
  CHECK(run(3) == 15 + 5 + 4);  // 5 groups of 3 begin one cycle late each
  CHECK(run(1) == 16 * 4);
  CHECK(run(16) == 15 + 4);

  // The vector that would be one too many issues when the first returns, and not before.
  Options options;
  options.tune = [](ScratchpadParameters& parameters) { parameters.outstanding = 2; };
  Bench bench(options);
  CHECK(bench.read(0, {0, 64}).issue == 2);      // return in 4 and 5
  CHECK(bench.read(0, {128}, 3).done == 4 + 1);  // issues in 4
  CHECK(bench.read(0, {192}, 5).done == 4);
}

TEST_CASE("scratchpad: banks fold power-of-two strides", "[scratchpad]") {
  Bench bench;
  for (u32 stride = bench.tile_bytes(); stride * 16 <= bench.dut->size(); stride *= 2) {
    std::set<u32> banks;
    for (u32 i = 0; i < 16; ++i) banks.insert(bench.dut->bank_of(u64{i} * stride));
    INFO("stride " << stride);
    CHECK(banks.size() >= (stride / bench.tile_bytes() <= 16 ? 8U : 4U));
  }
  // Every bank has its share, whatever the number of banks and lanes.
  for (const i64 lanes : {1, 8, 64}) {
    for (const i64 count : {1, 2, 8, 64}) {
      Options options;
      options.lanes = lanes;
      options.tune = [&](ScratchpadParameters& parameters) {
        parameters.size_bytes = 1 << 20;
        parameters.banks = count;
      };
      Bench other(options);
      std::map<u32, u64> tiles;
      for (u64 offset = 0; offset < other.dut->size(); offset += other.tile_bytes())
        ++tiles[other.dut->bank_of(offset)];
      REQUIRE(tiles.size() == static_cast<std::size_t>(count));
      for (const auto& [bank, number] : tiles) CHECK(number == other.dut->size() / other.tile_bytes() / u64(count));
    }
  }
}

TEST_CASE("scratchpad: the linear port", "[scratchpad]") {
  SECTION("latency and rows") {
    Bench bench;
    CHECK(bench.bytes(true, 0, 64).done == 4);
    CHECK(bench.bytes(true, 100, 1, 50).done == 4);
    CHECK(bench.bytes(false, 0, 64, 100).done == 3);
    CHECK(bench.bytes(true, 32, 64, 150).done == 5);  // two rows
    CHECK(bench.bytes(true, 0, 4096, 200).done == 63 + 4);
    CHECK(bench.counter("linear_bytes_read") == 64 + 1 + 64 + 4096);
    CHECK(bench.counter("linear_bytes_written") == 64);
    CHECK(bench.counter("linear_conflict_cycles") == 0);
  }
  SECTION("two transfers share the port") {
    Bench bench;
    CHECK(bench.bytes(true, 0, 256).done == 3 + 4);
    CHECK(bench.bytes(true, bench.row_in_bank(3), 256).done == 4 + 3 + 4);
  }
  SECTION("it competes with the PEs") {
    Bench bench;
    bench.read(0, rows_from(0, 8, bench.row_bytes()));
    CHECK(bench.bytes(true, 0, 64, 2).done == 4 + 6);  // bank taken in cycles 1 to 8
    CHECK(bench.read(4, {0}, 8).conflicts == 1);       // by the row in cycle 9
    CHECK(bench.counter("linear_conflict_cycles") == 6);
  }
  SECTION("narrow vectors: several rows a beat") {
    Options options;
    options.lanes = 8;
    Bench bench(options);
    // 64 bytes are four rows of one tile, so of one bank.
    CHECK(bench.bytes(true, 0, 64).done == 4 + 3);
    // Tiles of 128 bytes in different banks: the port's 64 bytes a cycle are what limits.
    CHECK(bench.bytes(true, 0, 4096, 100).done <= 63 + 4 + 8);
  }
}

TEST_CASE("scratchpad: wrong accesses get errors and change nothing", "[scratchpad]") {
  Bench bench;
  const u32 size = static_cast<u32>(bench.dut->size());
  for (const u32 entry :
       {u32{2}, u32{32}, size, size - 32, column_flag | 1U, column_flag | 64U, column_flag | size, ~u32{0}}) {
    INFO("address " << entry);
    std::vector<u16> data(64, 0xffff);
    CHECK(bench.vectors(0, false, {0, entry}, data).status == tlm::TLM_ADDRESS_ERROR_RESPONSE);
    CHECK(bench.vectors(0, true, {0, entry}, data).status == tlm::TLM_ADDRESS_ERROR_RESPONSE);
  }
  std::vector<u8> all(size);
  CHECK(bench.debug(true, 0, all) == size);
  CHECK(std::all_of(all.begin(), all.end(), [](u8 byte) { return byte == 0; }));
  CHECK(bench.read(0, {size - 64, column_flag | (size - 2048 + 62)}).status == tlm::TLM_OK_RESPONSE);

  CHECK(bench.bytes(true, size, 1).status == tlm::TLM_ADDRESS_ERROR_RESPONSE);
  CHECK(bench.bytes(true, size - 1, 2).status == tlm::TLM_ADDRESS_ERROR_RESPONSE);
  CHECK(bench.bytes(true, ~u64{0}, 2).status == tlm::TLM_ADDRESS_ERROR_RESPONSE);
  CHECK(bench.bytes(true, 0, 4097).status == tlm::TLM_BURST_ERROR_RESPONSE);
  CHECK(bench.bytes(true, 0, std::size_t{0}).status == tlm::TLM_BURST_ERROR_RESPONSE);
  CHECK(bench.bytes(true, size - 1, 1).status == tlm::TLM_OK_RESPONSE);
  std::vector<u8> two(2);
  CHECK(bench.debug(true, size - 1, two) == 1);
  CHECK(bench.debug(true, size, two) == 0);

  const auto respond = [&](const std::function<void(tlm::tlm_generic_payload&, VectorAccess&)>& spoil, bool linear) {
    std::vector<u8> data(64);
    const u32 address = 0;
    VectorAccess access;
    access.addresses = &address;
    access.count = 1;
    access.lanes = 32;
    tlm::tlm_generic_payload payload;
    Bench::prepare(payload, true, data.data(), data.size());
    payload.set_extension(&access);
    spoil(payload, access);
    sc_core::sc_time delay;
    Initiators& initiators = bench.initiators();
    linear ? initiators.linear->b_transport(payload, delay) : initiators.pe[0]->b_transport(payload, delay);
    if (payload.get_extension<VectorAccess>() != nullptr) payload.clear_extension(&access);
    return payload.get_response_status();
  };
  u8 enable = 0xff;
  for (const bool linear : {false, true}) {
    CHECK(respond([](auto& payload, auto&) { payload.set_command(tlm::TLM_IGNORE_COMMAND); }, linear) ==
          tlm::TLM_COMMAND_ERROR_RESPONSE);
    CHECK(respond([&](auto& payload, auto&) { payload.set_byte_enable_ptr(&enable); }, linear) ==
          tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
  }
  CHECK(respond([](auto&, auto& access) { access.lanes = 8; }, false) == tlm::TLM_GENERIC_ERROR_RESPONSE);
  CHECK(respond([](auto& payload, auto& access) { payload.clear_extension(&access); }, false) ==
        tlm::TLM_GENERIC_ERROR_RESPONSE);
  CHECK(respond([](auto& payload, auto&) { payload.set_data_length(32); }, false) == tlm::TLM_BURST_ERROR_RESPONSE);
  CHECK(respond([](auto& payload, auto&) { payload.set_streaming_width(4); }, true) == tlm::TLM_BURST_ERROR_RESPONSE);

  Options options;
  options.tune = [](ScratchpadParameters& parameters) { parameters.size_bytes = 10000; };
  CHECK_THROWS_WITH(Bench(options), Catch::Contains("multiple of a tile"));
}
