// SPDX-License-Identifier: Apache-2.0
// Searches on spaces whose costs are formulas: what they find, that they repeat, and that they ask for each design as
// whole generations.
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <set>

#include "platform/explore/search.h"
#include "platform/network/random.h"

using namespace bvp;

namespace {

/// A machine of four axes with 6, 5, 5 and 6 values: what takes area saves time, less and less of it.
constexpr std::array<u64, 4> sizes{6, 5, 5, 6};

Costs machine_costs(const std::array<u64, 4>& at) {
  const double lanes = std::exp2(at[0]), rows = 1.0 + static_cast<double>(at[1]), words = std::exp2(at[2]);
  const double channels = 1.0 + static_cast<double>(at[3]);
  const double compute = 1000 / (lanes * rows), memory = 300 / channels * (1 + 2 / words);
  return {std::max(compute, memory) + 0.2 * std::min(compute, memory), 3 * lanes * rows + 2 * words + 9 * channels};
}

std::array<u64, 4> design_of(const Coordinates& coordinates) {
  std::array<u64, 4> design{};
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    design[i] = static_cast<u64>(coordinates[i] * static_cast<double>(sizes[i]));
  }
  return design;
}

struct Found {
  std::vector<std::array<u64, 4>> designs;  // each once, in the order in which they were asked for
  std::vector<Costs> costs;
  std::vector<std::size_t> generations;
};

/// @param bad  designs that are no solutions
Found find(Sampling sampling, u64 budget, std::size_t objectives,
           const std::function<bool(const std::array<u64, 4>&)>& bad = nullptr) {
  Found found;
  std::map<std::array<u64, 4>, Costs> known;
  SearchRequest request;
  request.sampling = sampling;
  request.space = {sizes.begin(), sizes.end()};
  request.objectives = objectives;
  request.evaluate = [&](const std::vector<Coordinates>& designs) -> std::optional<std::vector<Costs>> {
    found.generations.push_back(designs.size());
    std::vector<Costs> all;
    for (const Coordinates& coordinates : designs) {
      const std::array<u64, 4> design = design_of(coordinates);
      if (known.count(design) == 0) {
        if (known.size() == budget) return std::nullopt;
        Costs costs = machine_costs(design);
        if (objectives == 1) costs = {costs[0] * costs[1]};
        if (bad && bad(design)) costs.clear();
        found.designs.push_back(design);
        if (!costs.empty()) found.costs.push_back(costs);
        known[design] = costs;
      }
      all.push_back(known[design]);
    }
    return all;
  };
  search(request);
  return found;
}

/// The costs of all designs.
std::vector<Costs> grid() {
  std::vector<Costs> all;
  std::array<u64, 4> at{};
  for (at[0] = 0; at[0] < sizes[0]; ++at[0]) {
    for (at[1] = 0; at[1] < sizes[1]; ++at[1]) {
      for (at[2] = 0; at[2] < sizes[2]; ++at[2]) {
        for (at[3] = 0; at[3] < sizes[3]; ++at[3]) all.push_back(machine_costs(at));
      }
    }
  }
  return all;
}

Sampling settings(Sampling::Method method, u64 seed) {
  Sampling sampling;
  sampling.method = method;
  sampling.seed = seed;
  sampling.population = 20;
  return sampling;
}

}  // namespace

TEST_CASE("NSGA-II finds the front of a grid with a quarter of its points", "[search]") {
  const std::vector<Costs> all = grid();
  REQUIRE(all.size() == 900);
  Costs worst = all.front();
  for (const Costs& costs : all) worst = {std::max(worst[0], costs[0]), std::max(worst[1], costs[1])};
  const double whole = hypervolume(all, worst);
  double missed = 0, missed_by_chance = 0;
  for (u64 seed = 1; seed <= 10; ++seed) {
    const u64 budget = all.size() / 4;
    const Found found = find(settings(Sampling::Method::nsga2, seed), budget, 2);
    REQUIRE(found.designs.size() == budget);
    INFO("seed " << seed << ": " << hypervolume(found.costs, worst) / whole);
    CHECK(hypervolume(found.costs, worst) >= (seed == 1 ? 0.95 : 0.9) * whole);
    missed += whole - hypervolume(found.costs, worst);
    Random random(seed, "test");
    std::vector<Costs> sample = all;
    std::sort(sample.begin(), sample.end());
    for (u64 i = 0; i < budget; ++i) std::swap(sample[i], sample[i + random.bits() % (sample.size() - i)]);
    sample.resize(budget);
    missed_by_chance += whole - hypervolume(sample, worst);
  }
  CHECK(missed < missed_by_chance);
}

TEST_CASE("an ant colony finds the least of one objective", "[search]") {
  double least = 1e9;
  for (const Costs& costs : grid()) least = std::min(least, costs[0] * costs[1]);
  for (u64 seed = 1; seed <= 5; ++seed) {
    const Found found = find(settings(Sampling::Method::gaco, seed), 225, 1);
    CHECK(std::min_element(found.costs.begin(), found.costs.end())->front() <= 1.02 * least);
  }
}

TEST_CASE("a search repeats and asks for whole generations", "[search]") {
  for (const Sampling::Method method : {Sampling::Method::nsga2, Sampling::Method::gaco}) {
    const std::size_t objectives = method == Sampling::Method::nsga2 ? 2 : 1;
    const Found once = find(settings(method, 7), 100, objectives), again = find(settings(method, 7), 100, objectives);
    CHECK(once.designs == again.designs);
    CHECK(once.designs != find(settings(method, 8), 100, objectives).designs);
    for (const std::size_t size : once.generations) CHECK(size == 20);
  }
}

TEST_CASE("designs that are no solutions are left behind", "[search]") {
  // Three quarters of the space fail.
  const auto bad = [](const std::array<u64, 4>& design) { return design[0] < 3 || design[3] < 3; };
  const Found found = find(settings(Sampling::Method::nsga2, 3), 150, 2, bad);
  std::size_t late = 0, late_bad = 0;
  for (std::size_t i = 75; i < found.designs.size(); ++i) {
    ++late;
    late_bad += bad(found.designs[i]) ? 1 : 0;
  }
  CHECK(late_bad * 2 < late);
}
