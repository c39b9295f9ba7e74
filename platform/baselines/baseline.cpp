// SPDX-License-Identifier: Apache-2.0
#include "platform/baselines/baseline.h"

#include <cmath>

namespace bvp {

bool has_accelerator_peak(const ComparedRun& run) {
  return std::abs(run.peak_flops_per_s / accelerator_peak_flops - 1) < 0.05;
}

std::vector<const ParamBase*> together(std::vector<const ParamBase*> first,
                                       const std::vector<const ParamBase*>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

}  // namespace bvp
