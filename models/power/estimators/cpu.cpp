// SPDX-License-Identifier: Apache-2.0
#include "models/power/estimators/estimators.h"

namespace bvp {

Estimator cpu_estimator() {
  return {"cpu",
          {
              {"instruction", "instructions", "an instruction completed"},
          },
          Background::required};
}

}  // namespace bvp
