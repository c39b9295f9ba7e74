// SPDX-License-Identifier: Apache-2.0
// Parameters of the bus.
#pragma once

#include <string>

#include "models/base/parameters.h"

namespace bvp {

struct BusParameters : ParameterGroup {
  explicit BusParameters(ParameterGroup* parent, std::string name = "bus", std::string description = {});

  Param<i64> request_latency;
  Param<i64> response_latency;
  Param<i64> bytes_per_cycle;
};

}  // namespace bvp
