// SPDX-License-Identifier: Apache-2.0
// What the planner expects things to cost. These figures choose tile sizes and are printed by `describe`; nothing
// that a run reports comes from them.
#pragma once

#include <array>
#include <vector>

#include "models/isa/kernel.h"
#include "platform/compiler/target.h"

namespace bvp {

/// What a kernel takes whatever the counts of a launch are. To make one, all of the kernel's code is decoded.
struct KernelTimes {
  /// A segment: the cycles in which it keeps its unit of PE 0 busy. Cal: with the further slots of special functions,
  /// the waiting of sums and maxima for themselves, and that for ports of the operand memory which Cal itself has taken
  /// (issue_slowdown).
  struct Firing {
    Unit unit = Unit::load;
    u8 scope = 1;
    double cycles = 0;
  };
  std::vector<Firing> firings;
  std::array<u32, instance_levels> steps{};  // iterations of each level that go to a PE at a time
};
[[nodiscard]] KernelTimes kernel_times(const CompilerTarget& target, const Kernel& kernel);

/// Cycles in which each unit of PE 0, which has the most to do, is busy.
[[nodiscard]] std::array<u64, unit_count> unit_cycles(const KernelTimes& times,
                                                      const std::array<u32, instance_levels>& counts);

/// Cycles in which the sequencer reads the kernel's image and sends it into the PEs. It does so for one launch while
/// the launch before runs.
[[nodiscard]] u64 preparation_cycles(const CompilerTarget& target, const Kernel& kernel);

/// Cycles of a launch: its busiest unit, and the way in and out of the array.
[[nodiscard]] u64 launch_cycles(const CompilerTarget& target, const KernelTimes& times,
                                const std::array<u32, instance_levels>& counts);

/// Cycles in which one DMA channel moves `bytes` from or to DRAM, where they lie in runs of `dram_run` bytes,
/// `other_run` on the other side. A burst is contiguous on one side.
[[nodiscard]] u64 transfer_cycles(const CompilerTarget& target, u64 bytes, u64 dram_run, u64 other_run, bool read);

/// What the DRAM moves for these bytes: whole accesses, for each burst of a run its own.
[[nodiscard]] u64 accessed_bytes(const CompilerTarget& target, u64 bytes, u64 dram_run);

/// Tiles that are loaded, computed and stored in two halves in turn. While the array computes in one half, the tile
/// before is stored from the other one, and then the next tile is loaded there: a store and a load follow each other,
/// whatever channels they have, and only the computation overlaps them. Without ping-pong nothing overlaps. The
/// firmware makes the commands of a tile while the tile before is computed.
struct TileCost {
  u64 tiles = 1;
  // Of a tile.
  u64 compute_cycles = 0;
  u64 load_cycles = 0, store_cycles = 0;  // of the two DMA channels
  u64 accessed_bytes = 0;                 // both ways
  u64 commands = 0;                       // that the firmware makes: transfers and launches
};
[[nodiscard]] u64 task_cycles(const CompilerTarget& target, const TileCost& cost);

/// What a cycle of the DRAM costs on top of the task's own cycles: traffic that hides behind the computation takes no
/// time, but energy, and the bandwidth of others. So a plan may take 1 % more cycles to leave the DRAM alone for 16 %.
inline constexpr double traffic_price = 1.0 / 16;
/// Of accesses in the order of panels, which go from one DRAM row to the next: each may have to open it, which takes
/// as much energy as the access.
inline constexpr double scattered_traffic_price = 2 * traffic_price;

/// What choices go by: the cycles, and the price of the traffic.
[[nodiscard]] u64 task_cost(const CompilerTarget& target, const TileCost& cost, double price = traffic_price);

}  // namespace bvp
