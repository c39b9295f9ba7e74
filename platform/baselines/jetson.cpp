// SPDX-License-Identifier: Apache-2.0
#include "platform/baselines/jetson.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace bvp {

namespace {

constexpr double rated_clock_hz = 1109e6;  // of tensor_flops and cuda_flops

const JetsonMode& mode_of(const JetsonParameters& parameters) {
  return *std::find_if(jetson_modes.begin(), jetson_modes.end(),
                       [&](const JetsonMode& mode) { return mode.name == parameters.power_mode.get(); });
}

bool is_sparse(const KernelWork& kernel) {
  return kernel.kind == KernelWork::Kind::butterfly || kernel.kind == KernelWork::Kind::fft;
}

}  // namespace

std::vector<std::string> jetson_mode_names() {
  std::vector<std::string> names;
  for (const JetsonMode& mode : jetson_modes) names.emplace_back(mode.name);
  return names;
}

std::string jetson_mode_figures() {
  std::string text;
  for (const JetsonMode& mode : jetson_modes) {
    text += fmt::format("{}{}: {:g} MHz, {:g} GB/s, {:g} W", text.empty() ? "" : "; ", mode.name, mode.clock_hz / 1e6,
                        mode.bytes_per_s / 1e9, mode.watts);
  }
  return text;
}

double jetson_seconds(const JetsonParameters& parameters, const std::vector<KernelWork>& work,
                      JetsonExecution execution) {
  const JetsonMode& mode = mode_of(parameters);
  const double bandwidth = mode.bytes_per_s * parameters.bandwidth_efficiency;
  const double clock_ratio = mode.clock_hz / rated_clock_hz;
  const double tensor = parameters.tensor_flops * clock_ratio * parameters.tensor_efficiency;
  const double cuda = parameters.cuda_flops * clock_ratio;
  const auto layers_per_pass = static_cast<double>(parameters.layers_per_pass.get());
  double seconds = 0;
  for (const KernelWork& kernel : work) {
    const bool sparse = is_sparse(kernel);
    const double passes =
        sparse ? std::max(1.0, std::ceil(static_cast<double>(log2_of(kernel.points)) / layers_per_pass)) : 1;
    double time = 0;
    if (sparse && execution != JetsonExecution::cuda_cores_ideal) {
      time = std::max(kernel.flops / cuda, passes * kernel.bytes / mode.bytes_per_s) / parameters.sparse_fraction;
    } else {
      const double rate =
          sparse || execution != JetsonExecution::tensor_cores ? cuda * parameters.cuda_efficiency : tensor;
      time = std::max(kernel.flops / rate, passes * kernel.bytes / bandwidth);
    }
    seconds += time + passes * parameters.launch_s;
  }
  return seconds;
}

std::vector<const ParamBase*> jetson_time_parameters(const JetsonParameters& parameters,
                                                     const std::vector<KernelWork>& work, JetsonExecution execution) {
  const bool sparse = std::any_of(work.begin(), work.end(), is_sparse);
  const bool dense = std::any_of(work.begin(), work.end(),
                                 [](const KernelWork& kernel) { return kernel.kind == KernelWork::Kind::dense; });
  const bool tensor = dense && execution == JetsonExecution::tensor_cores;
  const bool ideal = sparse && execution == JetsonExecution::cuda_cores_ideal;
  std::vector<const ParamBase*> used{&parameters.power_mode, &parameters.bandwidth_efficiency, &parameters.launch_s};
  if (tensor) used.insert(used.end(), {&parameters.tensor_flops, &parameters.tensor_efficiency});
  if (sparse || (dense && !tensor)) used.push_back(&parameters.cuda_flops);
  if (ideal || (dense && !tensor)) used.push_back(&parameters.cuda_efficiency);
  if (sparse) used.push_back(&parameters.layers_per_pass);
  if (sparse && !ideal) used.push_back(&parameters.sparse_fraction);
  return used;
}

double jetson_power(const JetsonParameters& parameters) {
  return mode_of(parameters).watts * parameters.power_fraction;
}

}  // namespace bvp
