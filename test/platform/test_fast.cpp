// SPDX-License-Identifier: Apache-2.0
// The loosely timed fidelity and runs without data, held against cycle by cycle runs.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <string_view>

#include "platform/report/summary.h"
#include "platform/run/run.h"
#include "platform/scenario/scenario.h"
#include "platform/support/resources.h"

namespace {

using namespace bvp;

const char* const text = R"(
network:
  tokens: 256
  hidden: 256
  heads: 4
  ffn: 512
  fft_length: power_of_two
  layers:
    - {mixing: fft2d, ffn: butterfly}
    - {mixing: attention, projections: butterfly, ffn: dense}
)";

RunResult run(std::vector<std::string> settings, const char* fidelity, bool data) {
  settings.push_back(std::string("run.fidelity=") + fidelity);
  settings.push_back(std::string("run.data=") + (data ? "true" : "false"));
  ScenarioOptions options;
  for (const std::string& setting : settings) options.overrides.push_back(parse_override(setting));
  const auto scenario = read_scenario_text(text, "fast.yaml", options);
  return run_scenario(*scenario, {});
}

/// The summary without values that depend on the host, on the fidelity's name or on whether data were computed.
nlohmann::json timing_of(const RunResult& result) {
  nlohmann::json summary = summary_json(result);
  for (auto entry = summary.begin(); entry != summary.end();) {
    const bool other = entry.key().rfind("host_", 0) == 0 || entry.key() == "verification" ||
                       entry.key() == "not_finite" || entry.key() == "peak_power_w";
    entry = other ? summary.erase(entry) : std::next(entry);
  }
  for (auto& layer : summary["layers"]) {
    layer.erase("relative_error");
    layer.erase("row_error");
  }
  return summary;
}

double apart(double a, double b) { return a == b ? 0 : std::abs(a / b - 1); }

/// The largest relative difference of two numbers; infinite if anything else differs. The cycles of a unit by class are
/// compared to the sum of its classes, as a class may have next to none.
double most_apart(const nlohmann::json& a, const nlohmann::json& b) {
  if (a.is_number() && b.is_number()) return apart(a.get<double>(), b.get<double>());
  if (!a.is_structured() || a.type() != b.type() || a.size() != b.size())
    return a == b ? 0 : std::numeric_limits<double>::infinity();
  const bool classes = a.is_object() && a.contains("issue");
  double all = 0, most = 0;
  for (const auto& value : b) all += classes ? value.get<double>() : 0;
  for (auto i = a.begin(), j = b.begin(); i != a.end(); ++i, ++j) {
    if (a.is_object() && i.key() != j.key()) return std::numeric_limits<double>::infinity();
    const double difference = classes && *i != *j ? std::abs(i->get<double>() - j->get<double>()) / all : 0;
    most = std::max(most, classes ? difference : most_apart(*i, *j));
  }
  return most;
}

}  // namespace

TEST_CASE("without data a run takes the same time and energy", "[fast]") {
  for (const std::vector<std::string>& settings :
       {std::vector<std::string>{}, {"network.norm=pre", "soc.array.lanes=8", "soc.array.rows=2"}}) {
    for (const char* fidelity : {"cycle", "fast"}) {
      INFO(fidelity);
      const RunResult with = run(settings, fidelity, true), without = run(settings, fidelity, false);
      CHECK(without.failure.empty());
      CHECK_FALSE(without.verification.checked);
      // Without data `fast` books a whole launch at once, with the course of an earlier one like it. Then SystemC may
      // serve what falls on the cycle of a launch's end in another order, windows of power that a launch spans share it
      // out a little differently, and the operand memory's ports are busy with what the earlier launch left there.
      const bool fast = std::string_view(fidelity) == "fast";
      CHECK(most_apart(timing_of(with), timing_of(without)) <= (fast ? 5e-3 : 0));
      CHECK(apart(static_cast<double>(without.cycles), static_cast<double>(with.cycles)) <= (fast ? 1e-3 : 0));
      CHECK(apart(without.energy.total_j, with.energy.total_j) <= (fast ? 1e-3 : 0));
      CHECK(apart(without.records.power.peak_w, with.records.power.peak_w) <= (fast ? 1e-3 : 0));
      CHECK(without.work.flops == with.work.flops);
      CHECK(without.work.dram_read_bytes == with.work.dram_read_bytes);
      CHECK(without.work.dram_written_bytes == with.work.dram_written_bytes);
    }
  }
}

