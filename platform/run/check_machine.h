// SPDX-License-Identifier: Apache-2.0
// Whether a machine can be built, and its run priced and recorded.
#pragma once

#include "platform/scenario/scenario.h"

namespace bvp {

/// Builds the SoC of a scenario and drops it: models know which of their parameters do not go together, and which
/// actions an energy table must price.
/// @throws InputError  naming the key
void check_machine(const Scenario& scenario);

}  // namespace bvp
