// SPDX-License-Identifier: Apache-2.0
// The mesh: routes, latency, links, credits and notices by hand-made cases. Others hold it against a mesh that ticks
// (test/reference_timing) and against one in RTL (test/rtl).
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "models/base/array_parameters.h"
#include "models/base/simulation_context.h"
#include "models/mesh/mesh.h"

using namespace bvp;

namespace {

using Link = LinkDirection;

struct Options {
  i64 rows = 4, columns = 4, lanes = 32;
  std::function<void(MeshParameters&)> tune;
};

struct Delivery {
  u32 at = 0, source = 0, edge = 0;
  Cycle cycle = 0;
  std::vector<u16> data, slots;
};

struct Notice {
  u32 at = 0;
  u64 number = 0;
  FlowPacket::Notice what = FlowPacket::Notice::none;
  Cycle cycle = 0;
  u64 stalls = 0;
};

/// What is bound to the mesh's sockets: sends, and notes what arrives.
struct Pes : sc_core::sc_module {
  Pes(sc_core::sc_module_name name, std::size_t count, const ClockDomain& clock)
      : sc_module(name), out("out", count), in("in", count), clock_(clock) {
    for (std::size_t i = 0; i < count; ++i) in[i].register_b_transport(this, &Pes::receive, static_cast<int>(i));
  }
  void receive(int pe, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    const auto* packet = payload.get_extension<FlowPacket>();
    if (packet->notice != FlowPacket::Notice::none) {
      notices.push_back({static_cast<u32>(pe), packet->number, packet->notice,
                         clock_.to_cycles(sc_core::sc_time_stamp() + delay), packet->stall_cycles});
      payload.set_response_status(tlm::TLM_OK_RESPONSE);
      return;
    }
    Delivery delivery;
    delivery.at = static_cast<u32>(pe);
    delivery.source = packet->source;
    delivery.edge = packet->edge;
    delivery.cycle = clock_.to_cycles(sc_core::sc_time_stamp() + delay);
    const auto* data = reinterpret_cast<const u16*>(payload.get_data_ptr());
    if (packet->count != 0) {
      delivery.data.assign(data, data + payload.get_data_length() / 2);
      delivery.slots.assign(packet->slots, packet->slots + packet->count);
    }
    deliveries.push_back(delivery);
    payload.set_response_status(response);
  }
  sc_core::sc_vector<tlm_utils::simple_initiator_socket<Pes>> out;
  sc_core::sc_vector<tlm_utils::simple_target_socket_tagged<Pes>> in;
  std::vector<Delivery> deliveries;
  std::vector<Notice> notices;
  tlm::tlm_response_status response = tlm::TLM_OK_RESPONSE;

 private:
  ClockDomain clock_;
};

class Bench {
 public:
  struct Result {
    tlm::tlm_response_status status = tlm::TLM_INCOMPLETE_RESPONSE;
    Cycle free = 0, arrival = 0;  // cycles after the one asked for
    u64 stalls = 0;
  };

  explicit Bench(const Options& options = {}) : root_("test"), array_(&root_), parameters_(&root_), stats_("test") {
    array_.rows = options.rows;
    array_.columns = options.columns;
    array_.lanes = options.lanes;
    if (options.tune) options.tune(parameters_);
    dut = std::make_unique<Mesh>("mesh", array_, parameters_, clock_, stats_);
    pes = std::make_unique<Pes>("pes", dut->from_pe.size(), clock_);
    for (std::size_t pe = 0; pe < dut->from_pe.size(); ++pe) {
      pes->out[pe].bind(dut->from_pe[pe]);
      dut->to_pe[pe].bind(pes->in[pe]);
    }
    sc_core::sc_start(clock_.period());
    base_ = clock_.now();
  }

