// SPDX-License-Identifier: Apache-2.0
// Transforms of lengths that are no powers of two: on the array they compute the values of the fp16 reference, for
// every length, on every machine.
#include <catch2/catch.hpp>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "platform/network/half.h"
#include "platform/network/safetensors.h"
#include "platform/run/compile_scenario.h"
#include "platform/run/run.h"
#include "platform/scenario/scenario.h"
#include "platform/support/temporary_path.h"

namespace {

using namespace bvp;

std::unique_ptr<Scenario> scenario_of(const std::string& network, const std::vector<std::string>& settings) {
  const std::string text = "network: {" + network +
                           ", heads: 1, ffn: 48, layers: [{mixing: fft2d, ffn: butterfly}, {mixing: fft2d, ffn: "
                           "butterfly}]}\n";
  ScenarioOptions options;
  for (const std::string& setting : settings) options.overrides.push_back(parse_override(setting));
  return read_scenario_text(text, "transform.yaml", options);
}

struct Case {
  std::string network;
  u64 token_points, hidden_points;  // of the power-of-two transforms in it
  std::vector<std::string> settings;
};

void check(const Case& c) {
  for (const char* fidelity : {"cycle", "fast"}) {
    std::vector<std::string> settings = c.settings;
    settings.push_back(std::string("run.fidelity=") + fidelity);
    std::string all = c.network;
    for (const std::string& setting : settings) all += " " + setting;
    INFO(all);
    const auto scenario = scenario_of(c.network, settings);
    const CompiledNetwork plan = plan_scenario(*scenario);
    CHECK(plan.fft == FftForm::complex);
    CHECK(plan.exact.tokens == c.token_points);
    CHECK(plan.exact.hidden == c.hidden_points);
    const RunResult run = run_scenario(*scenario, {});
    CHECK(run.failure == "");
    CHECK(run.verification.bit_exact);
    CHECK(run.not_finite.kernels.empty());
  }
}

}  // namespace

TEST_CASE("transforms with a power of two in their lengths", "[exact_fft]") {
  // Lengths of both dimensions that are powers of two or not, several parts, one stage and several, tails of tiles and
  // of strips, batches, both norms on both sides of a layer norm, machines of all shapes.
  const std::vector<Case> cases{
      {"tokens: 96, hidden: 96", 32, 32, {}},
      {"tokens: 40, hidden: 192, norm: pre", 8, 64, {}},
      {"tokens: 64, hidden: 96, fft_norm: none", 0, 32, {}},
      {"tokens: 96, hidden: 64, fft_norm: none, norm: pre", 32, 0, {"verify.tolerance=1", "verify.row_tolerance=1"}},
      {"tokens: 20, hidden: 80, batch: 3", 1, 16, {"soc.array.lanes=16"}},
      {"tokens: 6, hidden: 120, batch: 2, norm: pre", 1, 8, {"soc.array.lanes=8", "soc.array.rows=2"}},
      {"tokens: 200, hidden: 1536", 8, 512, {}},
      {"tokens: 1536, hidden: 24", 512, 8, {"soc.array.lanes=4", "soc.array.columns=2", "soc.array.rows=1"}},
      {"tokens: 36, hidden: 36", 4, 4, {"soc.array.lanes=2", "soc.array.rows=2", "soc.array.columns=2"}},
      {"tokens: 48, hidden: 448, fft_norm: none", 16, 1, {"soc.array.lanes=64", "soc.array.rows=8"}},
      {"tokens: 48, hidden: 96", 16, 32, {"compiler.streaming=false", "compiler.fusion=false"}},
      {"tokens: 48, hidden: 96, norm: pre", 16, 32, {"compiler.method=published"}},
      {"tokens: 48, hidden: 96", 1, 32, {"compiler.layer_overlap=false", "compiler.ping_pong=false"}}};
  for (const Case& c : cases) check(c);
}

TEST_CASE("transforms that are products with matrices of cosines and sines", "[exact_fft]") {
  const std::vector<Case> cases{
      {"tokens: 37, hidden: 45", 1, 1, {}},
      {"tokens: 3, hidden: 2", 1, 0, {"verify.row_tolerance=1"}},
      {"tokens: 1, hidden: 7, norm: pre", 0, 1, {}},
      {"tokens: 16, hidden: 15, batch: 2", 0, 1, {}},
      {"tokens: 15, hidden: 16, batch: 3, fft_norm: none", 1, 0, {}},
      {"tokens: 53, hidden: 75, fft_norm: none, norm: pre", 1, 1, {"verify.tolerance=1", "verify.row_tolerance=1"}},
      {"tokens: 31, hidden: 33, batch: 2", 1, 1, {"soc.scratchpad.column_access=false"}},
      {"tokens: 31, hidden: 33", 1, 1, {"soc.array.lanes=8", "soc.pe.operand_vectors=32", "soc.pe.accumulators=4"}},
      {"tokens: 129, hidden: 90", 1, 1, {"soc.scratchpad.size_bytes=8192", "soc.array.lanes=64"}},
      {"tokens: 129, hidden: 90, batch: 2", 1, 1, {"soc.scratchpad.size_bytes=16384", "compiler.tile_rows=32"}}};
  for (const Case& c : cases) check(c);
}

TEST_CASE("a transform without a norm does not leave the range of fp16", "[exact_fft]") {
  // A mean of 4 makes a sum of 4 x 96 x 192 = 73,728, beyond the largest fp16 number.
  Tensor input{{1, 96, 192}, {}};
  std::mt19937 random(1);
  std::normal_distribution<double> normal(4, 1);
  for (std::size_t i = 0; i < std::size_t{96} * 192; ++i) input.data.push_back(to_half(normal(random)));
  const TemporaryPath file(std::filesystem::temp_directory_path() / ("bvp_exact_" + random_name()));
  write_safetensors(file.path(), {{"input", input}});
  const auto scenario = scenario_of("tokens: 96, hidden: 192, fft_norm: none",
                                    {"run.fidelity=fast", "run.input=" + file.path().string()});
  const RunResult run = run_scenario(*scenario, {});
  CHECK(run.failure == "");
  CHECK(run.verification.bit_exact);
  CHECK(run.verification.relative_error < 5e-3);
}
