// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <new>
#include <system_error>

#include "platform/cli/commands.h"
#include "platform/support/interruption.h"
#include "platform/support/nearest.h"
#include "platform/support/printable.h"
#include "platform/support/resources.h"

namespace bvp {

void say(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

void print_error(const std::string& message) {
  std::size_t begin = 0;
  while (begin <= message.size()) {
    const std::size_t end = std::min(message.find('\n', begin), message.size());
    say(fmt::format("error: {}\n", message.substr(begin, end - begin)));
    begin = end + 1;
  }
}

namespace {

std::vector<Override> parse_overrides(const std::vector<std::string>& texts) {
  std::vector<Override> overrides;
  for (const std::string& text : texts) overrides.push_back(parse_override(text));
  return overrides;
}

CLI::Option* add_set_option(CLI::App& app, std::vector<std::string>& sets) {
  return app
      .add_option("--set", sets, "Override a key of the scenario, for example soc.array.lanes=8; may be repeated")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
}

/// The options of `run` that stand for keys of the scenario.
struct KeyOptions {
  std::string fidelity, firmware;
  bool no_data = false;
  bool dump = false, trace = false, vcd = false;

  void append_to(std::vector<Override>& overrides) const {
    if (!fidelity.empty()) overrides.push_back({"run.fidelity", fidelity, "--fidelity"});
    if (!firmware.empty()) overrides.push_back({"run.firmware", firmware, "--firmware"});
    if (no_data) overrides.push_back({"run.data", "false", "--no-data"});
    if (trace) overrides.push_back({"record.trace", "true", "--trace"});
    if (vcd) overrides.push_back({"record.vcd", "true", "--vcd"});
    if (dump) overrides.push_back({"record.tensors", "true", "--dump"});
  }
};

InputError unknown_command(const CLI::App& app, const std::string& found) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands(nullptr)) names.push_back(command->get_name());
  const std::string near = nearest_word(found, names);
  return InputError(fmt::format("unknown command '{}'{}; expected one of: {}", found,
                                near.empty() ? "" : fmt::format(", did you mean '{}'?", near), fmt::join(names, ", ")));
}

int dispatch(int argc, const char* const* argv, const BuildInfo& build) {
  CLI::App app{"butterfly-vp: a virtual platform of a dataflow accelerator for butterfly-sparse attention networks"};
  app.require_subcommand(1);
  app.set_version_flag("--version", build_text(build), "Print version, commit and build, and exit");
  app.set_help_all_flag("--help-all", "Print the help of all commands and exit");
  app.footer(
      "Exit codes: 0 done and verified, 1 the run or its verification failed or something could not be written once "
      "begun, 2 bad usage or input, or a place for results that cannot be written, 128 + N ended by signal N.");
  app.failure_message([](const CLI::App* failed, const CLI::Error& error) {
    return "error: " + CLI::FailureMessage::simple(failed, error);
  });
  std::vector<std::string> sets;
  // An empty value would be taken for an option that was not given.
  const CLI::Validator not_empty([](const std::string& text) { return std::string(text.empty() ? "is empty" : ""); },
                                 "");

  const std::string scenario_help = "Scenario file, or the name of one that comes with the platform (bert_base)";

  RunCommand run;
  KeyOptions keys;
  CLI::App& run_app = *app.add_subcommand("run", "Simulate a scenario");
  run_app.add_option("scenario", run.scenario, scenario_help)->required()->type_name("SCENARIO")->check(not_empty);
  add_set_option(run_app, sets);
  run_app.add_option("--out", run.directory, "Directory for the results (default: runs/NAME)")
      ->type_name("DIR")
      ->check(not_empty);
  run_app.add_option("--fidelity", keys.fidelity, "Timing of the array")->type_name("cycle|fast")->check(not_empty);
  run_app.add_flag("--no-data", keys.no_data, "Simulate time and energy without the numbers");
  run_app.add_flag("--dump", keys.dump, "Leave tensors.safetensors and weights.safetensors");
  run_app.add_flag("--trace", keys.trace, "Leave trace.json for the Perfetto UI");
  run_app.add_flag("--vcd", keys.vcd, "Leave signals.vcd for GTKWave");
  run_app.add_option("--firmware", keys.firmware, "Firmware for the host CPU")->type_name("ELF")->check(not_empty);
  run_app.add_option("--uart", run.uart, "Where the firmware's text goes (default: stdio)")
      ->type_name("stdio|file:PATH");
  run_app.add_flag("--quiet", run.quiet, "No progress, no firmware text on the terminal, no table");
  run_app.add_flag("--kernels", run.all_rows, "Every layer and kernel in the table, not only what fits one screen");

  std::vector<std::string> files;
  CLI::App& validate_app = *app.add_subcommand("validate", "Check scenario files without running them");
  validate_app.add_option("files", files, "Scenario files, or names of shipped ones")
      ->required()
      ->type_name("SCENARIO");
  add_set_option(validate_app, sets);

  BenchCommand bench;
  CLI::App& bench_app = *app.add_subcommand("bench", "Measure the simulation's speed against native execution");
  auto* scenarios =
      bench_app
          .add_option("scenarios", bench.scenarios, "Scenario files, or names of shipped ones (default: a fixed set)")
          ->type_name("SCENARIO");
  add_set_option(bench_app, sets)->needs("scenarios");
  auto* bench_out = bench_app.add_option("--out", bench.out, "File for the figures (default: bench.json)")
                        ->type_name("FILE")
                        ->check(not_empty);
  auto* append = bench_app.add_option("--append", bench.append, "Also add them as a line to this file")
                     ->type_name("FILE")
                     ->check(not_empty);
  auto* series = bench_app.add_flag("--series", bench.series, "Also how they grow with tokens, hidden size and PEs")
                     ->excludes(scenarios);
  auto* signature =
      bench_app.add_flag("--signature", bench.signature,
                         "Only print one number folded from outputs, cycles and energy of small fixed scenarios");
  for (CLI::Option* other : {scenarios, bench_out, append, series}) signature->excludes(other);

  CompareCommand compare;
  bool no_dense = false;
  CLI::App& compare_app =
      *app.add_subcommand("compare", "Hold runs against the baselines and each other (scenarios are run without data)");
  compare_app.add_option("items", compare.items, "Scenario files, names of shipped ones, directories of runs")
      ->required()
      ->type_name("SCENARIO|RUN");
  add_set_option(compare_app, sets);
  compare_app.add_option("--out", compare.out, "File for the figures")->type_name("FILE.json")->check(not_empty);
  compare_app.add_flag("--no-dense", no_dense, "Do not simulate the dense counterparts of scenarios");

  ReportCommand report;
  CLI::App& report_app = *app.add_subcommand("report", "Make one HTML file of one run or several");
  report_app.add_option("runs", report.runs, "Directories of runs")->required()->type_name("RUN");
  report_app.add_option("--out", report.out, "File (default: report.html in the first directory)")
      ->type_name("FILE.html")
      ->check(not_empty);

  DescribeCommand describe;
  CLI::App& describe_app = *app.add_subcommand(
      "describe", "Show the SoC: memory map, registers and every parameter with unit, default and source");
  auto* described =
      describe_app
          .add_option("scenario", describe.scenario,
                      "Show the values and the plan of this scenario: a file, or the name of a shipped one")
          ->type_name("SCENARIO")
          ->check(not_empty);
  add_set_option(describe_app, sets)->needs("scenario");
  auto* filter = describe_app
                     .add_option("--filter", describe.filter,
                                 "Only keys, registers, regions, tasks, kernels and tensors with TEXT in the name")
                     ->type_name("TEXT")
                     ->check(not_empty);
  auto* tensors = describe_app
                      .add_flag("--tensors", describe.tensors,
                                "The tensors of the scenario's run.weights and run.input: names, types, shapes")
                      ->needs(described);
  auto* json = describe_app.add_flag("--json", describe.json, "Print JSON");
  auto* schema = describe_app.add_flag("--schema", describe.schema, "Print the JSON Schema of scenario files");
  auto* markdown = describe_app.add_flag("--markdown", describe.markdown, "Print all parameters as Markdown tables");
  for (CLI::Option* other : {described, filter, tensors, json}) {
    schema->excludes(other);
    markdown->excludes(other);
  }
  schema->excludes(markdown);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (app.get_subcommands().empty() && argc > 1 && argv[1][0] != '-') throw unknown_command(app, argv[1]);
    return app.exit(error) == 0 ? exit_passed : exit_bad_input;
  }

