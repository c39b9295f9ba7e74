// SPDX-License-Identifier: Apache-2.0
// Power over time and the end of a run: windows hold what takes place in them and what the machine can carry, add up to
// the run, and change nothing in it.
#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "platform/power/resource_limits.h"
#include "platform/report/summary.h"
#include "platform/run/run.h"
#include "platform/scenario/scenario.h"
#include "platform/support/resources.h"

namespace {

using namespace bvp;

const char* const small = R"(
network:
  tokens: 64
  hidden: 64
  heads: 4
  ffn: 128
  fft_length: power_of_two
  layers:
    - {mixing: fft2d, ffn: butterfly}
    - {mixing: attention, projections: butterfly, ffn: dense}
)";

struct Outcome {
  RunResult result;
  double dram_bytes_per_s = 0;  // of all channels
};

Outcome run(std::vector<std::string> settings) {
  settings.emplace_back("run.data=false");
  ScenarioOptions options;
  for (const std::string& setting : settings) options.overrides.push_back(parse_override(setting));
  const auto scenario = read_scenario_text(small, "windows.yaml", options);
  const DramParameters& dram = scenario->soc.dram;
  return {run_scenario(*scenario, {}), static_cast<double>(dram.geometry.channels.get()) *
                                           dram.geometry.clock_hz.get() *
                                           static_cast<double>(dram.geometry.transfers_per_clock.get()) *
                                           static_cast<double>(dram.geometry.bus_bytes.get())};
}

/// Checks what must hold in every window of any run.
void check_windows(const Outcome& outcome) {
  const RunResult& result = outcome.result;
  double energy = 0, issue = 0, end = 0, most_bytes = 0, most_use = 0, least = 0;
  u64 read = 0, written = 0;
  for (const PowerWindow& window : result.records.power.windows) {
    const double length = window.end_s - window.begin_s;
    CHECK(window.begin_s == Approx(end).margin(1e-15));
    end = window.end_s;
    energy += window.total_j();
    least = std::min(least, *std::min_element(window.energy_j.begin(), window.energy_j.end()));
    read += window.dram_read_bytes;
    written += window.dram_written_bytes;
    // One access more, where the window ends within it.
    most_bytes = std::max(most_bytes, (static_cast<double>(window.dram_read_bytes + window.dram_written_bytes) - 64) /
                                          length / outcome.dram_bytes_per_s);
    for (const double use : window.utilisation) most_use = std::max(most_use, use);
    issue += window.utilisation[static_cast<std::size_t>(Unit::cal)] * length;
  }
  CHECK(end == Approx(result.time_s));
  CHECK(energy == Approx(result.energy.total_j).epsilon(1e-9));
  CHECK(least >= 0);
  CHECK(read == result.work.dram_read_bytes);
  CHECK(written == result.work.dram_written_bytes);
  CHECK(most_bytes <= 1.0);
  CHECK(most_use <= 1.02);
  // The utilisation of a run that is cut leaves out the kernel that has not ended.
  if (result.passed()) CHECK(issue == Approx(result.activity.utilisation.cal * result.time_s).margin(1e-12));
}

nlohmann::json figures(const RunResult& result) {
  nlohmann::json summary = summary_json(result);
  for (auto entry = summary.begin(); entry != summary.end();) {
    const bool other = entry.key().rfind("host_", 0) == 0 || entry.key() == "peak_power_w";
    entry = other ? summary.erase(entry) : std::next(entry);
  }
  summary["statistics"] = result.records.statistics;
  return summary;
}

double peak(const RunResult& result) { return summary_json(result).at("peak_power_w"); }

void check_random_machines(int rounds, u32 seed) {
  std::mt19937 random(seed);
  const auto one_of = [&](const std::vector<const char*>& values) {
    return values[std::uniform_int_distribution<std::size_t>(0, values.size() - 1)(random)];
  };
  for (int round = 0; round < rounds; ++round) {
    std::vector<std::string> settings{
        std::string("network.tokens=") + one_of({"5", "33", "64", "197"}),
        std::string("network.hidden=") + one_of({"32", "64", "128"}),
        std::string("network.ffn=") + one_of({"64", "128", "512"}),
        std::string("soc.array.lanes=") + one_of({"8", "32", "64"}),
        std::string("soc.array.rows=") + one_of({"1", "2", "4"}),
        std::string("soc.scratchpad.size_bytes=") + one_of({"65536", "262144", "1048576", "16777216"}),
        std::string("soc.scratchpad.banks=") + one_of({"1", "4", "16"}),
        std::string("soc.dram.channels=") + one_of({"1", "2"}),
        std::string("soc.dma.burst_bytes=") + one_of({"64", "256", "1024"}),
        std::string("record.power_window_s=") + one_of({"1e-7", "1e-6", "1e-5"})};
    std::vector<std::string> cycle = settings, fast = settings;
    cycle.emplace_back("run.fidelity=cycle");
    fast.emplace_back("run.fidelity=fast");
    INFO(fmt::format("{}", fmt::join(settings, " ")));
    const Outcome exact = run(cycle), loose = run(fast);
    if (!exact.result.failure.empty()) continue;  // no plan for such a machine
    check_windows(exact);
    check_windows(loose);
    // Cycle by cycle, almost no amount has to be moved to another window.
    for (const auto& [resource, moved] : exact.result.records.power.moved) {
      INFO(resource);
      if (resource == "dram_accesses") {
        CHECK(moved <= (exact.result.work.dram_read_bytes + exact.result.work.dram_written_bytes) / 64 / 100);
      }
    }
  }
}

}  // namespace

