// SPDX-License-Identifier: Apache-2.0
// Networks whose butterflies are in normal form, as whole runs: the bits of the fp16 reference in both fidelities, what
// the plan says, and machines that compute in pairs.
#include <fmt/format.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "platform/network/half.h"
#include "platform/network/safetensors.h"
#include "platform/network/weights.h"
#include "platform/report/summary.h"
#include "platform/run/run.h"
#include "platform/scenario/scenario.h"

namespace {

using namespace bvp;
namespace fs = std::filesystem;

const char* const text = R"(
network:
  tokens: 40
  hidden: 96
  heads: 2
  ffn: 200
  fft_length: power_of_two
  layers:
    - {mixing: attention, projections: butterfly, ffn: butterfly}
    - {mixing: fft2d, ffn: butterfly}
)";

std::unique_ptr<Scenario> scenario_of(const std::vector<std::string>& settings) {
  ScenarioOptions options;
  for (const std::string& setting : settings) options.overrides.push_back(parse_override(setting));
  return read_scenario_text(text, "normal.yaml", options);
}

RunResult run(const std::vector<std::string>& settings) { return run_scenario(*scenario_of(settings), {}); }

std::string form_of(const RunResult& result) { return result.plan.at("butterflies"); }

/// A file of weights that is deleted again.
class WeightsFile {
 public:
  explicit WeightsFile(const TensorMap& weights)
      : path_(fs::temp_directory_path() / fmt::format("bvp_normal_{}.safetensors", getpid())) {
    write_safetensors(path_, weights);
  }
  ~WeightsFile() { fs::remove(path_); }
  WeightsFile(const WeightsFile&) = delete;
  WeightsFile& operator=(const WeightsFile&) = delete;
  [[nodiscard]] std::string setting() const { return "run.weights=" + path_.string(); }

 private:
  fs::path path_;
};

/// Weights of which some pairs are so small that factors pay, some rows are 0 and some are swapped.
TensorMap uneven_weights(const Network& network) {
  TensorMap weights = random_weights(network, 5);
  for (auto& [name, tensor] : weights) {
    if (name.find("twiddle") == std::string::npos) continue;
    for (std::size_t i = 0; i < tensor.data.size(); ++i) {
      const std::size_t pair = i / 4;
      if (pair % 7 == 0) tensor.data[i] = to_half(from_half(tensor.data[i]) * 2e-3);
      if (pair % 11 == 0 && i % 4 >= 2) tensor.data[i] = 0;
    }
  }
  return weights;
}

const std::vector<std::vector<std::string>>& machines() {
  static const std::vector<std::vector<std::string>> all{
      {},
      {"soc.array.rows=2", "soc.array.columns=2", "soc.array.lanes=8"},
      {"soc.array.rows=8", "soc.array.columns=8", "soc.array.lanes=4"},
      {"soc.array.rows=1", "soc.array.columns=1", "soc.array.lanes=64"},
      {"soc.array.rows=3", "soc.array.columns=5", "compiler.exchange_by_half=false"},
      {"soc.array.lanes=16", "soc.pe.operand_vectors=64", "compiler.weight_residency=false"},
      {"soc.scratchpad.size_bytes=8192", "soc.array.lanes=16"},  // passes over DRAM
      {"soc.scratchpad.column_access=false", "compiler.layer_overlap=false"},
      {"compiler.stage_points=8", "soc.pe.contexts=1"},
  };
  return all;
}

}  // namespace

TEST_CASE("normal form: networks have the bits of the reference on every machine", "[run]") {
  for (const std::vector<std::string>& machine : machines()) {
    for (const char* fidelity : {"cycle", "fast"}) {
      for (const char* activation : {"gelu", "relu"}) {
        INFO(fmt::format("{} {} {}", fmt::join(machine, " "), fidelity, activation));
        std::vector<std::string> settings = machine;
        settings.push_back(fmt::format("run.fidelity={}", fidelity));
        settings.push_back(fmt::format("network.activation={}", activation));
        const RunResult result = run(settings);
        CHECK(result.failure.empty());
        CHECK(result.verification.bit_exact);
        CHECK(result.verification.relative_error < 2e-3);
        CHECK(form_of(result) == "normalised");
      }
    }
  }
}

TEST_CASE("normal form: factors that pay have the bits of the reference", "[run]") {
  const WeightsFile weights(uneven_weights(scenario_of({})->network));
  for (const std::vector<std::string>& machine : machines()) {
    for (const char* fidelity : {"cycle", "fast"}) {
      INFO(fmt::format("{} {}", fmt::join(machine, " "), fidelity));
      std::vector<std::string> settings = machine;
      settings.insert(settings.end(),
                      {fmt::format("run.fidelity={}", fidelity), weights.setting(), "verify.tolerance=1",
                       "verify.row_tolerance=1", "verify.end_to_end_tolerance=1"});
      const RunResult result = run(settings);
      CHECK(result.failure.empty());
      CHECK(result.verification.bit_exact);
      CHECK(form_of(result) == "normalised");
      bool pays = false;
      for (const auto& kernel : result.plan.at("kernels")) {
        pays = pays || kernel.at("mapping").get<std::string>().find("with all weights") != std::string::npos;
      }
      CHECK(pays);
    }
  }
}

TEST_CASE("normal form: it takes fewer cycles and less energy than pairs", "[run]") {
  for (const char* fidelity : {"cycle", "fast"}) {
    const std::vector<std::string> larger{fmt::format("run.fidelity={}", fidelity), "network.tokens=256",
                                          "network.hidden=256", "network.ffn=512"};
    std::vector<std::string> in_pairs = larger;
    in_pairs.push_back("compiler.butterflies=pairs");
    const RunResult normal = run(larger), pairs = run(in_pairs);
    CHECK(form_of(pairs) == "pairs");
    CHECK(static_cast<double>(normal.cycles) < 0.95 * static_cast<double>(pairs.cycles));
    CHECK(normal.energy.total_j < 0.95 * pairs.energy.total_j);
    CHECK(normal.verification.relative_error < 1.05 * pairs.verification.relative_error);
  }
}

TEST_CASE("normal form: machines that cannot compute in pairs, and say why", "[run]") {
  const RunResult without = run({"soc.pe.swapping_fma=false"});
  CHECK(without.verification.bit_exact);
  CHECK(form_of(without) == "pairs");
  CHECK(without.plan.at("not_normalised_because").get<std::string>().find("soc.pe.swapping_fma") != std::string::npos);
  const RunResult published = run({"compiler.method=published"});
  CHECK(published.verification.bit_exact);
  CHECK(form_of(published) == "pairs");
  CHECK(published.plan.at("not_normalised_because") == "");
}
