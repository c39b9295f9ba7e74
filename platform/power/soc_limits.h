// SPDX-License-Identifier: Apache-2.0
// The limits of an SoC's resources.
#pragma once

#include <vector>

#include "models/power/action_counts.h"
#include "platform/power/resource_limits.h"
#include "platform/soc/soc.h"

namespace bvp {

/// The limits of resources that several initiators share or whose initiators run ahead: DRAM, DMA channels, banks of
/// the scratchpad, links of the mesh. The columns are the sampler's actions, followed by two for DRAM bytes.
[[nodiscard]] std::vector<ResourceLimit> resource_limits(const Soc& soc, const ActionSampler& sampler,
                                                         std::size_t dram_bytes_read, std::size_t dram_bytes_written);

}  // namespace bvp
