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

/// How many values a range has that come one after the other; 0: they do not.
double steps_in(const Axis::Range& range, const ParamBase* parameter) {
  if (parameter == nullptr) return 0;
  if (parameter->power_of_two()) return std::floor(std::log2(range.to)) - std::ceil(std::log2(range.from)) + 1;
  const bool even = parameter->type() == ParamType::integer && !range.logarithmic;
  return even ? std::floor(range.to - range.from) + 1 : 0;
}

/// The value at a share of the range; for integers each value has an equal part of it, and a power of two stays one.
std::string value_in(const Axis::Range& range, double share, const ParamBase* parameter) {
  if (const double steps = steps_in(range, parameter); steps > 0) {
    const double step = std::floor(share * steps);
    return axis_text(parameter->power_of_two() ? std::exp2(std::ceil(std::log2(range.from)) + step) : range.from + step,
                     parameter);
  }
  const double value = range.logarithmic ? range.from * std::pow(range.to / range.from, share)
                                         : range.from + share * (range.to - range.from);
  return axis_text(value, parameter);
}

}  // namespace

std::vector<double> latin_hypercube(u64 points, std::size_t axes, u64 seed) {
  std::vector<double> coordinates(points * axes);
  for (std::size_t axis = 0; axis < axes; ++axis) {
    Random random(seed, fmt::format("latin_hypercube:{}", axis));
    // Fisher and Yates: each stratum comes once.
    std::vector<u64> strata(points);
    std::iota(strata.begin(), strata.end(), u64{0});
    for (u64 i = points; i > 1; --i) {
      std::swap(strata[i - 1], strata[static_cast<u64>(random.uniform() * static_cast<double>(i))]);
    }
    for (u64 i = 0; i < points; ++i) {
      coordinates[i * axes + axis] = (static_cast<double>(strata[i]) + random.uniform()) / static_cast<double>(points);
    }
  }
  return coordinates;
}

PointSource::PointSource(const SweepDefinition& definition) : definition_(definition) {
  for (std::size_t i = 0; i < definition.axes.size(); ++i) {
    const Axis& axis = definition.axes[i];
    parameters_.push_back(find_parameter(tree_, axis.keys.front()));
    if (axis.workload) {
      workloads_ *= axis.positions.size();
    } else {
      axes_.push_back(i);
    }
  }
  designs_ = definition.sampling.points;
  switch (definition.sampling.method) {
    case Sampling::Method::grid:
      designs_ = 1;
      for (const std::size_t axis : axes_) designs_ *= definition.axes[axis].positions.size();
      break;
    case Sampling::Method::latin_hypercube:
      coordinates_ = latin_hypercube(designs_, axes_.size(), definition.sampling.seed);
      break;
    case Sampling::Method::sobol:
      sample_sobol();
      break;
    case Sampling::Method::random:
      break;
    case Sampling::Method::nsga2:
    case Sampling::Method::gaco:
      // As many as a search by time could take are not known.
      constexpr u64 stand_ins = 10'000;
      if (designs_ == 0) designs_ = stand_ins;
      break;
  }
}

void PointSource::sample_sobol() {
  const std::size_t axes = axes_.size();
  boost::random::sobol engine(axes);
  // The seed moves the whole sequence around (Cranley and Patterson), which keeps its evenness.
  std::vector<double> shift(axes);
  Random random(definition_.sampling.seed, "sobol");
  for (double& value : shift) value = random.uniform();
  coordinates_.resize(designs_ * axes);
  for (std::size_t i = 0; i < coordinates_.size(); ++i) {
    const double moved = static_cast<double>(engine() >> 11) * 0x1p-53 + shift[i % axes];
    coordinates_[i] = moved - std::floor(moved);
  }
}

std::vector<double> PointSource::coordinates_of(u64 design) const {
  std::vector<double> coordinates(axes_.size());
  u64 rest = design - 1;
  // The last axis of a grid varies fastest.
  for (std::size_t i = coordinates.size(); i-- > 0;) {
    if (definition_.sampling.method == Sampling::Method::grid) {
      const std::size_t size = definition_.axes[axes_[i]].positions.size();
      coordinates[i] = (static_cast<double>(rest % size) + 0.5) / static_cast<double>(size);
      rest /= size;
    } else if (!coordinates_.empty()) {
      coordinates[i] = coordinates_[(design - 1) * axes_.size() + i];
    } else {
      coordinates[i] = Random(definition_.sampling.seed, fmt::format("random:{}:{}", design - 1, i)).uniform();
    }
  }
  return coordinates;
}

std::vector<u64> PointSource::space() const {
  std::vector<u64> sizes;
  for (const std::size_t i : axes_) {
    const Axis& axis = definition_.axes[i];
    sizes.push_back(axis.range ? static_cast<u64>(std::max(0.0, steps_in(*axis.range, parameters_[i])))
                               : axis.positions.size());
  }
  return sizes;
}

SweepPoint PointSource::point(u64 number) const {
  if (number == 0) return {};
  const u64 design = has_workloads() ? (number - 1) / workloads_ : number;
  return point_at(design, (number - 1) % workloads_, design == 0 ? std::vector<double>{} : coordinates_of(design));
}

std::vector<SweepPoint> PointSource::design_at(u64 design, const std::vector<double>& coordinates) const {
  std::vector<SweepPoint> points;
  for (u64 workload = 0; workload < workloads_; ++workload) points.push_back(point_at(design, workload, coordinates));
  return points;
}

SweepPoint PointSource::point_at(u64 design, u64 workload, const std::vector<double>& coordinates) const {
  SweepPoint point;
  point.number = has_workloads() ? 1 + design * workloads_ + workload : design;
  const auto set = [&](const Axis& axis, std::size_t position) {
    for (std::size_t key = 0; key < axis.keys.size(); ++key) {
      point.values.push_back({axis.keys[key], axis.positions[position][key], {}});
    }
  };
  u64 rest = workload;
  std::size_t next = 0;  // of the coordinates
  for (std::size_t i = 0; i < definition_.axes.size(); ++i) {
    const Axis& axis = definition_.axes[i];
    if (axis.workload) {
      set(axis, rest % axis.positions.size());
      rest /= axis.positions.size();
    } else if (design > 0 && axis.range) {
      point.values.push_back({axis.keys.front(), value_in(*axis.range, coordinates[next++], parameters_[i]), {}});
    } else if (design > 0) {
      set(axis, static_cast<std::size_t>(coordinates[next++] * static_cast<double>(axis.positions.size())));
    }
  }
  return point;
}

}  // namespace bvp
