// SPDX-License-Identifier: Apache-2.0
// Resident matrices lie in the halves beside tiles and weights, and what stays there need not go through DRAM.
#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "platform/compiler/ir/scratchpad_map.h"
#include "platform/run/compile_scenario.h"
#include "platform/run/run.h"
#include "platform/scenario/scenario.h"

namespace {

using namespace bvp;

std::unique_ptr<Scenario> scenario_of(u64 tokens, u64 hidden, u64 batch, const std::vector<std::string>& settings) {
  const std::string text =
      "network: {tokens: " + std::to_string(tokens) + ", hidden: " + std::to_string(hidden) +
      ", heads: 1, ffn: 64, batch: " + std::to_string(batch) +
      ", fft_length: power_of_two, layers: [{mixing: fft2d, ffn: butterfly}, {mixing: fft2d, ffn: butterfly}]}\n";
  ScenarioOptions options;
  for (const std::string& setting : settings) options.overrides.push_back(parse_override(setting));
  return read_scenario_text(text, "transform.yaml", options);
}

u64 bytes_of(const CompiledNetwork& network) {
  u64 bytes = 0;
  for (const TaskInfo& task : network.tasks) bytes += task.dram_read_bytes + task.dram_write_bytes;
  return bytes;
}

}  // namespace

TEST_CASE("resident matrices lie beside tiles and weights and not in each other", "[compiler]") {
  constexpr u64 half = 64 << 10, weights = 10 << 10, unit = 2048;
  ScratchpadMap map(half, weights, unit);
  CHECK(map.resident_bytes() == 0);
  const PanelLayout layout{32, 96};  // panels of 6 KiB
  struct Range {
    u64 begin, end;
  };
  std::vector<Range> placed;
  while (const auto matrix = map.place(layout, 50)) {
    CHECK(matrix->offset % unit == 0);
    placed.push_back({matrix->offset, matrix->offset + layout.bytes(50)});
    const u64 in_half = placed.back().begin % half;
    CHECK(in_half + layout.bytes(50) <= half - weights);
    // Tiles end where the lowest of the resident matrices begins.
    CHECK(half - weights - map.resident_bytes() <= in_half);
    REQUIRE(placed.size() < 20);
  }
  CHECK(placed.size() == 8);  // four of 12 KiB in the 54 KiB of each half
  for (const Range& a : placed) {
    for (const Range& b : placed) CHECK((&a == &b || a.end <= b.begin || b.end <= a.begin));
  }
}

TEST_CASE("the half spectrum of a transform stays in the scratchpad where it fits", "[compiler]") {
  struct Case {
    u64 tokens, hidden, batch;
    std::vector<std::string> settings;
  };
  // Lengths that are padded, tails, several stages, several batch elements, a machine of other width.
  const std::vector<Case> cases{{256, 128, 1, {}},
                                {200, 96, 1, {}},
                                {33, 1024, 1, {"soc.array.lanes=8"}},
                                {64, 128, 3, {"soc.array.rows=2"}},
                                {512, 40, 1, {"soc.array.lanes=16", "soc.scratchpad.size_bytes=524288"}},
                                {2, 64, 1, {}}};
  u64 stay = 0;
  for (const Case& c : cases) {
    for (const char* fidelity : {"cycle", "fast"}) {
      INFO(c.tokens << " tokens, " << c.hidden << " hidden, batch " << c.batch << ", " << fidelity);
      std::vector<std::string> settings = c.settings;
      settings.push_back(std::string("run.fidelity=") + fidelity);
      const auto resident = scenario_of(c.tokens, c.hidden, c.batch, settings);
      settings.emplace_back("compiler.residency=false");
      const auto through_dram = scenario_of(c.tokens, c.hidden, c.batch, settings);
      const CompiledNetwork plan = plan_scenario(*resident), other_plan = plan_scenario(*through_dram);
      const u64 with = bytes_of(plan), without = bytes_of(other_plan);
      const RunResult run = run_scenario(*resident, {});
      CHECK(run.failure.empty());
      CHECK(run.verification.bit_exact);
      // The two forms move different bytes, so each is compared with itself.
      if (with == without || plan.fft != other_plan.fft) continue;
      ++stay;
      // Two planes of a layer, at least, are neither written nor read: tokens x hidden values each, in the real form
      // half as many.
      const u64 planes = (plan.fft == FftForm::real ? 1 : 2) * c.batch * c.tokens * c.hidden * 2;
      CHECK(with + planes <= without);
      // The DRAM moves what the plan says.
      CHECK(run.work.dram_read_bytes + run.work.dram_written_bytes ==
            with + run.records.statistics.at("sequencer").at("ring_fetch_bytes").get<u64>());
    }
  }
  CHECK(stay >= 8);
}

