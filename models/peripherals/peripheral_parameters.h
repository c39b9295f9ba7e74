// SPDX-License-Identifier: Apache-2.0
// Parameters of the peripherals.
#pragma once

#include "models/base/parameters.h"

namespace bvp {

struct PeripheralParameters : ParameterGroup {
  PeripheralParameters(ParameterGroup* parent, std::string name, std::string description);

  Param<i64> register_latency;
};

struct UartParameters : PeripheralParameters {
  explicit UartParameters(ParameterGroup* parent);

  Param<i64> receive_depth;
};

struct MachineTimerParameters : PeripheralParameters {
  explicit MachineTimerParameters(ParameterGroup* parent);

  Param<double> frequency_hz;
};

struct InterruptControllerParameters : PeripheralParameters {
  explicit InterruptControllerParameters(ParameterGroup* parent);
};

struct PowerControllerParameters : PeripheralParameters {
  explicit PowerControllerParameters(ParameterGroup* parent);

  Param<double> clock_wake_s;
  Param<double> retention_wake_s;
};

struct SimulationControlParameters : PeripheralParameters {
  explicit SimulationControlParameters(ParameterGroup* parent);
};

}  // namespace bvp
