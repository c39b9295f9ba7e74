// SPDX-License-Identifier: Apache-2.0
#include "platform/baselines/accelerators.h"

#include "models/power/technology.h"

namespace bvp {

std::vector<PublishedAccelerator> published_accelerators(const BaselineParameters& parameters) {
  return {{"SpAtten", &parameters.spatten},
          {"Sanger", &parameters.sanger},
          {"DOTA", &parameters.dota},
          {"ViTALiTy", &parameters.vitality}};
}

double energy_normalisation(const BaselineParameters& parameters, const AcceleratorParameters& accelerator) {
  if (parameters.technology.get() == "mlx") return 1 / accelerator.energy_to_12nm;
  if (parameters.technology.get() == "stillmaker") {
    return energy_scale({accelerator.node_nm, accelerator.volt}, {12, 0.8});
  }
  return 1;
}

}  // namespace bvp