TEST_CASE("windows hold what the machine can carry and add up to the run", "[power_windows]") {
  check_random_machines(6, 1);
}

TEST_CASE("windows of many machines hold what those can carry", "[.][nightly][power_windows]") {
  check_random_machines(200, 2);
}

TEST_CASE("the peak of fast is that of cycle", "[power_windows]") {
  const std::vector<std::vector<std::string>> cases{
      {"network.tokens=512", "network.hidden=256", "network.ffn=512"},
      {"network.tokens=256", "network.hidden=256", "network.ffn=1024", "soc.scratchpad.size_bytes=262144"},
      {"network.tokens=256", "network.hidden=256", "network.ffn=512", "soc.array.lanes=8"}};
  for (const auto& settings : cases) {
    INFO(fmt::format("{}", fmt::join(settings, " ")));
    std::vector<std::string> cycle = settings, fast = settings;
    cycle.emplace_back("run.fidelity=cycle");
    fast.emplace_back("run.fidelity=fast");
    const RunResult exact = run(cycle).result, loose = run(fast).result;
    // The peak is that of a window, and windows begin elsewhere in the work when the array's cycles differ a little.
    CHECK(peak(loose) == Approx(peak(exact)).epsilon(0.15));
  }
}

TEST_CASE("figures of a run do not depend on its windows, however it ends", "[power_windows]") {
  const auto firmware = [](const char* name) {
    return "run.firmware=" + find_resource(std::string("firmware/") + name + ".elf").value().string();
  };
  const std::vector<std::vector<std::string>> cases{{},
                                                    {"run.time_limit_s=2.00005e-5"},
                                                    {"run.time_limit_s=3.3333e-5"},
                                                    {firmware("lost")},
                                                    {firmware("bad_load")},
                                                    {firmware("illegal")},
                                                    {firmware("spin"), "run.time_limit_s=1.5e-4"}};
  for (const auto& settings : cases) {
    for (const char* fidelity : {"cycle", "fast"}) {
      INFO(fidelity << " " << fmt::format("{}", fmt::join(settings, " ")));
      nlohmann::json expected;
      for (const char* window : {"0", "1e-7", "3.7e-6", "1e-2"}) {
        std::vector<std::string> all = settings;
        all.insert(all.end(),
                   {std::string("run.fidelity=") + fidelity, std::string("record.power_window_s=") + window});
        const Outcome outcome = run(all);
        const nlohmann::json found = figures(outcome.result);
        if (expected.is_null()) expected = found;
        INFO("window " << window);
        CHECK(found == expected);
        if (!outcome.result.records.power.windows.empty()) check_windows(outcome);
      }
    }
  }
}

TEST_CASE("counters of what lasts go up to the end of the run", "[power_windows]") {
  // The limit lies within the first transfers and kernels.
  const Outcome outcome = run({"run.time_limit_s=3e-5"});
  const RunResult& result = outcome.result;
  CHECK(result.cycles == 30000);
  CHECK_FALSE(result.passed());
  const nlohmann::json& statistics = result.records.statistics;
  const auto& sequencer = statistics.at("sequencer");
  CHECK(sequencer.at("array_busy").get<u64>() + sequencer.at("idle").get<u64>() > 0);
  u64 pe_cycles = 0;
  for (const auto& [state, cycles] : result.activity.power_state_cycles) pe_cycles += cycles;
  CHECK(pe_cycles == 16 * result.cycles);
  const auto& cpu = statistics.at("cpu");
  CHECK(cpu.at("sleep_cycles").get<u64>() <= result.cycles);
  for (const auto& [resource, share] : result.activity.busy_shares) {
    INFO(resource);
    CHECK(share >= 0);
    CHECK(share <= 1);
  }
}

TEST_CASE("what a window cannot carry waits for the next one", "[power_windows]") {
  ResourceLimits limits({{"bus", {0, 2}, 10}}, 3);
  std::vector<std::vector<i64>> windows{{12, 5, 18}, {0, 5, 3}, {4, 5, 0}, {0, 0, 9}};
  for (std::size_t i = 0; i + 1 < windows.size(); ++i) limits.apply(windows[i], 1);
  limits.apply(windows.back(), 0.5);
  limits.give_back(windows, 1, 0.5);
  std::vector<i64> sums(3, 0), carried;
  for (const auto& window : windows) {
    for (std::size_t i = 0; i < 3; ++i) sums[i] += window[i];
    carried.push_back(window[0] + window[2]);
  }
  CHECK(sums == std::vector<i64>{16, 15, 30});
  // 46 do not fit into 35: the excess is in the first window.
  CHECK(carried == std::vector<i64>{21, 10, 10, 5});
  CHECK(limits.moved() == std::vector<u64>{20 + 13 + 7 + 11});
}
