// SPDX-License-Identifier: Apache-2.0
#include "models/power/estimators/estimators.h"

namespace bvp {

Estimator dma_estimator() {
  return {"dma",
          {
              {"burst", "bursts", "a burst of a transfer"},
              {"byte", "bytes", "a byte moved or filled"},
          }};
}

}  // namespace bvp
