// SPDX-License-Identifier: Apache-2.0
#include "platform/baselines/baseline_parameters.h"

#include <algorithm>

namespace bvp {

namespace machines {
#define BVP_ENTRY(name) BaselineEntry name();
#include "platform_baselines_machines.list"
#undef BVP_ENTRY
}  // namespace machines

namespace {

std::vector<BaselineEntry> entries() {
  std::vector<BaselineEntry> all{
#define BVP_ENTRY(name) machines::name(),
#include "platform_baselines_machines.list"
#undef BVP_ENTRY
  };
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.place < b.place; });
  return all;
}

}  // namespace

BaselineParameters::BaselineParameters(ParameterGroup* parent)
    : ParameterGroup(parent, "baselines", "what `butterfly-vp compare` holds a run against"),
      technology(this, "technology", "mlx", {"none", "mlx", "stillmaker"},
                 "How energies of accelerators in other technologies are brought to 12 nm: not at all, by the ratios "
                 "that MLX (ISCA 2026, Table IV) uses, or by the polynomials of Stillmaker and Baas (2017).",
                 "choice of the user", Confidence::high) {
  for (const BaselineEntry& entry : entries()) machines.push_back(entry.make(this));
}

}  // namespace bvp
