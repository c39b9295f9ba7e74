// SPDX-License-Identifier: Apache-2.0
// Runs the compiler with the settings of a scenario.
#pragma once

#include "platform/network/tensors.h"
#include "platform/program/compiled_network.h"
#include "platform/scenario/scenario.h"

namespace bvp {

/// @param weights  the weights of the scenario's network; if the scenario runs without data, their values are not used
/// @throws InputError  the network does not fit the SoC
[[nodiscard]] CompiledNetwork compile_scenario(const Scenario& scenario, const TensorMap& weights);

/// Compiles the scenario without weights, because the plan does not depend on them. @throws InputError  the network
/// does not fit
[[nodiscard]] CompiledNetwork plan_scenario(const Scenario& scenario);

}  // namespace bvp
