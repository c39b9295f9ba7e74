// SPDX-License-Identifier: Apache-2.0
#include "platform/explore/analysis.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/math/statistics/bivariate_statistics.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "platform/explore/figure_values.h"
#include "platform/explore/workloads.h"
#include "platform/support/input_error.h"
#include "platform/support/text_table.h"

namespace bvp {
namespace {

using Json = nlohmann::ordered_json;

/// The mean over the points of each value of an axis, of the logarithm of an objective.
class MainEffect {
 public:
  void add(const std::string& value, double logarithm) {
    auto& [sum, count] = by_value_[value];
    sum += logarithm;
    ++count;
    all_ += logarithm;
    squares_ += logarithm * logarithm;
    ++count_;
  }
  [[nodiscard]] double variance_share() const {
    if (count_ == 0) return 0;
    const double mean = all_ / static_cast<double>(count_);
    const double variance = squares_ / static_cast<double>(count_) - mean * mean;
    double between = 0;
    for (const auto& [value, entry] : by_value_) {
      const double difference = entry.first / static_cast<double>(entry.second) - mean;
      between += static_cast<double>(entry.second) * difference * difference / static_cast<double>(count_);
    }
    constexpr double nothing = 1e-18;
    return variance > nothing ? std::min(1.0, between / variance) : 0;
  }

 private:
  std::map<std::string, std::pair<double, u64>> by_value_;
  double all_ = 0, squares_ = 0;
  u64 count_ = 0;
};

/// The place of each value in ascending order; equal values share the mean of their places.
std::vector<double> ranks(const std::vector<double>& values) {
  std::vector<double> ranks;
  for (const double value : values) {
    const auto below = std::count_if(values.begin(), values.end(), [&](double other) { return other < value; });
    const auto equal = std::count(values.begin(), values.end(), value);
    ranks.push_back(static_cast<double>(below) + static_cast<double>(equal - 1) / 2);
  }
  return ranks;
}

/// What the points that were run again say of an objective.
std::string difference_sentence(const Analysis& analysis, std::size_t objective) {
  std::vector<double> before, after;
  double sum = 0, largest = 0;
  u64 where = 0;
  for (const ConfirmedPoint& confirmed : analysis.confirmed) {
    const AnalysedPoint& point = analysis.points[confirmed.index];
    before.push_back(point.costs[objective]);
    after.push_back(confirmed.costs[objective]);
    const double difference = std::abs(after.back() / before.back() - 1);
    if (!std::isfinite(difference)) continue;
    sum += difference;
    if (difference < largest) continue;
    largest = difference;
    where = point.number;
  }
  if (largest == 0) return fmt::format("{} does not differ.", analysis.objectives[objective]);
  std::string text =
      fmt::format("{} differs by {:.2f} % on average and by {:.2f} % at most, at point {}",
                  analysis.objectives[objective], 100 * sum / static_cast<double>(before.size()), 100 * largest, where);
  constexpr std::size_t fewest = 3;
  const double correlation = before.size() < fewest
                                 ? std::nan("")
                                 : boost::math::statistics::correlation_coefficient(ranks(before), ranks(after));
  if (std::isfinite(correlation)) text += fmt::format("; the rank correlation (Spearman) is {:.3f}", correlation);
  return text + ".";
}

/// Whether the front is still one in the other fidelity.
std::string front_sentence(const Analysis& analysis) {
  std::vector<Costs> costs;
  std::vector<u64> numbers;
  u64 infeasible = 0;
  for (const ConfirmedPoint& confirmed : analysis.confirmed) {
    if (std::count(analysis.front.begin(), analysis.front.end(), confirmed.index) == 0) continue;
    infeasible += confirmed.feasible ? 0 : 1;
    costs.push_back(confirmed.costs);
    numbers.push_back(analysis.points[confirmed.index].number);
  }
  if (costs.empty()) return {};
  std::string left;
  for (std::size_t i = 0; i < costs.size(); ++i) {
    for (std::size_t other = 0; other < costs.size(); ++other) {
      if (!dominates(costs[other], costs[i])) continue;
      left += fmt::format("{}{} ({} is better)", left.empty() ? "" : ", ", numbers[i], numbers[other]);
      break;
    }
  }
  std::string text = fmt::format("{} of {} points of the front were run again; ", costs.size(), analysis.front.size());
  text += left.empty() ? "all of these stay on it" : "of these leave it: " + left;
  if (infeasible > 0) text += fmt::format("; {} no longer meet the constraints", infeasible);
  return text + ".";
}

/// The value of a point on an axis. Of keys that vary together those of all, "4:8:16", unless they are equal; nothing
/// for the base, which has no values on axes.
std::string value_on(const AnalysedPoint& point, const AnalysedAxis& axis) {
  std::string joined;
  bool equal = true;
  for (const std::string& key : axis.keys) {
    const auto value = point.values.find(key);
    if (value == point.values.end()) return {};
    equal &= value->second == point.values.at(axis.keys.front());
    joined += (joined.empty() ? "" : ":") + value->second;
  }
  return equal ? point.values.at(axis.keys.front()) : joined;
}

/// The heading of an axis: the last words of its keys.
std::string short_name(const AnalysedAxis& axis) {
  std::string name;
  for (const std::string& key : axis.keys) name += (name.empty() ? "" : ":") + key.substr(key.rfind('.') + 1);
  return name;
}

class Analyst {
 public:
  Analyst(const SweepStore& store, const std::string& where)
      : definition_(store.definition()), objectives_(definition_) {
    analysis_.name = definition_.at("name").get<std::string>();
    for (std::size_t i = 0; i < objectives_.count(); ++i) {
      analysis_.minimise.push_back(objectives_.minimise(i));
      analysis_.objectives.push_back(objectives_.text(i));
    }
    try {
      if (!where.empty()) filter_.emplace(where);
    } catch (const ExpressionError& error) {
      throw InputError(fmt::format("--where: {}", error.what()));
    }
    const Workloads workloads(definition_);
    for (const Json& axis : definition_.at("axes")) {
      if (axis.value("workload", false)) continue;
      AnalysedAxis entry;
      entry.keys = axis.at("keys").get<std::vector<std::string>>();
      for (const std::string& key : entry.keys) entry.name += (entry.name.empty() ? "" : "+") + key;
      analysis_.axes.push_back(std::move(entry));
    }
    if (filter_) check_names(*filter_);
    std::vector<AnalysedPoint> points, again;
    store.for_each(false, [&](const PointRow& row) { judge(row, points); });
    for (const PointRow& row : store.confirmations()) {
      judge(row, again);
      for (const Override& override : row.point.overrides) {
        if (override.key == "run.fidelity") fidelities_[row.point.number] = override.value;
      }
    }
    if (!workloads.none()) {
      points = workloads.designs_of(std::move(points));
      again = workloads.designs_of(std::move(again));
    }
    for (AnalysedPoint& point : points) add(std::move(point));
    for (const AnalysedPoint& point : again) add_confirmed(point);
  }

