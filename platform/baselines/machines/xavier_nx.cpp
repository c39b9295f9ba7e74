// SPDX-License-Identifier: Apache-2.0
#include "platform/baselines/machines/xavier_nx.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "platform/baselines/baseline.h"

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

JetsonParameters::JetsonParameters(ParameterGroup* parent)
    : ParameterGroup(parent, "xavier_nx", "NVIDIA Jetson Xavier NX: a roofline for each kernel"),
      power_mode(this, "power_mode", "15W", jetson_mode_names(),
                 "Clock, bandwidth and power: " + jetson_mode_figures() + ".", "JetPack 5.0.2 nvpmodel configuration",
                 Confidence::high),
      tensor_flops(this, "tensor_flops", 6.81e12, "FLOP/s", {1e9, 1e15}, "fp16 peak of the tensor cores at 1109 MHz.",
                   "data sheet DA-09366-001: 48 tensor cores x 64 fused multiply-adds", Confidence::high),
      cuda_flops(this, "cuda_flops", 1.70e12, "FLOP/s", {1e9, 1e15}, "fp16 peak of the CUDA cores at 1109 MHz.",
                 "data sheet DA-09366-001: 384 cores x 2 fused multiply-adds", Confidence::high),
      tensor_efficiency(this, "tensor_efficiency", 0.40, "1", {0.01, 1},
                        "Share of the tensor peak that dense kernels reach.",
                        "MLPerf Inference v1.0 BERT-Large on this board: 0.38-0.42 (estimated tokens a query); MLX "
                        "(ISCA 2026): 0.33-0.51 on H100",
                        Confidence::mid),
      cuda_efficiency(this, "cuda_efficiency", 0.6, "1", {0.01, 1}, "Share of the CUDA peak that dense kernels reach.",
                      "assumption", Confidence::low),
      sparse_fraction(this, "sparse_fraction", 0.20, "1", {0.01, 1},
                      "Share of the CUDA roofline that butterflies and FFTs reach.",
                      "MLX (ISCA 2026): 0.12-0.29 on Orin, 0.08-0.31 on RTX 3090, digitised", Confidence::mid),
      bandwidth_efficiency(this, "bandwidth_efficiency", 0.75, "1", {0.01, 1},
                           "Share of the DRAM bandwidth that kernels reach.", "general knowledge: 0.7-0.8",
                           Confidence::mid),
      launch_s(this, "launch_s", 10e-6, "s", {0, 1e-3}, "Launch of a kernel.", "general knowledge: 5-15 us",
               Confidence::mid),
      layers_per_pass(this, "layers_per_pass", 10, "layers", {1, 32},
                      "Layers of a butterfly or an FFT that a pass through memory computes.",
                      "assumption: 1,024 points in the shared memory and registers of a thread block", Confidence::low),
      power_fraction(this, "power_fraction", 1.0, "1", {0.1, 1.5}, "Power drawn over the mode's budget.",
                     "1: the budget; MLPerf MaxQ measured 13.7 W at the wall in the 15 W class", Confidence::mid) {}

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
        sparse ? std::max(1.0, std::ceil(std::log2(static_cast<double>(kernel.points)) / layers_per_pass)) : 1;
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
  const bool sparse = std::any_of(work.begin(), work.end(), [](const KernelWork& kernel) { return is_sparse(kernel); });
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

namespace {

class XavierNx final : public Baseline {
 public:
  explicit XavierNx(ParameterGroup* parent) : parameters_(parent) {}

  [[nodiscard]] std::vector<BaselineEstimate> estimates(const Comparand& with) const override {
    const double power = jetson_power(parameters_);
    const auto estimate = [&](const char* name, const char* what, const std::vector<KernelWork>& work,
                              JetsonExecution execution, const char* source, const char* tag) {
      const double seconds = jetson_seconds(parameters_, work, execution);
      return BaselineEstimate{
          name,
          fmt::format("{}, {:.3g} W with DRAM", what, power),
          seconds,
          seconds * power,
          true,
          true,
          {source, tag, Confidence::high, jetson_time_parameters(parameters_, work, execution)},
          {"power budget of the mode (JetPack nvpmodel) times the time: an upper bound, not a measurement",
           "F, I",
           Confidence::high,
           {&parameters_.power_mode, &parameters_.power_fraction}}};
    };
    const char* share_assumed = "data sheet DA-09366-001; share of the peak assumed";
    const char* share_of_others =
        "data sheet DA-09366-001; share of the roofline from MLX (ISCA 2026), on Orin and RTX 3090";
    return {estimate("xavier_nx_dense_tensor", "dense counterpart on the tensor cores of a Xavier NX", with.dense,
                     JetsonExecution::tensor_cores,
                     "data sheet DA-09366-001; share of the peak from MLPerf Inference v1.0", "F, I"),
            estimate("xavier_nx_dense_cuda", "dense counterpart on the CUDA cores of a Xavier NX", with.dense,
                     JetsonExecution::cuda_cores, share_assumed, "I"),
            estimate("xavier_nx_same_tensor",
                     "the same network on a Xavier NX: dense kernels on tensor cores, butterflies on CUDA cores",
                     with.own, JetsonExecution::tensor_cores, share_of_others, "D, I"),
            estimate("xavier_nx_same_cuda", "the same network on the CUDA cores of a Xavier NX", with.own,
                     JetsonExecution::cuda_cores, share_of_others, "D, I"),
            estimate("xavier_nx_same_cuda_ideal", "likewise, butterflies at the efficiency of dense kernels", with.own,
                     JetsonExecution::cuda_cores_ideal, share_assumed, "I")};
  }

 private:
  JetsonParameters parameters_;
};

}  // namespace

namespace machines {

BaselineEntry xavier_nx() {
  return {0, [](ParameterGroup* parent) -> std::unique_ptr<Baseline> { return std::make_unique<XavierNx>(parent); }};
}

}  // namespace machines

}  // namespace bvp
