// SPDX-License-Identifier: Apache-2.0
// Parameters of the bus.
#pragma once

#include "models/base/parameters.h"

namespace bvp {

struct BusParameters : ParameterGroup {
  explicit BusParameters(ParameterGroup* parent)
      : ParameterGroup(parent, "bus", "interconnect between the CPU, the accelerator, memories and devices") {}

  Param<i64> request_latency{this,
                             "request_latency",
                             2,
                             "cycles",
                             {0, 1024},
                             "Cycles from an initiator to the target, without waiting for the target's port.",
                             "assumption: decode and one register stage",
                             Confidence::low};
  Param<i64> response_latency{this,
                              "response_latency",
                              2,
                              "cycles",
                              {0, 1024},
                              "Cycles from the target back to the initiator.",
                              "assumption: as on the way there",
                              Confidence::low};
  Param<i64> bytes_per_cycle{this,
                             "bytes_per_cycle",
                             64,
                             "bytes per cycle",
                             {4, 4096},
                             power_of_two,
                             "Width of each target's port; initiators share a port beat by beat.",
                             "assumption: above the 51.2 GB/s of the external memory at 1 GHz",
                             Confidence::low};
};

}  // namespace bvp