TEST_CASE("tokens stay in the scratchpad between layers where they fit", "[compiler]") {
  struct Case {
    u64 tokens, hidden, batch;
    const char* norm;
    std::vector<std::string> settings;
  };
  // Tails of tiles, rows that the transform adds, batch elements, pre-norm, other lanes, a scratchpad that is too
  // small.
  const std::vector<Case> cases{{128, 128, 1, "post", {}},
                                {128, 256, 1, "pre", {}},
                                {100, 192, 1, "post", {}},
                                {75, 128, 1, "pre", {"soc.array.lanes=8"}},
                                {64, 128, 3, "post", {"soc.array.rows=2"}},
                                {256, 64, 1, "post", {"soc.array.lanes=16", "soc.scratchpad.size_bytes=262144"}},
                                {512, 256, 1, "post", {"soc.scratchpad.size_bytes=131072"}}};
  unsigned stay = 0;
  for (const Case& c : cases) {
    for (const char* fidelity : {"cycle", "fast"}) {
      INFO(c.tokens << " tokens, " << c.hidden << " hidden, batch " << c.batch << ", " << c.norm << ", " << fidelity);
      const std::string text =
          "network: {tokens: " + std::to_string(c.tokens) + ", hidden: " + std::to_string(c.hidden) +
          ", heads: 1, ffn: " + std::to_string(2 * c.hidden) + ", batch: " + std::to_string(c.batch) +
          ", norm: " + c.norm + ", fft_length: power_of_two, variant: butterfly, depth: 3}\n";
      const auto scenario = [&](const std::vector<std::string>& more) {
        ScenarioOptions options;
        options.overrides.push_back(parse_override(std::string("run.fidelity=") + fidelity));
        options.overrides.push_back(parse_override("compiler.fft=real"));
        for (const std::string& setting : c.settings) options.overrides.push_back(parse_override(setting));
        for (const std::string& setting : more) options.overrides.push_back(parse_override(setting));
        return read_scenario_text(text, "tokens.yaml", options);
      };
      const auto resident = scenario({});
      const CompiledNetwork plan = plan_scenario(*resident);
      const RunResult run = run_scenario(*resident, {});
      CHECK(run.failure.empty());
      CHECK(run.verification.bit_exact);
      if (plan.resident_token_bytes == 0) continue;
      ++stay;
      CHECK(plan.resident_token_bytes >= c.batch * c.tokens * c.hidden * 2);
      const CompiledNetwork other = plan_scenario(*scenario({"compiler.residency=false"}));
      CHECK(other.resident_token_bytes == 0);
      // Two layers read the columns of their transforms, and after a norm also the residual, from the scratchpad.
      CHECK(bytes_of(plan) + 2 * c.batch * c.tokens * c.hidden * 2 <= bytes_of(other));
      CHECK(run.work.dram_read_bytes + run.work.dram_written_bytes ==
            bytes_of(plan) + run.records.statistics.at("sequencer").at("ring_fetch_bytes").get<u64>());
    }
  }
  CHECK(stay >= 8);
}

TEST_CASE("the published method leaves the planes in DRAM", "[compiler]") {
  const auto blobs = [](const std::vector<std::string>& settings) {
    return plan_scenario(*scenario_of(256, 128, 1, settings)).blobs;
  };
  const auto published = blobs({"compiler.method=published"});
  const auto off = blobs({"compiler.residency=false", "compiler.fft=complex", "compiler.butterflies=pairs",
                          "compiler.twiddles=products", "compiler.pruning=false"});
  REQUIRE(published.size() == off.size());
  for (std::size_t i = 0; i < off.size(); ++i) CHECK(published[i].bytes == off[i].bytes);
  CHECK(bytes_of(plan_scenario(*scenario_of(256, 128, 1, {"compiler.method=published"}))) >
        bytes_of(plan_scenario(*scenario_of(256, 128, 1, {}))));
}

TEST_CASE("a residual has room as far as its sums are read, and the results stay the same", "[compiler]") {
  for (const char* norm : {"pre", "post"}) {
    // 96 of 512 outputs are kept, and the next operator reads 128 columns.
    const std::string text = std::string("network: {tokens: 64, hidden: 96, heads: 1, ffn: 400, norm: ") + norm +
                             ", fft_length: power_of_two, layers: [{mixing: attention, projections: butterfly, ffn: "
                             "butterfly}, {mixing: fft2d, ffn: butterfly}]}\n";
    const auto scenario = [&](const char* pruning) {
      ScenarioOptions options;
      options.overrides.push_back(parse_override(pruning));
      return read_scenario_text(text, "pruning.yaml", options);
    };
    const auto pruned = scenario("compiler.pruning=true"), whole = scenario("compiler.pruning=false");
    const auto most = [](const CompiledNetwork& network) {
      u64 bytes = 0;
      for (const TaskInfo& task : network.tasks) bytes = std::max(bytes, task.scratchpad_bytes);
      return bytes;
    };
    CHECK(most(plan_scenario(*pruned)) < most(plan_scenario(*whole)));
    const RunResult run = run_scenario(*pruned, {}), reference = run_scenario(*whole, {});
    CHECK(run.verification.bit_exact);
    CHECK(reference.verification.bit_exact);
    CHECK(run.cycles < reference.cycles);
  }
}
