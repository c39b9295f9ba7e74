// SPDX-License-Identifier: Apache-2.0
// The SystemC model of the mesh and the reference that ticks, with random parameters and random traffic.
#include <catch2/catch.hpp>
#include <deque>
#include <random>

#include "test/reference_timing/exchange_plane.h"
#include "test/support/model_mesh.h"

namespace {

using namespace bvp;
using test::MeshTimes;
using test::MeshTiming;
using test::MeshTraffic;

MeshTimes run_on_reference(const MeshTraffic& traffic, const MeshTiming& timing) {
  ticking::Machine machine;
  machine.rows = traffic.rows;
  machine.columns = traffic.columns;
  machine.lanes = 4;
  machine.mesh.link_bytes = 8 / static_cast<unsigned>(timing.vector_cycles);
  machine.mesh.link_latency = static_cast<unsigned>(timing.link_latency);
  machine.mesh.ejection_latency = static_cast<unsigned>(timing.ejection_latency);
  machine.mesh.buffer_entries = static_cast<unsigned>(timing.buffer_entries);
  machine.mesh.skip_links = timing.skip_links;
  ticking::ExchangePlane mesh(machine);

  struct Source {
    std::deque<u32> packets;
    u32 sent = 0;    // vectors of the first one
    Cycle free = 0;  // a vector takes the port for as many cycles as a link
  };
  std::vector<Source> sources(traffic.pes());
  for (u32 i = 0; i < traffic.packets.size(); ++i) sources[traffic.packets[i].source].packets.push_back(i);
  std::vector<u32> arrived(traffic.packets.size(), 0);
  MeshTimes times;
  times.arrival.assign(traffic.packets.size(), 0);
  u64 left = traffic.vectors();
  for (Cycle now = 0; left != 0; ++now) {
    for (const ticking::Parcel& parcel : mesh.take_vectors(now)) {
      if (++arrived[parcel.firing] == traffic.packets[parcel.firing].vectors) times.arrival[parcel.firing] = now;
      --left;
    }
    mesh.tick_ejections(now);
    for (u32 pe = 0; pe < traffic.pes(); ++pe) {
      Source& source = sources[pe];
      if (source.packets.empty() || source.free > now) continue;
      const u32 index = source.packets.front();
      const MeshTraffic::Packet& packet = traffic.packets[index];
      if (packet.start <= now) mesh.offer({packet.source, packet.destination, index});
    }
    for (const unsigned pe : mesh.tick(now)) {
      Source& source = sources[pe];
      source.free = now + mesh.width();
      if (++source.sent < traffic.packets[source.packets.front()].vectors) continue;
      source.sent = 0;
      source.packets.pop_front();
    }
    REQUIRE(now < 1000000);
  }
  return times;
}

}  // namespace

TEST_CASE("packets arrive when they do on a mesh that ticks", "[timing][mesh]") {
  std::mt19937 random(11);
  for (int round = 0; round < 60; ++round) {
    MeshTiming timing;
    timing.link_latency = 1 + random() % 3;
    timing.buffer_entries = 1 + random() % 4;
    timing.vector_cycles = i64{1} << random() % 3;
    timing.ejection_latency = 1 + random() % 3;
    timing.skip_links = random() % 2 == 0;
    const u32 rows = 1 + random() % 5, columns = 1 + random() % 9, length = 1 + random() % 12;
    MeshTraffic traffic = test::random_traffic("random", rows, columns, 48, length, static_cast<u32>(random()),
                                               random() % 2 * 4, random() % 2 * 20);
    // The reference has ejections before it knows what PEs offer, which may come first: no PE sends to itself here.
    for (MeshTraffic::Packet& packet : traffic.packets) {
      if (packet.destination == packet.source) packet.destination = (packet.source + 1) % traffic.pes();
    }
    if (traffic.pes() == 1) continue;
    INFO(round << ": " << rows << "x" << columns << ", links of " << timing.link_latency << " cycles, "
               << timing.buffer_entries << " entries, " << timing.vector_cycles << " cycles a vector"
               << (timing.skip_links ? ", skip links" : ""));
    CHECK(test::run_on_model(traffic, timing, true).arrival == run_on_reference(traffic, timing).arrival);
  }
}
