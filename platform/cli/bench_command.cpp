// SPDX-License-Identifier: Apache-2.0
// butterfly-vp bench
#include <fmt/format.h>

#include <fstream>

#include "platform/bench/bench.h"
#include "platform/cli/commands.h"

namespace bvp {
namespace {

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
    for (const char* kind : {"cycle", "fast", "cycle_no_data", "fast_no_data"}) {
      if (entry[kind].contains("error")) {
        fmt::print("  {}: not available: {}\n", kind, entry[kind]["error"].get<std::string>());
      }
    }
  }
}

std::ofstream open(const std::string& path, std::ios::openmode mode) {
  std::ofstream stream(path, mode);
  if (!stream) throw InputError(fmt::format("{}: cannot be written", path));
  return stream;
}

}  // namespace

int bench_command(const BenchCommand& command) {
  if (command.signature) {
    fmt::print("{:016x}\n", signature());
    return exit_passed;
  }
  std::vector<Workload> workloads;
  for (const std::string& scenario : command.scenarios) {
    const auto name = read_scenario(scenario, scenario_options(command.overrides))->name.get();
    workloads.push_back({name, scenario, command.overrides});
  }
  if (workloads.empty()) workloads = default_workloads(command.series);
  std::ofstream out = open(command.out, std::ios::trunc);
  const auto progress = [](const std::string& what) { fmt::print(stderr, "{}\n", what); };
  Json result = run_bench(workloads, scenario_options({}), progress);
  if (command.scenarios.empty()) {
    progress("native reference beside FFTW and OpenBLAS");
    result["native_quality"] = native_quality();
    progress("components");
    result["components"] = component_speeds();
  }
  out << result.dump(2) << '\n';
  if (!command.append.empty()) open(command.append, std::ios::app) << result.dump() << '\n';
  print_table(result);
  if (result.contains("native_quality")) {
    if (result["native_quality"].contains("error")) {
      fmt::print("native quality: not available: {}\n", result["native_quality"]["error"].get<std::string>());
    }
    for (const Json& fft : result["native_quality"].value("fft", Json::array())) {
      fmt::print("native FFT of {} points: {:.1f} GFLOP/s, FFTW {:.1f}\n", fft["points"].get<u64>(),
                 fft["reference_gflop_per_s"].get<double>(), fft["fftw_gflop_per_s"].get<double>());
    }
    for (const Json& dense : result["native_quality"].value("dense", Json::array())) {
      fmt::print("native dense {} -> {}: {:.1f} GFLOP/s, OpenBLAS {:.1f}\n", dense["inputs"].get<u64>(),
                 dense["outputs"].get<u64>(), dense["reference_gflop_per_s"].get<double>(),
                 dense["openblas_gflop_per_s"].get<double>());
    }
  }
  if (result.contains("components")) {
    for (const auto& [name, speed] : result["components"].items()) {
      for (const auto& [key, value] : speed.items()) {
        if (key.find("per_host_second") == std::string::npos) continue;
        fmt::print("{}: {:.1f} million {}\n", name, value.get<double>() * 1e-6, key);
      }
    }
  }
  fmt::print("results in {}\n", command.out);
  return exit_passed;
}

}  // namespace bvp
