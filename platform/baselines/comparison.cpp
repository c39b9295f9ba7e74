// SPDX-License-Identifier: Apache-2.0
#include "platform/baselines/comparison.h"

#include <fmt/format.h>

#include <cmath>

#include "platform/baselines/accelerators.h"
#include "platform/baselines/fabnet.h"
#include "platform/baselines/jetson.h"
#include "platform/baselines/workload.h"

namespace bvp {

namespace {

using Json = nlohmann::ordered_json;

/// MLX (ISCA 2026), Table IV: FPGA, 640 multipliers.
constexpr double fabnet_power_w = 11.35;

class Comparison {
 public:
  Comparison(const BaselineParameters& parameters, const ComparedRun& run)
      : parameters_(parameters), run_(run), dense_(network_work(dense_counterpart(run.network))) {}

  std::vector<BaselineRow> rows() {
    add_jetson();
    const bool equal_peak = std::abs(run_.peak_flops_per_s / accelerator_peak_flops - 1) < 0.05;
    if (equal_peak) {
      add_fabnet();
      add_accelerators();
    }
    return std::move(rows_);
  }

 private:
  void add(std::string name, std::string definition, double seconds, std::optional<double> joules, bool with_dram) {
    BaselineRow row;
    row.name = std::move(name);
    row.definition = std::move(definition);
    row.time_s = seconds;
    row.energy_j = joules;
    row.with_dram = with_dram;
    row.speedup = seconds / run_.time_s;
    const double own = with_dram ? run_.energy_j : run_.energy_j - run_.dram_energy_j;
    if (joules) row.energy_ratio = *joules / own;
    rows_.push_back(std::move(row));
  }

  void add_jetson() {
    const JetsonParameters& nx = parameters_.xavier_nx;
    const double power = jetson_power(nx);
    const auto add_execution = [&](const char* name, const char* what, const std::vector<KernelWork>& work,
                                   JetsonExecution execution) {
      const double seconds = jetson_seconds(nx, work, execution);
      add(name, fmt::format("{}, {:.3g} W with DRAM", what, power), seconds, seconds * power, true);
    };
    add_execution("xavier_nx_dense_tensor", "dense counterpart on the tensor cores of a Xavier NX", dense_,
                  JetsonExecution::tensor_cores);
    add_execution("xavier_nx_dense_cuda", "dense counterpart on the CUDA cores of a Xavier NX", dense_,
                  JetsonExecution::cuda_cores);
    const std::vector<KernelWork> own = network_work(run_.network);
    add_execution("xavier_nx_same_tensor",
                  "the same network on a Xavier NX: dense kernels on tensor cores, butterflies on CUDA cores", own,
                  JetsonExecution::tensor_cores);
    add_execution("xavier_nx_same_cuda", "the same network on the CUDA cores of a Xavier NX", own,
                  JetsonExecution::cuda_cores);
    add_execution("xavier_nx_same_cuda_ideal", "likewise, butterflies at the efficiency of dense kernels", own,
                  JetsonExecution::cuda_cores_ideal);
  }

  void add_fabnet() {
    const auto add_model = [&](const char* name, const char* what, FabnetModel model) {
      const auto seconds = fabnet_seconds(parameters_.fabnet, run_.network, model);
      if (!seconds) return;
      add(name,
          fmt::format("FABNet's accelerator, {}, {} engines; {} W as published (16 nm FPGA, without HBM)", what,
                      parameters_.fabnet.engines.get(), fabnet_power_w),
          *seconds, *seconds * fabnet_power_w, false);
    };
    add_model("fabnet_published", "latency model as published", FabnetModel::published);
    add_model("fabnet_corrected", "latency model with its missing pass", FabnetModel::corrected);
  }

  void add_accelerators() {
    const double flops = total_flops(dense_);
    for (const PublishedAccelerator& accelerator : published_accelerators()) {
      const double seconds = flops / accelerator.flop_saving / accelerator_peak_flops;
      const double normalised = energy_normalisation(parameters_, accelerator);
      add(accelerator.name,
          fmt::format(
              "dense FLOP / {} (its saving) at the peak of 256 GOp/s, always; {} W in {} nm, x {:.3g} for 12 nm "
              "({}), without DRAM; {}",
              accelerator.flop_saving, accelerator.power_w, accelerator.node_nm, normalised,
              parameters_.technology.get(), accelerator.source),
          seconds, seconds * accelerator.power_w * normalised, false);
    }
  }

  const BaselineParameters& parameters_;
  const ComparedRun& run_;
  const std::vector<KernelWork> dense_;
  std::vector<BaselineRow> rows_;
};

}  // namespace

std::vector<BaselineRow> compare_with_baselines(const BaselineParameters& parameters, const ComparedRun& run) {
  return Comparison(parameters, run).rows();
}

Json comparison_json(const BaselineParameters& parameters, const ComparedRun& run,
                     const std::vector<BaselineRow>& rows) {
  Json baselines = Json::array();
  for (const BaselineRow& row : rows) {
    baselines.push_back({{"name", row.name},
                         {"definition", row.definition},
                         {"time_s", row.time_s},
                         {"energy_j", row.energy_j ? Json(*row.energy_j) : Json(nullptr)},
                         {"with_dram", row.with_dram},
                         {"speedup", row.speedup},
                         {"energy_ratio", row.energy_ratio ? Json(*row.energy_ratio) : Json(nullptr)}});
  }
  return {{"name", run.name},
          {"time_s", run.time_s},
          {"energy_j", run.energy_j},
          {"energy_without_dram_j", run.energy_j - run.dram_energy_j},
          {"energy_profile", run.energy_profile},
          {"peak_flops_per_s", run.peak_flops_per_s},
          {"dense_flops", total_flops(network_work(dense_counterpart(run.network)))},
          {"network_flops", total_flops(network_work(run.network))},
          {"technology", parameters.technology.get()},
          {"baselines", baselines}};
}

}  // namespace bvp