  struct Deferred {
    u32 source = 0, destination = 0, count = 0;
    Cycle at = 0;
  };
  /// All packets before any time passes; `free` and `arrival` are counted from the first cycle on.
  std::vector<Result> send_together(const std::vector<Deferred>& packets) {
    std::vector<Result> results;
    std::vector<u64> numbers;
    for (const Deferred& packet : packets) {
      deferred_ = true;
      results.push_back(send(packet.source, packet.destination, packet.count, packet.at));
      deferred_ = false;
      numbers.push_back(number_);
    }
    sc_core::sc_start();
    REQUIRE(pes->notices.size() == 2 * packets.size());
    for (std::size_t i = 0; i < packets.size(); ++i) {
      for (const Notice& notice : pes->notices) {
        if (notice.number != numbers[i]) continue;
        const bool sent = notice.what == FlowPacket::Notice::sent;
        CHECK(notice.at == (sent ? packets[i].source : packets[i].destination));
        (sent ? results[i].free : results[i].arrival) = notice.cycle - base_;
        results[i].stalls = notice.stalls;
      }
    }
    return results;
  }

  /// All packets begin in the same cycle; the answer is that to the last one, and holds for all.
  Result send_as_one(const std::vector<Deferred>& packets, Cycle at) {
    for (std::size_t i = 0; i + 1 < packets.size(); ++i) {
      others_follow_ = true;
      send(packets[i].source, packets[i].destination, packets[i].count, at);
    }
    others_follow_ = false;
    return send(packets.back().source, packets.back().destination, packets.back().count, at);
  }

  /// By a packet that is answered at once.
  Result send(u32 source, u32 destination, u32 count, Cycle at = 0, u32 edge = FlowPacket::no_edge) {
    data_.resize(std::size_t{count} * static_cast<std::size_t>(array_.lanes));
    for (u16& value : data_) value = static_cast<u16>(random_());
    slots_.resize(count);
    for (u16& slot : slots_) slot = static_cast<u16>(random_() % 256);
    FlowPacket packet;
    packet.source = source;
    packet.destination = destination;
    packet.slots = slots_.data();
    packet.count = count;
    packet.edge = edge;
    packet.deferred = deferred_;
    packet.others_follow = others_follow_;
    return send(
        source, packet, [](tlm::tlm_generic_payload&) {}, at);
  }
  Result send(u32 socket, FlowPacket& packet, const std::function<void(tlm::tlm_generic_payload&)>& spoil, Cycle at) {
    tlm::tlm_generic_payload payload;
    payload.set_command(tlm::TLM_WRITE_COMMAND);
    payload.set_data_ptr(reinterpret_cast<u8*>(data_.data()));
    payload.set_data_length(static_cast<unsigned>(data_.size() * 2));
    payload.set_streaming_width(payload.get_data_length());
    payload.set_extension(&packet);
    spoil(payload);
    sc_core::sc_time delay = clock_.to_time(at);
    const std::size_t delivered = pes->deliveries.size();
    pes->out[socket]->b_transport(payload, delay);
    if (payload.get_extension<FlowPacket>() != nullptr) payload.clear_extension(&packet);
    Result result;
    result.status = payload.get_response_status();
    result.free = clock_.to_cycles(delay) - at;
    result.stalls = packet.stall_cycles;
    number_ = packet.number;
    if (pes->deliveries.size() > delivered) result.arrival = pes->deliveries.back().cycle - base_ - at;
    return result;
  }

  const std::vector<u16>& data() const { return data_; }
  const std::vector<u16>& slots() const { return slots_; }
  u64 counter(const std::string& name) const {
    for (const Counter* counter : dut->statistics().counters()) {
      if (counter->name() == name) return counter->value();
    }
    FAIL("no counter " << name);
    return 0;
  }

 private:
  SimulationContext context_;
  ParameterGroup root_;
  ArrayParameters array_;
  MeshParameters parameters_;
  ClockDomain clock_{1e9};
  StatGroup stats_;
  std::mt19937 random_{1};
  std::vector<u16> data_, slots_;
  Cycle base_ = 0;
  bool deferred_ = false, others_follow_ = false;
  u64 number_ = 0;  // that the mesh gave the packet sent last

