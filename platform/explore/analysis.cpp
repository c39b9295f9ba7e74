// SPDX-License-Identifier: Apache-2.0
#include "platform/explore/analysis.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>

#include "platform/explore/figure_values.h"
#include "platform/support/input_error.h"
#include "platform/support/text_table.h"

namespace bvp {
namespace {

using Json = nlohmann::ordered_json;

std::optional<double> number_of(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool dominates(const Costs& a, const Costs& b) {
  bool better = false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] > b[i]) return false;
    better |= a[i] < b[i];
  }
  return better;
}

/// Exact, by slices along the last objective.
double volume(std::vector<Costs> points, const Costs& reference) {
  const std::size_t last = reference.size() - 1;
  std::sort(points.begin(), points.end(), [&](const Costs& a, const Costs& b) { return a[last] < b[last]; });
  if (last == 0) return points.empty() ? 0 : reference[0] - points.front()[0];
  double sum = 0;
  const Costs below(reference.begin(), reference.end() - 1);
  std::vector<Costs> slice;
  for (std::size_t i = 0; i < points.size(); ++i) {
    slice.emplace_back(points[i].begin(), points[i].end() - 1);
    const double end = i + 1 < points.size() ? points[i + 1][last] : reference[last];
    if (end > points[i][last]) sum += (end - points[i][last]) * volume(slice, below);
  }
  return sum;
}

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

class Analyst {
 public:
  Analyst(const SweepStore& store, const std::string& where) {
    const Json definition = store.definition();
    analysis_.name = definition.at("name").get<std::string>();
    for (const Json& objective : definition.at("objectives")) {
      const auto entry = objective.items().begin();
      analysis_.minimise.push_back(entry.key() == "minimise");
      analysis_.objectives.push_back(entry.value().get<std::string>());
      objectives_.emplace_back(analysis_.objectives.back());
    }
    for (const Json& constraint : definition.at("constraints"))
      constraints_.emplace_back(constraint.get<std::string>());
    try {
      if (!where.empty()) filter_.emplace(where);
    } catch (const ExpressionError& error) {
      throw InputError(fmt::format("--where: {}", error.what()));
    }
    for (const Json& axis : definition.at("axes")) {
      AnalysedAxis entry;
      entry.keys = axis.at("keys").get<std::vector<std::string>>();
      for (const std::string& key : entry.keys) entry.name += (entry.name.empty() ? "" : "+") + key;
      analysis_.axes.push_back(std::move(entry));
    }
    if (filter_) check_names(*filter_);
    store.for_each(false, [&](const PointRow& row) { add(row); });
  }

  Analysis result() {
    for (AnalysedAxis& axis : analysis_.axes) list_values(axis);
    find_front();
    for (std::size_t i = 0; i < objectives_.size(); ++i) analysis_.effects.push_back(effects_on(i));
    say_front();
    for (std::size_t i = 0; i < objectives_.size(); ++i) say_knees(i);
    say_axes_without_effect();
    say_extrapolated();
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

  void add(const PointRow& row) {
    if (row.point.outcome != Outcome::done || row.figures.empty()) return;
    AnalysedPoint point;
    point.number = row.point.number;
    point.file = row.point.file;
    for (const auto& [key, value] : row.point.values.items()) point.values[key] = value.get<std::string>();
    for (auto& [name, value] : flat_figures(Json::parse(row.figures))) point.figures[name] = std::move(value);
    const auto lookup = [&](const std::string& name) { return point_value(point, name); };
    try {
      // The base is shown beside the others, whatever is asked for.
      if (filter_ && point.number != 0 && !filter_->holds(lookup).value_or(false)) return;
      for (const Expression& constraint : constraints_) point.feasible &= constraint.holds(lookup).value_or(true);
      for (std::size_t i = 0; i < objectives_.size(); ++i) {
        const std::optional<double> value = objectives_[i].number(lookup);
        if (!value || !std::isfinite(*value)) {
          point.costs.clear();
          break;
        }
        point.costs.push_back(analysis_.minimise[i] ? *value : -*value);
      }
    } catch (const ExpressionError& error) {
      throw InputError(error.what());
    }
    if (point.number == 0) analysis_.base = analysis_.points.size();
    analysis_.points.push_back(std::move(point));
  }

  void list_values(AnalysedAxis& axis) const {
    std::set<std::string> values;
    for (const AnalysedPoint& point : analysis_.points) {
      if (const auto value = point.values.find(axis.keys.front()); value != point.values.end()) {
        values.insert(value->second);
      }
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
    const std::size_t dimensions = objectives_.size();
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

  /// The value of an axis as the point or, for the base, its figures have it: the base has none on axes.
  static std::string value_on(const AnalysedPoint& point, const AnalysedAxis& axis) {
    const auto value = point.values.find(axis.keys.front());
    return value == point.values.end() ? "" : value->second;
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
    for (std::size_t i = 0; i < objectives_.size(); ++i) {
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
          below += fmt::format(", and {} is busy most", limited->second.get<std::string>());
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

  Analysis analysis_;
  std::vector<Expression> objectives_, constraints_;
  std::optional<Expression> filter_;
};

std::string figure_text(const Json& value) {
  if (value.is_number_float()) return fmt::format("{:.5g}", value.get<double>());
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace

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
  std::vector<Costs> inside;
  for (const Costs& point : points) {
    bool better = true;
    for (std::size_t i = 0; i < reference.size(); ++i) better &= point[i] < reference[i];
    if (better) inside.push_back(point);
  }
  return reference.empty() ? 0 : volume(std::move(inside), reference);
}

std::optional<ExpressionValue> point_value(const AnalysedPoint& point, const std::string& name) {
  if (const auto value = point.values.find(name); value != point.values.end()) {
    if (const std::optional<double> number = number_of(value->second)) return ExpressionValue(*number);
    if (value->second == "true" || value->second == "false") return ExpressionValue(value->second == "true");
    return ExpressionValue(value->second);
  }
  // What was estimated is known by now.
  if (name == "estimate.area_mm2") return point_value(point, "area_mm2");
  if (name == "estimate.peak_flops_per_s") return point_value(point, "peak_flops_per_s");
  if (name == "point") return ExpressionValue(static_cast<double>(point.number));
  const auto figure = point.figures.find(name);
  return figure == point.figures.end() ? std::nullopt : expression_value(figure->second);
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
      columns.push_back(
          {axis.keys.front().substr(axis.keys.front().rfind('.') + 1), "", static_cast<unsigned>(varying.size())});
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
      for (const AnalysedAxis* axis : varying) {
        const auto value = point.values.find(axis->keys.front());
        row.push_back(value == point.values.end() ? "" : value->second);
      }
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
      const auto value = point.values.find(axis.keys.front());
      values.push_back(value == point.values.end() ? Json(nullptr) : Json(value->second));
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
  return {{"name", analysis.name},          {"objectives", analysis.objectives}, {"minimise", analysis.minimise},
          {"axes", std::move(axes)},        {"points", std::move(points)},       {"effects", std::move(effects)},
          {"sentences", analysis.sentences}};
}

}  // namespace bvp
