// SPDX-License-Identifier: Apache-2.0
#include "models/power/technology.h"

#include <fmt/format.h>

#include <array>
#include <stdexcept>

namespace bvp {

namespace {

/// Energy is proportional to a V^2 + b V + c.
struct Node {
  double nm, a, b, c;
  [[nodiscard]] double energy(double volt) const { return a * volt * volt + b * volt + c; }
};
constexpr std::array<Node, 10> nodes{{{7, 0.1776, -0.09097, 0.02447},
                                      {10, 0.2068, -0.09311, 0.02375},
                                      {14, 0.2363, -0.09675, 0.02239},
                                      {16, 0.2958, -0.1241, 0.03024},
                                      {20, 0.373, -0.1582, 0.04104},
                                      {32, 0.9559, -0.7823, 0.471},
                                      {45, 1.103, -0.362, 0.2767},
                                      {65, 3.755, -4.398, 1.975},
                                      {90, 4.762, -4.781, 2.092},
                                      {130, 7.171, -6.709, 2.904}}};

double energy(OperatingPoint point) {
  for (std::size_t i = 1; i < nodes.size(); ++i) {
    const Node &below = nodes[i - 1], &above = nodes[i];
    if (point.nm < below.nm || point.nm > above.nm) continue;
    const double share = (point.nm - below.nm) / (above.nm - below.nm);
    return (1 - share) * below.energy(point.volt) + share * above.energy(point.volt);
  }
  throw std::invalid_argument(fmt::format("no scaling of energy is known for {} nm, only for 7 to 130 nm", point.nm));
}

}  // namespace

double energy_scale(OperatingPoint from, OperatingPoint to) { return energy(to) / energy(from); }

}  // namespace bvp
