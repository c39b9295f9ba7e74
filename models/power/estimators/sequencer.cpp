// SPDX-License-Identifier: Apache-2.0
#include "models/power/estimators/estimators.h"

namespace bvp {

Estimator sequencer_estimator() {
  return {"sequencer",
          {
              {"command", "commands", "a command decoded"},
              {"config_word", "words", "a 64-bit word broadcast over the configuration network"},
          }};
}

}  // namespace bvp
