// SPDX-License-Identifier: Apache-2.0
// Searches for good designs: each generation of designs follows from the costs of those before it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "platform/explore/definition.h"
#include "platform/explore/pareto.h"

namespace bvp {

/// What a method of searching takes.
struct SearchMethod {
  Sampling::Method method;
  std::string name, what;
  std::size_t least_objectives, most_objectives;
  u64 least_population, population_step;  ///< a population is a multiple of the step
};
/// Returns null for a method that takes its points without a look at results.
[[nodiscard]] const SearchMethod* find_search_method(Sampling::Method method);

/// A design: for each axis a coordinate from 0 to below 1, as samples have them.
using Coordinates = std::vector<double>;

/// The axes as a search sees them: the number of values of each; 0: any number of a range.
using SearchSpace = std::vector<u64>;

/// The costs of designs. Those of a design that is no solution, because a constraint does not hold or its run failed,
/// are empty: every other design is better.
/// @return nullopt: the search ends
using EvaluateGeneration = std::function<std::optional<std::vector<Costs>>(const std::vector<Coordinates>& designs)>;

struct SearchRequest {
  Sampling sampling;
  SearchSpace space;
  std::size_t objectives = 2;
  EvaluateGeneration evaluate;
};

/// Hands out generations until evaluate() ends it. Equal requests whose costs are equal have equal generations.
void search(const SearchRequest& request);

}  // namespace bvp
