// SPDX-License-Identifier: Apache-2.0
// Parameters of the DMA engine.
#pragma once

#include <string>

#include "models/base/parameters.h"

namespace bvp {

struct DmaParameters : ParameterGroup {
  explicit DmaParameters(ParameterGroup* parent, std::string name = "dma", std::string description = {});

  Param<i64> channels;
  Param<i64> setup_cycles;
  Param<i64> burst_bytes;
  Param<i64> outstanding;
  Param<i64> bytes_per_cycle;
  Param<i64> index_entries;
};

}  // namespace bvp