 public:
  std::unique_ptr<Mesh> dut;
  std::unique_ptr<Pes> pes;
};

Options with(const std::function<void(MeshParameters&)>& tune) {
  Options options;
  options.tune = tune;
  return options;
}

}  // namespace

TEST_CASE("mesh: latency is the hops and the ejection", "[mesh]") {
  Bench bench;
  for (u32 source = 0; source < 16; ++source) {
    for (u32 destination = 0; destination < 16; ++destination) {
      const u32 hops = static_cast<u32>(std::abs(int(source % 4) - int(destination % 4)) +
                                        std::abs(int(source / 4) - int(destination / 4)));
      const Cycle at = 100 * (16 * source + destination);
      const auto result = bench.send(source, destination, 1, at);
      CHECK(result.status == tlm::TLM_OK_RESPONSE);
      CHECK(result.arrival == hops + 1);
      CHECK(result.free == 1);
      CHECK(result.stalls == 0);
      CHECK(bench.dut->hops(source, destination) == hops);
      CHECK(bench.dut->unloaded_latency(source, destination) == hops + 1);
      // A packet: one vector more, one cycle more.
      const auto packet = bench.send(source, destination, 9, at + 50);
      CHECK(packet.arrival == hops + 1 + 8);
      CHECK(packet.free == 9);
    }
  }
  CHECK(bench.counter("stall_cycles") == 0);
  CHECK(bench.counter("vectors") == 256 * 10);

  Bench slow(with([](MeshParameters& parameters) {
    parameters.link_latency = 3;
    parameters.ejection_latency = 2;
    parameters.buffer_entries = 4;
  }));
  CHECK(slow.send(0, 15, 1).arrival == 6 * 3 + 2);
  CHECK(slow.send(0, 15, 20, 50).arrival == 19 + 6 * 3 + 2);
}

TEST_CASE("mesh: vectors go along the row first", "[mesh]") {
  Bench bench;
  bench.send(4, 14, 5);  // (0,1) to (2,3)
  bench.send(11, 0, 2);  // (3,2) to (0,0)
  std::map<std::tuple<u32, u32, Link>, u64> expected{
      {{0, 1, Link::east}, 5},  {{1, 1, Link::east}, 5},  {{2, 1, Link::south}, 5}, {{2, 2, Link::south}, 5},
      {{2, 3, Link::eject}, 5}, {{3, 2, Link::west}, 2},  {{2, 2, Link::west}, 2},  {{1, 2, Link::west}, 2},
      {{0, 2, Link::north}, 2}, {{0, 1, Link::north}, 2}, {{0, 0, Link::eject}, 2}};
  for (u32 y = 0; y < 4; ++y) {
    for (u32 x = 0; x < 4; ++x) {
      for (std::size_t direction = 0; direction < link_direction_count; ++direction) {
        INFO(x << ", " << y << " " << link_direction_names[direction]);
        CHECK(bench.dut->link_vectors(x, y, Link(direction)) == expected[{x, y, Link(direction)}]);
        CHECK(bench.dut->link_stall_cycles(x, y, Link(direction)) == 0);
      }
    }
  }
  CHECK(bench.dut->link_vectors(4, 0, Link::east) == 0);
}

