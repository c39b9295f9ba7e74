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

/// What is compared of a run.
struct ComparedRun {
  std::string name;
  std::string directory;  // of a run that was read, or empty
  Network network;
  u64 inferences = 1;  // of the network, a batch each
  double time_s = 0;
  double energy_j = 0;       // with DRAM
  double dram_energy_j = 0;  // of it
  double peak_flops_per_s = 0;
  std::string energy_profile;
  std::string energy_note;                              // why the profile is no description of the machine, or empty
  double energy_technology_nm = 0, energy_voltage = 0;  // at which actions were priced
  bool energy_scaled = false;                           // not the profile's own point
  std::optional<double> dram_pj_per_bit;                // where it is not the profile's

  [[nodiscard]] double sequences() const {
    return static_cast<double>(network.batch) * static_cast<double>(inferences);
  }
  [[nodiscard]] double sequence_s() const { return time_s / sequences(); }
  [[nodiscard]] double sequence_j() const { return energy_j / sequences(); }
};

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
  std::string source;
  /// F: read in the source; D: digitised from a plot; R: computed or simulated here; I: inferred from others;
  /// M: general knowledge. Several where the figure rests on several.
  std::string tag;
  Confidence confidence = Confidence::low;  // of the weakest part: parameters, model, for an energy also the time
};

struct BaselineRow {
  std::string name;        // stable
  std::string definition;  // what runs, how it is reckoned, what is included
  double time_s = 0;
  std::optional<double> energy_j;
  bool with_dram = false;              // the energy includes DRAM: compared with the run's energy with DRAM
  double speedup = 0;                  // time over the run's
  std::optional<double> energy_ratio;  // energy over the run's, where both are at the same operating point
  Evidence time_evidence, energy_evidence;
};

/// Baselines that can run the network or its dense counterpart. Accelerators of 256 GOp/s only where the run's peak is
/// the same (to 5 %).
[[nodiscard]] std::vector<BaselineRow> compare_with_baselines(const BaselineParameters& parameters,
                                                              const ComparedRun& run);

/// The run's name, with its directory where it was read from one.
[[nodiscard]] std::string run_title(const ComparedRun& run);

/// Profile and operating point of the run's energy, and the price of its DRAM where that was set.
[[nodiscard]] std::string energy_text(const ComparedRun& run);

[[nodiscard]] nlohmann::ordered_json comparison_json(const BaselineParameters& parameters, const ComparedRun& run,
                                                     const std::vector<BaselineRow>& rows);

}  // namespace bvp
