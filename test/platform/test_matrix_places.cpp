// SPDX-License-Identifier: Apache-2.0
// Matrices in DRAM that are in use at the same time lie apart, the others share places.
#include <catch2/catch.hpp>
#include <random>
#include <vector>

#include "platform/compiler/ir/dram_plan.h"

using namespace bvp;

namespace {

struct Use {
  MatrixPlace place;
  std::size_t first = 0, last = 0;
  bool kept = false;
};

bool apart(const MatrixPlace& a, const MatrixPlace& b) {
  return a.address + (a.rows + 1) * a.pitch <= b.address || b.address + (b.rows + 1) * b.pitch <= a.address;
}

}  // namespace

TEST_CASE("matrices share places in DRAM only when they are never in use at the same time", "[compiler]") {
  CompilerTarget target;
  target.dram_base = 0x80000000;
  target.dram_bytes = u64{1} << 30;
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    DramPlan dram(target);
    Tasks all;
    std::vector<Use> uses;
    const std::size_t tasks = 1 + random() % 12;
    for (int i = 0; i < 30; ++i) {
      Use use;
      use.place = dram.matrix(1 + random() % 300, 1 + random() % 400);
      use.first = random() % tasks;
      use.last = use.first + random() % (tasks - use.first);
      use.kept = random() % 6 == 0;
      if (use.kept) dram.keep(use.place);
      uses.push_back(use);
    }
    const MatrixPlace unused = dram.matrix(100000, 2000);  // has no place: it would not fit
    for (std::size_t index = 0; index < tasks; ++index) {
      TaskBuilder task(target, "task", 0, {1, 1, 1}, 32, 32);
      const TileBuffer buffer = task.buffer(400);
      for (const Use& use : uses) {
        if (use.first == index) task.store(use.place, use.place.pitch / 2, buffer, 1, false, {});
        if (use.last == index) task.load(use.place, use.place.pitch / 2, buffer, 1, false, {});
      }
      all.push_back(std::move(task));
    }
    const MatrixPlaces& places = dram.settle(all);
    u64 shared = 0, wrong = 0;
    for (std::size_t a = 0; a < uses.size(); ++a) {
      const MatrixPlace one = places.settled(uses[a].place);
      wrong += one.address < target.dram_base || one.address + (one.rows + 1) * one.pitch > dram.end();
      for (std::size_t b = 0; b < a; ++b) {
        const bool together =
            uses[a].kept || uses[b].kept || (uses[a].first <= uses[b].last && uses[b].first <= uses[a].last);
        const bool lie_apart = apart(one, places.settled(uses[b].place));
        wrong += together && !lie_apart;
        shared += lie_apart ? 0 : 1;
      }
    }
    CHECK(wrong == 0);
    if (tasks > 6) CHECK(shared > 0);
    CHECK(unused.address != places.settled(unused).address);
    // What is not provisional stays, and steps move with their matrices.
    CHECK(places.settled(target.dram_base + 4096) == target.dram_base + 4096);
    for (std::size_t index = 0; index < tasks; ++index) {
      for (const Step& step : all[index].inputs()) {
        DmaDescriptor before, after;
        const Step moved = places.settled(step);
        __builtin_memcpy(&before, step.command.registers.data(), sizeof(before));
        __builtin_memcpy(&after, moved.command.registers.data(), sizeof(after));
        CHECK(after.source == places.settled(before.source));
        CHECK(after.destination == before.destination);
      }
    }
  }
}
