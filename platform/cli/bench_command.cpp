// SPDX-License-Identifier: Apache-2.0
// Defines the command `butterfly-vp bench`.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "platform/bench/bench.h"
#include "platform/cli/commands.h"
#include "platform/support/json_text.h"
#include "platform/support/output_file.h"
#include "platform/support/seal.h"

namespace bvp {
namespace {

struct BenchCommand {
  std::vector<std::string> scenarios;  ///< empty: the default workloads
  std::vector<Override> overrides;
  std::string out = "bench.json";
  /// A file with one JSON document per line, to which the result is appended as history; empty: none.
  std::string append;
  bool signature = false;
  bool series = false;
};

struct Given {
  BenchCommand command;
  std::vector<std::string> sets;
};

using Json = nlohmann::json;

std::string figure(const Json& entry, const char* key, const char* format) {
  if (!entry.contains(key)) return "-";
  return fmt::format(fmt::runtime(format), entry[key].get<double>());
}

void print_table(const Json& result) {
  fmt::print("{:<28}{:>9}{:>10}{:>9}{:>8}{:>12}{:>9}{:>9}{:>14}{:>13}\n", "workload", "native s", "cycle s", "/native",
             "Mcyc/s", "memory MiB", "fast s", "/native", "cycle n.d. s", "fast n.d. s");
  for (const auto& [name, entry] : result["workloads"].items()) {
    const Json &cycle = entry["cycle"], &fast = entry["fast"];
    const auto scaled = [](const Json& run, const char* key, double scale) {
      return run.contains(key) ? fmt::format("{:.1f}", run[key].get<double>() * scale) : std::string("-");
    };
    fmt::print("{:<28}{:>9}{:>10}{:>9}{:>8}{:>12}{:>9}{:>9}{:>14}{:>13}\n", name,
               figure(entry, "native_seconds", "{:.3f}"), figure(cycle, "host_seconds", "{:.3f}"),
               figure(cycle, "native_ratio", "{:.1f}"), scaled(cycle, "cycles_per_host_second", 1e-6),
               scaled(cycle, "peak_memory_bytes", 1.0 / (1 << 20)), figure(fast, "host_seconds", "{:.3f}"),
               figure(fast, "native_ratio", "{:.1f}"), figure(entry["cycle_no_data"], "host_seconds", "{:.3f}"),
               figure(entry["fast_no_data"], "host_seconds", "{:.3f}"));
    if (entry.contains("native_error")) {
      fmt::print("  native: not available: {}\n", entry["native_error"].get<std::string>());
    }
    for (const char* kind : {"cycle", "fast", "cycle_no_data", "fast_no_data"}) {
      if (entry[kind].contains("error")) {
        fmt::print("  {}: not available: {}\n", kind, entry[kind]["error"].get<std::string>());
      }
    }
  }
}

/// Measurements that have no figures.
std::size_t failures(const Json& result) {
  std::size_t count = 0;
  for (const Json& entry : result["workloads"]) {
    count += entry.contains("native_error") ? 1 : 0;
    for (const Json& part : entry) count += part.is_object() && part.contains("error") ? 1 : 0;
  }
  return count;
}

void print_native_quality(const Json& quality) {
  if (quality.contains("error")) {
    fmt::print("native quality: not available: {}\n", quality["error"].get<std::string>());
  }
  for (const Json& fft : quality.value("fft", Json::array())) {
    fmt::print("native FFT of {} points: {:.1f} GFLOP/s, FFTW {:.1f}\n", fft["points"].get<u64>(),
               fft["reference_gflop_per_s"].get<double>(), fft["fftw_gflop_per_s"].get<double>());
  }
  for (const Json& dense : quality.value("dense", Json::array())) {
    fmt::print("native dense {} -> {}: {:.1f} GFLOP/s, OpenBLAS {:.1f}\n", dense["inputs"].get<u64>(),
               dense["outputs"].get<u64>(), dense["reference_gflop_per_s"].get<double>(),
               dense["openblas_gflop_per_s"].get<double>());
  }
}

void print_components(const Json& components) {
  for (const auto& [name, speed] : components.items()) {
    for (const auto& [key, value] : speed.items()) {
      if (key.find("per_host_second") == std::string::npos) continue;
      fmt::print("{}: {:.1f} million {}\n", name, value.get<double>() * 1e-6, key);
    }
  }
}

void check_outputs(const BenchCommand& command, const InputFiles& inputs) {
  check_replaceable(command.out, inputs, Sealed::benchmark);
  if (command.append.empty()) return;
  check_writable(command.append);
  check_not_read(command.append, inputs);
}

std::vector<Workload> workloads_of(const BenchCommand& command) {
  std::vector<Workload> workloads;
  for (const std::string& name : command.scenarios) {
    const std::string file = scenario_file(name);
    std::error_code ignored;
    const std::filesystem::file_status status = std::filesystem::status(file, ignored);
    if (std::filesystem::is_other(status)) {
      throw InputError(fmt::format("{}: is no regular file; a scenario that is measured is read more than once", file));
    }
    const auto scenario = read_scenario(file, scenario_options(command.overrides));
    check_outputs(command, inputs_of(*scenario));
    check_inputs(*scenario);
    workloads.push_back({scenario->name, file, command.overrides});
  }
  return workloads.empty() ? default_workloads(command.series) : workloads;
}

int bench_command(const BenchCommand& command) {
  if (command.signature) {
    fmt::print("{:016x}\n", signature());
    return exit_passed;
  }
  check_outputs(command, {});
  const std::vector<Workload> workloads = workloads_of(command);
  const auto progress = [](const std::string& what) { say(what + "\n"); };
  Json result = run_bench(workloads, scenario_options({}), progress);
  if (command.scenarios.empty()) {
    progress("native reference beside FFTW and OpenBLAS");
    result["native_quality"] = native_quality();
    progress("components");
    result["components"] = component_speeds();
  }
  print_table(result);
  if (result.contains("native_quality")) print_native_quality(result["native_quality"]);
  if (result.contains("components")) print_components(result["components"]);
  // Only this file gets a seal: in the history file the result is one line of many.
  nlohmann::json whole = result;
  whole["seal"] = seal_blank(Sealed::benchmark);
  write_file(command.out, sealed(json_text(whole), Sealed::benchmark));
  if (!command.append.empty()) append_to_file(command.append, json_text(result, -1));
  fmt::print("results in {}\n", command.out);
  const std::size_t failed = failures(result);
  if (failed != 0) print_error(fmt::format("measurements that failed: {}", failed));
  return failed == 0 ? exit_passed : exit_failed;
}

}  // namespace

void add_bench_command(CommandLine& line) {
  const auto given = std::make_shared<Given>();
  CLI::App& app = *line.app.add_subcommand("bench", "Measure the simulation's speed against native execution");
  auto* scenarios = app.add_option("scenarios", given->command.scenarios,
                                   "Scenario files, or names of shipped ones (default: a fixed set)")
                        ->type_name("SCENARIO");
  add_set_option(app, given->sets)->needs("scenarios");
  auto* bench_out = app.add_option("--out", given->command.out, "File for the figures (default: bench.json)")
                        ->type_name("FILE")
                        ->check(not_empty());
  auto* append = app.add_option("--append", given->command.append, "Also add them as a line to this file")
                     ->type_name("FILE")
                     ->check(not_empty());
  auto* series = app.add_flag("--series", given->command.series, "Also how they grow with tokens, hidden size and PEs")
                     ->excludes(scenarios);
  auto* signature =
      app.add_flag("--signature", given->command.signature,
                   "Only print one number folded from outputs, cycles and energy of small fixed scenarios");
  for (CLI::Option* other : {scenarios, bench_out, append, series}) signature->excludes(other);
  app.final_callback([&line, given] {
    line.selected = [given] {
      given->command.overrides = parse_overrides(given->sets);
      return bench_command(given->command);
    };
  });
}

}  // namespace bvp
