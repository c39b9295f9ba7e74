// SPDX-License-Identifier: Apache-2.0
// Traffic on the mesh in RTL (mesh.sv, translated by Verilator).
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "MeshRtl.h"
#include "models/common/types.h"
#include "test/support/mesh_traffic.h"

namespace bvp {

/// Sends what each PE has to send, in order and as early as it can, from cycle 0 on, on the upper left part of an array
/// of 8x8 routers: routes do not leave the rectangle between their ends, so the part behaves like a smaller array.
/// @return by packet, as in `traffic`: the cycle in which its last vector is in the destination's operand memory
inline std::vector<Cycle> run_rtl_mesh(const MeshTraffic& traffic) {
  constexpr u32 pitch = 8;
  constexpr u32 all = pitch * pitch;
  const auto number = [&](u32 pe) { return pe / traffic.columns * pitch + pe % traffic.columns; };
  struct Waiting {
    u32 packet, left;
  };
  std::vector<std::deque<Waiting>> sources(all);
  u64 under_way = 0;
  for (u32 i = 0; i < traffic.packets.size(); ++i) {
    sources[number(traffic.packets[i].source)].push_back({i, traffic.packets[i].vectors});
    under_way += traffic.packets[i].vectors;
  }
  std::vector<Cycle> last(traffic.packets.size(), 0);

  VerilatedContext context;
  MeshRtl rtl(&context);
  const auto tick = [&] {
    rtl.clock = 1;
    rtl.eval();
    rtl.clock = 0;
    rtl.eval();
  };
  rtl.clock = 0;
  for (u32 n = 0; n < all; ++n) rtl.source_valid[n] = 0;
  rtl.reset = 1;
  tick();
  rtl.reset = 0;
  for (Cycle cycle = 0; under_way != 0; ++cycle) {
    for (u32 n = 0; n < all; ++n) {
      rtl.source_valid[n] = sources[n].empty() ? 0 : 1;
      if (sources[n].empty()) continue;
      const u32 packet = sources[n].front().packet;
      const u32 to = number(traffic.packets[packet].destination);
      rtl.source_vector[n] = to % pitch << 24 | to / pitch << 16 | packet;
    }
    rtl.eval();
    for (u32 n = 0; n < all; ++n) {
      if (rtl.eject_valid[n] != 0) {
        last[rtl.eject_vector[n] & 0xffff] = cycle + 1;
        --under_way;
      }
      if (rtl.source_taken[n] != 0 && --sources[n].front().left == 0) sources[n].pop_front();
    }
    tick();
  }
  rtl.final();
  return last;
}

}  // namespace bvp
