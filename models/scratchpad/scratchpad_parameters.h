// SPDX-License-Identifier: Apache-2.0
// Parameters of the scratchpad.
#pragma once

#include <string>

#include "models/base/parameters.h"

namespace bvp {

struct ScratchpadParameters : ParameterGroup {
  explicit ScratchpadParameters(ParameterGroup* parent, std::string name = "scratchpad", std::string description = {});

  Param<i64> size_bytes;
  Param<i64> banks;
  Param<i64> ports;
  Param<i64> request_latency;
  Param<i64> array_latency;
  Param<i64> response_latency;
  Param<i64> hop_latency;
  Param<i64> outstanding;
  Param<std::string> arbiter;
  Param<i64> queue_entries;
  Param<i64> return_ports;
  Param<bool> column_access;
  Param<i64> linear_bytes;
  Param<std::string> ecc;
};

}  // namespace bvp
