// SPDX-License-Identifier: Apache-2.0
#include "platform/explore/sweep.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <set>

#include "platform/explore/estimates.h"
#include "platform/explore/objectives.h"
#include "platform/explore/search.h"
#include "platform/explore/slurm.h"
#include "platform/explore/workloads.h"
#include "platform/run/check_machine.h"
#include "platform/run/compile_scenario.h"

namespace bvp {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

Json values_json(const SweepPoint& point) {
  Json json = Json::object();
  for (const Override& value : point.values) json[value.key] = value.value;
  return json;
}

/// The values of a point as a key of maps.
std::string id_of(const SweepPoint& point) {
  std::string id;
  for (const Override& value : point.values) id += value.value + "\n";
  return id;
}

/// What the store keeps of an answer. @param file  of the point's scenario. @param host  of the sweep
StoredResult result_of(const std::string& key, WorkerAnswer answer, const std::string& file, const std::string& host) {
  StoredResult result;
  result.key = key;
  result.outcome = answer.outcome;
  result.reason = general_reason(answer.reason, file);
  result.figures = std::move(answer.figures);
  result.details = std::move(answer.details);
  result.host_seconds = answer.host_seconds;
  result.host = answer.host.empty() ? host : answer.host;
  result.finished = utc_now();
  return result;
}

/// One sweep on its way through the launcher.
class Run {
 public:
  Run(const SweepDefinition& definition, const ScenarioOptions& options, const BuildInfo& build, SweepStore& store,
      const SweepRequest& request)
      : sampling_(definition.sampling),
        source_(definition),
        preparer_(definition, options, build),
        objectives_(definition_json(definition)),
        store_(store),
        request_(request) {
    space_ = source_.space();
    const std::vector<u64> ended = store.ended_points();
    ended_.insert(ended.begin(), ended.end());
    progress_.points = source_.count() + 1;
    progress_.ended = store.counts();
  }

  SweepProgress run() {
    if (find_search_method(sampling_.method) != nullptr) {
      search_designs();
    } else {
      u64 number = 0;
      static_cast<void>(run_points([&]() -> std::optional<SweepPoint> {
        while (ended_.count(number) != 0) ++number;
        if (number >= progress_.points) return std::nullopt;
        return source_.point(number++);
      }));
    }
    progress_.running = 0;
    progress_.seconds = seconds();
    return progress_;
  }

 private:
  using Draw = std::function<std::optional<SweepPoint>()>;

  /// A point that has been handed out, and points of the same content that came after it.
  struct Flight {
    std::string key;
    std::vector<StoredPoint> points;
  };

  /// Points of one result that are in the store.
  struct Recorded {
    std::vector<StoredPoint> points;
    std::string figures;
  };

  [[nodiscard]] double seconds() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }

  /// @param draw  the next point; nullopt: there is none left
  /// @return whether all have ended; false: the tick has ended it
  bool run_points(const Draw& draw) {
    LauncherCallbacks callbacks;
    callbacks.next = [&] { return next(draw); };
    callbacks.ended = [this](std::vector<WorkerAnswer> answers) {
      std::vector<Recorded> recorded;
      store_.together([&] {
        for (WorkerAnswer& answer : answers) recorded.push_back(ended(std::move(answer)));
      });
      for (const Recorded& result : recorded) {
        for (const StoredPoint& point : result.points) judge(point, result.figures);
      }
    };
    callbacks.tick = [this](u64 running) {
      flush_excluded();
      progress_.running = running;
      return tick();
    };
    const bool all = request_.launcher->run(callbacks) && !stopped_;
    flush_excluded();
    return all;
  }

  bool tick() {
    progress_.seconds = seconds();
    stopped_ |= request_.tick && request_.tick(progress_);
    return stopped_;
  }

  void search_designs() {
    search({sampling_, space_, objectives_.count(),
            [this](const std::vector<Coordinates>& designs) { return evaluate(designs); }});
    progress_.points = source_.points_of(designs_.size()) + 1;
    // What a search before this one has left behind: failures that it has met have been run again and did not fail.
    if (!stopped_ && sampling_.minutes == 0) forget_from(progress_.points);
  }

