// SPDX-License-Identifier: Apache-2.0
// Parameters of the peripherals.
#pragma once

#include <string>

#include "models/base/parameters.h"

namespace bvp {

/// What every peripheral has; a peripheral without parameters of its own takes this group.
struct PeripheralParameters : ParameterGroup {
  explicit PeripheralParameters(ParameterGroup* parent, std::string name = "peripheral", std::string description = {});

  Param<i64> register_latency;
};

struct UartParameters : PeripheralParameters {
  explicit UartParameters(ParameterGroup* parent, std::string name = "uart", std::string description = {});

  Param<double> input_after_s;
};

struct ClintParameters : PeripheralParameters {
  explicit ClintParameters(ParameterGroup* parent, std::string name = "clint", std::string description = {});

  Param<double> frequency_hz;
};

struct PowerControllerParameters : PeripheralParameters {
  explicit PowerControllerParameters(ParameterGroup* parent, std::string name = "power_controller",
                                     std::string description = {});

  Param<double> clock_wake_s;
  Param<double> retention_wake_s;
};

}  // namespace bvp
