// SPDX-License-Identifier: Apache-2.0
// Parameters of an on-chip RAM.
#pragma once

#include <string>

#include "models/base/parameters.h"

namespace bvp {

struct RamParameters : ParameterGroup {
  explicit RamParameters(ParameterGroup* parent, std::string name = "boot_ram", std::string description = {});

  Param<i64> size_bytes;
  Param<i64> latency;
};

}  // namespace bvp
