// SPDX-License-Identifier: Apache-2.0
#include "platform/explore/confirmation.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "platform/explore/preparer.h"
#include "platform/explore/sweep.h"

namespace bvp {
namespace {

constexpr const char* fidelity_key = "run.fidelity";

void set_fidelity(std::vector<Override>& overrides, const std::string& fidelity) {
  const auto given = std::find_if(overrides.begin(), overrides.end(),
                                  [](const Override& override) { return override.key == fidelity_key; });
  if (given != overrides.end()) {
    given->value = fidelity;
  } else {
    overrides.push_back({fidelity_key, fidelity, {}});
  }
}

void check_axes(const SweepStore& store) {
  const nlohmann::ordered_json definition = store.definition();
  for (const auto& axis : definition.at("axes")) {
    for (const auto& key : axis.at("keys")) {
      if (key.get<std::string>() != fidelity_key) continue;
      throw InputError(fmt::format("{}: {} is an axis of this sweep; expected a sweep in one fidelity",
                                   store.directory().string(), fidelity_key));
    }
  }
}

}  // namespace

ConfirmResult confirm_points(SweepStore& store, const ScenarioOptions& options, const BuildInfo& build,
                             const ConfirmRequest& request) {
  check_axes(store);
  ConfirmResult result;
  std::set<u64> confirmed;
  for (const PointRow& row : store.confirmations()) {
    if (row.point.outcome == Outcome::done) confirmed.insert(row.point.number);
  }
  const SweepDefinition no_constraints;
  PointPreparer preparer(no_constraints, options, build);
  std::map<u64, StoredPoint> flights;
  std::size_t next = 0;
  LauncherCallbacks callbacks;
  callbacks.next = [&]() -> std::optional<WorkerTask> {
    while (next < request.points.size()) {
      const u64 number = request.points[next++];
      if (confirmed.count(number) != 0) {
        ++result.known;
        continue;
      }
      StoredPoint point = store.point(number).point;
      set_fidelity(point.overrides, request.fidelity);
      const PreparedPoint prepared = preparer.prepare_run(point.file, point.overrides);
      if (prepared.state == PreparedPoint::State::ready && prepared.key == point.key) {
        throw InputError(
            fmt::format("point {} was simulated in the fidelity {} already; expected a sweep in another one", number,
                        request.fidelity));
      }
      point.key = prepared.key;
      flights[number] = point;
      return WorkerTask{number, point.file, point.overrides, prepared.key};
    }
    return std::nullopt;
  };
  const auto ended = [&](WorkerAnswer answer) {
    StoredPoint point = flights.at(answer.id);
    point.outcome = answer.outcome;
    point.reason = general_reason(answer.reason, point.file);
    StoredResult computed;
    computed.key = point.key;
    computed.figures = std::move(answer.figures);
    computed.details = std::move(answer.details);
    computed.host_seconds = answer.host_seconds;
    computed.host = answer.host.empty() ? request.host : answer.host;
    computed.finished = utc_now();
    const bool done = point.outcome == Outcome::done;
    // A failure may have to do with the host: the next call runs the point again.
    store.record_confirmation(point, done ? std::optional<StoredResult>(computed) : std::nullopt);
    if (!done) result.failures.push_back(point);
    ++result.computed;
    if (request.tick) static_cast<void>(request.tick(result.computed + result.known));
  };
  callbacks.ended = [&](std::vector<WorkerAnswer> answers) {
    for (WorkerAnswer& answer : answers) ended(std::move(answer));
  };
  callbacks.tick = [&](u64) { return request.tick && request.tick(result.computed + result.known); };
  static_cast<void>(request.launcher->run(callbacks));
  return result;
}

}  // namespace bvp
