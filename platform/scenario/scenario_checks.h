// SPDX-License-Identifier: Apache-2.0
// Checks that no single declaration of a parameter can make: keys that exclude each other, sizes that do not fit.
#pragma once

#include <map>
#include <string>

#include "platform/scenario/scenario.h"
#include "platform/support/problems.h"

namespace bvp {

/// Maps each key to the file in which its value was given, or to `command_line_source`. Values that were replaced are
/// left out.
using ValueSources = std::map<std::string, std::string>;
inline constexpr const char* command_line_source = "command line";

/// Longest name of a scenario in bytes.
inline constexpr std::size_t longest_name = 100;

/// Checks those parts of a scenario that were read without mistakes, and makes its network.
/// @param file  the scenario's file, for messages
void check_scenario(Scenario& scenario, const std::string& file, const ValueSources& sources, Problems& problems);

}  // namespace bvp