  /// Runs the designs of a generation that no generation before it had.
  std::optional<std::vector<Costs>> evaluate(const std::vector<Coordinates>& designs) {
    if (sampling_.minutes > 0 && seconds() > sampling_.minutes * 60) return std::nullopt;
    std::vector<SweepPoint> fresh;
    if (designs_.empty()) {
      fresh.push_back(source_.point(0));
      if (source_.has_workloads()) append(fresh, source_.design_at(0, {}));
    }
    std::vector<std::vector<u64>> members;  // of each design
    bool within_budget = true;
    for (const Coordinates& design : designs) {
      std::vector<SweepPoint> points = source_.design_at(designs_.size() + 1, design);
      const bool has_room = sampling_.points == 0 || designs_.size() < sampling_.points;
      const std::string id = id_of(points.front());
      auto known = designs_.find(id);
      if (known == designs_.end()) {
        within_budget = has_room;
        if (!within_budget) break;
        std::vector<u64> numbers;
        for (const SweepPoint& point : points) numbers.push_back(point.number);
        known = designs_.emplace(id, std::move(numbers)).first;
        append(fresh, std::move(points));
      }
      members.push_back(known->second);
    }
    // In a small space, or near its end, generations may have nothing new.
    constexpr unsigned most_barren = 100;
    barren_ = fresh.empty() ? barren_ + 1 : 0;
    if (barren_ > most_barren) return std::nullopt;
    if (sampling_.points == 0) progress_.points = source_.points_of(designs_.size()) + 1;
    if (!run_fresh(fresh) || !within_budget) return std::nullopt;
    std::vector<Costs> costs;
    for (const std::vector<u64>& numbers : members) {
      std::vector<Costs> each;
      for (const u64 number : numbers) each.push_back(costs_[number]);
      costs.push_back(mean_costs(each));
    }
    return costs;
  }

  static void append(std::vector<SweepPoint>& to, std::vector<SweepPoint> points) {
    std::move(points.begin(), points.end(), std::back_inserter(to));
  }

  bool run_fresh(const std::vector<SweepPoint>& fresh) {
    for (const SweepPoint& point : fresh) {
      if (ended_.count(point.number) == 0) continue;
      const PointRow recorded = store_.point(point.number);
      if (recorded.point.values == values_json(point)) {
        judge(recorded.point, recorded.figures);
      } else {
        // Another search: a failure before this point was run again. Results are found again by their content.
        forget_from(point.number);
      }
    }
    std::size_t at = 0;
    return run_points([&]() -> std::optional<SweepPoint> {
      while (at < fresh.size() && ended_.count(fresh[at].number) != 0) ++at;
      return at < fresh.size() ? std::optional<SweepPoint>(fresh[at++]) : std::nullopt;
    });
  }

  void forget_from(u64 number) {
    if (ended_.lower_bound(number) == ended_.end()) return;
    ended_.erase(ended_.lower_bound(number), ended_.end());
    store_.forget_points_from(number);
    progress_.ended = store_.counts();
  }

  std::optional<WorkerTask> next(const Draw& draw) {
    while (const std::optional<SweepPoint> point = draw()) {
      PreparedPoint prepared = preparer_.prepare(*point);
      StoredPoint stored;
      stored.number = point->number;
      stored.values = values_json(*point);
      stored.file = prepared.file;
      stored.overrides = prepared.overrides;
      stored.key = prepared.key;
      if (prepared.state != PreparedPoint::State::ready) {
        stored.outcome = prepared.state == PreparedPoint::State::refused ? Outcome::refused : Outcome::excluded;
        stored.reason = prepared.reason;
        // Many of these come one after the other; they cost nothing to find again.
        excluded_.push_back(std::move(stored));
        constexpr std::size_t batch = 1000;
        if (excluded_.size() >= batch) {
          flush_excluded();
          if (tick()) return std::nullopt;
        }
        continue;
      }
      if (const auto flight = by_key_.find(prepared.key); flight != by_key_.end()) {
        flights_.at(flight->second).points.push_back(std::move(stored));
        continue;
      }
      if (take_known(stored)) continue;
      by_key_[prepared.key] = point->number;
      flights_[point->number] = {prepared.key, {std::move(stored)}};
      return WorkerTask{point->number, prepared.file, prepared.overrides, prepared.key};
    }
    return std::nullopt;
  }

