// SPDX-License-Identifier: Apache-2.0
#include "platform/explore/point_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/random/sobol.hpp>
#include <cmath>
#include <numeric>

#include "platform/explore/axis_values.h"
#include "platform/network/random.h"

namespace bvp {
namespace {

/// The value at a share of the range; for integers each value has an equal part of it, and a power of two stays one.
std::string value_in(const Axis::Range& range, double share, const ParamBase* parameter) {
  const bool integer = parameter != nullptr && parameter->type() == ParamType::integer;
  if (parameter != nullptr && parameter->power_of_two()) {
    const double low = std::ceil(std::log2(range.from)), high = std::floor(std::log2(range.to));
    return axis_text(std::exp2(low + std::floor(share * (high - low + 1))), parameter);
  }
  if (integer && !range.logarithmic) {
    return axis_text(range.from + std::floor(share * (range.to - range.from + 1)), parameter);
  }
  const double value = range.logarithmic ? range.from * std::pow(range.to / range.from, share)
                                         : range.from + share * (range.to - range.from);
  return axis_text(value, parameter);
}

}  // namespace

PointSource::PointSource(const SweepDefinition& definition) : definition_(definition) {
  for (const Axis& axis : definition.axes) parameters_.push_back(find_parameter(tree_, axis.keys.front()));
  count_ = definition.sampling.points;
  switch (definition.sampling.method) {
    case Sampling::Method::grid:
      count_ = 1;
      for (const Axis& axis : definition.axes) count_ *= axis.positions.size();
      break;
    case Sampling::Method::random:
      break;
    case Sampling::Method::latin_hypercube:
      sample_latin_hypercube();
      break;
    case Sampling::Method::sobol:
      sample_sobol();
      break;
  }
}

void PointSource::sample_latin_hypercube() {
  const std::size_t axes = definition_.axes.size();
  coordinates_.resize(count_ * axes);
  for (std::size_t axis = 0; axis < axes; ++axis) {
    Random random(definition_.sampling.seed, fmt::format("latin_hypercube:{}", axis));
    // Fisher and Yates: each stratum comes once.
    std::vector<u64> strata(count_);
    std::iota(strata.begin(), strata.end(), u64{0});
    for (u64 i = count_; i > 1; --i) {
      std::swap(strata[i - 1], strata[static_cast<u64>(random.uniform() * static_cast<double>(i))]);
    }
    for (u64 i = 0; i < count_; ++i) {
      coordinates_[i * axes + axis] = (static_cast<double>(strata[i]) + random.uniform()) / static_cast<double>(count_);
    }
  }
}

void PointSource::sample_sobol() {
  const std::size_t axes = definition_.axes.size();
  boost::random::sobol engine(axes);
  // The seed moves the whole sequence around (Cranley and Patterson), which keeps its evenness.
  std::vector<double> shift(axes);
  Random random(definition_.sampling.seed, "sobol");
  for (double& value : shift) value = random.uniform();
  coordinates_.resize(count_ * axes);
  for (std::size_t i = 0; i < coordinates_.size(); ++i) {
    const double moved = static_cast<double>(engine() >> 11) * 0x1p-53 + shift[i % axes];
    coordinates_[i] = moved - std::floor(moved);
  }
}

double PointSource::coordinate(u64 index, std::size_t axis) const {
  if (!coordinates_.empty()) return coordinates_[index * definition_.axes.size() + axis];
  return Random(definition_.sampling.seed, fmt::format("random:{}:{}", index, axis)).uniform();
}

SweepPoint PointSource::point(u64 number) const {
  SweepPoint point;
  point.number = number;
  if (number == 0) return point;
  u64 rest = number - 1;
  // The last axis of a grid varies fastest.
  std::vector<std::size_t> positions(definition_.axes.size());
  for (std::size_t i = positions.size(); i-- > 0;) {
    const Axis& axis = definition_.axes[i];
    if (definition_.sampling.method == Sampling::Method::grid) {
      positions[i] = rest % axis.positions.size();
      rest /= axis.positions.size();
    } else if (!axis.range) {
      const auto size = static_cast<double>(axis.positions.size());
      positions[i] = static_cast<std::size_t>(coordinate(number - 1, i) * size);
    }
  }
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const Axis& axis = definition_.axes[i];
    if (axis.range) {
      const std::string value = value_in(*axis.range, coordinate(number - 1, i), parameters_[i]);
      point.values.push_back({axis.keys.front(), value, {}});
      continue;
    }
    for (std::size_t key = 0; key < axis.keys.size(); ++key) {
      point.values.push_back({axis.keys[key], axis.positions[positions[i]][key], {}});
    }
  }
  return point;
}

}  // namespace bvp