  Analysis result() {
    for (AnalysedAxis& axis : analysis_.axes) list_values(axis);
    find_front();
    for (std::size_t i = 0; i < objectives_.count(); ++i) analysis_.effects.push_back(effects_on(i));
    say_front();
    for (std::size_t i = 0; i < objectives_.count(); ++i) say_knees(i);
    say_axes_without_effect();
    say_extrapolated();
    say_profiles();
    for (std::string& sentence : confirmation_sentences(analysis_)) analysis_.sentences.push_back(std::move(sentence));
    return std::move(analysis_);
  }

 private:
  void check_names(const Expression& filter) const {
    for (const std::string& name : filter.names()) {
      const bool on_axis = std::any_of(analysis_.axes.begin(), analysis_.axes.end(), [&](const AnalysedAxis& axis) {
        return std::find(axis.keys.begin(), axis.keys.end(), name) != axis.keys.end();
      });
      if (on_axis || name == "point" || is_figure_name(name)) continue;
      throw InputError(fmt::format(
          "--where: unknown name '{}'; expected point, a key on an axis, or a figure of summary.json", name));
    }
  }

  /// Appends the point of a row that ended well.
  void judge(const PointRow& row, std::vector<AnalysedPoint>& points) const {
    if (row.point.outcome != Outcome::done || row.figures.empty()) return;
    points.push_back(analysed_point(row.point, row.figures));
    objectives_.judge(points.back());
  }

  void add(AnalysedPoint point) {
    const auto lookup = [&](const std::string& name) { return point_value(point, name); };
    try {
      // The base is shown beside the others, whatever is asked for.
      if (filter_ && point.number != 0 && !filter_->holds(lookup).value_or(false)) return;
    } catch (const ExpressionError& error) {
      throw InputError(fmt::format("--where '{}': {}", filter_->text(), error.what()));
    }
    if (point.number == 0) analysis_.base = analysis_.points.size();
    analysis_.points.push_back(std::move(point));
  }