  /// Takes a result over that is there already. @return whether there was one
  bool take_known(StoredPoint& stored) {
    std::optional<StoredResult> known = store_.result(stored.key);
    const bool own = known.has_value();
    for (const std::filesystem::path& other : request_.reuse) {
      if (!known) known = store_.result_of(other, stored.key);
    }
    if (!known) return false;
    stored.outcome = known->outcome;
    stored.reason = known->reason;
    judge(stored, known->figures);
    store_.record({stored}, own ? std::nullopt : known);
    ++progress_.ended[stored.outcome];
    ++progress_.reused;
    return true;
  }

  Recorded ended(WorkerAnswer answer) {
    const auto flight = flights_.find(answer.id);
    if (flight == flights_.end()) throw std::runtime_error("a worker answered for a point that was not asked for");
    StoredResult result =
        result_of(flight->second.key, std::move(answer), flight->second.points.front().file, request_.host);
    std::vector<StoredPoint>& points = flight->second.points;
    for (StoredPoint& point : points) {
      point.outcome = result.outcome;
      point.reason = result.reason;
    }
    store_.record(points, result);
    progress_.ended[result.outcome] += points.size();
    progress_.reused += points.size() - 1;
    ++progress_.computed;
    Recorded recorded{std::move(points), std::move(result.figures)};
    by_key_.erase(result.key);
    flights_.erase(flight);
    return recorded;
  }

  /// Keeps what the objectives make of a point: for a search, and for the line of progress.
  void judge(const StoredPoint& stored, const std::string& figures) {
    if (stored.outcome != Outcome::done || figures.empty()) return;
    AnalysedPoint point = analysed_point(stored, figures);
    // The first result shows which figures there are and of which kind.
    if (!checked_) objectives_.check(point);
    checked_ = true;
    objectives_.judge(point);
    if (!point.feasible || point.costs.empty()) return;
    // The best of several networks would be the smallest one.
    if (!source_.has_workloads() && (!best_ || point.costs.front() < *best_)) {
      best_ = point.costs.front();
      progress_.best = fmt::format("{} {:.4g} at point {}", objectives_.text(0),
                                   objectives_.minimise(0) ? *best_ : -*best_, stored.number);
    }
    if (find_search_method(sampling_.method) != nullptr) costs_[stored.number] = std::move(point.costs);
  }

  void flush_excluded() {
    if (excluded_.empty()) return;
    store_.record(excluded_, std::nullopt);
    for (const StoredPoint& point : excluded_) ++progress_.ended[point.outcome];
    excluded_.clear();
  }

  const Sampling sampling_;
  PointSource source_;
  PointPreparer preparer_;
  const Objectives objectives_;
  SweepStore& store_;
  const SweepRequest& request_;
  SearchSpace space_;
  std::set<u64> ended_;  // before this process began
  std::map<u64, Flight> flights_;
  std::map<std::string, u64> by_key_;
  std::vector<StoredPoint> excluded_;
  /// Of a search: the designs that it has asked for, by their values, with the numbers of their points.
  std::map<std::string, std::vector<u64>> designs_;
  std::map<u64, Costs> costs_;  // of these points; none of those that are no solutions
  unsigned barren_ = 0;         // generations one after the other with nothing new
  bool stopped_ = false;
  bool checked_ = false;  // the objectives, by the first result
  SweepProgress progress_;
  std::optional<double> best_;
  Clock::time_point begin_ = Clock::now();
};

/// Groups of keys on which no figure of a run depends.
bool has_no_effect(const std::string& key) {
  return key == "name" || key.rfind("baselines.", 0) == 0 ||
         (key.rfind("record.", 0) == 0 && key != "record.power_window_s");
}

std::vector<std::pair<std::string, u64>> most_first(const std::map<std::string, u64>& counts) {
  std::vector<std::pair<std::string, u64>> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  return sorted;
}

/// What a run would refuse before it simulates. @return the reason; empty: nothing
std::string refusal_of(const PreparedPoint& point, const ScenarioOptions& options) {
  ScenarioOptions with_values = options;
  with_values.overrides = point.overrides;
  try {
    const std::unique_ptr<Scenario> scenario = read_scenario(point.file, with_values);
    check_machine(*scenario);
    static_cast<void>(plan_scenario(*scenario));
    return {};
  } catch (const InputError& error) {
    return general_reason(error.what(), point.file);
  }
}

