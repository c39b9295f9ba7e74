// SPDX-License-Identifier: Apache-2.0
// A run against the baselines.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "platform/baselines/baseline_parameters.h"
#include "platform/network/network.h"

namespace bvp {

/// In what a network is another than the first, apart from the batch.
struct WorkDifference {
  std::vector<std::string> what;  ///< "tokens 128 instead of 256"
  /// The sizes are the same, so that the networks do the same task in different ways: dense and butterfly matrices,
  /// attention and FFT.
  bool comparable = true;
  [[nodiscard]] bool same() const { return what.empty(); }
};

[[nodiscard]] WorkDifference work_difference(const Network& first, const Network& other);

/// How well a figure is founded.
struct Evidence {
  std::string source;                       ///< with the parameters that are not at their defaults
  std::string tag;                          ///< see Basis
  Confidence confidence = Confidence::low;  ///< of the weakest part: parameters, model, for an energy also the time
};

struct BaselineRow {
  std::string name, definition;  // see BaselineEstimate
  double time_s = 0;
  std::optional<double> energy_j;
  bool with_dram = false;              // the energy is compared with the run's energy with DRAM
  double speedup = 0;                  // time over the run's
  std::optional<double> energy_ratio;  // energy over the run's, where both are at the same operating point
  Evidence time_evidence, energy_evidence;
};

/// The estimates of all baselines, by place.
[[nodiscard]] std::vector<BaselineRow> compare_with_baselines(const BaselineParameters& parameters,
                                                              const ComparedRun& run);

/// The run's name, with its directory where it was read from one.
[[nodiscard]] std::string run_title(const ComparedRun& run);

/// Profile and operating point of the run's energy, and the price of its DRAM where that was set.
[[nodiscard]] std::string energy_text(const ComparedRun& run);

[[nodiscard]] nlohmann::ordered_json comparison_json(const BaselineParameters& parameters, const ComparedRun& run,
                                                     const std::vector<BaselineRow>& rows);

}  // namespace bvp