  void add_confirmed(const AnalysedPoint& again) {
    const auto at = std::find_if(analysis_.points.begin(), analysis_.points.end(),
                                 [&](const AnalysedPoint& point) { return point.number == again.number; });
    if (at == analysis_.points.end() || at->costs.empty() || again.costs.empty()) return;
    ConfirmedPoint confirmed;
    confirmed.index = static_cast<std::size_t>(at - analysis_.points.begin());
    confirmed.fidelity = fidelities_[again.members.empty() ? again.number : again.members.front()];
    confirmed.costs = again.costs;
    confirmed.feasible = again.feasible;
    analysis_.confirmed.push_back(std::move(confirmed));
  }

  void list_values(AnalysedAxis& axis) const {
    std::set<std::string> values;
    for (const AnalysedPoint& point : analysis_.points) {
      if (std::string value = value_on(point, axis); !value.empty()) values.insert(std::move(value));
    }
    axis.values.assign(values.begin(), values.end());
    axis.numeric = !axis.values.empty() && std::all_of(axis.values.begin(), axis.values.end(),
                                                       [](const auto& value) { return number_of(value).has_value(); });
    if (!axis.numeric) return;
    std::sort(axis.values.begin(), axis.values.end(),
              [](const std::string& a, const std::string& b) { return *number_of(a) < *number_of(b); });
  }

  [[nodiscard]] bool counts(const AnalysedPoint& point) const { return point.feasible && !point.costs.empty(); }

  void find_front() {
    std::vector<Costs> costs;
    std::vector<std::size_t> indices;
    for (std::size_t i = 0; i < analysis_.points.size(); ++i) {
      if (!counts(analysis_.points[i])) continue;
      costs.push_back(analysis_.points[i].costs);
      indices.push_back(i);
    }
    std::vector<Costs> front;
    for (const std::size_t index : pareto_front(costs)) {
      analysis_.front.push_back(indices[index]);
      front.push_back(costs[index]);
    }
    const std::size_t dimensions = objectives_.count();
    if (front.empty() || dimensions < 2 || dimensions > 3) return;
    Costs worst = costs.front(), best = costs.front();
    for (const Costs& cost : costs) {
      for (std::size_t i = 0; i < dimensions; ++i) {
        worst[i] = std::max(worst[i], cost[i]);
        best[i] = std::min(best[i], cost[i]);
      }
    }
    double box = 1;
    for (std::size_t i = 0; i < dimensions; ++i) box *= worst[i] - best[i];
    if (box > 0) analysis_.hypervolume_share = hypervolume(front, worst) / box;
  }

  /// The point of the grid that equals the base: all its figures are the same.
  [[nodiscard]] const AnalysedPoint* base_on_grid() const {
    if (!analysis_.base) return nullptr;
    const AnalysedPoint& base = analysis_.points[*analysis_.base];
    for (const AnalysedPoint& point : analysis_.points) {
      if (point.number != 0 && point.figures == base.figures && point.file == base.file) return &point;
    }
    return nullptr;
  }

  [[nodiscard]] std::vector<AxisEffect> effects_on(std::size_t objective) const {
    std::vector<AxisEffect> effects;
    const AnalysedPoint* const base = base_on_grid();
    for (const AnalysedAxis& axis : analysis_.axes) {
      AxisEffect effect;
      effect.axis = axis.name;
      MainEffect main;
      for (const AnalysedPoint& point : analysis_.points) {
        if (point.number == 0 || point.costs.empty()) continue;
        const double value = std::abs(point.costs[objective]);
        if (value > 0) main.add(value_on(point, axis), std::log(value));
        if (base == nullptr || base->costs.empty() || !differs_only_on(*base, point, axis)) continue;
        const double ratio = point.costs[objective] / base->costs[objective];
        if (!std::isfinite(ratio)) continue;
        if (!effect.least || ratio < *effect.least) {
          effect.least = ratio;
          effect.least_value = value_on(point, axis);
        }
        if (!effect.largest || ratio > *effect.largest) {
          effect.largest = ratio;
          effect.largest_value = value_on(point, axis);
        }
      }
      effect.variance_share = main.variance_share();
      effects.push_back(std::move(effect));
    }
    std::stable_sort(effects.begin(), effects.end(),
                     [](const AxisEffect& a, const AxisEffect& b) { return a.variance_share > b.variance_share; });
    return effects;
  }

