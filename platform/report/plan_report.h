// SPDX-License-Identifier: Apache-2.0
// Shows what the planner decided, as JSON and as text.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "platform/program/compiled_network.h"
#include "platform/support/text_table.h"

namespace bvp {

/// {"predicted_cycles", "attention_key_block", "sum_ways", "fft", ..., "tasks": [...], "kernels": [...]}
nlohmann::ordered_json plan_json(const CompiledNetwork& network);

/// Tasks layer by layer, with the kernels that they launch; layers that are planned in the same way are shown once.
/// @param width  of the terminal
std::string plan_table(const CompiledNetwork& network, std::size_t width = default_width);

/// The tasks and kernels of all layers whose names match; empty if none match.
std::string plan_lines(const CompiledNetwork& network, const std::function<bool(const std::string&)>& shows,
                       std::size_t width = default_width);

}  // namespace bvp
