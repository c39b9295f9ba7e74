// SPDX-License-Identifier: Apache-2.0
#include "platform/power/soc_limits.h"

#include <algorithm>

namespace bvp {

std::vector<ResourceLimit> resource_limits(const Soc& soc, const ActionSampler& sampler, std::size_t dram_bytes_read,
                                           std::size_t dram_bytes_written) {
  const auto column = [&](const char* component, const char* action) {
    const auto& actions = sampler.actions();
    const ActionSampler::Action wanted{component, action};
    return static_cast<std::size_t>(std::find(actions.begin(), actions.end(), wanted) - actions.begin());
  };
  const double hz = soc.clock().hertz();
  const double accesses = soc.dram.accesses_per_clock() * soc.dram.clock().hertz();
  return {
      {"dram_accesses", {column("dram", "read_64b"), column("dram", "write_64b")}, accesses},
      {"dram_bytes", {dram_bytes_read, dram_bytes_written}, accesses * dram_access_bytes},
      {"dram_activates", {column("dram", "activate")}, soc.dram.activates_per_clock() * soc.dram.clock().hertz()},
      {"dma", {column("dma", "byte")}, soc.dma.bytes_per_cycle() * hz},
      {"scratchpad_banks",
       {column("scratchpad", "row_read"), column("scratchpad", "row_write")},
       soc.scratchpad.rows_per_cycle() * hz},
      {"mesh_links", {column("mesh", "vector_hop")}, soc.mesh.hops_per_cycle() * hz},
  };
}

}  // namespace bvp
