// SPDX-License-Identifier: Apache-2.0
// Parameters of an on-chip RAM.
#pragma once

#include "models/base/parameters.h"

namespace bvp {

struct RamParameters : ParameterGroup {
  explicit RamParameters(ParameterGroup* parent, std::string name = "boot_ram",
                         std::string description = "RAM of the firmware: code, data, stack")
      : ParameterGroup(parent, std::move(name), std::move(description)) {}

  Param<i64> size_bytes{this,
                        "size_bytes",
                        i64{1} << 20,
                        "bytes",
                        {4096, 16777216.0},
                        "Capacity; a multiple of 4096.",
                        "assumption: ample for bare-metal firmware",
                        Confidence::low};
  Param<i64> latency{this,
                     "latency",
                     2,
                     "cycles",
                     {0, 1024},
                     "Cycles from a request to its data, without the bus.",
                     "assumption: as a bank of the scratchpad",
                     Confidence::low};
};

}  // namespace bvp
