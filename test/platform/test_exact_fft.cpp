// SPDX-License-Identifier: Apache-2.0
// Transforms of lengths that are no powers of two: on the array they compute the values of the fp16 reference, for
// every length, on every machine.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "platform/network/half.h"
#include "platform/network/safetensors.h"
#include "platform/run/compile_scenario.h"
#include "platform/run/run.h"
#include "platform/scenario/scenario.h"
#include "platform/support/input_error.h"
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

/// The points of the power-of-two transforms in those of a plan.
struct Points {
  u64 tokens, hidden;
};
struct Case {
  std::string network;
  Points complex;
  std::optional<Points> real;  // absent: there is no real form
  std::vector<std::string> settings;
};

/// Runs the network in both fidelities. `points`: absent where there is no such form, and the complex one is taken.
void check(const std::string& network, std::vector<std::string> settings, FftForm form,
           const std::optional<Points>& points) {
  settings.push_back(form == FftForm::real ? "compiler.fft=real" : "compiler.fft=complex");
  for (const char* fidelity : {"cycle", "fast"}) {
    std::vector<std::string> all = settings;
    all.push_back(std::string("run.fidelity=") + fidelity);
    INFO(network << " " << fmt::format("{}", fmt::join(all, " ")));
    const auto scenario = scenario_of(network, all);
    const CompiledNetwork plan = plan_scenario(*scenario);
    CHECK((plan.fft == form) == points.has_value());
    CHECK(plan.not_real_because.empty() == (plan.fft == FftForm::real));
    if (points) {
      CHECK(plan.exact.tokens == points->tokens);
      CHECK(plan.exact.hidden == points->hidden);
    }
    const RunResult run = run_scenario(*scenario, {});
    CHECK(run.failure == "");
    CHECK(run.verification.bit_exact);
    CHECK(run.not_finite.kernels.empty());
  }
}

void check(const Case& c) {
  check(c.network, c.settings, FftForm::complex, c.complex);
  check(c.network, c.settings, FftForm::real, c.real);
}

}  // namespace

TEST_CASE("transforms with a power of two in their lengths", "[exact_fft]") {
  // Lengths of both dimensions that are powers of two or not, several parts, one stage and several, tails of tiles and
  // of strips, batches, both norms on both sides of a layer norm, machines of all shapes.
  const std::vector<Case> cases{
      {"tokens: 96, hidden: 96", {32, 32}, Points{1, 32}, {}},  // three panels
      {"tokens: 40, hidden: 192, norm: pre", {8, 64}, Points{8, 64}, {}},
      {"tokens: 64, hidden: 96, fft_norm: none", {0, 32}, {}, {}},
      {"tokens: 64, hidden: 192, fft_norm: none", {0, 64}, Points{0, 64}, {}},
      {"tokens: 96, hidden: 64, fft_norm: none, norm: pre",
       {32, 0},
       Points{32, 0},
       {"verify.tolerance=1", "verify.row_tolerance=1"}},
      {"tokens: 20, hidden: 80, batch: 3", {1, 16}, Points{1, 16}, {"soc.array.lanes=16"}},
      {"tokens: 6, hidden: 120, batch: 2, norm: pre", {1, 8}, Points{1, 8}, {"soc.array.lanes=8", "soc.array.rows=2"}},
      // Seven panels in each half, of which several go through an instance, behind all other memory.
      {"tokens: 6, hidden: 224, norm: pre",
       {1, 1},
       Points{2, 32},
       {"soc.array.lanes=16", "soc.array.columns=1", "soc.scratchpad.size_bytes=65536"}},
      {"tokens: 200, hidden: 1536", {8, 512}, Points{8, 512}, {}},
      {"tokens: 1536, hidden: 24",
       {512, 8},
       Points{512, 8},
       {"soc.array.lanes=4", "soc.array.columns=2", "soc.array.rows=1"}},
      {"tokens: 36, hidden: 36",
       {4, 4},
       Points{4, 4},
       {"soc.array.lanes=2", "soc.array.rows=2", "soc.array.columns=2"}},
      {"tokens: 48, hidden: 448, fft_norm: none", {16, 1}, {}, {"soc.array.lanes=64", "soc.array.rows=8"}},
      {"tokens: 48, hidden: 192", {16, 64}, Points{16, 64}, {"compiler.streaming=false", "compiler.fusion=false"}},
      {"tokens: 48, hidden: 96, norm: pre", {16, 32}, {}, {"compiler.method=published"}},
      {"tokens: 48, hidden: 192",
       {1, 64},
       Points{16, 64},
       {"compiler.layer_overlap=false", "compiler.ping_pong=false"}}};
  for (const Case& c : cases) check(c);
}

