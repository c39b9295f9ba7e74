// SPDX-License-Identifier: Apache-2.0
#include "models/power/estimators/estimators.h"

namespace bvp {

Estimator scratchpad_estimator() {
  return {
      "scratchpad",
      {
          {"row_read", "accesses", "a row or column (lanes x 16 bits) read from a bank, for a PE or the linear port"},
          {"row_write", "accesses", "a row or column written to a bank, for a PE or the linear port"},
          {"vector_hop", "hops", "a vector going a PE's distance on its way between the edge of the array and its PE"},
      },
      Background::required};
}

}  // namespace bvp
