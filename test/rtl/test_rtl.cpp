// SPDX-License-Identifier: Apache-2.0
// The model of the mesh held against one in RTL: docs/models/mesh.md.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <iostream>

#include "MeshRtl2x8.h"
#include "MeshRtl3x5.h"
#include "MeshRtl4x4.h"
#include "MeshRtlNarrow.h"
#include "MeshRtlOneEntry.h"
#include "test/rtl/model_mesh.h"
#include "test/rtl/rtl_mesh.h"

namespace {

using namespace bvp;
using test::MeshTimes;
using test::MeshTiming;
using test::MeshTraffic;

/// A mesh that there is in RTL, see CMakeLists.txt.
struct Mesh {
  const char* name;
  u32 rows, columns;
  MeshTiming timing;
  MeshTimes (*rtl)(const MeshTraffic&);
};

const Mesh square{"4x4", 4, 4, {1, 2, 1}, test::run_on_rtl<MeshRtl4x4>};
const Mesh odd{"3x5", 3, 5, {1, 2, 1}, test::run_on_rtl<MeshRtl3x5>};
const Mesh flat{"2x8", 2, 8, {1, 2, 1}, test::run_on_rtl<MeshRtl2x8>};
const Mesh narrow{"4x4, 2 cycles a vector, links of 3 cycles, 3 entries", 4, 4, {3, 3, 2},
                  test::run_on_rtl<MeshRtlNarrow>};
const Mesh one_entry{"4x4, 1 entry", 4, 4, {1, 1, 1}, test::run_on_rtl<MeshRtlOneEntry>};

/// What all PEs of the 4x4 mesh send at once.
std::vector<MeshTraffic> exchanges(u32 vectors) {
  std::vector<MeshTraffic> list;
  for (const u32 mask : {1, 4, 2, 8, 3, 5, 15}) {
    list.push_back(test::permutation(fmt::format("i^{}", mask), 4, 4, vectors, vectors, [&](u32 pe) { return pe ^ mask; }));
  }
  list.push_back(test::permutation("i^15, single vectors", 4, 4, vectors, 1, [](u32 pe) { return pe ^ 15; }));
  list.push_back(test::permutation("transpose", 4, 4, vectors, vectors, [](u32 pe) { return pe % 4 * 4 + pe / 4; }));
  list.push_back(test::permutation("all to PE 0", 4, 4, vectors, vectors, [](u32) { return 0; }));
  return list;
}

/// Permutations, hot spots and random packets on any mesh.
std::vector<MeshTraffic> drawn(u32 rows, u32 columns, u32 vectors) {
  std::vector<MeshTraffic> list;
  for (const u32 seed : {1, 2, 3}) {
    list.push_back(test::random_traffic(fmt::format("random {}", seed), rows, columns, vectors, 1, seed));
    list.push_back(test::random_permutation(rows, columns, vectors, vectors, seed));
    list.push_back(test::random_traffic(fmt::format("random packets {}", seed), rows, columns, vectors, 8, seed));
    list.push_back(test::random_traffic(fmt::format("hot spot {}", seed), rows, columns, vectors, 4, seed, 3));
    list.push_back(test::random_traffic(fmt::format("random starts {}", seed), rows, columns, vectors, 4, seed, 0, 8));
  }
  return list;
}

struct Compared {
  const Mesh* mesh;
  MeshTraffic traffic;
};

std::vector<Compared> all_traffic(bool all_sizes) {
  std::vector<Compared> list;
  for (const u32 vectors : {8, 16, 64}) {
    for (MeshTraffic& traffic : exchanges(vectors)) list.push_back({&square, std::move(traffic)});
    for (MeshTraffic& traffic : drawn(4, 4, vectors)) list.push_back({&square, std::move(traffic)});
    if (vectors == 16 && !all_sizes) continue;
    for (const Mesh* mesh : {&odd, &flat, &narrow, &one_entry}) {
      for (MeshTraffic& traffic : drawn(mesh->rows, mesh->columns, vectors)) list.push_back({mesh, std::move(traffic)});
    }
  }
  return list;
}

}  // namespace

TEST_CASE("mesh: packets arrive when they do in RTL", "[rtl]") {
  for (const auto& [mesh, traffic] : all_traffic(false)) {
    INFO(mesh->name << ", " << traffic.name << ", " << traffic.vectors() / traffic.pes() << " vectors");
    const MeshTimes rtl = mesh->rtl(traffic);
    CHECK(test::run_on_model(traffic, mesh->timing, true).arrival == rtl.arrival);
  }
}

TEST_CASE("table of the comparison with the mesh in RTL", "[.table]") {
  fmt::print("| mesh | traffic | vectors a PE | RTL | model | asked one by one | mean: RTL | model | one by one |\n");
  fmt::print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
  for (const auto& [mesh, traffic] : all_traffic(true)) {
    const MeshTimes rtl = mesh->rtl(traffic), model = test::run_on_model(traffic, mesh->timing, true),
                    asked = test::run_on_model(traffic, mesh->timing, false);
    fmt::print("| {} | {} | {} | {} | {} | {} | {:.1f} | {:.1f} | {:.1f} |\n", mesh->name, traffic.name,
               traffic.vectors() / traffic.pes(), rtl.last(), model.last(), asked.last(), rtl.mean_latency(traffic),
               model.mean_latency(traffic), asked.mean_latency(traffic));
  }
}
