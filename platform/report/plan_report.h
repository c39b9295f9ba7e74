// SPDX-License-Identifier: Apache-2.0
// What the planner decided, for files and for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "platform/compiler/compiled_network.h"

namespace bvp {

/// {"predicted_cycles", "attention_key_block", "sum_ways", "tasks": [...], "kernels": [...]}
nlohmann::ordered_json plan_json(const CompiledNetwork& network);

/// Tasks, layer by layer, with the kernels they launch; layers that are planned alike are shown once.
std::string plan_table(const CompiledNetwork& network);

}  // namespace bvp