TEST_CASE("mesh: a link carries one vector a cycle", "[mesh]") {
  SECTION("two flows share a link in turn") {
    Bench bench;
    // The link from 1 to 2 in cycles 1, 3, 5 and 7 to 11, and in cycles 0, 2, 4 and 6.
    const auto results = bench.send_together({{0, 2, 8}, {1, 3, 4}});
    CHECK(results[0].arrival == 11 + 2);
    CHECK(results[1].free == 7);
    CHECK(results[1].arrival == 6 + 3);
    CHECK(results[1].stalls == 3);
    CHECK(bench.dut->link_vectors(1, 0, Link::east) == 12);
    CHECK(bench.counter("stall_cycles") == results[0].stalls + results[1].stalls);
  }
  SECTION("gaps between vectors are used") {
    Bench bench;
    const auto results = bench.send_together({{1, 2, 1, 10}, {1, 2, 1, 12}, {0, 2, 1, 10}, {3, 1, 1, 9}});
    CHECK(results[0].arrival == 12);
    CHECK(results[1].arrival == 14);
    CHECK(results[2].arrival == 13);  // over the link in cycle 11
    CHECK(results[3].arrival == 12);  // the other direction is another link
    CHECK(bench.counter("stall_cycles") == 0);
  }
  SECTION("an ejection takes one vector a cycle, from all sides in turn") {
    Bench bench;
    const auto results = bench.send_together({{1, 5, 1}, {4, 5, 1}, {6, 5, 1}, {5, 5, 1}, {5, 5, 1, 1}});
    CHECK(results[3].arrival == 1);
    CHECK(results[2].arrival == 2);  // from the east
    CHECK(results[1].arrival == 3);  // from the west
    CHECK(results[0].arrival == 4);  // from the north
    CHECK(results[4].arrival == 5);  // its own
    CHECK(bench.dut->link_stall_cycles(1, 1, Link::eject) == 1 + 2 + 3);
  }
  SECTION("packets of one source do not overlap") {
    Bench bench;
    CHECK(bench.send(5, 6, 4).free == 4);
    CHECK(bench.send(5, 4, 1, 2).arrival == 2 + 2);  // leaves in cycle 4, though the link west is idle
  }
}

TEST_CASE("mesh: credits are tight", "[mesh]") {
  // A link of one cycle: a vector holds its entry for two cycles, so two entries keep the link busy and one does not.
  const auto alone = [](i64 entries) {
    Bench bench(with([&](MeshParameters& parameters) { parameters.buffer_entries = entries; }));
    return bench.send(0, 1, 10).arrival;
  };
  CHECK(alone(1) == 18 + 2);
  CHECK(alone(2) == 9 + 2);
  CHECK(alone(3) == 9 + 2);

  // Behind the ejection that two flows share the buffers fill, and sources wait for credits.
  Bench bench;
  const auto results = bench.send_together({{0, 1, 10}, {1, 1, 10}});
  CHECK(results[1].free == 19);     // in cycles 0, 2, ... 18
  CHECK(results[0].arrival == 20);  // the ejection is never idle
  CHECK(results[0].free ==
        17);  // the last one is sent in cycle 16, when the eighth, ejected in cycle 15, has left its entry
}

TEST_CASE("mesh: a vector waits behind one that wants another way", "[mesh]") {
  Bench bench;
  // From 0 over 1 to 5, where another packet is ejected in turn, and behind it to 2.
  const auto results = bench.send_together({{0, 5, 6}, {5, 5, 12}, {4, 5, 12}, {0, 2, 1}});
  CHECK(results[0].arrival == 18);
  CHECK(results[3].arrival == bench.dut->unloaded_latency(0, 2) + results[3].free - 1 + 2);
  CHECK(bench.dut->link_vectors(1, 0, Link::east) == 1);
  CHECK(bench.dut->link_stall_cycles(1, 0, Link::east) == 2);  // for the link is idle
  CHECK(results[3].free > 7);
}

TEST_CASE("mesh: a packet that is answered at once takes those into account that are under way", "[mesh]") {
  Bench bench;
  CHECK(bench.send(0, 2, 8).arrival == 7 + 3);
  const auto second = bench.send(1, 3, 4);  // in turn with it
  CHECK(second.free == 7);
  CHECK(second.arrival == 6 + 3);
  CHECK(second.stalls == 3);
  // 0 sends it in cycle 11, behind the first packet.
  CHECK(bench.send(0, 3, 1, 4).arrival == 11 + 3 + 1 - 4);
}

