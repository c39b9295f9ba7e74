// SPDX-License-Identifier: Apache-2.0
// Energy by power state of the array.
#pragma once

#include <map>
#include <string>

#include "models/power/energy_table.h"

namespace bvp {

/// `cycles` of the array's clock, and how many of them the PEs spent in retention.
[[nodiscard]] ArrayTime array_time(const ActionCounts& counts, const MachineSize& size, u64 cycles, double clock_hz);

/// Cycles of all PEs by state: active, idle, gated, retention.
[[nodiscard]] std::map<std::string, u64> power_state_cycles(const ActionCounts& counts);

/// Joules by these states, and "rest_of_soc". The array is the PEs and the mesh. Its actions belong to `active`; its
/// background power is divided among the states by their cycles.
[[nodiscard]] std::map<std::string, double> energy_by_power_state(const EnergyTable& table, const ActionCounts& counts,
                                                                  const MachineSize& size, u64 cycles, double clock_hz);

}  // namespace bvp
