// SPDX-License-Identifier: Apache-2.0
// What the planner expects things to cost. These figures choose tile sizes and are printed by `describe`; nothing
// that a run reports comes from them.
#pragma once

#include <array>

#include "models/isa/kernel.h"
#include "platform/compiler/target.h"

namespace bvp {

/// Cycles in which each unit of PE 0, which has the most to do, is busy. Cal: with the further slots of special
/// functions and the waiting of sums and maxima for themselves.
[[nodiscard]] std::array<u64, unit_count> unit_cycles(const CompilerTarget& target, const Kernel& kernel,
                                                      const std::array<u32, instance_levels>& counts);

/// Cycles of a launch: its busiest unit, and the way in and out of the array.
[[nodiscard]] u64 launch_cycles(const CompilerTarget& target, const Kernel& kernel,
                                const std::array<u32, instance_levels>& counts);

/// Cycles in which one DMA channel moves `bytes` from or to DRAM, where they lie in runs of `dram_run` bytes,
/// `other_run` on the other side. A burst is contiguous on one side.
[[nodiscard]] u64 transfer_cycles(const CompilerTarget& target, u64 bytes, u64 dram_run, u64 other_run, bool read);

/// Tiles that are loaded, computed and stored one after the other in two halves.
struct TileCost {
  u64 tiles = 1;
  // Of a tile.
  u64 compute_cycles = 0;
  u64 load_cycles = 0, store_cycles = 0;  // of the two DMA channels
  u64 bytes = 0;                          // both ways
};
[[nodiscard]] u64 task_cycles(const CompilerTarget& target, const TileCost& cost);

}  // namespace bvp
