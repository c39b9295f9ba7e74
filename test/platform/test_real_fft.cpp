// SPDX-License-Identifier: Apache-2.0
// The real form of the two-dimensional transform: the values that the fp16 reference computes, with half of the work of
// the complex form.
#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "platform/run/compile_scenario.h"
#include "platform/run/run.h"
#include "platform/scenario/scenario.h"

namespace {

using namespace bvp;

std::unique_ptr<Scenario> scenario_of(const std::string& network, const std::vector<std::string>& settings) {
  const std::string text = "network: {" + network +
                           ", heads: 1, ffn: 64, fft_length: power_of_two, layers: [{mixing: fft2d, ffn: butterfly}, "
                           "{mixing: fft2d, ffn: butterfly}]}\n";
  ScenarioOptions options;
  for (const std::string& setting : settings) options.overrides.push_back(parse_override(setting));
  return read_scenario_text(text, "transform.yaml", options);
}

struct Case {
  std::string network;
  std::vector<std::string> settings;
  bool real = true;
};

void check(const Case& c) {
  for (const char* fidelity : {"cycle", "fast"}) {
    std::vector<std::string> settings = c.settings;
    settings.push_back(std::string("run.fidelity=") + fidelity);
    settings.insert(settings.begin(), "compiler.fft=real");
    std::string all = c.network;
    for (const std::string& setting : settings) all += " " + setting;
    INFO(all);
    const auto scenario = scenario_of(c.network, settings);
    CHECK((plan_scenario(*scenario).fft == FftForm::real) == c.real);
    const RunResult run = run_scenario(*scenario, {});
    CHECK(run.failure == "");
    CHECK(run.verification.bit_exact);
  }
}

}  // namespace

TEST_CASE("the real form computes the bits of its reference", "[real_fft]") {
  // Both norms, lengths that are padded along both dimensions, tails of the mirrored rows, several batch elements, one
  // stage and several, tiles of one and of several lane groups, with and without a spectrum that stays.
  const std::vector<Case> cases{
      {"tokens: 128, hidden: 64", {}},
      {"tokens: 128, hidden: 64, norm: pre", {"compiler.residency=false"}},
      {"tokens: 200, hidden: 192, norm: pre", {}},
      {"tokens: 130, hidden: 128, fft_norm: none", {"verify.tolerance=1", "verify.row_tolerance=1"}},
      {"tokens: 96, hidden: 128, batch: 3", {}},
      {"tokens: 256, hidden: 64, batch: 2, norm: pre", {"soc.array.lanes=8", "soc.scratchpad.size_bytes=65536"}},
      {"tokens: 200, hidden: 96", {"soc.array.lanes=16", "soc.scratchpad.size_bytes=131072"}},
      {"tokens: 65, hidden: 40", {"soc.array.lanes=4", "soc.array.rows=2", "soc.array.columns=2"}},
      {"tokens: 512, hidden: 128", {"soc.array.rows=8", "soc.array.columns=8", "compiler.tile_rows=64"}},
      {"tokens: 100, hidden: 256", {"soc.array.lanes=64", "soc.pe.operand_vectors=512"}},
      {"tokens: 64, hidden: 64, norm: pre", {"compiler.fusion=false", "compiler.streaming=false"}},
      {"tokens: 40, hidden: 1024", {"soc.array.lanes=8"}}};
  for (const Case& c : cases) check(c);
}

TEST_CASE("the complex form is used where the real one cannot be, or is not wanted", "[real_fft]") {
  const std::vector<Case> cases{{"tokens: 1, hidden: 64", {}, false},
                                {"tokens: 2, hidden: 128", {}, false},
                                {"tokens: 64, hidden: 96", {}, false},  // three panels
                                {"tokens: 64, hidden: 20", {}, false},
                                {"tokens: 128, hidden: 64", {"soc.scratchpad.column_access=false"}, false},
                                {"tokens: 128, hidden: 64", {"compiler.fft=complex"}, false},
                                {"tokens: 128, hidden: 64", {"compiler.method=published"}, false},
                                {"tokens: 700, hidden: 64", {"soc.scratchpad.size_bytes=8192"}, false}};
  for (const Case& c : cases) check(c);
}

TEST_CASE("the real form takes little more than half of the work of the complex one", "[real_fft]") {
  const auto issues = [](const char* form) {
    const auto scenario = scenario_of("tokens: 1024, hidden: 512",
                                      {std::string("compiler.fft=") + form, "run.fidelity=fast", "run.data=false"});
    u64 slots = 0;
    const RunResult run = run_scenario(*scenario, {});
    for (const KernelRow& kernel : run.kernels) {
      if (kernel.name.find("fft") != std::string::npos) slots += kernel.issue_slots.at("cal");
    }
    return static_cast<double>(slots);
  };
  const double real = issues("real"), complex = issues("complex");
  CHECK(real < 0.56 * complex);
  CHECK(real > 0.5 * complex);
}
