// SPDX-License-Identifier: Apache-2.0
// The prices of a memory standard.
#pragma once

#include "models/memory/dram_standard.h"
#include "models/power/energy_table.h"

namespace bvp {

/// The table with the standard's prices of the DRAM; a table that prices the DRAM itself is left as it is.
[[nodiscard]] EnergyTable with_dram_prices(const EnergyTable& table, const DramStandard& standard);

/// Its prices of the DRAM are those of the standard, but for what energy.dram_pj_per_bit may have replaced.
[[nodiscard]] bool is_priced_by(const EnergyTable& table, const DramStandard& standard);

}  // namespace bvp
