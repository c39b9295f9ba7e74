// SPDX-License-Identifier: Apache-2.0
// Traffic of a whole array on its mesh: exchanges, gathers and random packets.
#pragma once

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "models/common/types.h"

namespace bvp {

/// Packets that all PEs of an array want to send from cycle 0 on; a PE sends its own in their order.
struct MeshTraffic {
  struct Packet {
    u32 source, destination, vectors;
  };
  std::string name;
  u32 rows, columns;
  std::vector<Packet> packets;

  [[nodiscard]] u32 pes() const { return rows * columns; }
};

/// Each PE sends one packet of `vectors` vectors to the PE that `destination` gives.
inline MeshTraffic permutation(const std::string& name, u32 rows, u32 columns, u32 vectors,
                               const std::function<u32(u32)>& destination) {
  MeshTraffic traffic{name, rows, columns, {}};
  for (u32 pe = 0; pe < rows * columns; ++pe) traffic.packets.push_back({pe, destination(pe), vectors});
  return traffic;
}

/// Each PE exchanges with the PE whose number differs in the bits of `mask`.
inline MeshTraffic exchange(u32 rows, u32 columns, u32 vectors, u32 mask) {
  return permutation("i^" + std::to_string(mask), rows, columns, vectors, [mask](u32 pe) { return pe ^ mask; });
}

/// Each PE sends packets of `length` vectors, `vectors` in all, to PEs drawn at random.
inline MeshTraffic random_traffic(u32 rows, u32 columns, u32 vectors, u32 length, u32 seed) {
  MeshTraffic traffic{"random, packets of " + std::to_string(length), rows, columns, {}};
  std::mt19937 random(seed);
  for (u32 sent = 0; sent < vectors; sent += length) {
    for (u32 pe = 0; pe < rows * columns; ++pe) {
      traffic.packets.push_back({pe, static_cast<u32>(random() % (rows * columns)), std::min(length, vectors - sent)});
    }
  }
  return traffic;
}

}  // namespace bvp