  const std::vector<Override> overrides = parse_overrides(sets);
  if (run_app.parsed()) {
    run.overrides = overrides;
    keys.append_to(run.overrides);
    return run_command(run, {build, {argv, argv + argc}});
  }
  if (bench_app.parsed()) {
    bench.overrides = overrides;
    return bench_command(bench);
  }
  if (report_app.parsed()) return report_command(report);
  if (compare_app.parsed()) {
    compare.overrides = overrides;
    compare.dense = !no_dense;
    return compare_command(compare);
  }
  if (validate_app.parsed()) return validate_command(files, overrides);
  describe.overrides = overrides;
  return describe_command(describe);
}

}  // namespace

std::string scenario_file(const std::string& given) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const fs::file_status status = fs::status(given, ignored);
  const bool absent = status.type() == fs::file_type::not_found;
  // The command that reads the file reports why it cannot be reached.
  if (!absent && !fs::is_directory(status)) return given;
  const auto shipped = find_resource("scenarios");
  const bool is_name = given.find('/') == std::string::npos && fs::path(given).extension() != ".yaml";
  if (!is_name || !shipped) return given;
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(*shipped, ignored)) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  }
  if (std::find(names.begin(), names.end(), given) != names.end()) return (*shipped / (given + ".yaml")).string();
  if (!absent) return given;
  std::sort(names.begin(), names.end());
  const std::string near = nearest_word(given, names);
  throw InputError(fmt::format("{}: there is no such file, and no shipped scenario of this name{}; shipped are: {}",
                               printable(given), near.empty() ? "" : fmt::format(", did you mean '{}'?", near),
                               fmt::join(names, ", ")));
}

ScenarioOptions scenario_options(const std::vector<Override>& overrides) {
  ScenarioOptions options;
  options.overrides = overrides;
  if (const auto scenarios = find_resource("scenarios")) options.directories.push_back(*scenarios);
  return options;
}

namespace {

int output_failed() {
  print_error("standard output cannot be written");
  return exit_failed;
}

}  // namespace

int command_line(int argc, const char* const* argv, const BuildInfo& build) {
  const Interruption interruption;
  try {
    const int exit_code = dispatch(argc, argv, build);
    return std::fflush(stdout) == 0 && std::ferror(stdout) == 0 ? exit_code : output_failed();
  } catch (const InputError& error) {
    print_error(error.what());
    return exit_bad_input;
  } catch (const std::bad_alloc&) {
    print_error("the host has no more memory for this; make the network or the machine smaller, or raise the limit");
    return exit_failed;
  } catch (const std::exception& error) {
    // fmt::print throws where the other output functions of the standard library set an error flag.
    const bool of_output = dynamic_cast<const std::system_error*>(&error) != nullptr && std::ferror(stdout) != 0;
    if (of_output) return output_failed();
    print_error(error.what());
    return exit_failed;
  }
}

}  // namespace bvp
