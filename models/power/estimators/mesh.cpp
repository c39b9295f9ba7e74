// SPDX-License-Identifier: Apache-2.0
#include "models/power/estimators/estimators.h"

namespace bvp {

Estimator mesh_estimator() {
  return {
      "mesh",
      {
          {"vector_hop", "hops", "a vector going from a PE to the next, or over a link of twice that length as two"},
          {"control_hop", "hops", "a token going from a PE to the next"},
      }};
}

}  // namespace bvp
