// SPDX-License-Identifier: Apache-2.0
#include "platform/explore/pareto.h"

#include <algorithm>
#include <pagmo/utils/hypervolume.hpp>

namespace bvp {

bool dominates(const Costs& a, const Costs& b) {
  bool better = false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] > b[i]) return false;
    better |= a[i] < b[i];
  }
  return better;
}

std::vector<std::size_t> pareto_front(const std::vector<Costs>& points) {
  std::vector<std::size_t> order(points.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return points[a] < points[b]; });
  // In this order a point can be dominated only by those before it.
  std::vector<std::size_t> front;
  for (const std::size_t candidate : order) {
    const bool beaten = std::any_of(front.begin(), front.end(), [&](std::size_t member) {
      return points[member] == points[candidate] || dominates(points[member], points[candidate]);
    });
    if (!beaten) front.push_back(candidate);
  }
  return front;
}

double hypervolume(const std::vector<Costs>& points, const Costs& reference) {
  if (reference.empty()) return 0;
  std::vector<Costs> inside;
  for (const Costs& point : points) {
    bool better = true;
    for (std::size_t i = 0; i < reference.size(); ++i) better &= point[i] < reference[i];
    if (better) inside.push_back(point);
  }
  if (inside.empty()) return 0;
  // The library takes two objectives or more.
  if (reference.size() == 1) return reference[0] - std::min_element(inside.begin(), inside.end())->front();
  return pagmo::hypervolume(inside).compute(reference);
}

}  // namespace bvp
