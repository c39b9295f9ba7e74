// SPDX-License-Identifier: Apache-2.0
// The results of a sweep in one SQLite database: DIRECTORY/sweep.sqlite.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "models/base/types.h"
#include "platform/report/provenance.h"
#include "platform/scenario/scenario.h"

namespace bvp {

/// How a point ended. `excluded` and `refused` are no failures: the design cannot be, or is not asked for.
enum class Outcome { done, failed, crashed, timed_out, refused, excluded };
[[nodiscard]] const std::vector<std::string>& outcome_names();
[[nodiscard]] const std::string& outcome_name(Outcome outcome);
/// Whether a sweep with such a point ends with exit code 1.
[[nodiscard]] bool is_failure(Outcome outcome);

/// A result by the key of its content.
struct StoredResult {
  std::string key;
  Outcome outcome = Outcome::done;
  std::string reason;            ///< of every outcome but done
  std::string figures, details;  ///< JSON texts, see PointFigures; empty if there are none
  // These differ between hosts:
  double host_seconds = 0;
  std::string host, finished;  ///< finished: UTC, ISO 8601
};

/// A point that has ended.
struct StoredPoint {
  u64 number = 0;
  nlohmann::ordered_json values;  ///< axis key -> value as text
  std::string key;                ///< of its result; empty if it was not run: excluded or refused
  std::string file;               ///< of the scenario
  std::vector<Override> overrides;
  Outcome outcome = Outcome::done;
  std::string reason;
};

/// The command that runs a point by itself.
[[nodiscard]] std::string command_of(const StoredPoint& point);

/// A point with its result.
struct PointRow {
  StoredPoint point;
  std::string figures, details;
  double host_seconds = 0;
  std::string host, finished;
};

class SweepStore {
 public:
  enum class Open { create, resume };

  /// @param definition  for create and resume: a store of another definition is refused
  /// @throws InputError  there is no sweep, or one where none is expected, or another program has the store
  SweepStore(std::filesystem::path directory, Open how, const nlohmann::ordered_json& definition,
             const Provenance& provenance);
  /// Opens a store to read it, also while a sweep writes. @throws InputError  there is none
  explicit SweepStore(std::filesystem::path directory);
  ~SweepStore();
  SweepStore(const SweepStore&) = delete;
  SweepStore& operator=(const SweepStore&) = delete;

  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }
  [[nodiscard]] nlohmann::ordered_json definition() const;
  /// Version, commit, compiler and host of the sweep's beginning.
  [[nodiscard]] nlohmann::ordered_json provenance() const;

  /// Numbers of the points that have ended.
  [[nodiscard]] std::vector<u64> ended_points() const;
  /// Points by outcome.
  [[nodiscard]] std::map<Outcome, u64> counts() const;
  /// Reasons of an outcome with the number of points, the most frequent first.
  [[nodiscard]] std::vector<std::pair<std::string, u64>> reasons(Outcome outcome) const;
  [[nodiscard]] std::optional<StoredResult> result(const std::string& key) const;
  /// The result of this key in the store of another sweep. @throws InputError  there is none in this directory
  [[nodiscard]] std::optional<StoredResult> result_of(const std::filesystem::path& other, const std::string& key);

  /// Records points and, for the first of them if it was run, its result: all or nothing, and on the disk when the call
  /// returns.
  void record(const std::vector<StoredPoint>& points, const std::optional<StoredResult>& result);
  /// All that `change` records is on the disk together, when this call returns, or nothing of it if it throws. One call
  /// for many points takes a fraction of the time of one for each.
  void together(const std::function<void()>& change);
  /// Forgets failed, crashed and timed-out points, so that they run again. @return how many
  u64 forget_failures();

  /// How often results were computed after they had been recorded: 0, unless there is an error in the sweep.
  [[nodiscard]] u64 repeated() const;

  /// Forgets the points from this number on, and keeps their results.
  void forget_points_from(u64 number);

  /// A point that has ended, with its figures. @throws std::runtime_error  there is none of this number
  [[nodiscard]] PointRow point(u64 number) const;

  /// Records that a point was run again in another fidelity, with the result if it ended well.
  /// @param point  with the key and the settings of that run
  void record_confirmation(const StoredPoint& point, const std::optional<StoredResult>& result);
  /// Points that were run again, in the order of their numbers.
  [[nodiscard]] std::vector<PointRow> confirmations() const;

  /// Calls `visit` with each point in the order of their numbers. @param with_details  read the details, too
  void for_each(bool with_details, const std::function<void(const PointRow&)>& visit) const;

 private:
  struct Implementation;
  void insert_result(const StoredResult& result);
  std::filesystem::path directory_;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace bvp
