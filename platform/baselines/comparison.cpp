// SPDX-License-Identifier: Apache-2.0
#include "platform/baselines/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "platform/baselines/accelerators.h"
#include "platform/baselines/fabnet.h"
#include "platform/baselines/jetson.h"
#include "platform/baselines/workload.h"
#include "platform/network/network_json.h"

namespace bvp {

namespace {

using Json = nlohmann::ordered_json;

/// The block that MLX (ISCA 2026) compares accelerators on.
bool is_published_block(const Network& network) {
  return network.layers.size() == 1 && network.batch == 1 && network.tokens == 1024 && network.hidden == 512 &&
         network.ffn == 2048 && network.vocabulary == 0 && network.classes == 0;
}

using Used = std::vector<const ParamBase*>;

Used together(Used first, const Used& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

/// KEY=VALUE of those of `used` in the group and below that are not at their defaults; `path` is the group's.
void add_changed(const ParameterGroup& group, const std::string& path, const Used& used,
                 std::vector<std::string>& changed) {
  for (const ParamBase* parameter : group.parameters()) {
    if (std::find(used.begin(), used.end(), parameter) == used.end()) continue;
    const ParamValue value = parameter->value();
    if (value == parameter->default_value()) continue;
    changed.push_back(fmt::format("{}.{}={}", path, parameter->name(),
                                  std::visit([](const auto& of_type) { return fmt::format("{}", of_type); }, value)));
  }
  for (const ParameterGroup* child : group.groups()) add_changed(*child, path + "." + child->name(), used, changed);
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
  /// Of a figure by the parameters `used`, by a model that is itself of confidence `of_model`.
  [[nodiscard]] Evidence evidence(std::string source, std::string tag, Confidence of_model, const Used& used) const {
    Evidence result{std::move(source), std::move(tag), of_model};
    // Confidence falls in the order of its declaration.
    for (const ParamBase* parameter : used) result.confidence = std::max(result.confidence, parameter->confidence());
    std::vector<std::string> changed;
    add_changed(parameters_, parameters_.name(), used, changed);
    if (!changed.empty()) result.source += fmt::format("; set by the user: {}", fmt::join(changed, ", "));
    return result;
  }

  BaselineRow& add(std::string name, std::string definition, double seconds, std::optional<double> joules,
                   bool with_dram, Evidence of_time, Evidence of_energy) {
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
    return rows_.emplace_back(std::move(row));
  }

  void add_jetson() {
    const JetsonParameters& nx = parameters_.xavier_nx;
    const double power = jetson_power(nx);
    const auto add_execution = [&](const char* name, const char* what, const std::vector<KernelWork>& work,
                                   JetsonExecution execution, const char* source, const char* tag) {
      const double seconds = jetson_seconds(nx, work, execution);
      const Used used = jetson_time_parameters(nx, work, execution);
      const Evidence of_time = evidence(source, tag, Confidence::high, used);
      add(name, fmt::format("{}, {:.3g} W with DRAM", what, power), seconds, seconds * power, true, of_time,
          evidence("power budget of the mode (JetPack nvpmodel) times the time: an upper bound, not a measurement",
                   "F, I", of_time.confidence, together(used, {&nx.power_mode, &nx.power_fraction})));
    };
    const char* share_assumed = "data sheet DA-09366-001; share of the peak assumed";
    const char* share_of_others =
        "data sheet DA-09366-001; share of the roofline from MLX (ISCA 2026), on Orin and RTX 3090";
    add_execution("xavier_nx_dense_tensor", "dense counterpart on the tensor cores of a Xavier NX", dense_,
                  JetsonExecution::tensor_cores,
                  "data sheet DA-09366-001; share of the peak from MLPerf Inference v1.0", "F, I");
    add_execution("xavier_nx_dense_cuda", "dense counterpart on the CUDA cores of a Xavier NX", dense_,
                  JetsonExecution::cuda_cores, share_assumed, "I");
    const std::vector<KernelWork> own = network_work(run_.network);
    add_execution("xavier_nx_same_tensor",
                  "the same network on a Xavier NX: dense kernels on tensor cores, butterflies on CUDA cores", own,
                  JetsonExecution::tensor_cores, share_of_others, "D, I");
    add_execution("xavier_nx_same_cuda", "the same network on the CUDA cores of a Xavier NX", own,
                  JetsonExecution::cuda_cores, share_of_others, "D, I");
    add_execution("xavier_nx_same_cuda_ideal", "likewise, butterflies at the efficiency of dense kernels", own,
                  JetsonExecution::cuda_cores_ideal, share_assumed, "I");
  }

  void add_fabnet() {
    const FabnetParameters& fabnet = parameters_.fabnet;
    // Of other builds no power is published.
    const bool known_power =
        fabnet.engines.get() == fabnet.power_engines.get() && fabnet.clock_hz.get() == fabnet.power_clock_hz.get();
    const std::string power = known_power ? fmt::format("{} W (16 nm FPGA, without HBM)", fabnet.power_w.get())
                                          : fmt::format("power published for {} engines at {:g} MHz only",
                                                        fabnet.power_engines.get(), fabnet.power_clock_hz / 1e6);
    const Used of_time{&fabnet.engines,    &fabnet.clock_hz,         &fabnet.efficiency,
                       &fabnet.input_bits, &fabnet.coefficient_bits, &fabnet.output_bits};
    const Used of_power{&fabnet.power_w, &fabnet.power_engines, &fabnet.power_clock_hz};
    const auto add_model = [&](const char* name, const char* what, FabnetModel model, const Evidence& time) {
      const auto seconds = fabnet_seconds(fabnet, run_.network, model);
      if (!seconds) return;
      add(name,
          fmt::format("FABNet's accelerator, {}, {} engines at {:g} MHz; {}", what, fabnet.engines.get(),
                      fabnet.clock_hz / 1e6, power),
          *seconds, known_power ? std::optional(*seconds * fabnet.power_w) : std::nullopt, false, time,
          evidence(fabnet.power_w.source(), "F", time.confidence, together(of_time, of_power)));
    };
    add_model("fabnet_published", "latency model as published", FabnetModel::published,
              evidence("SamsungLabs/Butterfly_Acc at 1bb951f, in closed form", "F, R", Confidence::high, of_time));
    add_model("fabnet_corrected", "latency model with its missing pass", FabnetModel::corrected,
              evidence("SamsungLabs/Butterfly_Acc at 1bb951f, with a pass added", "I", Confidence::mid, of_time));
  }

  void add_accelerators() {
    const double flops = total_flops(dense_);
    const auto seconds_at_peak = [&](const AcceleratorParameters& accelerator) {
      return flops / accelerator.flop_saving / accelerator_peak_flops;
    };
    const bool as_published = parameters_.technology.get() == "none";
    const bool same_point = as_published || (run_.energy_technology_nm == accelerator_point.nm &&
                                             run_.energy_voltage == accelerator_point.volt);
    const auto add_accelerator = [&](const std::string& name, const AcceleratorParameters& accelerator,
                                     const std::string& how, double seconds, std::string source, const char* tag,
                                     const Used& of_time) {
      const double normalised = energy_normalisation(parameters_, accelerator);
      const std::string brought =
          as_published ? "as published"
                       : fmt::format("x {:.3g} for {:g} nm, {:g} V ({}{})", normalised, accelerator_point.nm,
                                     accelerator_point.volt, parameters_.technology.get(),
                                     same_point ? "" : "; not held against the run's energy at another point");
      const Used of_power = together({&accelerator.power_w}, normalisation_parameters(parameters_, accelerator));
      // That it keeps its peak and its saving on every network is an assumption.
      const Evidence time = evidence(std::move(source), tag, Confidence::low, of_time);
      BaselineRow& row =
          add(name,
              fmt::format("{}; {} W in {} nm, {}, without DRAM; {}", how, accelerator.power_w.get(),
                          accelerator.node_nm.get(), brought, accelerator.description()),
              seconds, seconds * accelerator.power_w * normalised, false, time,
              evidence(accelerator.power_w.source(), "F, I", time.confidence, together(of_time, of_power)));
      if (!same_point) row.energy_ratio.reset();
    };
    const auto accelerators = published_accelerators(parameters_);
    for (const auto& [name, accelerator] : accelerators) {
      add_accelerator(
          name, *accelerator,
          fmt::format("dense FLOP / {} (its saving) at the peak of 256 GOp/s, always", accelerator->flop_saving.get()),
          seconds_at_peak(*accelerator), accelerator->flop_saving.source(), "F, I", {&accelerator->flop_saving});
    }
    if (!is_published_block(run_.network)) return;
    const AcceleratorParameters& spatten = *accelerators.front().parameters;
    for (const auto& [name, accelerator] : accelerators) {
      const double speed = accelerator->block_speed / spatten.block_speed;
      add_accelerator(fmt::format("published_speed_{}", name), *accelerator,
                      fmt::format("{:.3g} times SpAtten's speed, as published for this block; SpAtten as above", speed),
                      seconds_at_peak(spatten) / speed, accelerator->block_speed.source(), "D, I",
                      {&accelerator->block_speed, &spatten.block_speed, &spatten.flop_saving});
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

WorkDifference work_difference(const Network& first, const Network& other) {
  constexpr std::size_t shown = 8;
  const nlohmann::ordered_json a = network_json(first), b = network_json(other);
  WorkDifference difference;
  const auto add = [&](const std::string& key, const Json& found, const Json& expected, bool comparable) {
    difference.comparable = difference.comparable && comparable;
    if (difference.what.size() < shown) {
      difference.what.push_back(fmt::format("{} {} instead of {}", key, found.is_null() ? "none" : found.dump(),
                                            expected.is_null() ? "none" : expected.dump()));
    } else if (difference.what.size() == shown) {
      difference.what.emplace_back("and more");
    }
  };
  const auto at = [](const Json& json, const std::string& key) { return json.value(key, Json(nullptr)); };
  for (const char* key : {"tokens", "hidden", "heads", "ffn", "vocabulary", "classes", "pooling", "norm", "fft_norm",
                          "activation", "epsilon"}) {
    // The others change nothing of the work.
    const std::string name = key;
    const bool work = name != "epsilon" && name != "norm" && name != "fft_norm";
    if (at(a, key) != at(b, key)) add(key, at(b, key), at(a, key), !work);
  }
  if (first.layers.size() != other.layers.size()) {
    add("layers", other.layers.size(), first.layers.size(), false);
    return difference;
  }
  for (std::size_t i = 0; i < first.layers.size(); ++i) {
    for (const char* key : {"mixing", "projections", "ffn"}) {
      const Json &found = b["layers"][i][key], &expected = a["layers"][i][key];
      if (found != expected) add(fmt::format("layers.{}.{}", i, key), found, expected, true);
    }
  }
  return difference;
}

std::string run_title(const ComparedRun& run) {
  return run.directory.empty() ? run.name : fmt::format("{} ({})", run.name, run.directory);
}

std::string energy_text(const ComparedRun& run) {
  return fmt::format("profile {} {} {:g} nm, {:g} V{}{}", run.energy_profile, run.energy_scaled ? "scaled to" : "at",
                     run.energy_technology_nm, run.energy_voltage,
                     run.dram_pj_per_bit ? fmt::format(", DRAM at {:g} pJ/bit", *run.dram_pj_per_bit) : "",
                     run.energy_note.empty() ? "" : "; " + run.energy_note);
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
          {"sequences", run.sequences()},
          {"time_s", run.time_s},
          {"time_of_a_sequence_s", run.sequence_s()},
          {"energy_j", run.energy_j},
          {"energy_of_a_sequence_j", run.sequence_j()},
          {"energy_without_dram_j", run.energy_j - run.dram_energy_j},
          {"energy_profile", run.energy_profile},
          {"energy_note", run.energy_note},
          {"energy_technology_nm", run.energy_technology_nm},
          {"energy_voltage", run.energy_voltage},
          {"energy_scaled", run.energy_scaled},
          {"energy_dram_pj_per_bit", run.dram_pj_per_bit ? Json(*run.dram_pj_per_bit) : Json(nullptr)},
          {"peak_flops_per_s", run.peak_flops_per_s},
          {"dense_flops", total_flops(network_work(dense_counterpart(run.network)))},
          {"network_flops", total_flops(network_work(run.network))},
          {"technology", parameters.technology.get()},
          {"baselines", baselines}};
}

}  // namespace bvp