TEST_CASE("mesh: packets of one cycle that are answered together have the times of deferred ones", "[mesh]") {
  std::mt19937 random(5);
  for (int round = 0; round < 40; ++round) {
    const i64 entries = 1 + random() % 4, latency = 1 + random() % 3;
    const bool skip = random() % 2 == 0;
    const Options options = with([=](MeshParameters& mesh) {
      mesh.buffer_entries = entries;
      mesh.link_latency = latency;
      mesh.skip_links = skip;
    });
    std::vector<std::vector<Bench::Deferred>> groups(1 + random() % 3);
    Cycle at = 0;
    for (auto& group : groups) {
      at += random() % 60;
      group.resize(1 + random() % 16);
      u32 source = 0;
      for (auto& packet : group) {
        packet = {source++, static_cast<u32>(random() % 16), 1 + static_cast<u32>(random() % 9), at};
      }
    }
    // Nothing joins the last group later, so its times are known when it is sent.
    Bench::Result expected;
    {
      std::vector<Bench::Deferred> all;
      for (const auto& group : groups) all.insert(all.end(), group.begin(), group.end());
      const auto results = Bench(options).send_together(all);
      for (std::size_t i = all.size() - groups.back().size(); i < all.size(); ++i) {
        expected.free = std::max(expected.free, results[i].free - at);
        expected.arrival = std::max(expected.arrival, results[i].arrival - at);
        expected.stalls += results[i].stalls;
      }
    }
    Bench bench(options);
    Bench::Result answer;
    for (const auto& group : groups) answer = bench.send_as_one(group, group.front().at);
    INFO("round " << round);
    CHECK(answer.free == expected.free);
    CHECK(answer.arrival == expected.arrival);
    CHECK(answer.stalls == expected.stalls);
  }
}

TEST_CASE("mesh: the least times of a deferred packet are those without others", "[mesh]") {
  Bench bench;
  const auto results = bench.send_together({{0, 15, 5, 3}});
  const Delivery& delivery = bench.pes->deliveries.back();
  CHECK(delivery.data == bench.data());
  CHECK(results[0].free == 3 + 5);
  CHECK(results[0].arrival == 3 + 4 + bench.dut->unloaded_latency(0, 15));
  CHECK(results[0].stalls == 0);
  CHECK(bench.pes->notices.front().what == FlowPacket::Notice::sent);
}

TEST_CASE("mesh: a vector takes several cycles of a narrow link", "[mesh]") {
  const std::pair<i64, Cycle> widths[] = {{0, 1}, {128, 1}, {64, 1}, {63, 2}, {32, 2}, {24, 3}, {8, 8}, {1, 64}};
  for (const auto& [bytes, cycles] : widths) {
    INFO(bytes);
    Bench bench(with([bytes = bytes](MeshParameters& parameters) { parameters.link_bytes = bytes; }));
    // The head goes on before the tail is there; the ejection is as wide as the links.
    for (const auto& [to, hops] : std::vector<std::pair<u32, Cycle>>{{0, 0}, {1, 1}, {3, 3}, {15, 6}}) {
      const Cycle at = 10000 * (to + 1);
      CHECK(bench.dut->unloaded_latency(0, to) == hops + cycles);
      const auto one = bench.send(0, to, 1, at);
      CHECK(one.arrival == hops + cycles);
      CHECK(one.free == cycles);
      CHECK(one.stalls == 0);
      const auto packet = bench.send(0, to, 9, at + 500);
      CHECK(packet.arrival == hops + 9 * cycles);
      CHECK(packet.free == 9 * cycles);
      CHECK(packet.stalls == 0);
    }
    CHECK(bench.counter("vectors") == 4 * 10);
  }
}

