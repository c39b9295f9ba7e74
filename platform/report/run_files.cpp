// SPDX-License-Identifier: Apache-2.0
#include "platform/report/run_files.h"

#include <fmt/format.h>

#include "platform/network/network_json.h"
#include "platform/program/compiled_network.h"
#include "platform/report/plan_report.h"
#include "platform/report/summary.h"
#include "platform/support/input_error.h"
#include "platform/support/input_file.h"

namespace bvp {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// What a layer has and what is outside of the layers has too.
Json outside_of_layers(Json layer) {
  for (const char* of_layers : {"index", "mixing", "projections", "ffn", "relative_error", "row_error"}) {
    layer.erase(of_layers);
  }
  return layer;
}

/// An example that has one of everything, made by the functions that write the files of a run. check_like() explains
/// the marks.
Json example_summary() {
  const CycleBreakdown reasons{{"*", 1}};
  RunResult result;
  result.activity.units = {{"load", reasons}, {"cal", reasons}, {"flow", reasons}, {"store", reasons}};
  result.activity.busy_shares = {{"*", 1}};
  result.energy.by_component_j = {{"*", 1}};
  result.energy.by_kernel_j = {{"*", 1}};
  result.energy.by_layer_j = {{"*", 1}};
  result.energy.by_action_j = {{"*", {{"*", 1}}}};
  result.energy.by_power_state_j = {{"*", 1}};
  result.activity.power_state_cycles = {{"*", 1}};
  result.area_by_component_mm2 = {{"*", 1}};
  result.setup.notes = {""};
  result.verification.checked = true;
  result.verification.logits.emplace();
  result.not_finite.looked = true;
  result.not_finite.kernels.emplace_back();
  result.setup.zero_padding = " ";
  result.reliability.rows_left_out = {1};
  result.layers.emplace_back();
  result.tasks.emplace_back();
  KernelRow kernel;
  kernel.issue_slots = {{"*", 1}};
  kernel.units = {{"*", reasons}};
  result.kernels.push_back(kernel);
  result.regions.emplace_back();
  result.activity.array.cal_issue = {1};
  result.activity.array.links.emplace_back();
  CompiledNetwork network;
  network.tasks.emplace_back();
  network.kernels.emplace_back();
  result.plan = plan_json(network);
  Provenance provenance;
  provenance.inputs.emplace_back();
  provenance.files = {{"*", ""}};
  provenance.command = {""};
  Json summary = summary_json(result, provenance);
  // Figures that a run need not have: null in the example allows any kind of value.
  const auto figure_or_null = [](Json& value) { value = Json{{"?", 1}}; };
  figure_or_null(summary["energy_dram_pj_per_bit"]);
  figure_or_null(summary["peak_power_w"]);
  for (const char* error : {"relative_error", "row_error"}) figure_or_null(summary["layers"][0][error]);
  figure_or_null(summary["plan"]["tasks"][0]["layer"]);
  figure_or_null(summary["not_finite"]["kernels"][0]["layer"]);
  Json& verification = summary["verification"];
  // JSON has no number for an error that is infinite or not a number, so it is null.
  for (const char* row : {"row", "end_to_end_row", "end_to_end_logits"}) figure_or_null(verification[row]["error"]);
  for (auto& item : verification.items()) {
    if (item.key() != "checked") item.value() = Json{{"?", item.value()}};
  }
  for (const char* key : {"not_finite", "fft_zero_padding"}) summary[key] = Json{{"?", summary[key]}};
  for (Json* steady : {&summary["utilisation_steady"], &summary["kernels"][0]["utilisation_steady"]}) {
    *steady = Json{{"?", summary["utilisation"]}};
  }
  summary["limited_by"] = Json{{"?", summary["limited_by"]}};
  summary["outside_of_layers"] = Json{{"?", outside_of_layers(summary["layers"][0])}};
  return summary;
}

Json example_network() {
  Network network;
  network.layers.emplace_back();
  return network_json(network);
}

Json example_price(const char* key) {
  return Json::array({{{"component", ""}, {"name", ""}, {key, 1}, {"source", ""}, {"confidence", ""}}});
}

}  // namespace

void check_run_directory(const fs::path& directory) {
  std::error_code error;
  const fs::file_status status = fs::status(directory, error);
  const auto refuse = [&](const std::string& what) {
    throw InputError(fmt::format("{}: {}; expected the directory of a run", directory.string(), what));
  };
  if (status.type() == fs::file_type::not_found) refuse("there is no such directory");
  if (status.type() == fs::file_type::none) refuse("cannot be read: " + error.message());
  if (!fs::is_directory(status)) refuse("is a file");
  const fs::file_status summary = fs::status(directory / "summary.json", error);
  if (summary.type() == fs::file_type::not_found) refuse("has no summary.json");
}

RunFiles read_run_files(const fs::path& directory) {
  check_run_directory(directory);
  const auto read = [&](const char* name, const Json& example) {
    const fs::path file = directory / name;
    Json found = read_json_file(file);
    check_like(file, found, example);
    return found;
  };
  RunFiles files;
  files.summary = read("summary.json", example_summary());
  // Sizes that a page draws must be numbers in a sensible range.
  for (const char* side : {"rows", "columns"}) {
    constexpr double most = 256;
    const Json& found = files.summary["array"][side];
    if (found.is_number_unsigned() && found.get<double>() <= most) continue;
    throw InputError(fmt::format("{}: array.{}: found {}, expected an integer from 0 to {}",
                                 (directory / "summary.json").string(), side, found.dump(), most));
  }
  files.network = read("network.json", example_network());
  const Json parameter{{"value", nullptr}, {"unit", ""}, {"source", ""}, {"confidence", ""}};
  files.parameters = read("parameters.json", {{"*", parameter}});
  // Keys that a page or a comparison needs.
  Json needed = Json::object();
  for (const char* number : {"energy.dram_pj_per_bit", "record.power_window_s", "soc.dram.channels",
                             "soc.dram.bus_bytes", "soc.dram.clock_hz", "soc.scratchpad.size_bytes"}) {
    needed[number] = {{"value", 1}};
  }
  needed["run.firmware"] = {{"value", ""}};
  check_like(directory / "parameters.json", files.parameters, needed);
  return files;
}

Json read_prices(const fs::path& directory) {
  const fs::path file = directory / "prices.json";
  Json prices = read_json_file(file);
  check_like(file, prices,
             {{"profile", ""},
              {"description", ""},
              {"actions", example_price("picojoules")},
              {"background", example_price("watts")},
              {"area_technology_nm", 1},
              {"area", example_price("mm2")}});
  return prices;
}

InputFiles files_of_run(const fs::path& directory) {
  InputFiles files;
  for (const char* name : {"summary.json", "network.json", "parameters.json", "prices.json", "power.csv"}) {
    files.emplace_back("the run " + directory.string(), directory / name);
  }
  return files;
}

}  // namespace bvp
