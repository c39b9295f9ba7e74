// SPDX-License-Identifier: Apache-2.0
// The reference: PEs, scratchpad and mesh, one cycle after the other.
#pragma once

#include <array>
#include <vector>

#include "test/reference_timing/kernel_image.h"
#include "test/reference_timing/machine.h"
#include "test/reference_timing/processing_element.h"

namespace bvp::ticking {

struct Outcome {
  Cycle cycles = 0;                      // from the launches' arrival to the completion of the last one on the last PE
  std::array<UnitCycles, units> unit{};  // summed over the PEs
};

/// Launches that arrive together, which follow each other on every PE.
/// @throws std::runtime_error  they do not end within `limit` cycles, or reach outside of a memory
[[nodiscard]] Outcome run(const Machine& machine, const KernelImage& kernel, const std::vector<Launch>& launches,
                          Cycle limit = 10000000);

}  // namespace bvp::ticking
