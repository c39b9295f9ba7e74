// SPDX-License-Identifier: Apache-2.0
#include "platform/explore/workloads.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

namespace bvp {
namespace {

using Json = nlohmann::ordered_json;

/// The geometric mean of numbers of one sign; nullopt: there is none.
std::optional<double> geometric_mean(const std::vector<double>& numbers) {
  double sum = 0;
  for (const double number : numbers) {
    if (number == 0 || std::signbit(number) != std::signbit(numbers.front())) return std::nullopt;
    sum += std::log(std::abs(number));
  }
  return std::copysign(std::exp(sum / static_cast<double>(numbers.size())), numbers.front());
}

/// A figure of all workloads; nullopt: they have none in common.
std::optional<Json> common_figure(const std::string& name, const std::vector<AnalysedPoint>& points) {
  std::vector<double> numbers;
  bool equal = true;
  for (const AnalysedPoint& point : points) {
    const auto figure = point.figures.find(name);
    if (figure == point.figures.end()) return std::nullopt;
    equal &= figure->second == points.front().figures.at(name);
    if (figure->second.is_number()) numbers.push_back(figure->second.get<double>());
  }
  if (equal) return points.front().figures.at(name);
  if (numbers.size() < points.size()) return std::nullopt;
  const std::optional<double> mean = geometric_mean(numbers);
  return mean ? std::optional<Json>(*mean) : std::nullopt;
}

}  // namespace

Costs mean_costs(const std::vector<Costs>& costs) {
  Costs means;
  for (const Costs& cost : costs) {
    if (cost.empty()) return {};
  }
  // What a single point costs is exact.
  if (costs.size() == 1) return costs.front();
  for (std::size_t i = 0; !costs.empty() && i < costs.front().size(); ++i) {
    std::vector<double> numbers;
    for (const Costs& cost : costs) numbers.push_back(cost[i]);
    const std::optional<double> mean = geometric_mean(numbers);
    if (!mean) return {};
    means.push_back(*mean);
  }
  return means;
}

Workloads::Workloads(const Json& definition) {
  for (const Json& axis : definition.at("axes")) {
    if (!axis.value("workload", false)) continue;
    for (const Json& key : axis.at("keys")) keys_.insert(key.get<std::string>());
    combinations_ *= axis.at("positions").size();
  }
}

std::vector<AnalysedPoint> Workloads::designs_of(std::vector<AnalysedPoint> points) const {
  std::map<std::map<std::string, std::string>, std::size_t> places;
  std::vector<std::vector<AnalysedPoint>> groups;
  for (AnalysedPoint& point : points) {
    // The base by itself runs one workload only.
    if (point.number == 0) continue;
    std::map<std::string, std::string> design = point.values;
    for (const std::string& key : keys_) design.erase(key);
    const auto [place, is_new] = places.emplace(std::move(design), groups.size());
    if (is_new) groups.emplace_back();
    groups[place->second].push_back(std::move(point));
  }
  std::vector<AnalysedPoint> designs;
  for (std::vector<AnalysedPoint>& group : groups) {
    if (group.size() % combinations_ == 0) designs.push_back(mean_of(std::move(group)));
  }
  return designs;
}

AnalysedPoint Workloads::mean_of(std::vector<AnalysedPoint> points) const {
  AnalysedPoint mean;
  const AnalysedPoint& first = points.front();
  for (const auto& [key, value] : first.values) {
    if (keys_.count(key) == 0) mean.values[key] = value;
  }
  mean.number = mean.values.empty() ? 0 : first.number;
  std::vector<Costs> costs;
  for (const AnalysedPoint& point : points) {
    mean.feasible &= point.feasible;
    mean.members.push_back(point.number);
    costs.push_back(point.costs);
  }
  mean.costs = mean_costs(costs);
  for (const auto& [name, value] : first.figures) {
    if (std::optional<Json> common = common_figure(name, points)) mean.figures[name] = std::move(*common);
  }
  return mean;
}

}  // namespace bvp
