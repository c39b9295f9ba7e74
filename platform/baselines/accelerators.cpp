// SPDX-License-Identifier: Apache-2.0
#include "platform/baselines/accelerators.h"

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
    return energy_scale({accelerator.node_nm, accelerator.volt}, accelerator_point);
  }
  return 1;
}

std::vector<const ParamBase*> normalisation_parameters(const BaselineParameters& parameters,
                                                       const AcceleratorParameters& accelerator) {
  if (parameters.technology.get() == "mlx") return {&parameters.technology, &accelerator.energy_to_12nm};
  if (parameters.technology.get() == "stillmaker") {
    return {&parameters.technology, &accelerator.node_nm, &accelerator.volt};
  }
  return {&parameters.technology};
}

}  // namespace bvp