  [[nodiscard]] bool differs_only_on(const AnalysedPoint& a, const AnalysedPoint& b, const AnalysedAxis& only) const {
    for (const AnalysedAxis& axis : analysis_.axes) {
      if (&axis != &only && value_on(a, axis) != value_on(b, axis)) return false;
    }
    return true;
  }

  [[nodiscard]] std::string design_text(const AnalysedPoint& point) const {
    std::string text;
    for (const AnalysedAxis& axis : analysis_.axes) {
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", axis.name, value_on(point, axis));
    }
    return point.number == 0 ? "the base" : text;
  }

  void say_front() {
    if (analysis_.front.empty()) {
      analysis_.sentences.emplace_back("No point meets all constraints and has a value for each objective.");
      return;
    }
    for (std::size_t i = 0; i < objectives_.count(); ++i) {
      const auto best = std::min_element(analysis_.front.begin(), analysis_.front.end(), [&](auto a, auto b) {
        return analysis_.points[a].costs[i] < analysis_.points[b].costs[i];
      });
      const AnalysedPoint& point = analysis_.points[*best];
      std::string against;
      if (analysis_.base && !analysis_.points[*analysis_.base].costs.empty()) {
        const double base = analysis_.points[*analysis_.base].costs[i];
        if (base != 0) against = fmt::format(", {:.3f} times the base", point.costs[i] / base);
      }
      analysis_.sentences.push_back(fmt::format(
          "The {} {} is {:.4g}{}, at point {}: {}.", analysis_.minimise[i] ? "least" : "largest",
          analysis_.objectives[i], objective_value(analysis_, point, i), against, point.number, design_text(point)));
    }
    if (analysis_.hypervolume_share) {
      analysis_.sentences.push_back(fmt::format(
          "{} of {} points are on the Pareto front; it dominates {} of the box between the best and the "
          "worst values{}.",
          analysis_.front.size(), analysis_.points.size(), percent(*analysis_.hypervolume_share), base_remark()));
    }
  }

  [[nodiscard]] std::string base_remark() const {
    if (!analysis_.base || analysis_.points[*analysis_.base].costs.empty()) return "";
    const AnalysedPoint& base = analysis_.points[*analysis_.base];
    u64 better = 0;
    for (const std::size_t index : analysis_.front) better += dominates(analysis_.points[index].costs, base.costs);
    return better == 0
               ? "; no point is better than the base in all of them"
               : fmt::format("; {} of them are at least as good as the base in all of them and better in one", better);
  }

  /// The best point for each value of an axis, whatever the other axes.
  [[nodiscard]] std::vector<const AnalysedPoint*> best_by_value(const AnalysedAxis& axis, std::size_t objective) const {
    std::vector<const AnalysedPoint*> best(axis.values.size());
    for (const AnalysedPoint& point : analysis_.points) {
      if (!counts(point) || point.number == 0) continue;
      const auto at = std::find(axis.values.begin(), axis.values.end(), value_on(point, axis));
      if (at == axis.values.end()) continue;
      const AnalysedPoint*& entry = best[static_cast<std::size_t>(at - axis.values.begin())];
      if (entry == nullptr || point.costs[objective] < entry->costs[objective]) entry = &point;
    }
    return best;
  }

  /// Where a further step along an axis no longer helps.
  void say_knees(std::size_t objective) {
    constexpr double near = 0.02;
    for (const AnalysedAxis& axis : analysis_.axes) {
      if (!axis.numeric || axis.values.size() < 3) continue;
      const std::vector<const AnalysedPoint*> best = best_by_value(axis, objective);
      double least = std::numeric_limits<double>::infinity(), most = -least;
      for (const AnalysedPoint* point : best) {
        if (point == nullptr) continue;
        least = std::min(least, point->costs[objective]);
        most = std::max(most, point->costs[objective]);
      }
      const double limit = least + near * std::abs(least);
      // Without a difference of more than this there is no knee.
      if (!(most > limit)) continue;
      std::size_t knee = 0;
      while (best[knee] == nullptr || best[knee]->costs[objective] > limit) ++knee;
      std::string below;
      for (std::size_t i = knee; i-- > 0;) {
        if (best[i] == nullptr) continue;
        below = fmt::format("; at {} it is {:.3f} times the best", axis.values[i], best[i]->costs[objective] / least);
        const auto limited = best[i]->figures.find("limited_by.resource");
        if (limited != best[i]->figures.end() && limited->second.is_string()) {
          below += fmt::format(", and its critical path consists mostly of {}", limited->second.get<std::string>());
        }
        break;
      }
      analysis_.sentences.push_back(fmt::format("The smallest {} within {} of the best {} is {}{}.", axis.name,
                                                percent(near), analysis_.objectives[objective], axis.values[knee],
                                                below));
    }
  }

