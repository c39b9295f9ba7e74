// SPDX-License-Identifier: Apache-2.0
// What is assumed of the machines that runs are compared with.
#pragma once

#include <array>

#include "models/base/parameters.h"

namespace bvp {

/// A power mode of the Jetson Xavier NX.
struct JetsonMode {
  const char* name;
  double clock_hz;
  double bytes_per_s;  // of the DRAM
  double watts;        // the budget
};
inline constexpr std::array<JetsonMode, 3> jetson_modes{
    {{"10W", 803e6, 51.2e9, 10}, {"15W", 1109e6, 51.2e9, 15}, {"20W", 1109e6, 59.7e9, 20}}};

/// Choices and description of power_mode.
[[nodiscard]] std::vector<std::string> jetson_mode_names();
[[nodiscard]] std::string jetson_mode_figures();

struct JetsonParameters : ParameterGroup {
  explicit JetsonParameters(ParameterGroup* parent);

  Param<std::string> power_mode;
  Param<double> tensor_flops;
  Param<double> cuda_flops;
  Param<double> tensor_efficiency;
  Param<double> cuda_efficiency;
  Param<double> sparse_fraction;
  Param<double> bandwidth_efficiency;
  Param<double> launch_s;
  Param<i64> layers_per_pass;
  Param<double> power_fraction;
};

struct FabnetParameters : ParameterGroup {
  explicit FabnetParameters(ParameterGroup* parent);

  Param<i64> engines;
  Param<double> clock_hz;
  Param<double> efficiency;
  Param<i64> input_bits;
  Param<i64> coefficient_bits;
  Param<i64> output_bits;
  Param<double> power_w;
  Param<i64> power_engines;
  Param<double> power_clock_hz;
};

/// An attention accelerator by its published figures.
struct AcceleratorParameters : ParameterGroup {
  struct Published {
    double power_w, flop_saving, node_nm, energy_to_12nm, block_speed;
  };

  AcceleratorParameters(ParameterGroup* parent, std::string name, std::string description, const Published& published);

  Param<double> power_w;
  Param<double> flop_saving;
  Param<double> node_nm;
  Param<double> volt;
  Param<double> energy_to_12nm;
  Param<double> block_speed;
};

struct BaselineParameters : ParameterGroup {
  explicit BaselineParameters(ParameterGroup* parent);

  Param<std::string> technology;
  JetsonParameters xavier_nx;
  FabnetParameters fabnet;
  AcceleratorParameters spatten;
  AcceleratorParameters sanger;
  AcceleratorParameters dota;
  AcceleratorParameters vitality;
};

}  // namespace bvp
