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
  [[nodiscard]] double lowest_volt() const { return -b / (2 * a); }
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

Node node_at(double nm) {
  for (std::size_t i = 1; i < nodes.size(); ++i) {
    const Node &below = nodes[i - 1], &above = nodes[i];
    if (nm < below.nm || nm > above.nm) continue;
    const double share = (nm - below.nm) / (above.nm - below.nm);
    const auto between = [share](double low, double high) { return (1 - share) * low + share * high; };
    return {nm, between(below.a, above.a), between(below.b, above.b), between(below.c, above.c)};
  }
  throw std::invalid_argument(fmt::format("no scaling of energy is known for {} nm, only for 7 to 130 nm", nm));
}

double energy(OperatingPoint point) {
  const Node node = node_at(point.nm);
  if (point.volt < node.lowest_volt()) {
    throw std::invalid_argument(
        fmt::format("no scaling of energy is known for {:g} nm at {:g} V: the published polynomial holds from {:.3f} V",
                    point.nm, point.volt, node.lowest_volt()));
  }
  return node.energy(point.volt);
}

}  // namespace

double energy_scale(OperatingPoint from, OperatingPoint to) { return energy(to) / energy(from); }

double lowest_voltage(double nm) { return node_at(nm).lowest_volt(); }

}  // namespace bvp
