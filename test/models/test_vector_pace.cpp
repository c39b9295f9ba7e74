// SPDX-License-Identifier: Apache-2.0
// The limits of a port of the memory plane hold across its firings.
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <vector>

#include "models/pe/fast/vector_pace.h"

using namespace bvp;

TEST_CASE("vector pace: one vector a cycle where the limits allow it", "[pe]") {
  VectorPace pace;
  const VectorAccess::Limits limits{{{8, 8}, {16, 10}}};
  CHECK(pace.issue(limits, 100, 20) == 20);
  CHECK(pace.issue(limits, 120, 1) == 1);
  CHECK(pace.issue(limits, 121, 0) == 0);
}

TEST_CASE("vector pace: a queue that does not cover its way holds up the next firing, too", "[pe]") {
  VectorPace pace;
  const VectorAccess::Limits limits{{{4, 10}, {16, 16}}};
  CHECK(pace.issue(limits, 0, 4) == 4);    // in cycles 0 to 3
  CHECK(pace.issue(limits, 4, 1) == 7);    // in cycle 10
  CHECK(pace.issue(limits, 50, 5) == 11);  // in cycles 50 to 53 and 60
  pace.reset();
  CHECK(pace.issue(limits, 61, 4) == 4);
}

TEST_CASE("vector pace: no vector follows another more closely than the limits say", "[pe]") {
  std::mt19937 random(7);
  const auto pick = [&](u32 low, u32 high) { return std::uniform_int_distribution<u32>(low, high)(random); };
  for (int round = 0; round < 200; ++round) {
    const VectorAccess::Limits limits{{{pick(1, 20), pick(1, 40)}, {pick(1, 20), pick(1, 40)}}};
    const bool binds = limits[0].cycles > limits[0].vectors || limits[1].cycles > limits[1].vectors;
    VectorPace pace;
    std::vector<Cycle> issues;
    Cycle now = 1000;
    for (int firing = 0; firing < 20; ++firing) {
      const u32 count = pick(1, 12);
      Cycle next = now;
      for (u32 i = 0; i < count; ++i) {
        for (const VectorAccess::Limit& limit : limits) {
          if (binds && issues.size() >= limit.vectors)
            next = std::max(next, issues[issues.size() - limit.vectors] + limit.cycles);
        }
        issues.push_back(next++);
      }
      REQUIRE(pace.issue(limits, now, count) == next - now);
      now = next + pick(0, 10);
    }
  }
}
