// SPDX-License-Identifier: Apache-2.0
// Speed of the simulation against native execution, and the signature of what it computes.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "platform/scenario/scenario.h"

namespace bvp {

/// A scenario whose speed is measured.
struct Workload {
  std::string name;
  std::string scenario;  ///< path of the scenario
  std::vector<Override> overrides;
};

/// All-butterfly BERT-Base at 512 tokens, a dense layer of it, the main scenario, and series over tokens, hidden size
/// and PEs. The first one is the headline of bench.json.
[[nodiscard]] std::vector<Workload> default_workloads(bool series);

/// Makes bench.json. Each workload is run natively (the fp16 reference on one thread) and simulated: with fidelity
/// `cycle`, with `fast`, and with both without data. Each simulation is a process of its own, so that
/// `peak_memory_bytes` is its own. Short workloads are run up to three times; the quickest run counts.
/// @param progress  receives what is being measured
[[nodiscard]] nlohmann::json run_bench(const std::vector<Workload>& workloads, const ScenarioOptions& options,
                                       const std::function<void(const std::string&)>& progress);

/// GFLOP/s of the native reference beside FFTW and OpenBLAS, as bvp-native prints them; {"error": reason} if it fails.
[[nodiscard]] nlohmann::json native_quality();
/// Speed of single components: instructions of the CPU and requests to the DRAM, per host second.
[[nodiscard]] nlohmann::json component_speeds();

/// One number folded from outputs, cycles and energy of a few small fixed scenarios.
[[nodiscard]] u64 signature();

}  // namespace bvp
