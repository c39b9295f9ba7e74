// SPDX-License-Identifier: Apache-2.0
// Whether a machine can be built.
#pragma once

#include "platform/scenario/scenario.h"

namespace bvp {

/// Builds the SoC of a scenario and drops it: models know which of their parameters do not go together.
/// @throws InputError  with the parameter that a model complained about
void check_machine(const Scenario& scenario);

}  // namespace bvp
