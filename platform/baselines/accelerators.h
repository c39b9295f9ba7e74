// SPDX-License-Identifier: Apache-2.0
// Published figures of other attention accelerators at a peak of 256 GOp/s.
#pragma once

#include <vector>

#include "platform/baselines/baseline_parameters.h"

namespace bvp {

struct PublishedAccelerator {
  const char* name;
  const AcceleratorParameters* parameters;
};

inline constexpr double accelerator_peak_flops = 256e9;

/// MLX (ISCA 2026), Table IV, which brings all of them to the same peak. SpAtten is the first.
[[nodiscard]] std::vector<PublishedAccelerator> published_accelerators(const BaselineParameters& parameters);

/// Joules in 12 nm over joules as published.
[[nodiscard]] double energy_normalisation(const BaselineParameters& parameters,
                                          const AcceleratorParameters& accelerator);

}  // namespace bvp