TEST_CASE("fast gives the same bits and nearly the same cycles and energy", "[fast]") {
  const std::vector<std::vector<std::string>> cases{
      {},
      {"network.norm=pre", "network.batch=2", "network.tokens=100"},
      {"network.hidden=320", "network.heads=5", "network.ffn=600", "network.tokens=197"},
      {"soc.array.lanes=8"},
      {"soc.array.lanes=4", "soc.scratchpad.hop_latency=16", "network.tokens=64"},
      {"soc.array.rows=8", "soc.array.columns=8"},
      {"soc.array.rows=1", "soc.array.columns=2", "network.tokens=64"},
      {"soc.scratchpad.size_bytes=524288"},
      {"network.layers.1.projections=dense", "network.layers.0.ffn=dense"},
      {"soc.pe.contexts=1", "soc.scratchpad.banks=4"},
      {"soc.scratchpad.column_access=false"},
      {"soc.scratchpad.column_access=false", "soc.array.lanes=8"}};
  for (const auto& settings : cases) {
    std::string all;
    for (const std::string& setting : settings) all += setting + " ";
    INFO(all);
    const RunResult cycle = run(settings, "cycle", true), fast = run(settings, "fast", true);
    CHECK(fast.failure.empty());
    CHECK(fast.verification.bit_exact);
    CHECK(apart(static_cast<double>(fast.cycles), static_cast<double>(cycle.cycles)) < 0.05);
    CHECK(apart(fast.energy.total_j, cycle.energy.total_j) < 0.05);
    CHECK(fast.work.flops == cycle.work.flops);
    CHECK(fast.work.dram_read_bytes == cycle.work.dram_read_bytes);
    CHECK(fast.work.dram_written_bytes == cycle.work.dram_written_bytes);
  }
}

TEST_CASE("fast keeps to the cycles of whole networks, long butterflies and scattered transfers", "[fast]") {
  struct Case {
    const char* scenario;
    std::vector<std::string> settings;
    double most = 0.05;
  };
  const std::string butterfly = "network.variant=butterfly";
  const std::string long_rows =
      "network={tokens: 33, hidden: 16, heads: 1, ffn: 8192, fft_length: power_of_two, layers: [{mixing: fft2d, ffn: "
      "butterfly}]}";
  const std::vector<Case> cases{
      {"encoder_1024x512", {}},
      {"encoder_196x768_pre", {}},
      {"block_1024x512", {butterfly}},
      {"vit_base16", {"network.variant=hybrid", "network.depth=4"}},
      {"bert_large", {butterfly, "network.depth=4"}},
      {"bert_base", {butterfly, "network.depth=2", "soc.scratchpad.size_bytes=1048576"}},
      // 5.5 %: stages of butterflies that wait for their loads are up to 11 % shorter in `fast` there.
      {"bert_base", {butterfly, "network.depth=2", "soc.array.rows=8", "soc.array.columns=8"}, 0.06},
      {"fabnet_base", {"network.depth=3", "soc.preset=array_256gops"}},
      {"encoder_128x64", {long_rows, "soc.scratchpad.size_bytes=262144"}},
      {"encoder_128x64", {long_rows, "network.tokens=16384"}}};
  const auto directory = find_resource("scenarios");
  REQUIRE(directory.has_value());
  for (const Case& one : cases) {
    INFO(one.scenario << " " << fmt::format("{}", fmt::join(one.settings, " ")));
    const auto run_shipped = [&](const char* fidelity) {
      ScenarioOptions options;
      for (const std::string& setting : one.settings) options.overrides.push_back(parse_override(setting));
      options.overrides.push_back({"run.fidelity", fidelity});
      options.overrides.push_back({"run.data", "false"});
      const auto scenario = read_scenario((*directory / one.scenario).string() + ".yaml", options);
      return run_scenario(*scenario, {});
    };
    const RunResult cycle = run_shipped("cycle"), fast = run_shipped("fast");
    CHECK(fast.failure.empty());
    CHECK(apart(static_cast<double>(fast.cycles), static_cast<double>(cycle.cycles)) < one.most);
    CHECK(apart(fast.energy.total_j, cycle.energy.total_j) < 0.05);
    CHECK(fast.work.dram_read_bytes == cycle.work.dram_read_bytes);
    CHECK(fast.work.dram_written_bytes == cycle.work.dram_written_bytes);
  }
}

