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

/// The block that MLX (ISCA 2026) compares accelerators on.
bool is_published_block(const Network& network) {
  return network.layers.size() == 1 && network.batch * network.tokens == 1024 && network.hidden == 512 &&
         network.ffn == 2048;
}

const char* text_of(Confidence confidence) {
  switch (confidence) {
    case Confidence::high:
      return "high";
    case Confidence::mid:
      return "mid";
    case Confidence::low:
      break;
  }
  return "low";
}

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
  void add(std::string name, std::string definition, double seconds, std::optional<double> joules, bool with_dram,
           Evidence of_time, Evidence of_energy) {
    BaselineRow row;
    row.time_evidence = std::move(of_time);
    row.energy_evidence = std::move(of_energy);
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
                                   JetsonExecution execution, Evidence of_time) {
      const double seconds = jetson_seconds(nx, work, execution);
      add(name, fmt::format("{}, {:.3g} W with DRAM", what, power), seconds, seconds * power, true, std::move(of_time),
          {"power budget of the mode (JetPack nvpmodel) times the time: an upper bound, not a measurement", "F, I",
           Confidence::mid});
    };
    const Evidence dense_tensor{"data sheet DA-09366-001; share of the peak from MLPerf Inference v1.0", "F, I",
                                Confidence::mid};
    const Evidence dense_cuda{"data sheet DA-09366-001; share of the peak assumed", "I", Confidence::low};
    const Evidence sparse{"data sheet DA-09366-001; share of the roofline from MLX (ISCA 2026), on Orin and RTX 3090",
                          "D, I", Confidence::mid};
    add_execution("xavier_nx_dense_tensor", "dense counterpart on the tensor cores of a Xavier NX", dense_,
                  JetsonExecution::tensor_cores, dense_tensor);
    add_execution("xavier_nx_dense_cuda", "dense counterpart on the CUDA cores of a Xavier NX", dense_,
                  JetsonExecution::cuda_cores, dense_cuda);
    const std::vector<KernelWork> own = network_work(run_.network);
    add_execution("xavier_nx_same_tensor",
                  "the same network on a Xavier NX: dense kernels on tensor cores, butterflies on CUDA cores", own,
                  JetsonExecution::tensor_cores, sparse);
    add_execution("xavier_nx_same_cuda", "the same network on the CUDA cores of a Xavier NX", own,
                  JetsonExecution::cuda_cores, sparse);
    add_execution("xavier_nx_same_cuda_ideal", "likewise, butterflies at the efficiency of dense kernels", own,
                  JetsonExecution::cuda_cores_ideal, dense_cuda);
  }

  void add_fabnet() {
    const FabnetParameters& fabnet = parameters_.fabnet;
    // Of other builds no power is published.
    const bool known_power = fabnet.engines.get() == fabnet.power_engines.get();
    const std::string power = known_power
                                  ? fmt::format("{} W as published (16 nm FPGA, without HBM)", fabnet.power_w.get())
                                  : fmt::format("power published for {} engines only", fabnet.power_engines.get());
    const auto add_model = [&](const char* name, const char* what, FabnetModel model, Evidence of_time) {
      const auto seconds = fabnet_seconds(fabnet, run_.network, model);
      if (!seconds) return;
      add(name, fmt::format("FABNet's accelerator, {}, {} engines; {}", what, fabnet.engines.get(), power), *seconds,
          known_power ? std::optional(*seconds * fabnet.power_w) : std::nullopt, false, std::move(of_time),
          {fabnet.power_w.source(), "F", fabnet.power_w.confidence()});
    };
    add_model("fabnet_published", "latency model as published", FabnetModel::published,
              {"SamsungLabs/Butterfly_Acc at 1bb951f, in closed form", "F, R", Confidence::high});
    add_model("fabnet_corrected", "latency model with its missing pass", FabnetModel::corrected,
              {"SamsungLabs/Butterfly_Acc at 1bb951f, with a pass added", "I", Confidence::mid});
  }

  void add_accelerators() {
    const double flops = total_flops(dense_);
    const auto seconds_at_peak = [&](const AcceleratorParameters& accelerator) {
      return flops / accelerator.flop_saving / accelerator_peak_flops;
    };
    const auto add_accelerator = [&](const std::string& name, const AcceleratorParameters& accelerator,
                                     const std::string& how, double seconds, Evidence of_time) {
      const double normalised = energy_normalisation(parameters_, accelerator);
      add(name,
          fmt::format("{}; {} W in {} nm, x {:.3g} for 12 nm ({}), without DRAM; {}", how, accelerator.power_w.get(),
                      accelerator.node_nm.get(), normalised, parameters_.technology.get(), accelerator.description()),
          seconds, seconds * accelerator.power_w * normalised, false, std::move(of_time),
          {fmt::format("{}; technology: {}", accelerator.power_w.source(), parameters_.technology.get()), "F, I",
           Confidence::mid});
    };
    const auto accelerators = published_accelerators(parameters_);
    for (const auto& [name, accelerator] : accelerators) {
      add_accelerator(
          name, *accelerator,
          fmt::format("dense FLOP / {} (its saving) at the peak of 256 GOp/s, always", accelerator->flop_saving.get()),
          seconds_at_peak(*accelerator), {accelerator->flop_saving.source(), "F, I", Confidence::low});
    }
    if (!is_published_block(run_.network)) return;
    const double spatten = seconds_at_peak(*accelerators.front().parameters);
    const double spatten_speed = accelerators.front().parameters->block_speed;
    for (const auto& [name, accelerator] : accelerators) {
      const double speed = accelerator->block_speed / spatten_speed;
      add_accelerator(fmt::format("published_speed_{}", name), *accelerator,
                      fmt::format("{:.3g} times SpAtten's speed, as published for this block; SpAtten as above", speed),
                      spatten / speed, {accelerator->block_speed.source(), "D, I", Confidence::low});
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

std::string run_title(const ComparedRun& run) {
  return run.directory.empty() ? run.name : fmt::format("{} ({})", run.name, run.directory);
}

Json comparison_json(const BaselineParameters& parameters, const ComparedRun& run,
                     const std::vector<BaselineRow>& rows) {
  const auto evidence = [](const Evidence& of) {
    return Json{{"source", of.source}, {"tag", of.tag}, {"confidence", text_of(of.confidence)}};
  };
  Json baselines = Json::array();
  for (const BaselineRow& row : rows) {
    baselines.push_back({{"name", row.name},
                         {"definition", row.definition},
                         {"time_s", row.time_s},
                         {"energy_j", row.energy_j ? Json(*row.energy_j) : Json(nullptr)},
                         {"with_dram", row.with_dram},
                         {"speedup", row.speedup},
                         {"energy_ratio", row.energy_ratio ? Json(*row.energy_ratio) : Json(nullptr)},
                         {"time_evidence", evidence(row.time_evidence)},
                         {"energy_evidence", row.energy_j ? evidence(row.energy_evidence) : Json(nullptr)}});
  }
  return {{"name", run.name},
          {"directory", run.directory.empty() ? Json(nullptr) : Json(run.directory)},
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
