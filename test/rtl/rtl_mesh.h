// SPDX-License-Identifier: Apache-2.0
// Traffic on the mesh in RTL: mesh.sv, translated by Verilator.
#pragma once

#include <verilated.h>

#include <catch2/catch.hpp>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "test/support/mesh_traffic.h"

namespace bvp::test {

/// Each PE has its vectors waiting in their order and sends them as early as it can. Checks that every vector comes
/// once, where it should, and that those from one PE to another come in the order in which they were sent. The function
/// is long because it drives the pins of the translation through a cycle.
/// @tparam Rtl  the translation of mesh.sv with the traffic's rows and columns
template <typename Rtl>
MeshTimes run_on_rtl(const MeshTraffic& traffic) {
  struct Vector {
    u32 packet;
    bool there = false;
  };
  REQUIRE(traffic.vectors() < 1u << 16);  // they are told apart by 16 bits
  std::vector<Vector> vectors;
  std::vector<std::deque<u32>> waiting(traffic.pes());
  for (u32 packet = 0; packet < traffic.packets.size(); ++packet) {
    for (u32 i = 0; i < traffic.packets[packet].vectors; ++i) {
      waiting[traffic.packets[packet].source].push_back(static_cast<u32>(vectors.size()));
      vectors.push_back({packet});
    }
  }
  std::map<std::pair<u32, u32>, u32> newest;  // vector that came last, by source and destination
  MeshTimes times;
  times.arrival.assign(traffic.packets.size(), 0);

  VerilatedContext context;
  Rtl rtl(&context);
  const auto tick = [&] {
    rtl.clock = 1;
    rtl.eval();
    rtl.clock = 0;
    rtl.eval();
  };
  rtl.clock = 0;
  for (u32 pe = 0; pe < traffic.pes(); ++pe) rtl.source_valid[pe] = 0;
  rtl.reset = 1;
  rtl.eval();
  tick();
  rtl.reset = 0;
  std::size_t left = vectors.size();
  const Cycle limit = 10000 + 10 * left;
  Cycle cycle = 0;
  for (; left != 0 && cycle < limit; ++cycle) {
    for (u32 pe = 0; pe < traffic.pes(); ++pe) {
      rtl.source_valid[pe] = 0;
      if (waiting[pe].empty()) continue;
      const u32 vector = waiting[pe].front();
      const MeshTraffic::Packet& packet = traffic.packets[vectors[vector].packet];
      rtl.source_valid[pe] = packet.start <= cycle;
      rtl.source_word[pe] =
          packet.destination % traffic.columns << 24 | packet.destination / traffic.columns << 16 | vector;
    }
    rtl.eval();
    for (u32 pe = 0; pe < traffic.pes(); ++pe) {
      if (rtl.source_taken[pe] != 0) waiting[pe].pop_front();
      if (rtl.eject_valid[pe] == 0) continue;
      const u32 vector = rtl.eject_word[pe] & 0xffff;
      REQUIRE(vector < vectors.size());
      const u32 packet = vectors[vector].packet;
      REQUIRE(traffic.packets[packet].destination == pe);
      REQUIRE(!vectors[vector].there);
      vectors[vector].there = true;
      const auto before = newest.find({traffic.packets[packet].source, pe});
      if (before != newest.end()) REQUIRE(before->second < vector);
      newest[{traffic.packets[packet].source, pe}] = vector;
      // The ejection's register is not part of the RTL: the operand memory has the vector in the next cycle.
      times.arrival[packet] = cycle + 1;
      --left;
    }
    tick();
  }
  INFO(left << " of " << vectors.size() << " vectors have not come");
  REQUIRE(left == 0);
  rtl.final();
  return times;
}

}  // namespace bvp::test
