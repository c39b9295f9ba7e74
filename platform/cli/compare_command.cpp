// SPDX-License-Identifier: Apache-2.0
// butterfly-vp compare
#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "platform/baselines/comparison.h"
#include "platform/baselines/workload.h"
#include "platform/cli/commands.h"
#include "platform/report/json_text.h"
#include "platform/report/text_table.h"
#include "platform/run/run.h"
#include "platform/scenario/output_file.h"

namespace bvp {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

Json read_json(const fs::path& file) {
  std::ifstream stream(file);
  if (!stream) throw InputError(fmt::format("{}: cannot be read; expected the directory of a run", file.string()));
  try {
    return Json::parse(stream);
  } catch (const Json::exception& error) {
    throw InputError(fmt::format("{}: {}", file.string(), error.what()));
  }
}

/// A run, and the parameters of the baselines for it.
struct Item {
  std::unique_ptr<Scenario> scenario;
  ComparedRun run;
  std::vector<BaselineRow> rows;
};

/// What another firmware does with the network is not known: perhaps it computes it twice, or sleeps.
void check_firmware(const std::string& what, const std::string& firmware) {
  if (firmware.empty()) return;
  throw InputError(fmt::format(
      "{}: found run.firmware '{}', expected the platform's own: baselines compute the network once", what, firmware));
}

ComparedRun compared(const Scenario& scenario, const RunResult& result) {
  ComparedRun run;
  run.name = scenario.name;
  run.network = scenario.network;
  run.time_s = result.time_s;
  run.energy_j = result.energy_j;
  const auto dram = result.energy_by_component_j.find("dram");
  if (dram != result.energy_by_component_j.end()) run.dram_energy_j = dram->second;
  run.peak_flops_per_s = result.peak_flops_per_s;
  run.energy_profile = result.energy_profile;
  run.energy_note = result.energy_note;
  run.energy_technology_nm = result.energy_technology_nm;
  run.energy_voltage = result.energy_voltage;
  run.energy_scaled = result.energy_scaled;
  if (scenario.energy.dram_pj_per_bit > 0) run.dram_pj_per_bit = scenario.energy.dram_pj_per_bit;
  return run;
}

RunResult simulate(const Scenario& scenario, const std::string& what) {
  say(fmt::format("{}: simulating {}\n", scenario.name.get(), what));
  RunResult result = run_scenario(scenario, {});
  if (!result.passed()) throw std::runtime_error(fmt::format("{}: {}", scenario.name.get(), result.failure));
  return result;
}

/// Runs the scenario and, on the same SoC, its dense counterpart; times and energies only.
Item from_scenario(const CompareCommand& command, const std::string& file) {
  Item item;
  std::vector<Override> overrides{{"run.data", "false", "compare"}};
  overrides.insert(overrides.end(), command.overrides.begin(), command.overrides.end());
  item.scenario = read_scenario(scenario_file(file), scenario_options(overrides));
  Scenario& scenario = *item.scenario;
  check_firmware(file, scenario.run.firmware);
  item.run = compared(scenario, simulate(scenario, "the network"));
  item.rows = compare_with_baselines(scenario.baselines, item.run);
  if (!command.dense) return item;
  scenario.network = dense_counterpart(scenario.network);
  const ComparedRun dense = compared(scenario, simulate(scenario, "its dense counterpart"));
  BaselineRow row;
  row.name = "this_array_dense";
  row.definition = "dense counterpart on the same simulated SoC, with DRAM";
  row.time_s = dense.time_s;
  row.energy_j = dense.energy_j;
  row.with_dram = true;
  row.speedup = dense.time_s / item.run.time_s;
  row.energy_ratio = dense.energy_j / item.run.energy_j;
  row.time_evidence = {"simulation by this platform", "R", Confidence::mid};
  row.energy_evidence = {"simulation by this platform, energy profile " + dense.energy_profile, "R", Confidence::low};
  item.rows.push_back(std::move(row));
  return item;
}

/// What a run has done stays; only what it is held against may be chosen.
void check_overrides_of_run(const CompareCommand& command, const fs::path& directory) {
  for (const Override& override : command.overrides) {
    if (override.key == "baselines" || override.key.rfind("baselines.", 0) == 0) continue;
    throw InputError(fmt::format("--set {}={}: '{}' is a run that is over; only baselines.* may be set for it",
                                 override.key, override.value, directory.string()));
  }
}

/// A parameter as the run had it.
template <class T>
T parameter_of_run(const fs::path& directory, const Json& parameters, const char* key) {
  try {
    return parameters.at(key).at("value").get<T>();
  } catch (const Json::exception& error) {
    throw InputError(
        fmt::format("{}: not the parameters of a run: {}", (directory / "parameters.json").string(), error.what()));
  }
}

Item from_run(const CompareCommand& command, const fs::path& directory) {
  check_overrides_of_run(command, directory);
  Item item;
  const Json summary = read_json(directory / "summary.json"), network = read_json(directory / "network.json"),
             parameters = read_json(directory / "parameters.json");
  check_firmware(directory.string(), parameter_of_run<std::string>(directory, parameters, "run.firmware"));
  const auto dram_pj_per_bit = parameter_of_run<double>(directory, parameters, "energy.dram_pj_per_bit");
  try {
    // JSON is YAML.
    item.scenario = read_scenario_text(fmt::format("{{\"network\": {}}}", network.dump()), directory / "network.json",
                                       scenario_options(command.overrides));
    item.run.name = summary.at("scenario");
    item.run.directory = directory.string();
    if (!summary.at("passed").get<bool>()) {
      throw std::runtime_error(
          fmt::format("{}: the run failed or was stopped; its figures are not those of the network",
                      (directory / "summary.json").string()));
    }
    item.run.network = item.scenario->network;
    item.run.time_s = summary.at("time_s");
    item.run.energy_j = summary.at("energy_j");
    item.run.dram_energy_j = summary.at("energy_by_component_j").value("dram", 0.0);
    item.run.peak_flops_per_s = summary.at("peak_flops_per_s");
    item.run.energy_profile = summary.at("energy_profile");
    item.run.energy_note = summary.at("energy_note");
    item.run.energy_technology_nm = summary.at("energy_technology_nm");
    item.run.energy_voltage = summary.at("energy_voltage");
    item.run.energy_scaled = summary.at("energy_scaled");
    if (dram_pj_per_bit > 0) item.run.dram_pj_per_bit = dram_pj_per_bit;
    if (!(item.run.time_s > 0) || !(item.run.energy_j > 0)) {
      throw InputError(fmt::format("{}: a run without time or energy", (directory / "summary.json").string()));
    }
  } catch (const Json::exception& error) {
    throw InputError(
        fmt::format("{}: not the summary of a run: {}", (directory / "summary.json").string(), error.what()));
  }
  item.rows = compare_with_baselines(item.scenario->baselines, item.run);
  return item;
}

std::string ratio(const std::optional<double>& value) { return value ? fmt::format("{:.2f}", *value) : "-"; }

void print_item(const Item& item) {
  const ComparedRun& run = item.run;
  fmt::print("{}: {}, {} with DRAM, {} without ({}), peak {}\n\n", run_title(run), si(run.time_s, "s"),
             si(run.energy_j, "J"), si(run.energy_j - run.dram_energy_j, "J"), energy_text(run),
             si(run.peak_flops_per_s, "FLOP/s"));
  TextTable table({{"baseline"}, {"time"}, {"speed-up"}, {"energy"}, {"energy ratio"}});
  for (const BaselineRow& row : item.rows) {
    table.add({row.name, si(row.time_s, "s"), ratio(row.speedup), row.energy_j ? si(*row.energy_j, "J") : "-",
               ratio(row.energy_ratio)});
  }
  fmt::print("{}\n", table.text());
  for (const BaselineRow& row : item.rows) fmt::print("  {}: {}\n", row.name, row.definition);
  fmt::print("\n");
}

/// All runs against the first.
void print_runs(const std::vector<Item>& items) {
  TextTable table({{"run"}, {"time"}, {"speed-up"}, {"energy"}, {"energy ratio"}});
  const ComparedRun& first = items.front().run;
  for (const Item& item : items) {
    table.add({run_title(item.run), si(item.run.time_s, "s"), ratio(first.time_s / item.run.time_s),
               si(item.run.energy_j, "J"), ratio(first.energy_j / item.run.energy_j)});
  }
  fmt::print("{}\n", table.text());
}

}  // namespace

int compare_command(const CompareCommand& command) {
  if (!command.out.empty()) check_writable(command.out);
  std::vector<Item> items;
  for (const std::string& name : command.items) {
    std::error_code ignored;  // whoever reads it will tell
    items.push_back(fs::is_directory(name, ignored) ? from_run(command, name) : from_scenario(command, name));
  }
  for (const Item& item : items) print_item(item);
  if (items.size() > 1) print_runs(items);
  if (!command.out.empty()) {
    nlohmann::ordered_json result = nlohmann::ordered_json::array();
    for (const Item& item : items) result.push_back(comparison_json(item.scenario->baselines, item.run, item.rows));
    write_file(command.out, json_text(result));
  }
  return exit_passed;
}

}  // namespace bvp