std::string point_text(const SweepPoint& point) {
  std::string text;
  for (const Override& value : point.values)
    text += fmt::format("{}{}={}", text.empty() ? "" : ", ", value.key, value.value);
  return text;
}

/// Axes both ends of which are the same run, with the base's values on all others.
std::vector<std::string> axes_without_effect(const SweepDefinition& definition, const ScenarioOptions& options,
                                             const BuildInfo& build) {
  std::vector<std::string> warnings;
  const SweepDefinition no_constraints;
  PointPreparer preparer(no_constraints, options, build);
  for (const Axis& axis : definition.axes) {
    const bool of_scenarios = axis.keys.front() == scenario_axis_key;
    if (axis.positions.size() < 2 || of_scenarios || std::all_of(axis.keys.begin(), axis.keys.end(), has_no_effect)) {
      continue;
    }
    std::set<std::string> keys;
    for (const std::vector<std::string>* position : {&axis.positions.front(), &axis.positions.back()}) {
      std::vector<Override> overrides = definition.sets;
      for (std::size_t i = 0; i < axis.keys.size(); ++i) overrides.push_back({axis.keys[i], (*position)[i], {}});
      const PreparedPoint point = preparer.prepare_run(definition.files.at(definition.base), overrides);
      // What cannot be read alone may be meant for values of other axes.
      keys.insert(point.state == PreparedPoint::State::ready ? point.key : fmt::format("{}", keys.size()));
    }
    if (keys.size() == 1) {
      warnings.push_back(fmt::format("{}: the first and the last value of {} are the same run: the axis has no effect",
                                     axis.place, axis.name()));
    }
  }
  return warnings;
}

/// Looks for a point that meets the constraints over keys and estimates.
/// @return what to warn of; nullopt: nothing. @throws InputError  no point meets them
std::optional<std::string> check_constraints(const SweepDefinition& definition, const ScenarioOptions& options,
                                             const BuildInfo& build) {
  if (definition.constraints.empty()) return std::nullopt;
  PointPreparer preparer(definition, options, build);
  const PointSource source(definition);
  // Estimates read the scenario and may plan the network, which takes milliseconds.
  constexpr u64 most = 2000;
  constexpr double patience_s = 20;
  const bool has_estimates =
      std::any_of(definition.constraints.begin(), definition.constraints.end(), [](const Expression& constraint) {
        return std::any_of(constraint.names().begin(), constraint.names().end(),
                           [](const std::string& name) { return find_estimate(name) != nullptr; });
      });
  const u64 looked_at = has_estimates ? std::min(most, source.count()) : source.count();
  std::map<std::string, u64> broken;
  std::optional<double> least;
  std::string nearest;
  u64 seen = 0;
  const auto begin = Clock::now();
  for (; seen < looked_at; ++seen) {
    if (has_estimates && std::chrono::duration<double>(Clock::now() - begin).count() > patience_s) break;
    const u64 number = looked_at == 1 ? 1 : 1 + seen * (source.count() - 1) / (looked_at - 1);
    const SweepPoint candidate = source.point(number);
    // Without estimates the keys alone decide, much faster.
    if (!has_estimates && preparer.broken_constraint(candidate) == nullptr) return std::nullopt;
    const PreparedPoint point = preparer.prepare(candidate);
    // A machine that cannot be meets no constraint, and does not break one.
    if (point.state == PreparedPoint::State::ready) return std::nullopt;
    if (point.state == PreparedPoint::State::refused) {
      ++broken["(the machine cannot be built or the network does not fit)"];
      continue;
    }
    ++broken[point.reason];
    if (!point.shortfall || (least && *least <= *point.shortfall)) continue;
    least = point.shortfall;
    nearest = fmt::format("; the nearest is point {} ({}): {}", number, point_text(candidate), point.values);
  }
  std::string text;
  for (const auto& [constraint, count] : most_first(broken)) {
    text += fmt::format("{}'{}' excludes {}", text.empty() ? "" : ", ", constraint, count);
  }
  text += nearest;
  if (find_search_method(definition.sampling.method) != nullptr) {
    return fmt::format("constraints: of {} random designs none meets them: {}", seen, text);
  }
  if (seen < source.count()) {
    return fmt::format("constraints: of {} points, evenly spread over {}, none meets them: {}", seen, source.count(),
                       text);
  }
  throw InputError(fmt::format("constraints: no point meets them: of {} points {}", seen, text));
}

}  // namespace

