// SPDX-License-Identifier: Apache-2.0
// Kernels of the compiler on the cycle model of the array and on the reference that ticks: docs/models/timing_check.md.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include "platform/scenario/scenario.h"
#include "test/reference_timing/array.h"
#include "test/reference_timing/planned_launches.h"
#include "test/support/array_bench.h"

namespace {

using namespace bvp;
using test::PlannedLaunch;

struct TimedScenario {
  const char* name;
  const char* network;
  std::vector<std::string> settings;
};

const char* const hybrid = R"(
network:
  tokens: 128
  hidden: 64
  heads: 4
  ffn: 256
  layers:
    - {mixing: fft2d, ffn: butterfly}
    - {mixing: attention, projections: butterfly, ffn: butterfly}
)";
const char* const dense = R"(
network:
  tokens: 96
  hidden: 128
  heads: 4
  ffn: 256
  norm: pre
  layers:
    - {mixing: attention, projections: dense, ffn: dense}
)";
const char* const classifier = R"(
network:
  tokens: 192
  hidden: 96
  heads: 3
  ffn: 128
  vocabulary: 64
  classes: 5
  pooling: mean
  layers:
    - {mixing: fft2d, ffn: dense}
    - {mixing: attention, projections: butterfly, ffn: butterfly}
)";

const std::vector<TimedScenario>& scenarios() {
  static const std::vector<TimedScenario> list{
      {"hybrid, 32 lanes", hybrid, {}},
      {"hybrid 256 x 512", hybrid, {"network.tokens=256", "network.hidden=512", "network.ffn=1024"}},
      {"dense", dense, {}},
      {"classifier", classifier, {}},
      {"hybrid, 8 lanes", hybrid, {"soc.array.lanes=8", "network.hidden=128"}},
      {"dense, 16 lanes", dense, {"soc.array.lanes=16"}},
      {"hybrid, 8x8 PEs", hybrid, {"soc.array.rows=8", "soc.array.columns=8", "network.hidden=256"}},
      {"without columns", hybrid, {"soc.scratchpad.column_access=false", "soc.array.lanes=16"}},
      {"long rows", dense, {"soc.scratchpad.size_bytes=65536", "network.hidden=1024", "network.tokens=64"}},
      {"long butterflies",
       hybrid,
       {"soc.scratchpad.size_bytes=131072", "network.hidden=2048", "network.ffn=2048", "network.tokens=64"}},
      {"blocks of keys", hybrid, {"soc.scratchpad.size_bytes=131072", "network.tokens=768", "soc.array.lanes=16"}},
      {"another machine",
       hybrid,
       {"soc.array.columns=2", "soc.pe.cal_latency=6", "soc.pe.max_latency=3", "soc.pe.special_divisor=8",
        "soc.scratchpad.banks=8", "soc.scratchpad.outstanding=8", "soc.scratchpad.hop_latency=2",
        "soc.mesh.link_latency=2", "soc.mesh.link_bytes=32", "soc.mesh.buffer_entries=4"}},
  };
  return list;
}

std::unique_ptr<Scenario> read(const TimedScenario& timed) {
  ScenarioOptions options;
  for (const std::string& setting : timed.settings) options.overrides.push_back(parse_override(setting));
  return read_scenario_text(timed.network, "timing.yaml", options);
}

/// The parameters as plain numbers.
ticking::Machine machine_of(const SocParameters& soc) {
  const auto number = [](const Param<i64>& parameter) { return static_cast<unsigned>(parameter.get()); };
  ticking::Machine machine;
  machine.rows = number(soc.array.rows);
  machine.columns = number(soc.array.columns);
  machine.lanes = number(soc.array.lanes);
  machine.operand_vectors = number(soc.pe.operand_vectors);
  machine.accumulators = number(soc.pe.accumulators);
  machine.cal_latency = number(soc.pe.cal_latency);
  machine.max_latency = number(soc.pe.max_latency);
  machine.special_latency = number(soc.pe.special_latency);
  machine.special_divisor = number(soc.pe.special_divisor);
  machine.banks = number(soc.scratchpad.banks);
  machine.bank_ports = number(soc.scratchpad.ports);
  machine.request_latency = number(soc.scratchpad.request_latency);
  machine.array_latency = number(soc.scratchpad.array_latency);
  machine.response_latency = number(soc.scratchpad.response_latency);
  machine.hop_latency = number(soc.scratchpad.hop_latency);
  machine.outstanding = number(soc.scratchpad.outstanding);
  machine.link_latency = number(soc.mesh.link_latency);
  machine.link_bytes = number(soc.mesh.link_bytes);
  machine.ejection_latency = number(soc.mesh.ejection_latency);
  machine.buffer_entries = number(soc.mesh.buffer_entries);
  machine.skip_links = soc.mesh.skip_links;
  machine.control_hop_latency = number(soc.mesh.control_hop_latency);
  return machine;
}

