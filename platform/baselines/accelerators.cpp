// SPDX-License-Identifier: Apache-2.0
#include "platform/baselines/accelerators.h"

#include "models/power/technology.h"

namespace bvp {

const std::vector<PublishedAccelerator>& published_accelerators() {
  static const std::vector<PublishedAccelerator> accelerators{
      {"SpAtten", 1.06, 3.0, 40, 0.9, 5, "SpAtten (HPCA 2021) as in MLX (ISCA 2026), Table IV"},
      {"Sanger", 0.80, 5.9, 55, 1.0, 7, "Sanger (MICRO 2021) as in MLX (ISCA 2026), Table IV"},
      {"DOTA", 0.86, 5.0, 22, 0.8, 2, "DOTA (ASPLOS 2022) as in MLX (ISCA 2026), Table IV"},
      {"ViTALiTy", 1.46, 5.9, 28, 0.9, 3, "ViTALiTy (HPCA 2023) as in MLX (ISCA 2026), Table IV"}};
  return accelerators;
}

double energy_normalisation(const BaselineParameters& parameters, const PublishedAccelerator& accelerator) {
  if (parameters.technology.get() == "mlx") return 1 / accelerator.energy_to_12nm;
  if (parameters.technology.get() == "stillmaker") {
    return energy_scale({accelerator.node_nm, accelerator.volt}, {12, 0.8});
  }
  return 1;
}

}  // namespace bvp
