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

/// Compiles the scenario's network for half of the rows of PEs that `network` uses. What it leaves in the DRAM lies
/// behind `network`, with which it shares inputs and outputs, and computes the same bits.
/// @throws InputError  the network uses a single row, or does not fit half of the rows
[[nodiscard]] CompiledNetwork compile_spare(const Scenario& scenario, const TensorMap& weights,
                                            const CompiledNetwork& network);

/// The same for plan_scenario().
[[nodiscard]] CompiledNetwork plan_spare(const Scenario& scenario, const CompiledNetwork& network);

}  // namespace bvp
