// SPDX-License-Identifier: Apache-2.0
// What baselines see of a run.
#pragma once

#include <optional>
#include <string>

#include "platform/baselines/workload.h"
#include "platform/network/network.h"

namespace bvp {

/// What is compared of a run.
struct ComparedRun {
  std::string name;
  std::string directory;  // of a run that was read, or empty
  Network network;
  WorkForm form;       // in which the run computed the network
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

}  // namespace bvp
