// SPDX-License-Identifier: Apache-2.0
// Published figures of other attention accelerators at a peak of 256 GOp/s.
#pragma once

#include <vector>

#include "models/base/parameters.h"
#include "models/power/technology.h"

namespace bvp {

/// An attention accelerator by its published figures.
struct AcceleratorParameters : ParameterGroup {
  struct Published {
    double power_w, flop_saving, node_nm, energy_to_12nm, block_speed;
  };

  AcceleratorParameters(ParameterGroup* parent, std::string name, std::string description, const Published& published);

  Param<double> power_w;
  Param<double> flop_saving;
  Param<double> node_nm;
  Param<double> volt;
  Param<double> energy_to_12nm;
  Param<double> block_speed;
};

/// To which their energies are brought, unless technology is `none`.
inline constexpr OperatingPoint accelerator_point{12, 0.8};

/// Joules at accelerator_point over joules as published.
[[nodiscard]] double energy_normalisation(const Param<std::string>& technology,
                                          const AcceleratorParameters& accelerator);
/// What of the parameters it rests on.
[[nodiscard]] std::vector<const ParamBase*> normalisation_parameters(const Param<std::string>& technology,
                                                                     const AcceleratorParameters& accelerator);

}  // namespace bvp
