// SPDX-License-Identifier: Apache-2.0
// The pass that turns tasks into memory contents: tables of tasks and steps for the firmware, weights, kernel images.
#pragma once

#include "platform/compiler/ir/dram_plan.h"
#include "platform/compiler/passes/encoder.h"
#include "platform/compiler/passes/tile.h"
#include "platform/program/compiled_network.h"

namespace bvp {

/// What has an address before the network is planned.
struct NetworkTables {
  static constexpr u32 ring_entries = 256;  // commands
  u64 header = 0, ring = 0;                 // addresses
};

/// @param weight_area  bytes at the end of each half for the weights of the next task
/// @throws CompileError  the DRAM is full
[[nodiscard]] CompiledNetwork lay_out(const TaskPlanner& planner, u64 weight_area, DramPlan& dram,
                                      const EncoderPlan& plan, const NetworkTables& tables);

}  // namespace bvp
