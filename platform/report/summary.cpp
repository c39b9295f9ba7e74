// SPDX-License-Identifier: Apache-2.0
#include "platform/report/summary.h"

#include <fmt/format.h>

#include <algorithm>

#include "platform/compiler/target.h"
#include "platform/network/network_json.h"
#include "platform/network/safetensors.h"
#include "platform/report/json_text.h"
#include "platform/report/text_table.h"
#include "platform/scenario/output_file.h"
#include "platform/scenario/seal.h"
#include "platform/scenario/sha256.h"

namespace bvp {
namespace {

using Json = nlohmann::ordered_json;

double per_second(double amount, double seconds) { return seconds > 0 ? amount / seconds : 0; }

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

void add_line(std::string& out, const char* label, const std::string& value) {
  out += fmt::format("  {:<18}{}\n", label, value);
}

std::string units_table(const RunResult& result) {
  std::map<std::string, u64> totals;
  for (const auto& [unit, cycles] : result.units) {
    for (const auto& [reason, count] : cycles) totals[reason] += count;
  }
  if (totals.empty()) return {};
  std::vector<std::pair<std::string, u64>> reasons(totals.begin(), totals.end());
  std::stable_sort(reasons.begin(), reasons.end(), [](const auto& a, const auto& b) {
    return std::pair(a.first == "issue", a.second) > std::pair(b.first == "issue", b.second);
  });
  TextTable table({"cycles of the units", "load", "cal", "flow", "store"});
  for (const auto& [reason, total] : reasons) {
    std::vector<std::string> row{reason};
    for (const char* unit : {"load", "cal", "flow", "store"}) {
      const auto cycles = result.units.find(unit);
      u64 all = 0;
      u64 here = 0;
      if (cycles != result.units.end()) {
        for (const auto& [name, count] : cycles->second) {
          all += count;
          if (name == reason) here = count;
        }
      }
      row.push_back(percent(per_second(static_cast<double>(here), static_cast<double>(all))));
    }
    table.add(std::move(row));
  }
  return table.text();
}

std::string energy_table(const RunResult& result) {
  if (result.energy_by_component_j.empty()) return {};
  std::vector<std::pair<std::string, double>> parts(result.energy_by_component_j.begin(),
                                                    result.energy_by_component_j.end());
  std::stable_sort(parts.begin(), parts.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  TextTable table({"energy by component", "energy", "share"});
  for (const auto& [component, energy] : parts) {
    table.add({component, si(energy, "J"), percent(per_second(energy, result.energy_j))});
  }
  return table.text();
}

std::string layers_table(const RunResult& result) {
  if (result.layers.empty()) return {};
  TextTable table({"layer", "cycles", "time", "energy", "DRAM", "load", "cal", "flow", "store", "rel. error"});
  const auto add = [&](std::string name, const LayerRow& row) {
    table.add({std::move(name), grouped(row.cycles), si(row.time_s, "s"), si(row.energy_j, "J"),
               si(static_cast<double>(row.dram_read_bytes + row.dram_written_bytes), "B"),
               percent(row.utilisation.load), percent(row.utilisation.cal), percent(row.utilisation.flow),
               percent(row.utilisation.store), row.relative_error ? fmt::format("{:.2e}", *row.relative_error) : "-"});
  };
  for (const LayerRow& row : result.layers) add(fmt::format("{} {}", row.index, row.mixing), row);
  if (result.outside_of_layers) add("outside of them", *result.outside_of_layers);
  return table.text();
}

std::string kernels_table(const RunResult& result) {
  if (result.kernels.empty()) return {};
  TextTable table(
      {"layer.kernel", "launches", "array cycles", "energy+waits", "load", "cal", "flow", "store", "steady"});
  for (const KernelRow& row : result.kernels) {
    const std::string prefix = "layers.";
    const bool of_layer = row.name.compare(0, prefix.size(), prefix) == 0;
    table.add({of_layer ? row.name.substr(prefix.size()) : row.name, grouped(row.launches), grouped(row.cycles),
               si(row.energy_j, "J"), percent(row.utilisation.load), percent(row.utilisation.cal),
               percent(row.utilisation.flow), percent(row.utilisation.store),
               row.steady ? percent(row.steady->cal) : "-"});
  }
  return table.text();
}

std::string verification_text(const RunResult& result) {
  const Verification& verification = result.verification;
  if (!verification.checked) return "not checked";
  return fmt::format("relative error {:.2e} (allowed {:.2e}), {} the fp16 reference", verification.relative_error,
                     verification.tolerance, verification.bit_exact ? "bit-exact with" : "NOT bit-exact with");
}

std::string utilisation_text(const Utilisation& utilisation) {
  return fmt::format("load {}  cal {}  flow {}  store {}", percent(utilisation.load), percent(utilisation.cal),
                     percent(utilisation.flow), percent(utilisation.store));
}

/// The operating point is named where it is not the profile's own.
std::string profile_text(const RunResult& result) {
  if (!result.energy_scaled) return result.energy_profile;
  return fmt::format("{} at {:g} nm, {:g} V", result.energy_profile, result.energy_technology_nm,
                     result.energy_voltage);
}

std::string dram_text(const RunResult& result) {
  if (result.energy_by_component_j.count("dram") == 0) return "without DRAM";
  const auto& price = result.energy_dram_pj_per_bit;
  return price ? fmt::format("with DRAM at {:g} pJ/bit", *price) : "with DRAM";
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

double total_area(const RunResult& result) {
  double sum = 0;
  for (const auto& [component, mm2] : result.area_by_component_mm2) sum += mm2;
  return sum;
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
  return {{"seal", seal_blank()},
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
      {"utilisation", utilisation_json(result.utilisation)},
      {"utilisation_steady", steady_json(result.steady)},
      {"unit_cycles", result.units},
      {"verification",
       {{"checked", verification.checked},
        {"tolerance", verification.checked ? Json(verification.tolerance) : Json(nullptr)},
        {"relative_error", verification.checked ? Json(verification.relative_error) : Json(nullptr)},
        {"bit_exact", verification.checked ? Json(verification.bit_exact) : Json(nullptr)}}},
      {"layers", layers},
      {"outside_of_layers", result.outside_of_layers ? layer_figures(*result.outside_of_layers) : Json(nullptr)},
      {"kernels", kernels},
      {"regions", regions},
      {"array", array_json(result.array)},
      {"plan", result.plan},
      {"notes", result.notes},
      {"build", build_json(provenance.build)},
      {"inputs", inputs_json(provenance)},
      {"files", provenance.files},
      {"host_run", host_json(result, provenance)},
  };
}

std::string summary_table(const RunResult& result) {
  std::string out;
  add_line(out, "scenario", result.scenario);
  add_line(out, "result", result.passed() ? "passed" : "FAILED: " + result.failure);
  add_line(out, "verification", verification_text(result));
  add_line(out, "time", fmt::format("{}, {} cycles", si(result.time_s, "s"), grouped(result.cycles)));
  const double flops_per_s = per_second(static_cast<double>(result.flops), result.time_s);
  add_line(out, "arithmetic",
           fmt::format("{}, {}, {} of the peak of {}", si(static_cast<double>(result.flops), "FLOP"),
                       si(flops_per_s, "FLOP/s"), percent(per_second(flops_per_s, result.peak_flops_per_s)),
                       si(result.peak_flops_per_s, "FLOP/s")));
  add_line(out, "DRAM traffic",
           fmt::format("{} read, {} written", si(static_cast<double>(result.dram_read_bytes), "B"),
                       si(static_cast<double>(result.dram_written_bytes), "B")));
  add_line(out, "energy",
           fmt::format("{}, average power {}{} (profile {}, {})", si(result.energy_j, "J"),
                       si(per_second(result.energy_j, result.time_s), "W"),
                       result.power.windows.empty() ? "" : ", peak " + si(result.power.peak_w, "W"),
                       profile_text(result), dram_text(result)));
  if (!result.area_by_component_mm2.empty()) {
    std::vector<std::string> parts;
    for (const auto& [component, mm2] : result.area_by_component_mm2) {
      if (mm2 >= 0.5) parts.push_back(fmt::format("{} {:.1f}", component, mm2));
    }
    add_line(out, "area", fmt::format("{:.1f} mm2 estimated ({})", total_area(result), fmt::join(parts, ", ")));
  }
  const ArrayMap& array = result.array;
  const u32 used = CompilerTarget::floor_power_of_two(array.rows) * CompilerTarget::floor_power_of_two(array.columns);
  if (used < array.rows * array.columns) {
    add_line(out, "PEs",
             fmt::format("{} of {} used: kernels take a power of two of rows and of columns", used,
                         array.rows * array.columns));
  }
  add_line(out, "utilisation", utilisation_text(result.utilisation));
  if (result.steady) add_line(out, "  in steady state", utilisation_text(*result.steady));
  add_line(out, "simulation",
           fmt::format(
               "{:.2f} s on the host, {}, {}", result.host_seconds,
               si(per_second(static_cast<double>(result.cycles), result.host_seconds), "cycles/s"),
               si(per_second(static_cast<double>(result.lane_operations), result.host_seconds), "lane operations/s")));
  for (const std::string& part :
       {layers_table(result), kernels_table(result), units_table(result), energy_table(result)}) {
    if (!part.empty()) out += "\n" + part;
  }
  return out;
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
  write_file(directory / "summary.json", sealed(json_text(summary_json(result, provenance))));
}

}  // namespace bvp
