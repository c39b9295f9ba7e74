// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "platform/run/symbol_table.h"
#include "platform/soc/soc.h"

namespace bvp {

/// The registers, the function that has called, and who waits for what, for a run that its program has not ended. There
/// is no deeper backtrace: optimised code keeps no frame pointers.
[[nodiscard]] std::string describe_cpu(const Soc& soc, const SymbolTable& symbols);

}  // namespace bvp
