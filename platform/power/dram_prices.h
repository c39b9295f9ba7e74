// SPDX-License-Identifier: Apache-2.0
// The prices of a memory standard.
#pragma once

#include "models/memory/dram_standard.h"
#include "models/power/energy_table.h"

namespace bvp {

/// Adds the standard's prices of the DRAM to the table. A table that prices the DRAM itself is not changed.
[[nodiscard]] EnergyTable with_dram_prices(const EnergyTable& table, const DramStandard& standard);

/// Whether the table's prices of the DRAM are those of the standard, apart from what energy.dram_pj_per_bit may have
/// replaced.
[[nodiscard]] bool is_priced_by(const EnergyTable& table, const DramStandard& standard);

}  // namespace bvp