  void say_axes_without_effect() {
    for (std::size_t a = 0; a < analysis_.axes.size(); ++a) {
      const AnalysedAxis& axis = analysis_.axes[a];
      if (axis.values.size() < 2 || !is_without_effect(axis)) continue;
      analysis_.sentences.push_back(
          fmt::format("{} has no effect: no two points that differ in it alone differ in a figure.", axis.name));
    }
  }

  [[nodiscard]] bool is_without_effect(const AnalysedAxis& axis) const {
    std::map<std::string, const AnalysedPoint*> first;  // by the values of the other axes
    bool compared = false;
    for (const AnalysedPoint& point : analysis_.points) {
      if (point.number == 0) continue;
      std::string others;
      for (const AnalysedAxis& other : analysis_.axes) {
        if (&other != &axis) others += value_on(point, other) + "\n";
      }
      const auto [entry, is_new] = first.emplace(others, &point);
      if (is_new) continue;
      compared = true;
      if (entry->second->figures != point.figures) return false;
    }
    return compared;
  }

  void say_extrapolated() {
    u64 count = 0;
    std::string note;
    for (const AnalysedPoint& point : analysis_.points) {
      const auto found = point.figures.find("energy_note");
      if (found == point.figures.end() || !found->second.is_string() || found->second.get<std::string>().empty())
        continue;
      if (++count == 1) note = found->second.get<std::string>();
    }
    if (count > 0) {
      analysis_.sentences.push_back(fmt::format("The energy of {} of {} points is extrapolated, the first because {}.",
                                                count, analysis_.points.size(), note));
    }
  }

  void say_profiles() {
    std::map<std::string, u64> points_of;
    for (const AnalysedPoint& point : analysis_.points) {
      const auto found = point.figures.find("energy_profile");
      if (found != point.figures.end() && found->second.is_string()) ++points_of[found->second.get<std::string>()];
    }
    if (points_of.size() < 2) return;
    std::vector<std::string> shares;
    for (const auto& [profile, count] : points_of) shares.push_back(fmt::format("{} with '{}'", count, profile));
    analysis_.sentences.push_back(
        fmt::format("The energy of these points has the prices of different machines: {}. Differences of energy "
                    "between them are also "
                    "differences of these prices (energy.profile gives all points one profile).",
                    fmt::join(shares, ", ")));
  }

