// SPDX-License-Identifier: Apache-2.0
// Published figures of other attention accelerators at a peak of 256 GOp/s.
#pragma once

#include <string>
#include <vector>

#include "platform/baselines/baseline_parameters.h"

namespace bvp {

struct PublishedAccelerator {
  std::string name;
  double power_w = 0;
  double flop_saving = 0;  // of the operations of the dense network
  double node_nm = 0, volt = 0;
  double energy_to_12nm = 0;  // by how much MLX divides its energy
  std::string source;
};

inline constexpr double accelerator_peak_flops = 256e9;

/// MLX (ISCA 2026), Table IV, which brings all of them to the same peak; voltages are nominal ones of the nodes
/// (assumption).
[[nodiscard]] const std::vector<PublishedAccelerator>& published_accelerators();

/// Joules in 12 nm over joules as published.
[[nodiscard]] double energy_normalisation(const BaselineParameters& parameters,
                                          const PublishedAccelerator& accelerator);

}  // namespace bvp
