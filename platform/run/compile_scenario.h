// SPDX-License-Identifier: Apache-2.0
// The compiler, set up as a scenario says.
#pragma once

#include "platform/network/tensors.h"
#include "platform/program/compiled_network.h"
#include "platform/scenario/scenario.h"

namespace bvp {

/// @param weights  of the scenario's network; their values are not looked at where the scenario runs without data
/// @throws InputError  the network does not fit the SoC
[[nodiscard]] CompiledNetwork compile_scenario(const Scenario& scenario, const TensorMap& weights);

/// The same without weights: what is planned does not depend on them. @throws InputError  likewise
[[nodiscard]] CompiledNetwork plan_scenario(const Scenario& scenario);

}  // namespace bvp