u64 SweepProgress::all_ended() const {
  u64 sum = 0;
  for (const auto& [outcome, count] : ended) sum += count;
  return sum;
}

u64 SweepProgress::failures() const {
  u64 sum = 0;
  for (const auto& [outcome, count] : ended) sum += is_failure(outcome) ? count : 0;
  return sum;
}

std::string utc_now() { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))); }

SweepProgress run_sweep(const SweepDefinition& definition, const ScenarioOptions& options, const BuildInfo& build,
                        SweepStore& store, const SweepRequest& request) {
  return Run(definition, options, build, store, request).run();
}

u64 record_left_answers(SweepStore& store, const std::filesystem::path& spool, const std::string& host) {
  u64 count = 0;
  store.together([&] {
    recover_answers(spool, [&](AnsweredTask left) {
      if (store.result(left.task.key)) return;
      // Points that have this content find it when they are handed out.
      store.record({}, result_of(left.task.key, std::move(left.answer), left.task.file, host));
      ++count;
    });
  });
  remove_answers(spool);
  return count;
}

std::vector<std::string> check_sweep(const SweepDefinition& definition, const ScenarioOptions& options,
                                     const BuildInfo& build) {
  std::vector<std::string> warnings;
  for (const Axis& axis : definition.axes) {
    if (axis.positions.size() == 1) {
      warnings.push_back(fmt::format("{}: {} has one value: the axis has no effect", axis.place, axis.name()));
    }
    if (std::all_of(axis.keys.begin(), axis.keys.end(), has_no_effect)) {
      warnings.push_back(fmt::format("{}: no figure depends on {}: the axis has no effect", axis.place, axis.name()));
    }
  }
  for (std::string& warning : axes_without_effect(definition, options, build)) warnings.push_back(std::move(warning));
  if (std::optional<std::string> warning = check_constraints(definition, options, build)) {
    warnings.push_back(std::move(*warning));
  }
  return warnings;
}

SweepPlan plan_sweep(const SweepDefinition& definition, const ScenarioOptions& options, const BuildInfo& build,
                     u64 most) {
  SweepPlan plan;
  const PointSource source(definition);
  PointPreparer preparer(definition, options, build);
  plan.points = source.count() + 1;
  plan.looked_at = std::min(most, plan.points);
  std::map<std::string, u64> refused, excluded;
  std::vector<PreparedPoint> ready;
  for (u64 i = 0; i < plan.looked_at; ++i) {
    const u64 number = plan.looked_at == 1 ? 0 : i * (plan.points - 1) / (plan.looked_at - 1);
    PreparedPoint point = preparer.prepare(source.point(number));
    if (point.state == PreparedPoint::State::excluded) {
      ++excluded[point.reason];
      continue;
    }
    if (point.state == PreparedPoint::State::ready) point.reason = refusal_of(point, options);
    if (!point.reason.empty()) {
      ++refused[point.reason];
      continue;
    }
    ready.push_back(std::move(point));
  }
  plan.ready = ready.size();
  plan.refused = most_first(refused);
  plan.excluded = most_first(excluded);
  // The first and the last point are often the cheapest and the dearest.
  std::set<std::size_t> sample;
  if (!ready.empty()) sample = {0, ready.size() / 2, ready.size() - 1};
  for (const std::size_t index : sample) {
    const WorkerAnswer answer = simulate_point({0, ready[index].file, ready[index].overrides, {}}, options);
    plan.seconds_of_point += answer.host_seconds / static_cast<double>(sample.size());
    plan.bytes_of_point +=
        static_cast<double>(answer.figures.size() + answer.details.size()) / static_cast<double>(sample.size());
    ++plan.measured;
  }
  return plan;
}

}  // namespace bvp
