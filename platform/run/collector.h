// SPDX-License-Identifier: Apache-2.0
// Computes the figures of a run from the SoC and the recorders.
#pragma once

#include "models/power/area_table.h"
#include "models/power/energy_table.h"
#include "platform/metrics/run_result.h"
#include "platform/run/critical_path.h"
#include "platform/run/kernel_recorder.h"
#include "platform/run/region_recorder.h"
#include "platform/scenario/scenario.h"
#include "platform/soc/soc.h"

namespace bvp {

/// The sources of the figures, after the simulation has ended and its statistics were settled.
struct Measurements {
  const Scenario& scenario;
  const Soc& soc;
  const KernelRecorder& kernels;
  const RegionRecorder& regions;
  const CriticalPath& path;
  const CompiledNetwork& network;
  const EnergyTable& table;
  const MachineSize& size;
};

/// Fills in the figures that come from the simulation: cycles, energy, utilisation, rows of kernels, layers and
/// regions, statistics.
void collect(const Measurements& measured, RunResult& result);

}  // namespace bvp
