// SPDX-License-Identifier: Apache-2.0
#include "platform/bench/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <fstream>
#include <thread>

#include "platform/bench/child.h"
#include "platform/network/weights.h"
#include "platform/reference/reference.h"
#include "platform/run/run.h"
#include "platform/support/resources.h"

namespace bvp {

namespace {

using Json = nlohmann::json;

double seconds_of(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

std::string host_cpu() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

std::unique_ptr<Scenario> scenario_of(const Workload& workload, const ScenarioOptions& options,
                                      std::vector<Override> more) {
  ScenarioOptions all = options;
  all.overrides = workload.overrides;
  all.overrides.insert(all.overrides.end(), more.begin(), more.end());
  return read_scenario(workload.scenario, all);
}

/// Runs the fp16 reference on one thread twice and takes the better time: the second run finds its memory allocated.
Json measure_native(const Workload& workload, const ScenarioOptions& options) {
  const auto scenario = scenario_of(workload, options, {});
  const auto seed = static_cast<u64>(scenario->run.seed.get());
  const TensorMap weights = random_weights(scenario->network, seed);
  Network encoder = scenario->network;
  encoder.patch_values = 0;  // the reference begins behind the embedding
  const Tensor input = random_input(encoder, seed);
  ReferenceOptions order;
  order.sum_ways = 16;
  order.normalised = scenario->compiler.butterflies.get() == "normalised";
  order.twiddle_ratios = scenario->compiler.twiddles.get() == "ratios";
  const auto compute = [&] { (void)reference_network(scenario->network, weights, input, order); };
  const double first = seconds_of(compute);
  return {{"seconds", std::min(first, seconds_of(compute))}};
}

Json measure_run(const Workload& workload, const ScenarioOptions& options, const char* fidelity, bool data) {
  const auto scenario =
      scenario_of(workload, options,
                  {{"run.fidelity", fidelity}, {"run.data", data ? "true" : "false"}, {"verify.enabled", "false"}});
  const RunResult result = run_scenario(*scenario, {});
  if (!result.failure.empty()) return {{"error", result.failure}};
  return {{"cycles", result.cycles},
          {"energy_j", result.energy.total_j},
          {"host_seconds", result.host.seconds},
          {"host_setup_seconds", result.host.setup_seconds},
          {"cycles_per_host_second", static_cast<double>(result.cycles) / result.host.seconds},
          {"lane_operations_per_host_second", static_cast<double>(result.work.lane_operations) / result.host.seconds}};
}

}  // namespace

std::vector<Workload> default_workloads(bool series) {
  const auto directory = find_resource("scenarios");
  if (!directory) throw InputError("the platform's scenarios were not found beside the executable");
  const std::string bert = (*directory / "bert_base.yaml").string();
  std::vector<Workload> workloads{
      {"bert_base_512_butterfly", bert, {{"network.variant", "butterfly"}}},
      {"bert_base_512_dense_layer", bert, {{"network.variant", "dense"}, {"network.depth", "1"}}},
      {"encoder_1024x512", (*directory / "encoder_1024x512.yaml").string(), {}},
  };
  if (!series) return workloads;
  const Override layer{"network.depth", "1"}, hybrid{"network.variant", "butterfly"};
  for (const char* tokens : {"128", "256", "1024", "2048"}) {
    workloads.push_back(
        {fmt::format("butterfly_layer_{}_tokens", tokens), bert, {hybrid, layer, {"network.tokens", tokens}}});
  }
  for (const char* hidden : {"256", "512", "1024"}) {
    workloads.push_back({fmt::format("butterfly_layer_{}_hidden", hidden),
                         bert,
                         {hybrid,
                          layer,
                          {"network.hidden", hidden},
                          {"network.ffn", std::to_string(4 * std::stoi(hidden))},
                          {"network.heads", "8"}}});
  }
  for (const char* side : {"2", "8"}) {
    workloads.push_back({fmt::format("butterfly_layer_{}x{}_pes", side, side),
                         bert,
                         {hybrid, layer, {"soc.array.rows", side}, {"soc.array.columns", side}}});
  }
  return workloads;
}

Json run_bench(const std::vector<Workload>& workloads, const ScenarioOptions& options,
               const std::function<void(const std::string&)>& progress) {
  Json result{{"host", {{"cpu", host_cpu()}, {"threads", std::thread::hardware_concurrency()}}}};
  struct Kind {
    const char* name;
    const char* fidelity;
    bool data;
  };
  static constexpr std::array<Kind, 4> kinds{Kind{"cycle", "cycle", true}, Kind{"fast", "fast", true},
                                             Kind{"cycle_no_data", "cycle", false},
                                             Kind{"fast_no_data", "fast", false}};
  for (const Workload& workload : workloads) {
    // Mistakes in the input are reported before anything is measured.
    (void)scenario_of(workload, options, {});
    Json& entry = result["workloads"][workload.name];
    progress(workload.name + ": native");
    const Json native = best_in_child("seconds", [&] { return measure_native(workload, options); });
    if (native.contains("error")) {
      entry["native_error"] = native["error"];
    } else {
      entry["native_seconds"] = native["seconds"];
    }
    for (const Kind& kind : kinds) {
      progress(workload.name + ": " + kind.name);
      Json run =
          best_in_child("host_seconds", [&] { return measure_run(workload, options, kind.fidelity, kind.data); });
      if (entry.contains("native_seconds") && run.contains("host_seconds")) {
        run["native_ratio"] = run["host_seconds"].get<double>() / entry["native_seconds"].get<double>();
      }
      entry[kind.name] = std::move(run);
    }
  }
  if (!workloads.empty()) {
    // The figures of the first workload are repeated at the top level, where tools look for the headline.
    for (const auto& [key, value] : result["workloads"][workloads.front().name].items()) result[key] = value;
    result["workload"] = workloads.front().name;
  }
  return result;
}

Json native_quality() { return from_program("bvp-native"); }

u64 signature() {
  static constexpr const char* text = R"(
network:
  tokens: 48
  hidden: 72
  heads: 3
  ffn: 160
  fft_length: power_of_two
  layers:
    - {mixing: fft2d, ffn: butterfly}
    - {mixing: attention, projections: butterfly, ffn: dense}
    - {mixing: attention, projections: dense, ffn: butterfly}
)";
  u64 hash = 0xcbf29ce484222325;
  const auto fold = [&](const void* bytes, std::size_t size) {
    const auto* at = static_cast<const u8*>(bytes);
    for (std::size_t i = 0; i < size; ++i) hash = (hash ^ at[i]) * 0x100000001b3;
  };
  const std::vector<std::vector<Override>> cases{
      {},
      {{"network.norm", "pre"}, {"soc.array.lanes", "8"}, {"soc.array.rows", "2"}},
      {{"run.fidelity", "fast"}},
      {{"network.tokens", "300"}, {"soc.scratchpad.size_bytes", "262144"}}};
  for (const std::vector<Override>& overrides : cases) {
    ScenarioOptions options;
    options.overrides = overrides;
    const auto scenario = read_scenario_text(text, "signature.yaml", options);
    RunRequest request;
    request.keep_tensors = true;
    const RunResult result = run_scenario(*scenario, request);
    if (!result.failure.empty()) throw std::runtime_error("a scenario of the signature failed: " + result.failure);
    for (const auto& [name, tensor] : result.data.tensors) fold(tensor.data.data(), tensor.data.size() * 2);
    fold(&result.cycles, sizeof(result.cycles));
    const auto picojoules = static_cast<u64>(std::llround(result.energy.total_j * 1e12));
    fold(&picojoules, sizeof(picojoules));
  }
  return hash;
}

}  // namespace bvp
