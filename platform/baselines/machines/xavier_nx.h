// SPDX-License-Identifier: Apache-2.0
// NVIDIA Jetson Xavier NX: each kernel takes max(FLOP / attainable FLOP/s, bytes / attainable bandwidth) + launch.
#pragma once

#include <array>

#include "models/base/parameters.h"
#include "platform/baselines/workload.h"

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

enum class JetsonExecution {
  tensor_cores,      // dense kernels on the tensor cores; butterflies and FFTs on the CUDA cores
  cuda_cores,        // all kernels on the CUDA cores; butterflies and FFTs at sparse_fraction of their roofline
  cuda_cores_ideal,  // likewise, butterflies and FFTs as good as the dense kernels
};

/// Seconds. Of a butterfly or an FFT, every layers_per_pass layers are a pass through memory.
[[nodiscard]] double jetson_seconds(const JetsonParameters& parameters, const std::vector<KernelWork>& work,
                                    JetsonExecution execution);
/// What jetson_seconds() of the same takes from the parameters.
[[nodiscard]] std::vector<const ParamBase*> jetson_time_parameters(const JetsonParameters& parameters,
                                                                   const std::vector<KernelWork>& work,
                                                                   JetsonExecution execution);
/// Watts, with DRAM.
[[nodiscard]] double jetson_power(const JetsonParameters& parameters);

}  // namespace bvp