TEST_CASE("mesh: narrow links are shared vector by vector", "[mesh]") {
  Bench bench(with([](MeshParameters& parameters) { parameters.link_bytes = 16; }));  // 4 cycles a vector
  // The vector of 0 is at 1 in cycle 1, when the one of 1 has the link until cycle 3.
  const auto results = bench.send_together({{0, 2, 1}, {1, 2, 1}});
  CHECK(results[1].free == 4);
  CHECK(results[1].arrival == 1 + 4);
  CHECK(results[0].arrival == 4 + 1 + 4);
  CHECK(results[0].stalls == 3);
  // One entry: the first tail leaves the buffer in cycle 4, the second head is sent in cycle 5.
  Bench single(with([](MeshParameters& parameters) {
    parameters.link_bytes = 16;
    parameters.buffer_entries = 1;
  }));
  CHECK(single.send(0, 1, 2).arrival == 5 + 1 + 4);
}

TEST_CASE("mesh: skip links halve the hops", "[mesh]") {
  Bench bench(with([](MeshParameters& parameters) { parameters.skip_links = true; }));
  CHECK(bench.dut->hops(0, 15) == 4);
  CHECK(bench.send(0, 15, 1).arrival == 4 + 1);
  CHECK(bench.dut->link_vectors(0, 0, Link::east_skip) == 1);
  CHECK(bench.dut->link_vectors(2, 0, Link::east) == 1);
  CHECK(bench.dut->link_vectors(3, 0, Link::south_skip) == 1);
  CHECK(bench.dut->link_vectors(3, 2, Link::south) == 1);
  CHECK(bench.send(10, 0, 1, 20).arrival == 2 + 1);
  CHECK(bench.dut->link_vectors(2, 2, Link::west_skip) == 1);
  CHECK(bench.dut->link_vectors(0, 2, Link::north_skip) == 1);
}

TEST_CASE("mesh: what arrives is what was sent", "[mesh]") {
  for (const i64 lanes : {1, 8, 64}) {
    Options options;
    options.rows = 1;
    options.columns = 5;
    options.lanes = lanes;
    Bench bench(options);
    bench.send(1, 4, 13, 0, 77);
    REQUIRE(bench.pes->deliveries.size() == 1);
    const Delivery& delivery = bench.pes->deliveries.front();
    CHECK(delivery.at == 4);
    CHECK(delivery.source == 1);
    CHECK(delivery.edge == 77);
    CHECK(delivery.data == bench.data());
    CHECK(delivery.slots == bench.slots());
  }
}

TEST_CASE("mesh: tokens have a plane of their own", "[mesh]") {
  Bench bench(with([](MeshParameters& parameters) { parameters.control_hop_latency = 2; }));
  bench.send(0, 3, 50);
  const auto token = bench.send(0, 3, 0, 5, 9);
  CHECK(token.status == tlm::TLM_OK_RESPONSE);
  CHECK(token.arrival == 3 * 2 + 1);
  CHECK(token.free == 0);
  CHECK(bench.pes->deliveries.back().edge == 9);
  CHECK(bench.send(0, 3, 0, 5).arrival == 3 * 2 + 1);
  CHECK(bench.send(7, 7, 0).arrival == 1);
  CHECK(bench.counter("tokens") == 3);
  CHECK(bench.counter("vectors") == 50);
}

TEST_CASE("mesh: long flows and far apart times", "[mesh]") {
  Bench bench;
  CHECK(bench.send(0, 2, 40000).arrival == 39999 + 3);
  CHECK(bench.send(0, 2, 4, 1000000).arrival == 3 + 3);
  CHECK(bench.send(1, 2, 4, 1000000).arrival == 6 + 2);  // in turn
  CHECK(bench.send(3, 3, 20000, 2000000).arrival == 20000);
  CHECK(bench.send(2, 3, 3, 2000000).arrival == 5 + 1);
}