TEST_CASE("transforms that are products with matrices of cosines and sines", "[exact_fft]") {
  const std::vector<Case> cases{
      {"tokens: 37, hidden: 45", {1, 1}, {}, {}},
      {"tokens: 37, hidden: 64, batch: 2", {1, 0}, Points{1, 0}, {}},
      {"tokens: 3, hidden: 2", {1, 0}, {}, {"verify.row_tolerance=1"}},
      {"tokens: 1, hidden: 7, norm: pre", {0, 1}, {}, {}},
      {"tokens: 16, hidden: 15, batch: 2", {0, 1}, {}, {}},
      {"tokens: 15, hidden: 16, batch: 3, fft_norm: none", {1, 0}, {}, {}},
      {"tokens: 53, hidden: 75, fft_norm: none, norm: pre",
       {1, 1},
       {},
       {"verify.tolerance=1", "verify.row_tolerance=1"}},
      {"tokens: 31, hidden: 33, batch: 2", {1, 1}, {}, {"soc.scratchpad.column_access=false"}},
      {"tokens: 31, hidden: 33",
       {1, 1},
       {},
       {"soc.array.lanes=8", "soc.pe.operand_vectors=32", "soc.pe.accumulators=4"}},
      {"tokens: 129, hidden: 90", {1, 1}, {}, {"soc.scratchpad.size_bytes=8192", "soc.array.lanes=64"}},
      {"tokens: 129, hidden: 90, batch: 2", {1, 1}, {}, {"soc.scratchpad.size_bytes=16384", "compiler.tile_rows=32"}}};
  for (const Case& c : cases) check(c);
}

namespace {

/// A network whose tokens and values are no powers of two, on a machine of any shape; made from its number alone.
class RandomTransform {
 public:
  explicit RandomTransform(u64 number) : random_(number) {
    const u64 lanes = one_of({4, 8, 16, 32}), odd = 2 * below(4) + 1;
    // Whole panels in most cases, which the real form asks for.
    const u64 hidden = below(8) == 0 ? 2 + below(200) : odd * lanes * one_of({1, 2, 2, 4, 4});
    const u64 tokens = below(3) == 0 ? 3 + below(200) : (2 * below(12) + 1) * one_of({2, 4, 8, 16});
    network_ = fmt::format("tokens: {}, hidden: {}, batch: {}, norm: {}, fft_norm: {}", tokens, hidden,
                           below(3) == 0 ? 2 : 1, below(2) == 0 ? "pre" : "post", below(2) == 0 ? "ortho" : "none");
    settings_ = {fmt::format("soc.array.lanes={}", lanes),
                 fmt::format("soc.array.rows={}", one_of({1, 2, 4, 5})),
                 fmt::format("soc.array.columns={}", one_of({1, 2, 4})),
                 "verify.tolerance=1",
                 "verify.row_tolerance=1",
                 "verify.end_to_end_tolerance=1"};
    sometimes("soc.scratchpad.size_bytes", {65536, 131072, 262144, 1048576});
    sometimes("soc.pe.operand_vectors", {96, 128, 192, 512});
    sometimes("soc.pe.accumulators", {8, 20});
    for (const char* technique : {"residency", "fusion", "streaming", "layer_overlap"}) {
      if (below(5) == 0) settings_.push_back(fmt::format("compiler.{}=false", technique));
    }
  }
  [[nodiscard]] const std::string& network() const { return network_; }
  [[nodiscard]] const std::vector<std::string>& settings() const { return settings_; }

 private:
  u64 below(u64 limit) { return std::uniform_int_distribution<u64>(0, limit - 1)(random_); }
  u64 one_of(std::initializer_list<u64> values) { return *(values.begin() + below(values.size())); }
  void sometimes(const char* key, std::initializer_list<u64> values) {
    if (below(3) == 0) settings_.push_back(fmt::format("{}={}", key, one_of(values)));
  }

  std::mt19937_64 random_;
  std::string network_;
  std::vector<std::string> settings_;
};

/// Runs random cases in the real form in both fidelities, or in the complex one where there is no real one.
void check_random(u64 first, u64 end) {
  u64 real = 0;
  for (u64 number = first; number < end; ++number) {
    const RandomTransform random(number);
    for (const char* fidelity : {"cycle", "fast"}) {
      std::vector<std::string> settings = random.settings();
      settings.push_back("compiler.fft=real");
      settings.push_back(std::string("run.fidelity=") + fidelity);
      INFO("case " << number << ": " << random.network() << " " << fmt::format("{}", fmt::join(settings, " ")));
      try {
        const auto scenario = scenario_of(random.network(), settings);
        const RunResult run = run_scenario(*scenario, {});
        CHECK(run.verification.bit_exact);
        real += plan_scenario(*scenario).fft == FftForm::real ? 1 : 0;
      } catch (const InputError& error) {
        // A norm needs more operand memory than some machines have.
        CHECK_THAT(error.what(), Catch::Matchers::Contains("soc.pe."));
      }
    }
  }
  INFO(real / 2 << " of " << end - first << " in the real form");
  CHECK(real > end - first);
}

}  // namespace

TEST_CASE("a sample of random exact lengths on random machines", "[exact_fft]") { check_random(0, 16); }
TEST_CASE("random exact lengths on random machines", "[exact_fft][.nightly]") { check_random(16, 416); }

TEST_CASE("the real form of an exact length takes little more than half of the work of the complex one",
          "[exact_fft]") {
  const auto issues = [](const char* form) {
    const auto scenario = scenario_of("tokens: 512, hidden: 768",
                                      {std::string("compiler.fft=") + form, "run.fidelity=fast", "run.data=false"});
    u64 slots = 0;
    for (const KernelRow& kernel : run_scenario(*scenario, {}).kernels) {
      if (kernel.name.find("fft") != std::string::npos) slots += kernel.issue_slots.at("cal");
    }
    return static_cast<double>(slots);
  };
  const double real = issues("real"), complex = issues("complex");
  CHECK(real < 0.62 * complex);
  CHECK(real > 0.5 * complex);
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
