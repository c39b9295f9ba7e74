// SPDX-License-Identifier: Apache-2.0
// How busy the parts of the machine were: what a run is limited by.
#pragma once

#include <map>
#include <string>

#include "platform/metrics/run_result.h"
#include "platform/soc/soc.h"
#include "platform/soc/soc_parameters.h"

namespace bvp {

/// Resource -> the share of all `cycles` of the run in which it was at work, 0 to 1; over all of a kind where a name
/// stands for several (PEs, banks, DRAM channels). `units`: of the PEs, over all cycles and PEs (RunResult::units).
/// Links are only followed cycle by cycle: without them there is no "mesh.busiest_link". The statistics of the SoC must
/// be settled.
[[nodiscard]] std::map<std::string, double> busy_shares(const Soc& soc, const SocParameters& parameters, u64 cycles,
                                                        const std::map<std::string, CycleBreakdown>& units);

}  // namespace bvp
