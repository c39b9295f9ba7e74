// SPDX-License-Identifier: Apache-2.0
// What gdb learns of the machine: its registers and where memory and devices lie.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "models/base/types.h"

namespace bvp {

/// Lower-case, as the privileged specification names it: "mstatus", "mhpmcounter3"; empty if it has no name there that
/// this core could have.
[[nodiscard]] std::string csr_name(unsigned number);

/// XML: the general registers, pc, and those CSRs that exist.
[[nodiscard]] std::string registers_xml(const std::function<bool(unsigned csr)>& exists);

struct DebugRegion {
  u64 base, bytes;
};
[[nodiscard]] std::string memory_map_xml(const std::vector<DebugRegion>& regions);

}  // namespace bvp
