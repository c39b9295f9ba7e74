// SPDX-License-Identifier: Apache-2.0
// A campaign of faults: many runs of one scenario, each with a random fault, and what became of them. It is a sweep
// whose first axis is the fault; pool, store and resumption are those of sweeps.
#pragma once

#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "models/faults/fault.h"
#include "platform/explore/definition.h"
#include "platform/explore/store.h"

namespace bvp {

/// What has become of a run with a fault.
enum class FaultEffect {
  not_met,    ///< the run was over before an event that the fault could have hit
  masked,     ///< the results are right, and nobody has noticed
  corrected,  ///< by a code, and the results are right
  recovered,  ///< an error or a time-out, after which the firmware has come to the right results
  degraded,   ///< likewise, on fewer rows of PEs
  detected,   ///< the firmware has ended with an error
  silent,     ///< the results are wrong, and nobody has noticed
  hang,       ///< the firmware has not ended: nothing could happen any more, or the time limit was reached
  broken,     ///< the simulator has failed: the point could not be run
};
inline constexpr std::size_t fault_effects = 9;
[[nodiscard]] const char* name_of(FaultEffect effect);

struct CampaignRequest {
  std::string file;  ///< of the scenario
  std::string name;  ///< of the campaign
  std::vector<Override> sets;
  u64 faults = 100, seed = 1;
  std::vector<std::string> kinds;       ///< empty: all
  std::vector<std::string> fidelities;  ///< "cycle", "fast"
  std::vector<bool> guards;             ///< without and with protection, codes, limits, retries and spare images
};

/// The run without a fault, which tells how long runs take and what right results are.
struct CampaignBase {
  double time_s = 0;
  u64 cycles = 0;
};

/// Runs the scenario once, in this process, and draws the faults. The times of faults are spread evenly over this run,
/// bits over the memory that the network uses.
/// @throws InputError  the scenario fails without a fault, or its outputs are not equal to the reference of the same
///         operation order, so that nobody could tell whether a fault has changed them
[[nodiscard]] SweepDefinition make_campaign(const CampaignRequest& request, const ScenarioOptions& options,
                                            CampaignBase& base);

/// @param base  the run without a fault of the same fidelity and guard
[[nodiscard]] FaultEffect effect_of(const PointRow& row, const CampaignBase& base);

/// How many runs had which effect, by kind of fault and by arm ("cycle, unguarded").
struct CampaignCounts {
  using Effects = std::array<u64, fault_effects>;
  std::map<std::string, std::map<std::string, Effects>> by_arm;  // arm -> kind -> effects
  u64 runs = 0;

  [[nodiscard]] Effects total(const std::string& arm) const;
};
[[nodiscard]] CampaignCounts count_effects(const SweepStore& store, const CampaignBase& base);

/// Counts, and the rows: number, fault, arm, effect, reason.
[[nodiscard]] nlohmann::ordered_json campaign_json(const SweepStore& store, const CampaignBase& base);

}  // namespace bvp
