// SPDX-License-Identifier: Apache-2.0
// What no single declaration of a parameter can know: keys that exclude each other, sizes that do not fit.
#pragma once

#include <map>
#include <string>

#include "platform/scenario/scenario.h"
#include "platform/support/problems.h"

namespace bvp {

/// Where values were given: by key a file, or `command_line_source`. What was replaced is left out.
using ValueSources = std::map<std::string, std::string>;
inline constexpr const char* command_line_source = "command line";

/// Of a scenario's name, in bytes.
inline constexpr std::size_t longest_name = 100;

/// Checks what is sound of a scenario that has been read, and makes its network.
/// @param file  that it was read from, for messages
void check_scenario(Scenario& scenario, const std::string& file, const ValueSources& sources, Problems& problems);

}  // namespace bvp
