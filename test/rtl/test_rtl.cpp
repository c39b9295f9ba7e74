// SPDX-License-Identifier: Apache-2.0
// The model of the mesh held against one in RTL: docs/models/mesh.md.
#include <fmt/format.h>

#include <array>
#include <catch2/catch.hpp>
#include <cmath>

#include "MeshRtl2x8.h"
#include "MeshRtl3x5.h"
#include "MeshRtl4x4.h"
#include "MeshRtlNarrow.h"
#include "MeshRtlOneEntry.h"
#include "test/rtl/rtl_mesh.h"
#include "test/support/model_mesh.h"

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
const Mesh narrow{"4x4, narrow", 4, 4, {3, 3, 2}, test::run_on_rtl<MeshRtlNarrow>};
const Mesh one_entry{"4x4, 1 entry", 4, 4, {1, 1, 1}, test::run_on_rtl<MeshRtlOneEntry>};
constexpr std::array<const Mesh*, 5> meshes{&square, &odd, &flat, &narrow, &one_entry};

/// What all PEs of the 4x4 mesh send at once.
std::vector<MeshTraffic> exchanges(u32 vectors) {
  std::vector<MeshTraffic> list;
  for (const u32 mask : {1, 4, 2, 8, 3, 5, 15}) {
    list.push_back(
        test::permutation(fmt::format("i^{}", mask), 4, 4, vectors, vectors, [&](u32 pe) { return pe ^ mask; }));
  }
  list.push_back(test::permutation("i^15, single vectors", 4, 4, vectors, 1, [](u32 pe) { return pe ^ 15; }));
  list.push_back(test::permutation("transpose", 4, 4, vectors, vectors, [](u32 pe) { return pe % 4 * 4 + pe / 4; }));
  list.push_back(test::permutation("all to PE 0", 4, 4, vectors, vectors, [](u32) { return 0; }));
  return list;
}

/// Permutations, hot spots and random packets on any mesh.
std::vector<MeshTraffic> drawn(const Mesh& mesh, u32 vectors, u32 seed) {
  const u32 rows = mesh.rows, columns = mesh.columns;
  std::vector<MeshTraffic> list;
  list.push_back(test::random_traffic("random vectors", rows, columns, vectors, 1, seed));
  list.push_back(test::random_permutation("permutation", rows, columns, vectors, vectors, seed));
  list.push_back(test::random_traffic("random packets", rows, columns, vectors, 8, seed));
  list.push_back(test::random_traffic("hot spot", rows, columns, vectors, 4, seed, 3));
  list.push_back(test::random_traffic("random starts", rows, columns, vectors, 4, seed, 0, 8));
  return list;
}

constexpr std::array<u32, 3> sizes{8, 16, 64};  // vectors that each PE sends

struct Times {
  MeshTimes rtl, model, at_once;

  Times(const Mesh& mesh, const MeshTraffic& traffic)
      : rtl(mesh.rtl(traffic)),
        model(test::run_on_model(traffic, mesh.timing, true)),
        at_once(test::run_on_model(traffic, mesh.timing, false)) {}
};

void check(const Mesh& mesh, const MeshTraffic& traffic) {
  const Times times(mesh, traffic);
  CHECK(times.model.arrival == times.rtl.arrival);
}

/// How long an exchange takes of which all packets are there at once.
void check_at_once(const Mesh& mesh, const MeshTraffic& traffic) {
  const Times times(mesh, traffic);
  constexpr double tolerance = 0.1;
  const auto last = static_cast<double>(times.rtl.last()), at_once = static_cast<double>(times.at_once.last());
  CHECK(std::abs(at_once - last) <= std::max(1.0, tolerance * last));
}

/// A row of the table; `of_size` has the same traffic in all sizes.
void print_row(const Mesh& mesh, const std::array<MeshTraffic, sizes.size()>& of_size) {
  std::array<std::string, 3> last, mean;
  for (const MeshTraffic& traffic : of_size) {
    const Times times(mesh, traffic);
    const std::array<const MeshTimes*, 3> each{&times.rtl, &times.model, &times.at_once};
    for (std::size_t i = 0; i < each.size(); ++i) {
      last[i] += fmt::format("{}{}", last[i].empty() ? "" : ", ", each[i]->last());
      mean[i] = fmt::format("{:.1f}", each[i]->mean_latency(traffic));
    }
  }
  fmt::print("| {} | {} | {} | {} | {} | {} | {} | {} |\n", mesh.name, of_size.front().name, last[0], last[1], last[2],
             mean[0], mean[1], mean[2]);
}

}  // namespace

TEST_CASE("mesh: exchanges of all PEs take as long as in RTL", "[rtl]") {
  for (const u32 vectors : sizes) {
    for (const MeshTraffic& traffic : exchanges(vectors)) {
      INFO(traffic.name << ", " << vectors << " vectors");
      check(square, traffic);
      check_at_once(square, traffic);
    }
  }
}

TEST_CASE("mesh: random traffic takes as long as in RTL", "[rtl]") {
  for (const Mesh* mesh : meshes) {
    for (const u32 vectors : {8, 64}) {
      for (const u32 seed : {1, 2, 3}) {
        for (const MeshTraffic& traffic : drawn(*mesh, vectors, seed)) {
          INFO(mesh->name << ", " << traffic.name << ", " << vectors << " vectors, seed " << seed);
          check(*mesh, traffic);
        }
      }
    }
  }
}

// The table of docs/models/mesh.md.
TEST_CASE("table of the comparison with the mesh in RTL", "[.table]") {
  fmt::print("| mesh | traffic | last: RTL | model | at once | mean: RTL | model | at once |\n");
  fmt::print("| --- | --- | --- | --- | --- | --- | --- | --- |\n");
  const auto print = [](const Mesh& mesh, const std::function<std::vector<MeshTraffic>(u32)>& traffic) {
    const std::size_t count = traffic(sizes[0]).size();
    for (std::size_t i = 0; i < count; ++i) {
      print_row(mesh, {traffic(sizes[0])[i], traffic(sizes[1])[i], traffic(sizes[2])[i]});
    }
  };
  print(square, exchanges);
  for (const Mesh* mesh : meshes) print(*mesh, [&](u32 vectors) { return drawn(*mesh, vectors, 1); });
}
