// SPDX-License-Identifier: Apache-2.0
// Networks whose butterflies leave out blocks without inputs or outputs, and whose FFTs take their factors apart, as
// whole runs: the bits of the fp16 reference, those of the whole butterflies, and fewer cycles.
#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "platform/run/run.h"
#include "platform/scenario/scenario.h"

namespace {

using namespace bvp;

/// 192 of 256 inputs and 768 of 1,024; 192 of 1,024 outputs.
const char* const text = R"(
network:
  tokens: 96
  hidden: 192
  heads: 2
  ffn: 768
  fft_length: power_of_two
  layers:
    - {mixing: attention, projections: butterfly, ffn: butterfly}
    - {mixing: fft2d, ffn: butterfly}
)";

RunResult run(std::vector<std::string> settings) {
  ScenarioOptions options;
  for (const std::string& setting : settings) options.overrides.push_back(parse_override(setting));
  return run_scenario(*read_scenario_text(text, "blocks.yaml", options), {});
}

/// The kernels that work block by block, by their layers, blocks and kept blocks.
std::vector<std::string> block_kernels(const RunResult& result) {
  std::vector<std::string> found;
  for (const auto& kernel : result.plan.at("kernels")) {
    const auto mapping = kernel.at("mapping").get<std::string>();
    if (mapping.find("blocks to") == std::string::npos) continue;
    found.push_back(kernel.at("name").get<std::string>() + ": " + mapping);
  }
  return found;
}

}  // namespace

TEST_CASE("block layers: every activation and form of butterflies has the bits of the reference", "[run]") {
  for (const char* activation : {"gelu", "gelu_tanh", "relu", "tanh"}) {
    for (const char* butterflies : {"normalised", "pairs"}) {
      INFO(activation << ' ' << butterflies);
      const RunResult result = run({"run.fidelity=fast", fmt::format("network.activation={}", activation),
                                    fmt::format("compiler.butterflies={}", butterflies)});
      CHECK(result.failure.empty());
      CHECK(result.verification.bit_exact);
      const std::vector<std::string> kernels = block_kernels(result);
      CAPTURE(kernels);
      const auto names = [&](const char* name) {
        return std::any_of(kernels.begin(), kernels.end(),
                           [&](const std::string& kernel) { return kernel.find(name) != std::string::npos; });
      };
      CHECK(names("ffn.down"));
    }
  }
}

TEST_CASE("block layers: on every machine, in both fidelities", "[run]") {
  for (const std::vector<std::string>& machine :
       {std::vector<std::string>{"soc.array.rows=2", "soc.array.columns=2", "soc.array.lanes=8"},
        {"soc.array.rows=8", "soc.array.columns=8", "soc.array.lanes=4"},
        {"soc.array.rows=1", "soc.array.columns=1", "soc.array.lanes=64"},
        {"soc.array.rows=3", "soc.array.columns=5", "compiler.exchange_by_half=false"},
        {"soc.array.lanes=16", "soc.pe.operand_vectors=64", "compiler.weight_residency=false"},
        {"soc.scratchpad.size_bytes=65536", "soc.array.lanes=16"},
        {"soc.scratchpad.column_access=false", "compiler.streaming=false"},
        {"soc.pe.instruction_store=21"},
        {"soc.array.lanes=2", "network.ffn=13", "network.activation=gelu_tanh", "compiler.butterflies=pairs"},
        {"soc.array.lanes=1", "network.tokens=24"},
        {"soc.pe.swapping_fma=false"}}) {
    for (const char* fidelity : {"cycle", "fast"}) {
      INFO(fmt::format("{} {}", fmt::join(machine, " "), fidelity));
      std::vector<std::string> settings = machine;
      settings.push_back(fmt::format("run.fidelity={}", fidelity));
      const RunResult result = run(settings);
      CHECK(result.failure.empty());
      CHECK(result.verification.bit_exact);
    }
  }
}

TEST_CASE("block layers: they cost less than what they leave out, and change no bits", "[run]") {
  const std::vector<std::string> base{"run.fidelity=cycle", "network.tokens=256"};
  const auto with = [&](const char* setting) {
    std::vector<std::string> settings = base;
    settings.emplace_back(setting);
    return run(settings);
  };
  const RunResult pruned = run(base), whole = with("compiler.pruning=false");
  CHECK(block_kernels(whole).empty());
  CHECK_FALSE(block_kernels(pruned).empty());
  CHECK(pruned.verification.bit_exact);
  CHECK(whole.verification.bit_exact);
  CHECK(static_cast<double>(pruned.cycles) < 0.95 * static_cast<double>(whole.cycles));
  CHECK(pruned.energy.total_j < whole.energy.total_j);
}

TEST_CASE("factors by ratios: fewer cycles and no larger errors than products", "[run]") {
  const std::vector<std::string> base{"network.tokens=256", "network.hidden=256",
                                      "network.layers=[{mixing: fft2d, ffn: butterfly}]"};
  for (const char* fidelity : {"cycle", "fast"}) {
    for (const char* form : {"real", "complex"}) {
      INFO(fidelity << ' ' << form);
      std::vector<std::string> ratios = base;
      ratios.push_back(fmt::format("run.fidelity={}", fidelity));
      ratios.push_back(fmt::format("compiler.fft={}", form));
      std::vector<std::string> products = ratios;
      products.emplace_back("compiler.twiddles=products");
      const RunResult with = run(ratios), without = run(products);
      CHECK(with.plan.at("twiddles") == "ratios");
      CHECK(without.plan.at("twiddles") == "products");
      CHECK(with.verification.bit_exact);
      CHECK(without.verification.bit_exact);
      CHECK(static_cast<double>(with.cycles) < 0.99 * static_cast<double>(without.cycles));
      CHECK(with.verification.relative_error < 1.1 * without.verification.relative_error);
    }
  }
}