constexpr std::array<const char*, ticking::units> unit_keys{"load", "cal", "flow", "store"};

ticking::Outcome on_model(const SocParameters& soc, const PlannedLaunch& launch, unsigned times) {
  SimulationContext context;
  test::ArrayConfig config;
  config.array.copy_values_from(soc.array);
  config.pe.copy_values_from(soc.pe);
  config.scratchpad.copy_values_from(soc.scratchpad);
  config.mesh.copy_values_from(soc.mesh);
  test::ArrayBench bench("bench", config);
  sc_core::sc_start(sc_core::SC_ZERO_TIME);
  REQUIRE(bench.configure(launch.image));
  std::vector<std::pair<unsigned, u32>> registers;
  for (unsigned i = 0; i < launch.registers.size(); ++i) registers.emplace_back(i, launch.registers[i]);
  for (unsigned i = 0; i < times; ++i) bench.launch(launch.counts, registers);
  ticking::Outcome outcome;
  outcome.cycles = bench.run();
  REQUIRE(bench.failures == 0);
  REQUIRE(outcome.cycles > 0);
  for (unsigned unit = 0; unit < ticking::units; ++unit) {
    const auto counter = [&](const std::string& name) { return bench.counter(unit_keys[unit], name.c_str()); };
    ticking::UnitCycles& cycles = outcome.unit[unit];
    cycles.issue = counter("issue");
    cycles.special = counter("special");
    cycles.stall = counter("stall");
    constexpr std::array<const char*, ticking::wait_reasons> names{"load",  "compute", "flow",
                                                                   "space", "launch",  "drain"};
    for (unsigned reason = 0; reason < names.size(); ++reason) {
      cycles.wait[reason] = counter(std::string("wait_") + names[reason]);
    }
  }
  return outcome;
}

ticking::Outcome on_reference(const ticking::Machine& machine, const PlannedLaunch& launch, unsigned times) {
  const ticking::KernelImage kernel = ticking::KernelImage::read(launch.image);
  return ticking::run(machine, kernel, std::vector<ticking::Launch>(times, {launch.counts, launch.registers, false}));
}

double ratio(Cycle ours, Cycle reference) { return static_cast<double>(ours) / static_cast<double>(reference); }

}  // namespace

TEST_CASE("kernels take as long on the array as on a reference that ticks", "[timing]") {
  std::ofstream table;
  if (const char* const path = std::getenv("BVP_TIMING_TABLE")) table.open(path);
  table << "| scenario | kernel | cycles | reference | ratio |\n| --- | --- | --- | --- | --- |\n";
  for (const TimedScenario& timed : scenarios()) {
    const auto scenario = read(timed);
    const ticking::Machine machine = machine_of(scenario->soc);
    for (const PlannedLaunch& launch : test::planned_launches(*scenario)) {
      INFO(timed.name << ": " << launch.kernel);
      const ticking::Outcome ours = on_model(scenario->soc, launch, 1), reference = on_reference(machine, launch, 1);
      table << fmt::format("| {} | {} | {} | {} | {:.4f} |\n", timed.name, launch.kernel, ours.cycles,
                           reference.cycles, ratio(ours.cycles, reference.cycles));
      for (unsigned unit = 0; unit < ticking::units; ++unit) {
        INFO(unit_keys[unit]);
        CHECK(ours.unit[unit].issue == reference.unit[unit].issue);
        CHECK(ours.unit[unit].special == reference.unit[unit].special);
      }
      CHECK(ratio(ours.cycles, reference.cycles) == Approx(1).epsilon(0.01));
    }
  }
}