TEST_CASE("mesh: wrong packets get errors", "[mesh]") {
  Bench bench;
  const auto respond = [&](const std::function<void(tlm::tlm_generic_payload&, FlowPacket&)>& spoil) {
    bench.send(0, 1, 2);
    FlowPacket packet;
    packet.source = 0;
    packet.destination = 1;
    packet.slots = bench.slots().data();
    packet.count = 2;
    const std::size_t delivered = bench.pes->deliveries.size();
    const auto result = bench.send(
        0, packet, [&](tlm::tlm_generic_payload& payload) { spoil(payload, packet); }, 0);
    CHECK(bench.pes->deliveries.size() == delivered);
    return result.status;
  };
  CHECK(respond([](auto&, auto& packet) { packet.destination = 16; }) == tlm::TLM_ADDRESS_ERROR_RESPONSE);
  CHECK(respond([](auto&, auto& packet) { packet.destination = ~u32{0}; }) == tlm::TLM_ADDRESS_ERROR_RESPONSE);
  CHECK(respond([](auto&, auto& packet) { packet.source = 1; }) == tlm::TLM_GENERIC_ERROR_RESPONSE);
  CHECK(respond([](auto&, auto& packet) { packet.slots = nullptr; }) == tlm::TLM_GENERIC_ERROR_RESPONSE);
  CHECK(respond([](auto& payload, auto&) { payload.set_data_ptr(nullptr); }) == tlm::TLM_GENERIC_ERROR_RESPONSE);
  CHECK(respond([](auto&, auto& packet) { packet.count = 3; }) == tlm::TLM_BURST_ERROR_RESPONSE);
  CHECK(respond([](auto&, auto& packet) { packet.count = 0; }) == tlm::TLM_BURST_ERROR_RESPONSE);
  CHECK(respond([](auto& payload, auto&) { payload.set_command(tlm::TLM_READ_COMMAND); }) ==
        tlm::TLM_COMMAND_ERROR_RESPONSE);
  CHECK(respond([](auto& payload, auto& packet) { payload.clear_extension(&packet); }) ==
        tlm::TLM_GENERIC_ERROR_RESPONSE);
  u8 enable = 0xff;
  CHECK(respond([&](auto& payload, auto&) { payload.set_byte_enable_ptr(&enable); }) ==
        tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
  // The destination's refusal reaches the source.
  bench.pes->response = tlm::TLM_ADDRESS_ERROR_RESPONSE;
  CHECK(bench.send(0, 1, 1, 100).status == tlm::TLM_ADDRESS_ERROR_RESPONSE);
}

TEST_CASE("mesh: nothing is reported before the cycle that was said to be the earliest", "[mesh]") {
  std::mt19937 random(3);
  for (int round = 0; round < 60; ++round) {
    RouterNetwork::Shape shape;
    shape.columns = 1 + random() % 16;
    shape.rows = 1 + random() % 16;
    shape.buffer_entries = 1 + random() % 16;
    shape.vector_cycles = 1 + random() % 128;
    shape.link_latency = 1 + random() % 16;
    shape.ejection_latency = 1 + random() % 16;
    shape.skip_links = random() % 2 == 0;
    RouterNetwork network(shape);
    const u32 pes = shape.columns * shape.rows;
    std::size_t sent = 0, arrived = 0;
    const auto advance = [&](Cycle until) {
      const Cycle earliest = network.earliest_report();
      network.advance(until);
      for (const RouterNetwork::Report& report : network.take_reports()) {
        REQUIRE(report.cycle >= earliest);
        (report.kind == RouterNetwork::Report::Kind::sent ? sent : arrived) += 1;
      }
    };
    constexpr u64 packets = 50;
    Cycle now = 0;
    for (u64 number = 1; number <= packets; ++number) {
      const auto source = static_cast<u32>(random() % pes), destination = static_cast<u32>(random() % pes);
      network.send({number, source, destination, 1 + static_cast<u32>(random() % 9), now + random() % 500});
      now += random() % 50;
      advance(now);
    }
    while (network.earliest_report() != RouterNetwork::never) advance(network.earliest_report());
    CHECK(sent == packets);
    CHECK(arrived == packets);
  }
}
