// SPDX-License-Identifier: Apache-2.0
// Defines the command `butterfly-vp compare`.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>

#include "platform/baselines/comparison.h"
#include "platform/baselines/workload.h"
#include "platform/cli/commands.h"
#include "platform/report/run_files.h"
#include "platform/run/run.h"
#include "platform/support/json_text.h"
#include "platform/support/output_file.h"
#include "platform/support/seal.h"
#include "platform/support/text_table.h"

namespace bvp {
namespace {

struct CompareCommand {
  std::vector<std::string> items;  ///< scenario files and directories of runs
  std::vector<Override> overrides;
  std::string out;    ///< JSON file; empty: none
  bool dense = true;  ///< scenarios: simulate the dense counterpart too
};

struct Given {
  CompareCommand command;
  bool no_dense = false;
  std::vector<std::string> sets;
};

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// A run, and the parameters of the baselines that it is compared with.
struct Item {
  std::unique_ptr<Scenario> scenario;
  ComparedRun run;
  std::vector<BaselineRow> rows;
};

/// It is not known what another firmware does with the network: it may compute it twice, or sleep.
void check_firmware(const std::string& what, const std::string& firmware) {
  if (firmware.empty()) return;
  throw InputError(fmt::format(
      "{}: found run.firmware '{}', expected the platform's own: baselines compute the network once", what, firmware));
}

/// The form of the work, from the plan in the summary of a run; the plans of older versions do not name it.
template <class AnyJson>
WorkForm form_of(const AnyJson& plan) {
  const auto says = [&](const char* key, const auto& word) {
    return plan.is_object() && plan.contains(key) && plan[key] == word;
  };
  return {says("butterflies", "normalised"), says("fft", "real"), says("pruning", true)};
}

ComparedRun compared(const Scenario& scenario, const RunResult& result) {
  ComparedRun run;
  run.name = scenario.name;
  run.network = scenario.network;
  run.form = form_of(result.plan);
  run.inferences = result.work.inferences;
  run.time_s = result.time_s;
  run.energy_j = result.energy.total_j;
  const auto dram = result.energy.by_component_j.find("dram");
  if (dram != result.energy.by_component_j.end()) run.dram_energy_j = dram->second;
  run.peak_flops_per_s = result.peak_flops_per_s;
  run.energy_profile = result.pricing.profile;
  run.energy_note = result.pricing.note;
  run.energy_technology_nm = result.pricing.technology_nm;
  run.energy_voltage = result.pricing.voltage;
  run.energy_scaled = result.pricing.scaled;
  if (scenario.energy.dram_pj_per_bit > 0) run.dram_pj_per_bit = scenario.energy.dram_pj_per_bit;
  return run;
}

RunResult simulate(const Scenario& scenario, const std::string& what) {
  say(fmt::format("{}: simulating {}\n", scenario.name.get(), what));
  RunResult result = run_scenario(scenario, {});
  if (!result.passed()) throw std::runtime_error(fmt::format("{}: {}", scenario.name.get(), result.failure));
  return result;
}

/// Simulates the scenario and, on the same SoC, its dense counterpart, only for times and energies.
Item from_scenario(const CompareCommand& command, const std::string& file) {
  Item item;
  std::vector<Override> overrides{{"run.data", "false", "compare"}, {"record.tensors", "false", "compare"}};
  overrides.insert(overrides.end(), command.overrides.begin(), command.overrides.end());
  item.scenario = read_scenario(scenario_file(file), scenario_options(overrides));
  Scenario& scenario = *item.scenario;
  if (!command.out.empty()) check_not_read(command.out, inputs_of(scenario));
  const auto given = scenario.given.find("run.firmware");
  check_firmware(given == scenario.given.end() ? file : given->second, scenario.run.firmware);
  item.run = compared(scenario, simulate(scenario, "the network"));
  item.rows = compare_with_baselines(scenario.baselines, item.run);
  if (!command.dense) return item;
  if (scenario.network.hidden % scenario.network.heads != 0) {
    fmt::print(stderr,
               "{}: network.heads: {} heads do not divide hidden = {}, so the network has no dense counterpart with "
               "attention; this_array_dense is left out\n",
               file, scenario.network.heads, scenario.network.hidden);
    return item;
  }
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

/// The settings of a finished run cannot change; only the parameters of the baselines can be chosen.
void check_overrides_of_run(const CompareCommand& command, const fs::path& directory) {
  for (const Override& override : command.overrides) {
    if (override.key == "baselines" || override.key.rfind("baselines.", 0) == 0) continue;
    throw InputError(fmt::format("--set {}={}: '{}' is a run that is over; only baselines.* may be set for it",
                                 override.key, override.value, directory.string()));
  }
}

Item from_run(const CompareCommand& command, const fs::path& directory) {
  check_overrides_of_run(command, directory);
  Item item;
  const auto [summary, network, parameters] = read_run_files(directory);
  check_firmware(directory.string(), parameters["run.firmware"]["value"].get<std::string>());
  const auto dram_pj_per_bit = parameters["energy.dram_pj_per_bit"]["value"].get<double>();
  // JSON is also YAML, so the YAML reader is used.
  item.scenario = read_scenario_text(
      fmt::format("{{\"network\": {}}}", network.dump(-1, ' ', true, Json::error_handler_t::replace)),
      directory / "network.json", scenario_options(command.overrides));
  const std::string file = (directory / "summary.json").string();
  item.run.name = summary["scenario"];
  item.run.directory = directory.string();
  if (!summary["passed"].get<bool>()) {
    throw std::runtime_error(
        fmt::format("{}: the run failed or was stopped; its figures are not those of the network", file));
  }
  item.run.network = item.scenario->network;
  item.run.form = form_of(summary["plan"]);
  const auto positive = [&](const char* key) {
    const auto value = summary[key].get<double>();
    if (value > 0) return value;
    throw InputError(fmt::format("{}: {}: found {}, expected a number above 0", file, key, value));
  };
  item.run.inferences = static_cast<u64>(std::min(positive("inferences"), 1e15));
  item.run.time_s = positive("time_s");
  item.run.energy_j = positive("energy_j");
  const Json& components = summary["energy_by_component_j"];
  if (components.contains("dram")) item.run.dram_energy_j = components["dram"];
  item.run.peak_flops_per_s = positive("peak_flops_per_s");
  item.run.energy_profile = summary["energy_profile"];
  item.run.energy_note = summary["energy_note"];
  item.run.energy_technology_nm = positive("energy_technology_nm");
  item.run.energy_voltage = positive("energy_voltage");
  item.run.energy_scaled = summary["energy_scaled"];
  if (dram_pj_per_bit > 0) item.run.dram_pj_per_bit = dram_pj_per_bit;
  if (item.run.inferences > 1) {
    throw InputError(fmt::format("{}: inferences: found {}, expected 1: baselines compute the network once", file,
                                 item.run.inferences));
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

/// Compares all runs with the first one, per sequence, so that a run of a larger batch does not count as slower.
void print_runs(const std::vector<Item>& items) {
  TextTable table({{"run"}, {"sequences"}, {"time of one"}, {"speed-up"}, {"energy of one"}, {"energy ratio"}});
  const ComparedRun& first = items.front().run;
  std::vector<std::string> remarks;
  for (const Item& item : items) {
    const ComparedRun& run = item.run;
    const WorkDifference difference = work_difference(first.network, run.network);
    const std::string mark = difference.same() ? "" : fmt::format(" [{}]", remarks.size() + 1);
    const auto held = [&](double of_first, double of_run) {
      return difference.comparable ? ratio(of_first / of_run) : std::string("-");
    };
    table.add({run_title(run) + mark, fmt::format("{:.0f}", run.sequences()), si(run.sequence_s(), "s"),
               held(first.sequence_s(), run.sequence_s()), si(run.sequence_j(), "J"),
               held(first.sequence_j(), run.sequence_j())});
    if (difference.same()) continue;
    remarks.push_back(fmt::format(
        "[{}] another network than the first run's, {}: {}", remarks.size() + 1,
        difference.comparable ? "of the same sizes" : "so that their times and energies are not of the same work",
        fmt::join(difference.what, ", ")));
  }
  fmt::print("{}\n", table.text());
  for (const std::string& remark : remarks) fmt::print("  {}\n", remark);
}

/// Input files of the command. The other files that scenarios name are known only after the scenarios have been read.
InputFiles inputs_of(const CompareCommand& command) {
  InputFiles inputs;
  for (const std::string& name : command.items) {
    std::error_code ignored;
    if (fs::is_directory(name, ignored)) {
      const InputFiles files = files_of_run(name);
      inputs.insert(inputs.end(), files.begin(), files.end());
    } else {
      inputs.emplace_back("the scenario", name);
    }
  }
  return inputs;
}

int compare_command(const CompareCommand& command) {
  if (!command.out.empty()) check_replaceable(command.out, inputs_of(command), Sealed::comparison);
  std::vector<Item> items;
  for (const std::string& name : command.items) {
    std::error_code ignored;  // the command that reads the file reports the error
    items.push_back(fs::is_directory(name, ignored) ? from_run(command, name) : from_scenario(command, name));
  }
  for (const Item& item : items) print_item(item);
  if (items.size() > 1) print_runs(items);
  if (!command.out.empty()) {
    nlohmann::ordered_json result = nlohmann::ordered_json::array();
    for (const Item& item : items) {
      nlohmann::ordered_json comparison = comparison_json(item.scenario->baselines, item.run, item.rows);
      if (result.empty()) comparison["seal"] = seal_blank(Sealed::comparison);
      const WorkDifference difference = work_difference(items.front().run.network, item.run.network);
      comparison["other_network"] = difference.what;
      result.push_back(std::move(comparison));
    }
    write_file(command.out, sealed(json_text(result), Sealed::comparison));
  }
  return exit_passed;
}

}  // namespace

void add_compare_command(CommandLine& line) {
  const auto given = std::make_shared<Given>();
  CLI::App& app = *line.app.add_subcommand(
      "compare", "Hold runs against the baselines and each other (scenarios are run without data)");
  app.add_option("items", given->command.items, "Scenario files, names of shipped ones, directories of runs")
      ->required()
      ->type_name("SCENARIO|RUN");
  add_set_option(app, given->sets);
  app.add_option("--out", given->command.out, "File for the figures")->type_name("FILE.json")->check(not_empty());
  app.add_flag("--no-dense", given->no_dense, "Do not simulate the dense counterparts of scenarios");
  app.final_callback([&line, given] {
    line.selected = [given] {
      given->command.overrides = parse_overrides(given->sets);
      given->command.dense = !given->no_dense;
      return compare_command(given->command);
    };
  });
}

}  // namespace bvp
