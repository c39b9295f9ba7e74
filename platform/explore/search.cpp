// SPDX-License-Identifier: Apache-2.0
#include "platform/explore/search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <pagmo/algorithm.hpp>
#include <pagmo/algorithms/gaco.hpp>
#include <pagmo/algorithms/nsga2.hpp>
#include <pagmo/batch_evaluators/member_bfe.hpp>
#include <pagmo/bfe.hpp>
#include <pagmo/population.hpp>
#include <pagmo/problem.hpp>
#include <utility>

#include "platform/explore/point_source.h"
#include "platform/network/random.h"

namespace bvp {
namespace {

/// The costs of a design that is no solution. Larger than those of any machine, and small enough that the library may
/// subtract and divide them.
constexpr double worst_cost = 1e100;

/// Ends the library's loop over generations.
struct SearchEnded {};

/// The search as a problem of the library: decision vectors have the real numbers first and then the integers. An axis
/// with one value is no part of them.
class Problem {
 public:
  Problem() = default;  // the library needs it and does not use it
  explicit Problem(const SearchRequest& request) : request_(&request) {
    for (const bool whole : {false, true}) {
      for (std::size_t axis = 0; axis < request.space.size(); ++axis) {
        const u64 values = request.space[axis];
        if (values == 1 || (values > 0) != whole) continue;
        axes_.push_back(axis);
        integers_ += whole ? 1 : 0;
      }
    }
  }

  [[nodiscard]] pagmo::vector_double fitness(const pagmo::vector_double& decision) const {
    return batch_fitness(decision);
  }

  [[nodiscard]] pagmo::vector_double batch_fitness(const pagmo::vector_double& decisions) const {
    std::vector<Coordinates> designs;
    for (std::size_t begin = 0; begin < decisions.size(); begin += axes_.size()) {
      designs.push_back(coordinates(decisions.data() + begin));
    }
    const std::optional<std::vector<Costs>> costs = request_->evaluate(designs);
    if (!costs) throw SearchEnded();
    pagmo::vector_double all;
    for (const Costs& of_design : *costs) {
      for (std::size_t i = 0; i < request_->objectives; ++i) {
        all.push_back(of_design.empty() ? worst_cost : std::min(of_design[i], worst_cost / 2));
      }
    }
    return all;
  }

  [[nodiscard]] std::pair<pagmo::vector_double, pagmo::vector_double> get_bounds() const {
    std::pair<pagmo::vector_double, pagmo::vector_double> bounds;
    for (const std::size_t axis : axes_) {
      const u64 values = request_->space[axis];
      bounds.first.push_back(0);
      bounds.second.push_back(values > 0 ? static_cast<double>(values - 1) : 1);
    }
    return bounds;
  }
  [[nodiscard]] pagmo::vector_double::size_type get_nobj() const { return request_->objectives; }
  [[nodiscard]] pagmo::vector_double::size_type get_nix() const { return integers_; }

  /// The decision vector of a design.
  [[nodiscard]] pagmo::vector_double decision(const double* design) const {
    pagmo::vector_double decision;
    for (const std::size_t axis : axes_) {
      const auto values = static_cast<double>(request_->space[axis]);
      decision.push_back(values > 0 ? std::floor(design[axis] * values) : design[axis]);
    }
    return decision;
  }

  [[nodiscard]] std::size_t axes() const { return axes_.size(); }

  template <typename Archive>
  void serialize(Archive&, unsigned) {}  // the library needs it and does not use it

 private:
  [[nodiscard]] Coordinates coordinates(const double* decision) const {
    // The middle of the value's part of the axis.
    Coordinates design(request_->space.size(), 0.5);
    constexpr double below_one = 1 - std::numeric_limits<double>::epsilon();
    for (std::size_t i = 0; i < axes_.size(); ++i) {
      const auto values = static_cast<double>(request_->space[axes_[i]]);
      design[axes_[i]] = values > 0 ? (decision[i] + 0.5) / values : std::min(decision[i], below_one);
    }
    return design;
  }

  const SearchRequest* request_ = nullptr;
  std::vector<std::size_t> axes_;
  std::size_t integers_ = 0;
};

/// The search ends from within, see SearchEnded.
constexpr unsigned generations = std::numeric_limits<unsigned>::max();

pagmo::algorithm algorithm_of(const SearchRequest& request, std::size_t axes, unsigned seed) {
  const pagmo::bfe whole_generation{pagmo::member_bfe{}};
  if (request.sampling.method == Sampling::Method::gaco) {
    const auto kernels = static_cast<unsigned>(request.sampling.population);
    pagmo::gaco ants(generations, kernels, 1.0, 0.0, 0.01, generations, 7, 0, 0, 0.0, false, seed);
    ants.set_bfe(whole_generation);
    return pagmo::algorithm(ants);
  }
  // Deb and others: crossover with probability 0.9, one mutation in each design on average.
  pagmo::nsga2 genetic(generations, 0.9, 10.0, 1.0 / static_cast<double>(axes), 20.0, seed);
  genetic.set_bfe(whole_generation);
  return pagmo::algorithm(genetic);
}

}  // namespace

const SearchMethod* find_search_method(Sampling::Method method) {
  static const std::vector<SearchMethod> all{
      {Sampling::Method::nsga2, "nsga2", "a genetic algorithm for two or three objectives (NSGA-II)", 2, 3, 8, 4},
      {Sampling::Method::gaco, "gaco", "an ant colony for one objective (extended ant colony optimisation)", 1, 1, 4,
       1}};
  for (const SearchMethod& candidate : all) {
    if (candidate.method == method) return &candidate;
  }
  return nullptr;
}

void search(const SearchRequest& request) {
  const Problem problem(request);
  Random random(request.sampling.seed, "search");
  const auto seed = [&] { return static_cast<unsigned>(random.bits() >> 32); };
  const u64 members = request.sampling.population;
  const std::vector<double> first = latin_hypercube(members, request.space.size(), request.sampling.seed);
  pagmo::vector_double decisions;
  for (u64 i = 0; i < members; ++i) {
    const pagmo::vector_double decision = problem.decision(first.data() + i * request.space.size());
    decisions.insert(decisions.end(), decision.begin(), decision.end());
  }
  try {
    const pagmo::vector_double costs = problem.batch_fitness(decisions);
    pagmo::population population(pagmo::problem(problem), 0, seed());
    for (u64 i = 0; i < members; ++i) {
      const auto part = [i](const pagmo::vector_double& all, std::size_t size) {
        const auto begin = all.begin() + static_cast<std::ptrdiff_t>(i * size);
        return pagmo::vector_double(begin, begin + static_cast<std::ptrdiff_t>(size));
      };
      population.push_back(part(decisions, problem.axes()), part(costs, request.objectives));
    }
    static_cast<void>(algorithm_of(request, problem.axes(), seed()).evolve(std::move(population)));
  } catch (const SearchEnded&) {
    // evaluate() has ended it.
  }
}

}  // namespace bvp
