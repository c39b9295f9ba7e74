// SPDX-License-Identifier: Apache-2.0
// What a run asks of the firmware beside the network: limits, retries, and the memory that the network needs.
#pragma once

#include <vector>

#include "models/abi/records.h"
#include "platform/program/compiled_network.h"
#include "platform/run/loader.h"
#include "platform/scenario/scenario.h"

namespace bvp {

/// The windows of the protection unit through which the accelerator reaches all that the network's commands name, and
/// little else: areas near to each other are joined where there are more than the unit has windows for. One window of
/// the unit is left to the firmware.
/// @param descriptor  of the network, if it is another one than that of `compiled` among the same memory contents
[[nodiscard]] std::vector<MemoryWindow> windows_of(const CompiledNetwork& compiled, u64 scratchpad_bytes,
                                                   const DatasetPlace& dataset = {}, u64 descriptor = 0);

/// How many bytes of the scratchpad, from its beginning, the network's transfers reach.
[[nodiscard]] u64 scratchpad_reach(const CompiledNetwork& compiled, u64 scratchpad_bytes);

/// Addresses on the bus, from `first` to before `end`.
struct MemoryArea {
  u64 first = 0, end = 0;
};

/// What is read while the network runs, by the accelerator or the CPU, as it lies in the memories.
struct MemoryUse {
  using Areas = std::vector<MemoryArea>;
  Areas images, tensors, ring, tables;  ///< in the DRAM
  Areas scratchpad;                     ///< what transfers bring there
};
[[nodiscard]] MemoryUse memory_use(const CompiledNetwork& compiled);

/// Adds the options that the scenario asks for to the memory contents, and the headers of the networks refer to them.
/// Without any nothing changes. @throws InputError  the DRAM is full
void add_run_options(const Scenario& scenario, RunInputs& inputs);

}  // namespace bvp
