// SPDX-License-Identifier: Apache-2.0
#include "models/power/estimators/estimators.h"

namespace bvp {

Estimator dram_estimator() {
  return {"dram",
          {
              {"activate", "activates", "a row opened, in all devices of a channel"},
              {"read_64b", "accesses", "64 bytes read from the devices of a channel"},
              {"write_64b", "accesses", "64 bytes written to the devices of a channel"},
              {"refresh", "refreshes", "a refresh of all devices of a channel"},
          },
          Background::required};
}

}  // namespace bvp
