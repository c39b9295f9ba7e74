// SPDX-License-Identifier: Apache-2.0
// Runs points of a sweep again in another fidelity, and keeps the results beside the first ones.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "platform/explore/store.h"
#include "platform/explore/task_launcher.h"

namespace bvp {

struct ConfirmRequest {
  std::vector<u64> points;  ///< numbers of points that ended well
  std::string fidelity = "cycle";
  TaskLauncher* launcher = nullptr;  ///< runs the points
  std::string host;                  ///< what to record as the host of results
  /// Called after each point with the number of those that have ended; and ten times a second. true: end.
  std::function<bool(std::size_t ended)> tick;
};

struct ConfirmResult {
  std::size_t computed = 0;
  std::size_t known = 0;  ///< confirmed before
  std::vector<StoredPoint> failures;
};

/// @throws InputError  the fidelity is an axis of the sweep, or the points were simulated in it
ConfirmResult confirm_points(SweepStore& store, const ScenarioOptions& options, const BuildInfo& build,
                             const ConfirmRequest& request);

}  // namespace bvp
