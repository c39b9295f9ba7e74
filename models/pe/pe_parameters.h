// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "models/base/parameters.h"
#include "models/isa/timing.h"

namespace bvp {

struct PeParameters : ParameterGroup {
  explicit PeParameters(ParameterGroup* parent, std::string name = "pe", std::string description = {});

  Param<i64> operand_vectors;
  Param<i64> operand_banks;
  Param<i64> operand_ports;
  Param<bool> operand_bank_hash;
  Param<i64> accumulators;
  Param<i64> instruction_store;
  Param<i64> contexts;
  Param<bool> clock_gating;
  Param<i64> cal_latency;
  Param<i64> max_latency;
  Param<i64> special_latency;
  Param<i64> special_divisor;
  Param<bool> swapping_fma;
};

/// Of a PE with so many lanes.
[[nodiscard]] CalTiming cal_timing(const PeParameters& parameters, u32 lanes);

}  // namespace bvp
