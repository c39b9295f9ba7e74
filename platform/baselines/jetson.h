// SPDX-License-Identifier: Apache-2.0
// NVIDIA Jetson Xavier NX: each kernel takes max(FLOP / attainable FLOP/s, bytes / attainable bandwidth) + launch.
#pragma once

#include "platform/baselines/baseline_parameters.h"
#include "platform/baselines/workload.h"

namespace bvp {

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
