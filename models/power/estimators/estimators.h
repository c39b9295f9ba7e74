// SPDX-License-Identifier: Apache-2.0
// The estimators of all components, attached to no unit yet; each is defined in a file of its own. Every energy table
// must price their actions, and the reference page on actions is generated from them.
#pragma once

#include <vector>

#include "models/power/estimator.h"

namespace bvp {

[[nodiscard]] Estimator pe_estimator();          ///< unit: a PE, or the PEs that one model simulates together
[[nodiscard]] Estimator mesh_estimator();        ///< unit: a MeshMonitor
[[nodiscard]] Estimator scratchpad_estimator();  ///< unit: a ScratchpadMonitor
[[nodiscard]] Estimator sequencer_estimator();   ///< unit: the sequencer
[[nodiscard]] Estimator dma_estimator();         ///< unit: a DMA channel
[[nodiscard]] Estimator dram_estimator();        ///< unit: the DRAM, all its channels
[[nodiscard]] Estimator cpu_estimator();         ///< unit: the CPU

/// One of each, in the order of the reference.
[[nodiscard]] std::vector<Estimator> all_estimators();

}  // namespace bvp
