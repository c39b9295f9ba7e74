// SPDX-License-Identifier: Apache-2.0
// How busy the parts of the machine were, which shows what limits a run.
#pragma once

#include <map>
#include <string>

#include "platform/metrics/run_result.h"
#include "platform/soc/soc.h"
#include "platform/soc/soc_parameters.h"

namespace bvp {

/// Maps a resource to the share of all `cycles` of the run in which it was busy, 0 to 1. A name that stands for several
/// (PEs, banks, DRAM channels) has the mean over all of them. `units`: of the PEs, over all cycles and PEs
/// (RunActivity::units). Links are followed only cycle by cycle; otherwise there is no "mesh.busiest_link". The
/// statistics of the SoC must have been settled.
[[nodiscard]] std::map<std::string, double> busy_shares(const Soc& soc, const SocParameters& parameters, u64 cycles,
                                                        const std::map<std::string, CycleBreakdown>& units);

}  // namespace bvp
