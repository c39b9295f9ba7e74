// SPDX-License-Identifier: Apache-2.0
#include "platform/explore/sweep.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <set>

#include "platform/explore/figure_values.h"
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

/// One sweep on its way through the pool.
class Run {
 public:
  Run(const SweepDefinition& definition, const ScenarioOptions& options, const BuildInfo& build, SweepStore& store,
      const SweepRequest& request)
      : source_(definition),
        preparer_(definition, options, build),
        store_(store),
        request_(request),
        objective_(definition.objectives.front()) {
    const std::vector<u64> ended = store.ended_points();
    ended_.insert(ended.begin(), ended.end());
    progress_.points = source_.count() + 1;
    progress_.ended = store.counts();
  }

  SweepProgress run() {
    PoolCallbacks callbacks;
    callbacks.next = [this] { return next(); };
    callbacks.ended = [this](WorkerAnswer answer) { ended(std::move(answer)); };
    callbacks.tick = [this](unsigned running) {
      flush_excluded();
      progress_.running = running;
      progress_.seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
      return request_.tick && request_.tick(progress_);
    };
    run_pool(request_.pool, callbacks);
    flush_excluded();
    progress_.running = 0;
    progress_.seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
    return progress_;
  }

 private:
  /// A point that has been handed out, and points of the same content that came after it.
  struct Flight {
    std::string key;
    std::vector<StoredPoint> points;
  };

  std::optional<WorkerTask> next() {
    for (; number_ < progress_.points; ++number_) {
      if (ended_.count(number_) != 0) continue;
      const SweepPoint point = source_.point(number_);
      PreparedPoint prepared = preparer_.prepare(point);
      StoredPoint stored;
      stored.number = number_;
      stored.values = values_json(point);
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
          if (request_.tick && request_.tick(progress_)) return std::nullopt;
        }
        continue;
      }
      if (const auto flight = by_key_.find(prepared.key); flight != by_key_.end()) {
        flights_.at(flight->second).points.push_back(std::move(stored));
        continue;
      }
      if (take_known(stored)) continue;
      by_key_[prepared.key] = number_;
      flights_[number_] = {prepared.key, {std::move(stored)}};
      return WorkerTask{number_++, prepared.file, prepared.overrides};
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
    note_best(stored.number, known->figures);
    store_.record({stored}, own ? std::nullopt : known);
    ++progress_.ended[stored.outcome];
    ++progress_.reused;
    return true;
  }

  void ended(WorkerAnswer answer) {
    const auto flight = flights_.find(answer.id);
    if (flight == flights_.end()) throw std::runtime_error("a worker answered for a point that was not asked for");
    StoredResult result;
    result.key = flight->second.key;
    result.outcome = answer.outcome;
    result.reason = general_reason(answer.reason, flight->second.points.front().file);
    result.figures = std::move(answer.figures);
    result.details = std::move(answer.details);
    result.host_seconds = answer.host_seconds;
    result.host = request_.host;
    result.finished = utc_now();
    std::vector<StoredPoint>& points = flight->second.points;
    for (StoredPoint& point : points) {
      point.outcome = result.outcome;
      point.reason = result.reason;
    }
    store_.record(points, result);
    progress_.ended[result.outcome] += points.size();
    progress_.reused += points.size() - 1;
    ++progress_.computed;
    if (result.outcome == Outcome::done) note_best(points.front().number, result.figures);
    by_key_.erase(result.key);
    flights_.erase(flight);
  }

  void note_best(u64 number, const std::string& figures) {
    if (figures.empty()) return;
    const Json json = Json::parse(figures, nullptr, false);
    const std::vector<std::pair<std::string, Json>> flat = flat_figures(json);
    const auto lookup = [&](const std::string& name) -> std::optional<ExpressionValue> {
      for (const auto& [key, value] : flat) {
        if (key == name) return expression_value(value);
      }
      return std::nullopt;
    };
    try {
      const std::optional<double> value = objective_.expression.number(lookup);
      if (!value || (best_ && (objective_.minimise ? *value >= *best_ : *value <= *best_))) return;
      best_ = *value;
      progress_.best = fmt::format("{} {:.4g} at point {}", objective_.expression.text(), *value, number);
    } catch (const ExpressionError&) {
      // The analysis reports it; a sweep that has begun goes on.
    }
  }

  void flush_excluded() {
    if (excluded_.empty()) return;
    store_.record(excluded_, std::nullopt);
    for (const StoredPoint& point : excluded_) ++progress_.ended[point.outcome];
    excluded_.clear();
  }

  PointSource source_;
  PointPreparer preparer_;
  SweepStore& store_;
  const SweepRequest& request_;
  const Objective& objective_;
  std::set<u64> ended_;  // before this process began
  u64 number_ = 0;       // the next one
  std::map<u64, Flight> flights_;
  std::map<std::string, u64> by_key_;
  std::vector<StoredPoint> excluded_;
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
  PointPreparer preparer(definition, options, build);
  const PointSource source(definition);
  for (u64 number = 1; number <= source.count(); ++number) {
    if (preparer.broken_constraint(source.point(number)) == nullptr) return warnings;
  }
  std::map<std::string, u64> broken;
  for (u64 number = 1; number <= source.count(); ++number) {
    ++broken[preparer.broken_constraint(source.point(number))->text()];
  }
  std::string text;
  for (const auto& [constraint, count] : most_first(broken)) {
    text += fmt::format("{}'{}' excludes {}", text.empty() ? "" : ", ", constraint, count);
  }
  throw InputError(fmt::format("constraints: no point meets them: of {} points {}", source.count(), text));
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
    const WorkerAnswer answer = simulate_point({0, ready[index].file, ready[index].overrides}, options);
    plan.seconds_of_point += answer.host_seconds / static_cast<double>(sample.size());
    plan.bytes_of_point +=
        static_cast<double>(answer.figures.size() + answer.details.size()) / static_cast<double>(sample.size());
    ++plan.measured;
  }
  return plan;
}

}  // namespace bvp
