// SPDX-License-Identifier: Apache-2.0
// Published figures of other attention accelerators at a peak of 256 GOp/s.
#pragma once

#include <vector>

#include "models/power/technology.h"
#include "platform/baselines/baseline_parameters.h"

namespace bvp {

struct PublishedAccelerator {
  const char* name;
  const AcceleratorParameters* parameters;
};

inline constexpr double accelerator_peak_flops = 256e9;

/// MLX (ISCA 2026), Table IV, which brings all of them to the same peak. SpAtten is the first.
[[nodiscard]] std::vector<PublishedAccelerator> published_accelerators(const BaselineParameters& parameters);

/// To which their energies are brought, unless technology is `none`.
inline constexpr OperatingPoint accelerator_point{12, 0.8};

/// Joules at accelerator_point over joules as published.
[[nodiscard]] double energy_normalisation(const BaselineParameters& parameters,
                                          const AcceleratorParameters& accelerator);
/// What of the parameters it rests on.
[[nodiscard]] std::vector<const ParamBase*> normalisation_parameters(const BaselineParameters& parameters,
                                                                     const AcceleratorParameters& accelerator);

}  // namespace bvp