  const Json definition_;
  const Objectives objectives_;
  Analysis analysis_;
  std::map<u64, std::string> fidelities_;  // in which points were run again
  std::optional<Expression> filter_;
};

std::string figure_text(const Json& value) {
  if (value.is_number_float()) return fmt::format("{:.5g}", value.get<double>());
  return value.is_string() ? value.get<std::string>() : value.dump();
}

/// What the points that were run again have, and how far it is from what they had.
std::string confirmed_text(const Analysis& analysis, std::size_t width) {
  if (analysis.confirmed.empty()) return {};
  std::vector<TextTable::Column> columns{{"run again in " + analysis.confirmed.front().fidelity}};
  for (const std::string& objective : analysis.objectives) {
    columns.push_back({objective});
    columns.push_back({"difference"});
  }
  TextTable table(columns);
  for (const ConfirmedPoint& confirmed : analysis.confirmed) {
    const AnalysedPoint& point = analysis.points[confirmed.index];
    std::vector<std::string> row{point.number == 0 ? "base" : fmt::format("{}", point.number)};
    for (std::size_t i = 0; i < analysis.objectives.size(); ++i) {
      const double cost = confirmed.costs[i];
      row.push_back(fmt::format("{:.4g}", analysis.minimise[i] ? cost : -cost));
      row.push_back(fmt::format("{:+.2f} %", 100 * (confirmed.costs[i] / point.costs[i] - 1)));
    }
    table.add(std::move(row));
  }
  return table.text(width) + "\n";
}

}  // namespace

std::vector<std::string> confirmation_sentences(const Analysis& analysis) {
  std::vector<std::string> sentences;
  if (analysis.confirmed.empty()) return sentences;
  for (std::size_t i = 0; i < analysis.objectives.size(); ++i) {
    sentences.push_back(fmt::format("In {} {}", analysis.confirmed.front().fidelity, difference_sentence(analysis, i)));
  }
  if (std::string front = front_sentence(analysis); !front.empty()) sentences.push_back(std::move(front));
  return sentences;
}

double hypervolume_ratio(const Analysis& analysis, const Analysis& other) {
  if (analysis.objectives != other.objectives || analysis.minimise != other.minimise) {
    throw InputError(fmt::format("--against: the objectives are not those of {}; expected sweeps with equal objectives",
                                 analysis.name));
  }
  const std::size_t dimensions = analysis.objectives.size();
  if (dimensions < 2) throw InputError("--against: found one objective; a hypervolume needs two or more");
  Costs worst(dimensions, -std::numeric_limits<double>::infinity());
  std::vector<Costs> fronts[2];
  for (const Analysis* of : {&analysis, &other}) {
    for (const AnalysedPoint& point : of->points) {
      if (!point.feasible || point.costs.empty()) continue;
      for (std::size_t i = 0; i < dimensions; ++i) worst[i] = std::max(worst[i], point.costs[i]);
    }
    for (const std::size_t index : of->front) fronts[of == &other ? 1 : 0].push_back(of->points[index].costs);
  }
  const double whole = hypervolume(fronts[1], worst);
  if (!(whole > 0))
    throw InputError("--against: no point of the other sweep is better than the worst in all objectives");
  return hypervolume(fronts[0], worst) / whole;
}

double objective_value(const Analysis& analysis, const AnalysedPoint& point, std::size_t objective) {
  return analysis.minimise[objective] ? point.costs[objective] : -point.costs[objective];
}

Analysis analyse(const SweepStore& store, const std::string& where) { return Analyst(store, where).result(); }

std::string analysis_text(const Analysis& analysis, std::size_t top, std::size_t width) {
  std::string text;
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < analysis.points.size(); ++i) {
    if (analysis.points[i].feasible && !analysis.points[i].costs.empty() && analysis.points[i].number != 0) {
      order.push_back(i);
    }
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return analysis.points[a].costs < analysis.points[b].costs; });
  if (order.size() > top) order.resize(top);
  if (analysis.base && !analysis.points[*analysis.base].costs.empty()) order.push_back(*analysis.base);
  if (!order.empty()) {
    std::vector<TextTable::Column> columns{{"point"}};
    for (const std::string& objective : analysis.objectives) columns.push_back({objective});
    columns.push_back({"of base"});
    columns.push_back({"front"});
    std::vector<const AnalysedAxis*> varying;
    for (const AnalysedAxis& axis : analysis.axes) {
      if (axis.values.size() < 2) continue;
      varying.push_back(&axis);
      columns.push_back({short_name(axis), "", static_cast<unsigned>(varying.size())});
    }
    TextTable table(columns);
    for (const std::size_t index : order) {
      const AnalysedPoint& point = analysis.points[index];
      std::vector<std::string> row{point.number == 0 ? "base" : fmt::format("{}", point.number)};
      for (std::size_t i = 0; i < analysis.objectives.size(); ++i) {
        row.push_back(fmt::format("{:.4g}", objective_value(analysis, point, i)));
      }
      const bool has_base = analysis.base && !analysis.points[*analysis.base].costs.empty();
      row.push_back(has_base ? fmt::format("{:.3f}", point.costs[0] / analysis.points[*analysis.base].costs[0]) : "");
      row.push_back(std::count(analysis.front.begin(), analysis.front.end(), index) != 0 ? "*" : "");
      for (const AnalysedAxis* axis : varying) row.push_back(value_on(point, *axis));
      table.add(std::move(row));
    }
    text += table.text(width) + "\n";
  }
  for (std::size_t i = 0; i < analysis.effects.size(); ++i) {
    TextTable table({{"effect on " + analysis.objectives[i]},
                     {"of variance"},
                     {"least"},
                     {"at", "", 1},
                     {"largest"},
                     {"at", "", 2}});
    for (const AxisEffect& effect : analysis.effects[i]) {
      const auto ratio = [](const std::optional<double>& value) { return value ? fmt::format("{:.3f}", *value) : "-"; };
      table.add({effect.axis, percent(effect.variance_share), ratio(effect.least), effect.least_value,
                 ratio(effect.largest), effect.largest_value});
    }
    text += table.text(width) + "\n";
  }
  text += confirmed_text(analysis, width);
  for (const std::string& sentence : analysis.sentences) text += wrapped(sentence, width, 2) + "\n";
  return text;
}

