// SPDX-License-Identifier: Apache-2.0
#include "platform/baselines/jetson.h"

#include <algorithm>
#include <cmath>

namespace bvp {

namespace {

struct Mode {
  const char* name;
  double clock_ratio;  // to 1109 MHz
  double bandwidth;    // bytes per second
  double power;        // W, the budget
};
constexpr Mode modes[] = {{"10W", 803.0 / 1109.0, 51.2e9, 10}, {"15W", 1, 51.2e9, 15}, {"20W", 1, 59.7e9, 20}};

const Mode& mode_of(const JetsonParameters& parameters) {
  return *std::find_if(std::begin(modes), std::end(modes),
                       [&](const Mode& mode) { return mode.name == parameters.power_mode.get(); });
}

}  // namespace

double jetson_seconds(const JetsonParameters& parameters, const std::vector<KernelWork>& work,
                      JetsonExecution execution) {
  const Mode& mode = mode_of(parameters);
  const double bandwidth = mode.bandwidth * parameters.bandwidth_efficiency;
  const double tensor = parameters.tensor_flops * mode.clock_ratio * parameters.tensor_efficiency;
  const double cuda = parameters.cuda_flops * mode.clock_ratio;
  const auto layers_per_pass = static_cast<double>(parameters.layers_per_pass.get());
  double seconds = 0;
  for (const KernelWork& kernel : work) {
    const bool sparse = kernel.kind == KernelWork::Kind::butterfly || kernel.kind == KernelWork::Kind::fft;
    const double passes =
        sparse ? std::max(1.0, std::ceil(static_cast<double>(log2_of(kernel.points)) / layers_per_pass)) : 1;
    double time = 0;
    if (sparse && execution != JetsonExecution::cuda_cores_ideal) {
      time = std::max(kernel.flops / cuda, passes * kernel.bytes / mode.bandwidth) / parameters.sparse_fraction;
    } else {
      const double rate =
          sparse || execution != JetsonExecution::tensor_cores ? cuda * parameters.cuda_efficiency : tensor;
      time = std::max(kernel.flops / rate, passes * kernel.bytes / bandwidth);
    }
    seconds += time + passes * parameters.launch_s;
  }
  return seconds;
}

double jetson_power(const JetsonParameters& parameters) {
  return mode_of(parameters).power * parameters.power_fraction;
}

}  // namespace bvp