TEST_CASE("fast follows the width of the mesh", "[fast]") {
  const RunResult cycle = run({}, "cycle", false), fast = run({}, "fast", false);
  const RunResult narrow_cycle = run({"soc.mesh.link_bytes=4"}, "cycle", false);
  const RunResult narrow_fast = run({"soc.mesh.link_bytes=4"}, "fast", false);
  CHECK(static_cast<double>(narrow_cycle.cycles) > 1.05 * static_cast<double>(cycle.cycles));
  CHECK(apart(static_cast<double>(narrow_fast.cycles), static_cast<double>(narrow_cycle.cycles)) < 0.05);
  CHECK(narrow_cycle.energy.by_component_j.at("mesh") == Approx(cycle.energy.by_component_j.at("mesh")));
  CHECK(narrow_fast.energy.by_component_j.at("mesh") == Approx(fast.energy.by_component_j.at("mesh")));
}

TEST_CASE("fast moves the same data where the DRAM grants no direct memory", "[fast]") {
  const RunResult cycle = run({"soc.dram.dmi=false"}, "cycle", true), fast = run({"soc.dram.dmi=false"}, "fast", true);
  CHECK(fast.failure.empty());
  CHECK(fast.verification.bit_exact);
  CHECK(apart(static_cast<double>(fast.cycles), static_cast<double>(cycle.cycles)) < 0.06);
  CHECK(apart(fast.energy.total_j, cycle.energy.total_j) < 0.05);
}

TEST_CASE("fast counts a PE as active for as long as it has work", "[fast]") {
  const std::vector<std::string> large{"soc.array.rows=8", "soc.array.columns=8", "soc.pe.clock_gating=true"};
  for (const char* tokens : {"network.tokens=3", "network.tokens=64", "network.tokens=100"}) {
    INFO(tokens);
    std::vector<std::string> settings = large;
    settings.emplace_back(tokens);
    const RunResult cycle = run(settings, "cycle", false), fast = run(settings, "fast", false);
    const auto active = [](const RunResult& result) {
      return static_cast<double>(result.activity.power_state_cycles.at("active"));
    };
    // With three tokens and launches of a few cycles each, `fast` takes 25.04 % more cycles.
    CHECK(apart(active(fast), active(cycle)) < 0.26);
    CHECK(apart(fast.energy.total_j, cycle.energy.total_j) < 0.02);
    CHECK(fast.activity.power_state_cycles.at("active") + fast.activity.power_state_cycles.at("gated") ==
          Approx(64 * static_cast<double>(fast.cycles)).epsilon(0.001));
  }
}

