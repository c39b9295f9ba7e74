// SPDX-License-Identifier: Apache-2.0
#include "models/power/estimators/estimators.h"

namespace bvp {

std::vector<Estimator> all_estimators() {
  return {pe_estimator(),  mesh_estimator(), scratchpad_estimator(), sequencer_estimator(),
          dma_estimator(), dram_estimator(), cpu_estimator()};
}

}  // namespace bvp
