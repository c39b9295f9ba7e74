// SPDX-License-Identifier: Apache-2.0
// Traffic of a whole array on its mesh: exchanges, gathers and random packets.
#pragma once

#include <algorithm>
#include <functional>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "models/base/types.h"

namespace bvp::test {

/// Packets that the PEs of an array want to send, each PE its own in their order.
struct MeshTraffic {
  struct Packet {
    u32 source, destination, vectors;
    Cycle start = 0;  // it does not begin before
  };
  std::string name;
  u32 rows = 0, columns = 0;
  std::vector<Packet> packets;

  [[nodiscard]] u32 pes() const { return rows * columns; }
  [[nodiscard]] u32 vectors() const {
    return std::accumulate(packets.begin(), packets.end(), u32{0},
                           [](u32 sum, const Packet& packet) { return sum + packet.vectors; });
  }
};

/// When traffic was there.
struct MeshTimes {
  std::vector<Cycle> arrival;  // by packet: the first cycle in which its last vector can be used

  [[nodiscard]] Cycle last() const { return *std::max_element(arrival.begin(), arrival.end()); }
  /// Of a packet, from its start on.
  [[nodiscard]] double mean_latency(const MeshTraffic& traffic) const {
    double sum = 0;
    for (std::size_t i = 0; i < arrival.size(); ++i) sum += static_cast<double>(arrival[i] - traffic.packets[i].start);
    return sum / static_cast<double>(arrival.size());
  }
};

/// Each PE sends `vectors` vectors to the PE that `destination` gives, in packets of at most `length`.
inline MeshTraffic permutation(std::string name, u32 rows, u32 columns, u32 vectors, u32 length,
                               const std::function<u32(u32)>& destination) {
  MeshTraffic traffic{std::move(name), rows, columns, {}};
  for (u32 sent = 0; sent < vectors; sent += length) {
    for (u32 pe = 0; pe < rows * columns; ++pe) {
      traffic.packets.push_back({pe, destination(pe), std::min(length, vectors - sent)});
    }
  }
  return traffic;
}

/// The same with destinations drawn at random, without repetition.
inline MeshTraffic random_permutation(std::string name, u32 rows, u32 columns, u32 vectors, u32 length, u32 seed) {
  std::vector<u32> destinations(rows * columns);
  std::iota(destinations.begin(), destinations.end(), 0);
  std::mt19937 random(seed);
  std::shuffle(destinations.begin(), destinations.end(), random);
  return permutation(std::move(name), rows, columns, vectors, length, [&](u32 pe) { return destinations[pe]; });
}

/// Each PE sends packets to PEs drawn at random, one in `hot` of them to PE 0 (0: none more than to others). With
/// `pause` packets begin at cycles drawn at random, that many apart on the average.
inline MeshTraffic random_traffic(std::string name, u32 rows, u32 columns, u32 vectors, u32 length, u32 seed,
                                  u32 hot = 0, u32 pause = 0) {
  MeshTraffic traffic{std::move(name), rows, columns, {}};
  std::mt19937 random(seed);
  std::vector<Cycle> start(traffic.pes(), 0);
  for (u32 sent = 0; sent < vectors; sent += length) {
    for (u32 pe = 0; pe < traffic.pes(); ++pe) {
      const u32 destination = hot != 0 && random() % hot == 0 ? 0 : static_cast<u32>(random() % traffic.pes());
      if (pause != 0) start[pe] += random() % (2 * pause);
      traffic.packets.push_back({pe, destination, std::min(length, vectors - sent), start[pe]});
    }
  }
  return traffic;
}

}  // namespace bvp::test