TEST_CASE("fast says of each unit and cycle what cycle says", "[fast]") {
  struct Case {
    std::vector<std::string> settings;
    double tolerance = 0.07;
  };
  const std::vector<Case> cases{
      {{}},
      {{"soc.array.rows=3", "soc.array.columns=5"}},
      {{"network.tokens=100", "soc.array.lanes=16"}},
      // Launches of a few firings each: `fast` charges every PE with the cycles of the slowest one.
      {{"network.tokens=37", "soc.array.rows=8", "soc.array.columns=8"}, 0.15},
      {{"soc.scratchpad.size_bytes=262144", "soc.scratchpad.banks=4"}},
      {{"compiler.streaming=false", "compiler.ping_pong=false"}}};
  for (const auto& [settings, tolerance] : cases) {
    INFO(fmt::format("{}", fmt::join(settings, " ")));
    const RunResult cycle = run(settings, "cycle", false), fast = run(settings, "fast", false);
    for (const RunResult* result : {&cycle, &fast}) {
      u64 pes = 0;
      for (const char* unit : {"load", "cal", "flow", "store"}) {
        u64 cycles = 0;
        pes = 0;
        for (const auto& [block, counters] : result->records.statistics.items()) {
          if (block.rfind("pe", 0) != 0) continue;
          ++pes;
          for (const auto& [name, value] : counters.at(unit).items()) {
            if (name != "instructions") cycles += value.get<u64>();
          }
        }
        INFO(unit);
        CHECK(cycles == result->activity.array.rows * result->activity.array.columns * result->cycles);
      }
    }
    CHECK(std::abs(fast.activity.steady->cal - cycle.activity.steady->cal) < tolerance);
    CHECK(std::abs(fast.activity.steady->load - cycle.activity.steady->load) < tolerance);
    for (const char* component : {"pe", "scratchpad", "mesh", "dma", "sequencer"}) {
      INFO(component);
      CHECK(apart(fast.energy.by_component_j.at(component), cycle.energy.by_component_j.at(component)) < 0.02);
    }
    const auto words = [](const RunResult& result) {
      u64 sum = 0;
      for (const auto& [block, counters] : result.records.statistics.items()) {
        if (block.rfind("pe", 0) == 0) sum += counters.at("configure_word").get<u64>();
      }
      return sum;
    };
    CHECK(words(fast) == words(cycle));
  }
}

TEST_CASE("fast counts the accesses of small bursts as the DRAM performs them", "[fast]") {
  for (const char* burst : {"soc.dma.burst_bytes=16", "soc.dma.burst_bytes=32"}) {
    INFO(burst);
    const RunResult cycle = run({burst}, "cycle", false), fast = run({burst}, "fast", false);
    CHECK(apart(static_cast<double>(fast.cycles), static_cast<double>(cycle.cycles)) < 0.05);
    CHECK(apart(fast.energy.by_component_j.at("dram"), cycle.energy.by_component_j.at("dram")) < 0.02);
  }
}

TEST_CASE("fast lets PEs go on by themselves between exchanges", "[fast]") {
  for (const char* tokens : {"network.tokens=196", "network.tokens=256"}) {
    INFO(tokens);
    const std::vector<std::string> settings{"compiler.streaming=false", "network.hidden=768", tokens};
    const RunResult cycle = run(settings, "cycle", false), fast = run(settings, "fast", false);
    CHECK(apart(static_cast<double>(fast.cycles), static_cast<double>(cycle.cycles)) < 0.05);
    CHECK(apart(fast.energy.total_j, cycle.energy.total_j) < 0.02);
  }
}

TEST_CASE("fast keeps to what few banks can serve", "[fast]") {
  for (const char* banks : {"soc.scratchpad.banks=1", "soc.scratchpad.banks=2"}) {
    INFO(banks);
    const std::vector<std::string> settings{banks, "network.hidden=768", "network.tokens=196"};
    const RunResult cycle = run(settings, "cycle", false), fast = run(settings, "fast", false);
    CHECK(apart(static_cast<double>(fast.cycles), static_cast<double>(cycle.cycles)) < 0.1);
    CHECK(apart(fast.energy.total_j, cycle.energy.total_j) < 0.05);
    // A kernel's energy is small beside that of one activate, which may fall into the kernel before or behind it.
    const RunResult with = run(settings, "fast", true);
    CHECK(apart(static_cast<double>(fast.cycles), static_cast<double>(with.cycles)) <= 1e-3);
    CHECK(apart(fast.energy.total_j, with.energy.total_j) <= 1e-3);
    CHECK(most_apart(timing_of(fast), timing_of(with)) <= 3e-2);
  }
}

TEST_CASE("fast repeats itself exactly", "[fast]") {
  CHECK(timing_of(run({}, "fast", true)) == timing_of(run({}, "fast", true)));
}
