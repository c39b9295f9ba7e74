// SPDX-License-Identifier: Apache-2.0
#include "platform/report/summary.h"

#include <fmt/format.h>

#include "platform/metrics/derived_figures.h"
#include "platform/metrics/figures.h"
#include "platform/network/network_json.h"
#include "platform/network/safetensors.h"
#include "platform/support/json_text.h"
#include "platform/support/output_file.h"
#include "platform/support/seal.h"
#include "platform/support/sha256.h"

namespace bvp {
namespace {

using Json = nlohmann::ordered_json;

/// One line per window: its times, watts by component and in total, DRAM bytes per second, utilisation of each unit.
std::string power_csv(const RunResult& result) {
  std::string out = "begin_s,end_s";
  for (const std::string& component : result.records.power.components) out += fmt::format(",{}_w", component);
  out += ",total_w,dram_read_bytes_per_s,dram_written_bytes_per_s";
  for (const char* unit : unit_names) out += fmt::format(",{}_utilisation", unit);
  out += "\n";
  for (const PowerWindow& window : result.records.power.windows) {
    const double duration = window.end_s - window.begin_s;
    out += fmt::format("{},{}", window.begin_s, window.end_s);
    for (const double joules : window.energy_j) out += fmt::format(",{}", joules / duration);
    out += fmt::format(",{},{},{}", window.power_w(), static_cast<double>(window.dram_read_bytes) / duration,
                       static_cast<double>(window.dram_written_bytes) / duration);
    for (const double share : window.utilisation) out += fmt::format(",{}", share);
    out += "\n";
  }
  return out;
}

/// One line per sample: its class in the file, by the firmware, and, where the run was verified, in fp32.
std::string predictions_csv(const DatasetResult& set) {
  std::string out = "sample,label,prediction,reference\n";
  for (std::size_t i = 0; i < set.predictions.size(); ++i) {
    out += fmt::format("{},{},{},{}\n", i, set.labels[i], set.predictions[i],
                       set.expected.empty() ? "" : fmt::format("{}", set.expected[i]));
  }
  return out;
}

Json build_json(const BuildInfo& build) {
  return {{"version", build.version},       {"commit", build.commit},     {"dirty", build.dirty},
          {"build_type", build.build_type}, {"compiler", build.compiler}, {"system", build.system}};
}

Json inputs_json(const Provenance& provenance) {
  Json inputs = Json::array();
  for (const ReadFile& file : provenance.inputs) {
    inputs.push_back({{"key", file.key}, {"path", file.path}, {"sha256", file.sha256}});
  }
  return inputs;
}

/// The fields that differ between two runs of the same inputs by the same build.
Json host_json(const RunResult& result, const Provenance& provenance) {
  const auto& uart = provenance.uart_file;
  return {{"seal", seal_blank(Sealed::run)},
          {"command", provenance.command},
          {"begun", provenance.begun},
          {"host", provenance.host},
          {"cpu", provenance.cpu},
          {"uart_file", uart ? Json{{"path", uart->path}, {"sha256", uart->sha256}} : Json(nullptr)},
          {"seconds", result.host.seconds},
          {"setup_seconds", result.host.setup_seconds},
          {"verify_seconds", result.host.verify_seconds},
          {"cycles_per_second", per_second(static_cast<double>(result.cycles), result.host.seconds)},
          {"lane_operations_per_second",
           per_second(static_cast<double>(result.work.lane_operations), result.host.seconds)}};
}

}  // namespace

nlohmann::ordered_json summary_json(const RunResult& result, const Provenance& provenance) {
  Json summary = Json::object();
  for (const Figure& figure : figures()) summary[figure.key] = figure.value(result);
  summary["build"] = build_json(provenance.build);
  summary["inputs"] = inputs_json(provenance);
  summary["files"] = provenance.files;
  summary["host_run"] = host_json(result, provenance);
  return summary;
}

void write_run(const std::filesystem::path& directory, const RunResult& result, const Network& network,
               const nlohmann::ordered_json& parameters, Provenance provenance) {
  std::filesystem::create_directories(directory);
  write_file(directory / "network.json", json_text(network_json(network)));
  write_file(directory / "parameters.json", json_text(parameters));
  if (!result.pricing.prices.is_null()) write_file(directory / "prices.json", json_text(result.pricing.prices));
  if (!result.records.statistics.is_null()) {
    write_file(directory / "statistics.json", json_text(result.records.statistics));
    write_file(directory / "statistics.csv", result.records.statistics_csv);
  }
  if (!result.records.power.windows.empty()) write_file(directory / "power.csv", power_csv(result));
  if (!result.data.tensors.empty()) write_safetensors(directory / "tensors.safetensors", result.data.tensors);
  if (!result.data.tokens.empty()) {
    const std::vector<u64> shape{result.data.tokens.size() / network.tokens, network.tokens};
    std::vector<NamedIntegers> integers;
    if (const auto mask = result.data.tensors.find("mask"); mask != result.data.tensors.end()) {
      integers.push_back({"mask", shape, {}});
      for (const u16 value : mask->second.data) integers.back().values.push_back(value != 0 ? 1 : 0);
    }
    integers.push_back({"tokens", shape, result.data.tokens});
    write_integers(directory / "tokens.safetensors", integers);
  }
  if (result.dataset && !result.dataset->predictions.empty()) {
    write_file(directory / "predictions.csv", predictions_csv(*result.dataset));
  }
  if (!result.data.weights.empty()) write_safetensors(directory / "weights.safetensors", result.data.weights);
  // The list includes files that were written while the simulation ran.
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.is_regular_file() && entry.path().filename() != "summary.json")
      provenance.files[entry.path().filename().string()] = sha256_of_file(entry.path());
  }
  // The summary comes last, so that a reader who finds it finds the other files too.
  write_file(directory / "summary.json", sealed(json_text(summary_json(result, provenance)), Sealed::run));
}

}  // namespace bvp