std::string difference_text(const Analysis& analysis, u64 a, u64 b, std::size_t width) {
  const auto find = [&](u64 number) -> const AnalysedPoint& {
    for (const AnalysedPoint& point : analysis.points) {
      if (point.number == number) return point;
    }
    throw InputError(
        fmt::format("--diff: point {} is not among the {} points that ended well", number, analysis.points.size()));
  };
  const AnalysedPoint &first = find(a), &second = find(b);
  TextTable table({{"what differs"}, {fmt::format("point {}", a)}, {fmt::format("point {}", b)}, {"ratio"}});
  for (const AnalysedAxis& axis : analysis.axes) {
    for (const std::string& key : axis.keys) {
      const auto text = [&](const AnalysedPoint& point) {
        const auto value = point.values.find(key);
        return value == point.values.end() ? std::string("(base)") : value->second;
      };
      if (text(first) != text(second)) table.add({key, text(first), text(second), ""});
    }
  }
  for (const auto& [name, value] : first.figures) {
    const auto other = second.figures.find(name);
    if (other == second.figures.end() || other->second == value) continue;
    std::string ratio;
    if (value.is_number() && other->second.is_number() && value.get<double>() != 0) {
      ratio = fmt::format("{:.3f}", other->second.get<double>() / value.get<double>());
    }
    table.add({name, figure_text(value), figure_text(other->second), ratio});
  }
  return table.text(width);
}

Json analysis_json(const Analysis& analysis) {
  Json points = Json::array(), axes = Json::array(), effects = Json::array();
  for (std::size_t i = 0; i < analysis.points.size(); ++i) {
    const AnalysedPoint& point = analysis.points[i];
    Json values = Json::array();
    for (const AnalysedAxis& axis : analysis.axes) {
      const std::string value = value_on(point, axis);
      values.push_back(value.empty() ? Json(nullptr) : Json(value));
    }
    Json objectives = Json::array();
    for (std::size_t o = 0; o < point.costs.size(); ++o) objectives.push_back(objective_value(analysis, point, o));
    const auto limited = point.figures.find("limited_by.resource");
    points.push_back({{"point", point.number},
                      {"values", std::move(values)},
                      {"objectives", std::move(objectives)},
                      {"feasible", point.feasible},
                      {"front", std::count(analysis.front.begin(), analysis.front.end(), i) != 0},
                      {"limited_by", limited == point.figures.end() ? Json(nullptr) : limited->second}});
  }
  for (const AnalysedAxis& axis : analysis.axes) {
    axes.push_back({{"name", axis.name}, {"values", axis.values}, {"numeric", axis.numeric}});
  }
  for (const std::vector<AxisEffect>& of_objective : analysis.effects) {
    Json list = Json::array();
    for (const AxisEffect& effect : of_objective) {
      list.push_back({{"axis", effect.axis},
                      {"least", effect.least ? Json(*effect.least) : Json(nullptr)},
                      {"least_value", effect.least_value},
                      {"largest", effect.largest ? Json(*effect.largest) : Json(nullptr)},
                      {"largest_value", effect.largest_value},
                      {"variance_share", effect.variance_share}});
    }
    effects.push_back(std::move(list));
  }
  Json confirmed = Json::array();
  for (const ConfirmedPoint& point : analysis.confirmed) {
    Json objectives = Json::array();
    for (std::size_t o = 0; o < point.costs.size(); ++o) {
      objectives.push_back(analysis.minimise[o] ? point.costs[o] : -point.costs[o]);
    }
    confirmed.push_back({{"point", analysis.points[point.index].number},
                         {"fidelity", point.fidelity},
                         {"objectives", std::move(objectives)}});
  }
  return {{"name", analysis.name},
          {"objectives", analysis.objectives},
          {"minimise", analysis.minimise},
          {"axes", std::move(axes)},
          {"points", std::move(points)},
          {"effects", std::move(effects)},
          {"confirmed", std::move(confirmed)},
          {"sentences", analysis.sentences}};
}

}  // namespace bvp
