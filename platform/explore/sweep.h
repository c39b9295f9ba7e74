// SPDX-License-Identifier: Apache-2.0
// Runs the points of a sweep that have not been run yet, and records each result when it is there.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "platform/explore/definition.h"
#include "platform/explore/preparer.h"
#include "platform/explore/store.h"
#include "platform/explore/task_launcher.h"

namespace bvp {

struct SweepProgress {
  u64 points = 0;  ///< with the base
  std::map<Outcome, u64> ended;
  u64 computed = 0;  ///< by this process
  u64 reused = 0;    ///< from the same content in this sweep or another one
  u64 running = 0;
  double seconds = 0;  ///< since the beginning of this process's part
  std::string best;    ///< what the first objective has reached so far: "time_s 1.23e-05 at point 17"; empty: nothing

  [[nodiscard]] u64 all_ended() const;
  [[nodiscard]] u64 failures() const;
};

struct SweepRequest {
  TaskLauncher* launcher = nullptr;          ///< runs the points
  std::vector<std::filesystem::path> reuse;  ///< directories of other sweeps whose results are taken over
  std::string host;                          ///< what to record as the host of results
  /// Called ten times a second; true ends the sweep, and what was recorded stays.
  std::function<bool(const SweepProgress&)> tick;
};

/// @return the state in the end; fewer points have ended than there are if tick() has ended it
SweepProgress run_sweep(const SweepDefinition& definition, const ScenarioOptions& options, const BuildInfo& build,
                        SweepStore& store, const SweepRequest& request);

/// Takes results over that jobs of a cluster have left and no process has recorded (slurm.h).
/// @return how many
u64 record_left_answers(SweepStore& store, const std::filesystem::path& spool, const std::string& host);

/// What a sweep would do.
struct SweepPlan {
  u64 points = 0;  ///< with the base
  u64 ready = 0;
  u64 looked_at = 0;  ///< points whose scenarios were read and planned: all of them, or evenly spread ones
  std::vector<std::pair<std::string, u64>> refused, excluded;  ///< of those looked at: reason -> points
  double seconds_of_point = 0;  ///< the mean of the points that were simulated to measure it; 0: there was none
  u64 measured = 0;
  double bytes_of_point = 0;  ///< in the store
  std::vector<std::string> warnings;
};

/// Looks at no more than `most` points, and simulates up to three to measure what a point costs.
[[nodiscard]] SweepPlan plan_sweep(const SweepDefinition& definition, const ScenarioOptions& options,
                                   const BuildInfo& build, u64 most);

/// Sentences on axes that can have no effect, and on constraints that no point meets.
/// @throws InputError  no point meets the constraints
[[nodiscard]] std::vector<std::string> check_sweep(const SweepDefinition& definition, const ScenarioOptions& options,
                                                   const BuildInfo& build);

/// "2026-01-31T12:00:00Z"
[[nodiscard]] std::string utc_now();

}  // namespace bvp
