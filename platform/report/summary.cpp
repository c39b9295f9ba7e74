// SPDX-License-Identifier: Apache-2.0
#include "platform/report/summary.h"

#include <fmt/format.h>

#include "models/abi/records.h"
#include "platform/network/network_json.h"
#include "platform/network/safetensors.h"
#include "platform/report/derived_figures.h"
#include "platform/support/json_text.h"
#include "platform/support/output_file.h"
#include "platform/support/seal.h"
#include "platform/support/sha256.h"

namespace bvp {
namespace {

using Json = nlohmann::ordered_json;

Json utilisation_json(const Utilisation& utilisation) {
  return {
      {"load", utilisation.load}, {"cal", utilisation.cal}, {"flow", utilisation.flow}, {"store", utilisation.store}};
}

Json steady_json(const std::optional<Utilisation>& steady) {
  return steady ? utilisation_json(*steady) : Json(nullptr);
}

Json layer_figures(const LayerRow& row) {
  return {{"cycles", row.cycles},
          {"time_s", row.time_s},
          {"energy_j", row.energy_j},
          {"flops", row.flops},
          {"dram_bytes", row.dram_read_bytes + row.dram_written_bytes},
          {"dram_read_bytes", row.dram_read_bytes},
          {"dram_written_bytes", row.dram_written_bytes},
          {"utilisation", utilisation_json(row.utilisation)}};
}

Json layer_json(const LayerRow& row) {
  Json json{{"index", row.index}, {"mixing", row.mixing}, {"projections", row.projections}, {"ffn", row.ffn}};
  json.update(layer_figures(row));
  json["relative_error"] = row.relative_error ? Json(*row.relative_error) : Json(nullptr);
  json["row_error"] = row.row_error ? Json(*row.row_error) : Json(nullptr);
  return json;
}

Json kernel_json(const KernelRow& row) {
  return {{"name", row.name},
          {"launches", row.launches},
          {"cycles", row.cycles},
          {"flops", row.flops},
          {"energy_j", row.energy_j},
          {"utilisation", utilisation_json(row.utilisation)},
          {"utilisation_steady", steady_json(row.steady)},
          {"issue_slots", row.issue_slots},
          {"unit_cycles", row.units}};
}

Json region_json(const RegionRow& row) {
  return {{"region", row.region}, {"times", row.times},           {"ended", row.ended},
          {"cycles", row.cycles}, {"time_s", row.time_s},         {"cpu_instructions", row.cpu_instructions},
          {"flops", row.flops},   {"dram_bytes", row.dram_bytes}, {"energy_j", row.energy_j}};
}

/// What the shares of the summary are shares of.
Json share_denominators() {
  return {{"utilisation", "issue slots used over all cycles of the run, on all PEs"},
          {"utilisation_kernels", "issue slots used over kernel_cycles, on all PEs"},
          {"utilisation_steady",
           "issue slots used over the cycles from a unit's first segment of a launch to its last, on the PEs that have "
           "one"},
          {"layers.utilisation", "issue slots used over the layer's cycles, on all PEs"},
          {"kernels.utilisation", "issue slots used over the cycles with the kernel on the array, on all PEs"},
          {"no_kernel_fraction", "cycles without a kernel on the array over all cycles of the run"},
          {"busy", "cycles at work over all cycles of the run"},
          {"peak_fraction", "flops_per_s over peak_flops_per_s"}};
}

Json row_error_json(const RowError& row) {
  return {{"error", row.error}, {"tensor", row.tensor}, {"sequence", row.sequence}, {"token", row.token}};
}

Json verification_json(const Verification& verification) {
  const auto checked = [&](Json value) { return verification.checked ? std::move(value) : Json(nullptr); };
  return {{"checked", verification.checked},
          {"bit_exact", checked(verification.bit_exact)},
          {"tolerance", checked(verification.tolerance)},
          {"relative_error", checked(verification.relative_error)},
          {"row_tolerance", checked(verification.row_tolerance)},
          {"row", checked(row_error_json(verification.row))},
          {"end_to_end_tolerance", checked(verification.end_to_end_tolerance)},
          {"end_to_end_error", checked(verification.end_to_end_error)},
          {"end_to_end_row", checked(row_error_json(verification.end_to_end_row))},
          {"end_to_end_logits", verification.logits ? row_error_json(*verification.logits) : Json(nullptr)}};
}

/// null: nobody has looked.
Json not_finite_json(const NotFiniteResults& found) {
  if (!found.looked) return nullptr;
  Json kernels = Json::array();
  for (const NotFiniteResults::Of& of : found.kernels) {
    kernels.push_back({{"kernel", of.kernel},
                       {"layer", of.layer == layer_none ? Json(nullptr) : Json(of.layer)},
                       {"infinities", of.infinities},
                       {"nans", of.nans},
                       {"first",
                        {{"value", of.value},
                         {"row", of.row},
                         {"rows", of.rows},
                         {"column", of.column},
                         {"columns", of.columns},
                         {"tile", of.tile}}}});
  }
  return {{"infinities", found.infinities}, {"nans", found.nans}, {"kernels", std::move(kernels)}};
}

Json array_json(const ArrayMap& map) {
  Json links = Json::array();
  for (const ArrayMap::Link& link : map.links) {
    links.push_back({{"x", link.x},
                     {"y", link.y},
                     {"to_x", link.to_x},
                     {"to_y", link.to_y},
                     {"vectors", link.vectors},
                     {"stall_cycles", link.stall_cycles}});
  }
  return {{"rows", map.rows}, {"columns", map.columns}, {"cal_issue", map.cal_issue}, {"links", links}};
}

/// A line a window: its times, watts by component and in total, DRAM bytes per second, utilisation of each unit.
std::string power_csv(const RunResult& result) {
  std::string out = "begin_s,end_s";
  for (const std::string& component : result.power.components) out += fmt::format(",{}_w", component);
  out += ",total_w,dram_read_bytes_per_s,dram_written_bytes_per_s";
  for (const char* unit : unit_names) out += fmt::format(",{}_utilisation", unit);
  out += "\n";
  for (const PowerWindow& window : result.power.windows) {
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

/// What differs between two runs of the same inputs by the same build.
Json host_json(const RunResult& result, const Provenance& provenance) {
  const auto& uart = provenance.uart_file;
  return {{"seal", seal_blank(Sealed::run)},
          {"command", provenance.command},
          {"begun", provenance.begun},
          {"host", provenance.host},
          {"cpu", provenance.cpu},
          {"uart_file", uart ? Json{{"path", uart->path}, {"sha256", uart->sha256}} : Json(nullptr)},
          {"seconds", result.host_seconds},
          {"setup_seconds", result.host_setup_seconds},
          {"verify_seconds", result.host_verify_seconds},
          {"cycles_per_second", per_second(static_cast<double>(result.cycles), result.host_seconds)},
          {"lane_operations_per_second", per_second(static_cast<double>(result.lane_operations), result.host_seconds)}};
}

}  // namespace

nlohmann::ordered_json summary_json(const RunResult& result, const Provenance& provenance) {
  Json layers = Json::array();
  for (const LayerRow& row : result.layers) layers.push_back(layer_json(row));
  Json kernels = Json::array();
  for (const KernelRow& row : result.kernels) kernels.push_back(kernel_json(row));
  Json regions = Json::array();
  for (const RegionRow& row : result.regions) regions.push_back(region_json(row));
  const Verification& verification = result.verification;
  const double flops_per_s = per_second(static_cast<double>(result.flops), result.time_s);
  const auto limit = limit_of(result);
  return {
      {"scenario", result.scenario},
      {"passed", result.passed()},
      {"failure", result.failure},
      {"firmware_exit_code", result.firmware_exit_code},
      {"fidelity", result.fidelity},
      {"seed", result.seed},
      {"cycles", result.cycles},
      {"time_s", result.time_s},
      {"inferences", result.inferences},
      {"cpu_instructions", result.cpu_instructions},
      {"flops", result.flops},
      {"flops_per_s", flops_per_s},
      {"peak_flops_per_s", result.peak_flops_per_s},
      {"peak_fraction", per_second(flops_per_s, result.peak_flops_per_s)},
      {"lane_operations", result.lane_operations},
      {"dram_bytes", result.dram_read_bytes + result.dram_written_bytes},
      {"dram_read_bytes", result.dram_read_bytes},
      {"dram_written_bytes", result.dram_written_bytes},
      {"energy_profile", result.energy_profile},
      {"energy_note", result.energy_note},
      {"energy_technology_nm", result.energy_technology_nm},
      {"energy_voltage", result.energy_voltage},
      {"energy_scaled", result.energy_scaled},
      {"energy_dram_pj_per_bit", result.energy_dram_pj_per_bit ? Json(*result.energy_dram_pj_per_bit) : Json(nullptr)},
      {"energy_j", result.energy_j},
      {"average_power_w", per_second(result.energy_j, result.time_s)},
      {"peak_power_w", result.power.windows.empty() ? Json(nullptr) : Json(result.power.peak_w)},
      {"trace_events_dropped", result.trace_events_dropped},
      {"area_by_component_mm2", result.area_by_component_mm2},
      {"area_mm2", total_area(result)},
      {"energy_by_component_j", result.energy_by_component_j},
      {"energy_by_kernel_j", result.energy_by_kernel_j},
      {"energy_by_layer_j", result.energy_by_layer_j},
      {"energy_by_action_j", result.energy_by_action_j},
      {"energy_by_power_state_j", result.energy_by_power_state_j},
      {"power_state_cycles", result.power_state_cycles},
      {"kernel_cycles", result.kernel_cycles},
      {"no_kernel_fraction", no_kernel(result)},
      {"utilisation", utilisation_json(result.utilisation)},
      {"utilisation_kernels", utilisation_json(result.kernel_utilisation)},
      {"utilisation_steady", steady_json(result.steady)},
      {"busy", result.busy_shares},
      {"limited_by", limit ? Json{{"resource", limit->first}, {"busy", limit->second}} : Json(nullptr)},
      {"share_denominators", share_denominators()},
      {"unit_cycles", result.units},
      {"verification", verification_json(verification)},
      {"not_finite", not_finite_json(result.not_finite)},
      {"fft_zero_padding", result.zero_padding.empty() ? Json(nullptr) : Json(result.zero_padding)},
      {"layers", layers},
      {"outside_of_layers", result.outside_of_layers ? layer_figures(*result.outside_of_layers) : Json(nullptr)},
      {"kernels", kernels},
      {"regions", regions},
      {"regions_dropped", result.regions_dropped},
      {"array", array_json(result.array)},
      {"plan", result.plan},
      {"notes", result.notes},
      {"build", build_json(provenance.build)},
      {"inputs", inputs_json(provenance)},
      {"files", provenance.files},
      {"host_run", host_json(result, provenance)},
  };
}

void write_run(const std::filesystem::path& directory, const RunResult& result, const Network& network,
               const nlohmann::ordered_json& parameters, Provenance provenance) {
  std::filesystem::create_directories(directory);
  write_file(directory / "network.json", json_text(network_json(network)));
  write_file(directory / "parameters.json", json_text(parameters));
  if (!result.prices.is_null()) write_file(directory / "prices.json", json_text(result.prices));
  if (!result.statistics.is_null()) {
    write_file(directory / "statistics.json", json_text(result.statistics));
    write_file(directory / "statistics.csv", result.statistics_csv);
  }
  if (!result.power.windows.empty()) write_file(directory / "power.csv", power_csv(result));
  if (!result.tensors.empty()) write_safetensors(directory / "tensors.safetensors", result.tensors);
  if (!result.tokens.empty()) {
    write_integers(directory / "tokens.safetensors", "tokens", {network.batch, network.tokens}, result.tokens);
  }
  if (!result.weights.empty()) write_safetensors(directory / "weights.safetensors", result.weights);
  // With those that were written while the simulation ran.
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.is_regular_file() && entry.path().filename() != "summary.json")
      provenance.files[entry.path().filename().string()] = sha256_of_file(entry.path());
  }
  // Last: whoever finds it has the others too.
  write_file(directory / "summary.json", sealed(json_text(summary_json(result, provenance)), Sealed::run));
}

}  // namespace bvp
