// SPDX-License-Identifier: Apache-2.0
// Counting actions, and the shipped energy tables against the models and the publications.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <numeric>

#include "models/base/simulation_context.h"
#include "models/power/area_table.h"
#include "models/power/energy_table.h"
#include "models/power/estimators/estimators.h"
#include "platform/power/dram_prices.h"
#include "platform/power/power_states.h"
#include "platform/power/soc_estimators.h"
#include "platform/soc/soc.h"

namespace {

using namespace bvp;
using Catch::Matchers::Contains;

std::filesystem::path shipped(const std::string& profile) {
  const char* root = std::getenv("BVP_SOURCE_DIR");
  return std::filesystem::path(root != nullptr ? root : ".") / "models/power/tables" / (profile + ".yaml");
}

/// A shipped table with the prices of the default memory.
EnergyTable load(const std::string& profile) {
  return with_dram_prices(EnergyTable::load(shipped(profile)), dram_standard("ddr4_3200"));
}

const MachineSize full{16, 32, 4 << 20, 2, 16384, 2, 4 * 64, 4, 2, {{"pe", 7.712}, {"cpu", 0.3}}};

double sum(const std::map<std::string, double>& parts) {
  return std::accumulate(parts.begin(), parts.end(), 0.0, [](double a, const auto& part) { return a + part.second; });
}

/// The statistics of two PEs with a unit each, and of a memory.
struct Tree {
  StatGroup pe{"pe0"}, unit{"cal"}, other_pe{"pe1"}, other_unit{"cal"}, memory{"memory"};
  Counter adds{&pe, "add_lane", "operations", ""};
  Counter issue{&unit, "issue", "cycles", ""};
  Counter unread{&unit, "stall", "cycles", ""};
  Counter other_adds{&other_pe, "add_lane", "operations", ""};
  Counter other_issue{&other_unit, "issue", "cycles", ""};
  Counter activates{&memory, "activate", "rows", ""};

  Tree() {
    pe.add(&unit);
    other_pe.add(&other_unit);
  }

  [[nodiscard]] std::vector<Estimator> estimators() const {
    std::vector<Estimator> all{{"pe",
                                {{"add_lane", "operations", "an addition"},
                                 {"active_cycle", "cycles", "a cycle with an instruction", "cal.issue"}}},
                               {"dram", {{"activate", "rows", "a row opened"}}}};
    all[0].attach(pe);
    all[0].attach(other_pe);
    all[1].attach(memory);
    return all;
  }
};

TEST_CASE("estimators sum the statistics of the units that they are attached to", "[energy]") {
  Tree tree;
  tree.adds += 5;
  tree.other_adds += 7;
  tree.issue += 2;
  tree.other_issue += 1;
  tree.unread += 100;
  const ActionSampler sampler(tree.estimators());
  const ActionCounts counts = sampler.counts();
  using Counts = std::map<std::string, std::map<std::string, u64>>;
  CHECK(counts.by_component == Counts{{"pe", {{"add_lane", 12}, {"active_cycle", 3}}}, {"dram", {{"activate", 0}}}});

  SECTION("samples tell what happened between them") {
    const std::vector<u64> before = sampler.sample();
    tree.adds += 1;
    tree.activates += 3;
    const Counts expected{{"pe", {{"add_lane", 1}, {"active_cycle", 0}}}, {"dram", {{"activate", 3}}}};
    CHECK(sampler.between(before, sampler.sample()).by_component == expected);
    ActionCounts total = counts;
    total += sampler.between(before, sampler.sample());
    CHECK(total.by_component == sampler.counts().by_component);
  }
  SECTION("samples in the wrong order or of another sampler are refused") {
    const std::vector<u64> before = sampler.sample();
    ++tree.activates;
    CHECK_THROWS_WITH(sampler.between(sampler.sample(), before), Contains("dram.activate"));
    CHECK_THROWS_AS(sampler.between({}, before), std::invalid_argument);
  }
}

TEST_CASE("an estimator does not go without a statistic that it needs", "[energy]") {
  const Tree tree;
  const auto attach = [&](EnergyAction action) { Estimator("pe", {std::move(action)}).attach(tree.pe); };
  CHECK_NOTHROW(attach({"add_lane", "operations", ""}));
  CHECK_THROWS_WITH(attach({"fma_lane", "operations", ""}), Contains("pe0") && Contains("'fma_lane'"));
  CHECK_THROWS_WITH(attach({"add_lane", "operations", "", "cal.add"}), Contains("cal") && Contains("'add'"));
  CHECK_THROWS_WITH(attach({"add_lane", "operations", "", "flow.issue"}), Contains("pe0") && Contains("'flow'"));
  CHECK_THROWS_WITH(attach({"add_lane", "vectors", ""}),
                    Contains("pe.add_lane counts vectors") && Contains("counts operations"));
  // Nor without a unit, nor twice.
  CHECK_THROWS_WITH(ActionSampler({{"mesh", {{"vector_hop", "hops", ""}}}}), Contains("'mesh'"));
  std::vector<Estimator> twice = tree.estimators();
  twice.push_back(twice.front());
  CHECK_THROWS_WITH(ActionSampler(twice), Contains("two estimators") && Contains("'pe'"));
}

TEST_CASE("every estimator finds its units in the SoC, cycle by cycle and in lockstep", "[energy]") {
  for (const bool fast : {false, true}) {
    const SimulationContext context;
    ParameterGroup root("test");
    const SocParameters parameters(&root);
    const Soc soc("soc", parameters, {fast, true});
    const std::vector<Estimator> estimators = attach_estimators(soc);
    CHECK(estimators.size() == all_estimators().size());
    for (const Estimator& estimator : estimators) {
      INFO(estimator.component());
      const std::size_t units = estimator.component() == "pe"    ? (fast ? 1 : 16)
                                : estimator.component() == "dma" ? 2
                                                                 : 1;
      for (std::size_t i = 0; i < estimator.actions().size(); ++i) CHECK(estimator.sources(i).size() == units);
    }
  }
}

TEST_CASE("all energy tables price exactly the actions that the estimators count", "[energy]") {
  const SimulationContext context;
  ParameterGroup root("test");
  const SocParameters parameters(&root);
  const Soc soc("soc", parameters);
  const ActionCounts counts = ActionSampler(attach_estimators(soc)).counts();
  REQUIRE(counts.by_component.size() >= 7);
  for (const char* profile : {"silicon", "silicon_simd8", "textbook"}) {
    INFO(profile);
    const EnergyTable table = load(profile);
    CHECK(table.profile() == profile);
    CHECK(table.technology_nm() == 12);
    CHECK(table.voltage() == 0.8);
    MachineSize size = full;
    if (std::string(profile) == "silicon_simd8") {
      CHECK_THROWS_WITH(table.check(counts, size),
                        Contains("silicon_simd8.yaml: lanes: ") && Contains("these have 32"));
      size.lanes = 8;
    }
    CHECK_NOTHROW(table.check(counts, size));
    for (const auto& [component, actions] : counts.by_component) {
      ActionCounts more = counts;
      more.by_component[component]["unheard_of"] = 0;
      CHECK_THROWS_WITH(table.check(more, size), Contains("actions." + component + ".unheard_of: missing"));
    }
  }
}

TEST_CASE("an action without a price is named", "[energy]") {
  const EnergyTable table = load("silicon");
  ActionCounts counts;
  counts.by_component["pe"]["divide_lane"] = 0;
  CHECK_THROWS_WITH(table.price(counts, full), Contains("silicon") && Contains("pe.divide_lane"));
  counts.by_component = {{"tensor_core", {{"fma_lane", 1}}}};
  CHECK_THROWS_WITH(table.price(counts, full), Contains("tensor_core.fma_lane"));
  CHECK_THROWS_AS(table.price({}, MachineSize{}), EnergyTableError);
  CHECK_THROWS_AS(table.static_energy(MachineSize{}, 1), EnergyTableError);
}

TEST_CASE("silicon gives the published power of a PE at its reference activity", "[energy]") {
  const EnergyTable table = load("silicon");
  constexpr u64 cycles = 1'000'000;  // of one PE at 1 GHz: joules / 1e-3 s = watts
  constexpr double seconds = 1e-3;
  const auto share = [](double activity) { return static_cast<u64>(activity * static_cast<double>(cycles)); };
  const MachineSize one_pe{1, 32, 0, 0};
  const auto watts = [&](const ActionCounts& counts) { return sum(table.price(counts, one_pe)) / seconds; };

  ActionCounts function_units, registers, network;
  function_units.by_component["pe"]["fma_lane"] = share(0.85) * 32;
  registers.by_component["pe"] = {{"operand_read", share(0.875) * 3}, {"operand_write", share(0.875)}};
  network.by_component["mesh"]["vector_hop"] = share(0.15 * 1.5);
  CHECK(watts(function_units) == Approx(0.2524).epsilon(0.01));
  CHECK(watts(registers) == Approx(0.0287).epsilon(0.01));
  CHECK(watts(network) == Approx(0.0562).epsilon(0.05));
  ActionCounts control;
  control.by_component["pe"]["active_cycle"] = cycles;
  CHECK(watts(control) == Approx(0.0281));
  ActionCounts all = function_units;
  all += registers;
  all += network;
  all += control;
  CHECK(watts(all) == Approx(0.3654).epsilon(0.01));
}

TEST_CASE("silicon gives the published memory power at the published Load and Store activity", "[energy]") {
  const EnergyTable table = load("silicon");
  ActionCounts counts;
  constexpr u64 vectors = 16 * 100'000;  // of 16 PEs in 1 ms at 1 GHz, 0.10 each cycle
  counts.by_component["scratchpad"] = {
      {"row_read", vectors / 2}, {"row_write", vectors / 2}, {"vector_hop", vectors * 3 / 2}};
  const double watts = sum(table.price(counts, full)) / 1e-3 + table.static_energy(full, 1).at("scratchpad");
  CHECK(watts == Approx(0.6).epsilon(0.02));
}

TEST_CASE("silicon_simd8 gives the published power of the lean array and its memory", "[energy]") {
  const EnergyTable table = load("silicon_simd8");
  constexpr u64 cycles = 1'000'000;  // at 1 GHz: joules / 1e-3 s = watts
  const auto share = [](double activity) { return static_cast<u64>(activity * static_cast<double>(cycles)); };
  const MachineSize lean{16, 8, 4 << 20, 2, 0, 0, 0, 4, 2, {{"cpu", 0.3}}};
  ActionCounts array, memory;
  array.by_component["pe"] = {{"fma_lane", 16 * share(0.85) * 8},
                              {"operand_read", 16 * share(0.875) * 3},
                              {"operand_write", 16 * share(0.875)},
                              {"active_cycle", 16 * cycles}};
  array.by_component["mesh"]["vector_hop"] = 16 * share(0.15 * 1.5);
  CHECK(sum(table.price(array, lean)) / 1e-3 == Approx(0.4338).epsilon(0.01));
  const u64 vectors = 16 * share(0.10);
  memory.by_component["scratchpad"] = {
      {"row_read", vectors / 2}, {"row_write", vectors / 2}, {"vector_hop", vectors * 3 / 2}};
  const double watts = sum(table.price(memory, lean)) / 1e-3 + table.static_energy(lean, 1).at("scratchpad");
  CHECK(watts == Approx(0.11).epsilon(0.02));
}

TEST_CASE("another price of DRAM transfers leaves everything else", "[energy]") {
  const EnergyTable table = load("silicon");
  const EnergyTable lpddr = table.with_dram_transfer(8e-12);
  ActionCounts transfers, rest;
  transfers.by_component["dram"] = {{"read_64b", 3}, {"write_64b", 2}};
  rest.by_component = {{"dram", {{"activate", 5}, {"refresh", 1}}}, {"pe", {{"fma_lane", 7}}}};
  CHECK(sum(lpddr.price(transfers, full)) == Approx(5 * 512 * 8e-12));
  CHECK(sum(table.price(transfers, full)) == Approx(512 * (3 * 14.77e-12 + 2 * 14.2e-12)));
  CHECK(lpddr.actions().at("dram").at("read_64b").source == "set by the user: energy.dram_pj_per_bit");
  CHECK(lpddr.actions().at("dram").at("read_64b").confidence == "low");
  CHECK(sum(lpddr.price(rest, full)) == sum(table.price(rest, full)));
  CHECK(lpddr.static_energy(full, 1) == table.static_energy(full, 1));
  const EnergyTable mean = table.with_dram_transfer((3 * 14.77e-12 + 2 * 14.2e-12) / 5);
  CHECK(sum(mean.price(transfers, full)) == Approx(sum(table.price(transfers, full))));
}

TEST_CASE("textbook prices are the published ones, DRAM costs the same in both", "[energy]") {
  const EnergyTable textbook = load("textbook");
  const EnergyTable silicon = load("silicon");
  const auto picojoules = [](const EnergyTable& table, const char* component, const char* action, MachineSize size) {
    ActionCounts counts;
    counts.by_component[component][action] = 1;
    return sum(table.price(counts, size)) * 1e12;
  };
  CHECK(picojoules(textbook, "pe", "fma_lane", full) == Approx(0.69));
  CHECK(picojoules(textbook, "pe", "multiply_lane", full) == Approx(0.48));
  CHECK(picojoules(textbook, "pe", "add_lane", full) == Approx(0.21));
  for (const char* action : {"activate", "read_64b", "write_64b", "refresh"}) {
    CHECK(picojoules(textbook, "dram", action, full) == picojoules(silicon, "dram", action, full));
  }
  CHECK(textbook.static_energy(full, 2).at("dram") == silicon.static_energy(full, 2).at("dram"));

  SECTION("what moves vectors scales with their width, arithmetic does not") {
    const MachineSize narrow{16, 8, 4 << 20, 2};
    CHECK(picojoules(silicon, "pe", "operand_read", full) == Approx(0.016 * 512));
    CHECK(picojoules(silicon, "pe", "operand_read", narrow) == Approx(0.016 * 128));
    CHECK(picojoules(silicon, "mesh", "vector_hop", narrow) == Approx(0.47 * 128));
    CHECK(picojoules(silicon, "pe", "scalar_read", narrow) == Approx(0.016 * 16));
    CHECK(picojoules(silicon, "pe", "fma_lane", narrow) == picojoules(silicon, "pe", "fma_lane", full));
  }
  SECTION("background scales with the machine") {
    const MachineSize other{64, 16, 8 << 20, 1, 8192, 2, 4 * 32, 4, 2, {{"pe", 17}, {"cpu", 0.3}}};
    CHECK(silicon.static_energy(other, 1).at("scratchpad") == Approx(2 * 0.14).epsilon(0.01));
    CHECK(silicon.static_energy(other, 1).at("cpu") == silicon.static_energy(full, 1).at("cpu"));
    CHECK(textbook.static_energy(full, 1).at("pe") == Approx(16 * 7.23e-3).epsilon(0.001));
    CHECK(textbook.static_energy(other, 1).at("pe") == Approx(17 * 15e-3));
    CHECK_THROWS_WITH(textbook.static_energy({16, 32, 4 << 20, 2}, 1), Contains("priced by area"));
  }
}

/// Milliampere and volt of one 8 Gb x16 DDR4-3200 device. IDD: configuration DDR4_8Gb_x16_3200 of DRAMsim3 at its
/// commit 2981759. IPP: Micron, data sheet of the module MTA4ATF51264AZ (rev. B, 8/16), table 13, which has the sums of
/// its four 8 Gb x16 devices and the same at every speed.
struct DeviceCurrents {
  double idd0 = 95, idd2n = 37, idd3n = 56, idd4r = 302, idd4w = 278, idd5b = 280;
  double ipp0 = 16.0 / 4, ipp3n = 12.0 / 4, ipp5b = 112.0 / 4;
  double vdd = 1.2, vpp = 2.5;
};

TEST_CASE("the DRAM costs what the currents of its devices give", "[energy][dram]") {
  // After Micron's technical note TN-40-07: what an action draws above standby, over the time that it takes.
  const DeviceCurrents mA;
  ParameterGroup root{"test"};
  const DramParameters parameters(&root);
  const auto ns = [&](i64 clocks) { return static_cast<double>(clocks) / parameters.geometry.clock_hz * 1e9; };
  constexpr double devices = 4;  // of 16 bits, on a bus of 64
  const double ras = ns(parameters.timing.activate_to_precharge), rp = ns(parameters.timing.precharge);
  const double burst = ns(64 / (2 * parameters.geometry.bus_bytes)), rfc = ns(parameters.refresh.cycles);
  const double activate =
      mA.vdd * (mA.idd0 * (ras + rp) - mA.idd3n * ras - mA.idd2n * rp) + mA.vpp * (mA.ipp0 - mA.ipp3n) * (ras + rp);
  const double refresh = (mA.vdd * (mA.idd5b - mA.idd3n) + mA.vpp * (mA.ipp5b - mA.ipp3n)) * rfc;
  const double read = mA.vdd * (mA.idd4r - mA.idd3n) * burst, write = mA.vdd * (mA.idd4w - mA.idd3n) * burst;
  const double standby = mA.vdd * mA.idd3n + mA.vpp * mA.ipp3n;
  constexpr double io = 9 * 512;  // I/O, PHY and controller, an assumption of the tables
  for (const char* profile : {"silicon", "silicon_simd8", "textbook"}) {
    INFO(profile);
    const EnergyTable table = load(profile);
    const auto picojoules = [&](const char* action) {
      ActionCounts counts;
      counts.by_component["dram"][action] = 1;
      return sum(table.price(counts, full)) * 1e12;
    };
    CHECK(picojoules("activate") == Approx(devices * activate).epsilon(0.01));
    CHECK(picojoules("refresh") == Approx(devices * refresh).epsilon(0.01));
    CHECK(picojoules("read_64b") - io == Approx(devices * read).epsilon(0.01));
    CHECK(picojoules("write_64b") - io == Approx(devices * write).epsilon(0.01));
    CHECK(table.static_energy(full, 1).at("dram") ==
          Approx(static_cast<double>(full.dram_channels) * devices * standby * 1e-3).epsilon(0.01));
  }
}

TEST_CASE("every memory standard prices what the DRAM does, from one table beside the profiles", "[energy][dram]") {
  const EnergyTable profile = EnergyTable::load(shipped("silicon"));
  REQUIRE_FALSE(profile.prices("dram"));
  for (const DramStandard& standard : dram_standards()) {
    INFO(standard.name);
    const EnergyTable table = with_dram_prices(profile, standard);
    CHECK(is_priced_by(table, standard));
    ActionCounts counts;
    for (const char* action : {"activate", "read_64b", "write_64b", "refresh"}) counts.by_component["dram"][action] = 1;
    CHECK_NOTHROW(table.price(counts, full));
    CHECK(table.actions().at("dram").size() == 4);
    for (const auto& [action, price] : table.actions().at("dram")) {
      INFO(action);
      CHECK(price.value > 0);
      CHECK(price.source.size() > 10);
      CHECK((price.confidence == "high" || price.confidence == "mid" || price.confidence == "low"));
    }
    // No memory of today moves a bit for less than 1 pJ or more than 30.
    for (const char* action : {"read_64b", "write_64b"}) {
      CHECK(table.actions().at("dram").at(action).value / 512 > 1e-12);
      CHECK(table.actions().at("dram").at(action).value / 512 < 30e-12);
    }
    CHECK(table.static_energy(full, 1).at("dram") == Approx(2 * standard.standby.watts));
    // A table that prices the DRAM itself is the user's word.
    CHECK(is_priced_by(with_dram_prices(table, dram_standards().front()), standard));
  }
}

TEST_CASE("LPDDR4X costs what the currents of its devices give", "[energy][dram]") {
  // Milliampere of a channel of 16 bits: DRAMSys, MICRON_6Gb_LPDDR4-3200_32bit_A.json; VDD1 1.8 V and VDD2 1.1 V.
  constexpr double vdd1 = 1.8, vdd2 = 1.1, vddq = 0.6, ns = 0.625;
  constexpr double rc = 97 * ns, ras = 68 * ns, rp = 29 * ns, rfc = 448 * ns, gbit_per_s = 3.2 * 16;
  const double activate = vdd1 * (3.5 * rc - 2.25 * ras - 2 * rp) + vdd2 * (45 * rc - 30 * ras - 27 * rp);
  const double read = vdd2 * (275 - 30) / gbit_per_s + vddq * 150 / gbit_per_s;
  const double write = vdd2 * (210 - 30) / gbit_per_s + vddq * 150 / gbit_per_s;
  const double refresh = (vdd1 * (10 - 2.25) + vdd2 * (90 - 30)) * rfc * 8 / 6;
  const double standby = 1e-3 * (vdd1 * 2.25 + vdd2 * 30 + vddq * 0.75);
  const DramStandard& table = dram_standard("lpddr4x_4266");
  const auto price = [&](const std::string& action) {
    for (const DramStandard::Price& entry : table.prices) {
      if (entry.action == action) return entry.picojoules;
    }
    return 0.0;
  };
  constexpr double phy = 2;
  CHECK(price("activate") == Approx(activate).epsilon(0.01));
  CHECK(price("read_64b") == Approx(read + phy).epsilon(0.01));
  CHECK(price("write_64b") == Approx(write + phy).epsilon(0.01));
  CHECK(price("refresh") == Approx(refresh).epsilon(0.01));
  CHECK(table.standby.watts == Approx(standby).epsilon(0.01));
}

TEST_CASE("prices follow technology and voltage, those of the DRAM do not", "[energy]") {
  for (const char* profile : {"silicon", "silicon_simd8", "textbook"}) {
    const EnergyTable table = load(profile);
    ActionCounts chip, memory;
    chip.by_component = {{"pe", {{"fma_lane", 1000}, {"operand_read", 100}}}, {"scratchpad", {{"row_read", 10}}}};
    memory.by_component["dram"] = {{"read_64b", 5}, {"activate", 1}};
    const auto joules = [&](const EnergyTable& priced, const ActionCounts& counts) {
      return sum(priced.price(counts, full));
    };
    const OperatingPoint here{table.technology_nm(), table.voltage()};
    CHECK(joules(table.at(here), chip) == joules(table, chip));
    CHECK_FALSE(table.at(here).scaled());
    CHECK(table.at({here.nm, 0.6}).scaled());
    double last = 0;
    for (const double volt : {0.5, 0.6, 0.7, 0.8, 0.9, 1.0}) {
      const EnergyTable scaled = table.at({here.nm, volt});
      CHECK(joules(scaled, chip) > last);
      last = joules(scaled, chip);
      CHECK(joules(scaled, chip) / joules(table, chip) == Approx(energy_scale(here, {here.nm, volt})));
      CHECK(joules(scaled, memory) == joules(table, memory));
      CHECK(scaled.static_energy(full, 1).at("scratchpad") ==
            Approx(table.static_energy(full, 1).at("scratchpad") * volt / 0.8));
      CHECK(scaled.static_energy(full, 1).at("dram") == table.static_energy(full, 1).at("dram"));
    }
    CHECK(joules(table.at({7, 0.8}), chip) < joules(table, chip));
    CHECK(joules(table.at({28, 0.8}), chip) > joules(table, chip));
    CHECK_THROWS_AS(table.at({5, 0.8}), EnergyTableError);
    CHECK_THROWS_WITH(table.at({65, 0.5}), Contains("65 nm at 0.5 V") && Contains("from 0.586 V"));
  }
}

TEST_CASE("at every node energy grows with the voltage, from the lowest that is taken", "[energy]") {
  for (double nm = 7; nm <= 130; nm += 0.5) {
    INFO(nm << " nm");
    const double lowest = lowest_voltage(nm);
    CHECK(lowest > 0.15);
    CHECK(lowest < 0.6);
    CHECK_THROWS_AS(energy_scale({12, 0.8}, {nm, lowest - 1e-3}), std::invalid_argument);
    CHECK_THROWS_AS(energy_scale({nm, lowest - 1e-3}, {12, 0.8}), std::invalid_argument);
    double last = 0;
    for (double volt = lowest; volt <= 1.3; volt += 0.01) {
      const double now = energy_scale({12, 0.8}, {nm, volt});
      CHECK(now > last);
      last = now;
    }
  }
}

TEST_CASE("in retention the array leaks less", "[energy]") {
  const EnergyTable textbook = load("textbook");
  const auto leakage = [&](const ArrayTime& time) { return textbook.static_energy(full, time); };
  CHECK(leakage({2, 2}).at("pe") == Approx(0.1 * leakage(2).at("pe")));
  CHECK(leakage({2, 0.5}).at("pe") == Approx(leakage(1.5).at("pe") + leakage({0.5, 0.5}).at("pe")));
  CHECK(leakage({2, 2}).at("cpu") == leakage(2).at("cpu"));

  SECTION("so do its per-cycle prices in silicon, state by state") {
    const EnergyTable silicon = load("silicon");
    const auto picojoules = [&](const char* state) {
      ActionCounts counts;
      counts.by_component["pe"][state] = 1;
      return sum(silicon.price(counts, full)) * 1e12;
    };
    CHECK(picojoules("active_cycle") >= picojoules("idle_cycle"));
    CHECK(picojoules("idle_cycle") > picojoules("gated_cycle"));
    CHECK(picojoules("gated_cycle") > picojoules("retention_cycle"));
    CHECK(picojoules("retention_cycle") > 0);
  }
}

TEST_CASE("energy by power state and by action close with the total", "[energy]") {
  ActionCounts counts;
  counts.by_component["pe"] = {{"fma_lane", 1'000'000},
                               {"active_cycle", 16'000},
                               {"idle_cycle", 8'000},
                               {"gated_cycle", 4'000},
                               {"retention_cycle", 4'000}};
  counts.by_component["mesh"] = {{"vector_hop", 500}};
  counts.by_component["dram"] = {{"read_64b", 77}, {"activate", 3}};
  constexpr u64 cycles = 2'000;
  constexpr double hz = 5e8;
  const ArrayTime time = array_time(counts, full, cycles, hz);
  CHECK(time.seconds == Approx(4e-6));
  CHECK(time.retention_s == Approx(0.5e-6));
  for (const char* profile : {"silicon", "textbook"}) {
    INFO(profile);
    const EnergyTable table = load(profile);
    const double total = sum(table.price(counts, full)) + sum(table.static_energy(full, time));
    const auto states = energy_by_power_state(table, counts, full, cycles, hz);
    CHECK(sum(states) == Approx(total).epsilon(1e-12));
    CHECK(states.at("rest_of_soc") ==
          Approx(table.price(counts, full).at("dram") + table.static_energy(full, time).at("dram") +
                 table.static_energy(full, time).at("scratchpad") + table.static_energy(full, time).at("cpu")));
    CHECK(states.at("active") > table.price(counts, full).at("mesh"));
    // As many cycles in each.
    CHECK(states.at("gated") > states.at("retention"));
    CHECK(states.at("retention") > 0);
    const auto by_action = table.price_by_action(counts, full);
    CHECK(by_action.at("dram").at("read_64b") == Approx(77 * 14.77 * 512e-12));
    CHECK(by_action.at("dram").at("activate") == Approx(3 * 10.374e-9));
    CHECK(table.static_by_kind(full, time).at("dram").at("standby") == Approx(2 * 0.2988 * 4e-6));
  }
}

TEST_CASE("area grows with what the machine has", "[energy]") {
  const AreaTable table = AreaTable::load(shipped("area"));
  const auto mm2 = [&](const MachineSize& size) { return table.area(size); };
  const MachineSize base{16, 32, 4 << 20, 2, 16384, 2, 4 * 64};
  // The published array: 7.712 mm2.
  CHECK(mm2(base).at("pe") == Approx(7.712).epsilon(0.01));
  CHECK(mm2(base).at("scratchpad") == Approx(4).epsilon(0.01));
  MachineSize more = base;
  more.pes = 64;
  CHECK(mm2(more).at("pe") == Approx(4 * mm2(base).at("pe")));
  more = base;
  more.lanes = 8;
  CHECK(mm2(more).at("pe") < mm2(base).at("pe"));
  more = base;
  more.operand_bytes *= 2;
  CHECK(mm2(more).at("pe") > mm2(base).at("pe"));
  more.scratchpad_bytes *= 2;
  CHECK(mm2(more).at("scratchpad") == Approx(2 * mm2(base).at("scratchpad")));
  more.dram_channels = 4;
  MachineSize links = base;
  links.link_bytes *= 2;
  CHECK(mm2(links).at("pe") - mm2(base).at("pe") == Approx(16 * 0.092));
  more.dma_channels = 8;
  CHECK(mm2(more).at("dram") == Approx(2 * mm2(base).at("dram")));
  CHECK(mm2(more).at("dma") == Approx(4 * mm2(base).at("dma")));
}

TEST_CASE("area and energy of the operand memory go with its banks and ports", "[energy]") {
  const MachineSize base{16, 32, 4 << 20, 2, 16384, 2, 4 * 64};
  const auto machine = [&](u64 banks, u64 ports) {
    MachineSize size = base;
    size.operand_banks = banks;
    size.operand_ports = ports;
    return size;
  };
  const AreaTable areas = AreaTable::load(shipped("area"));
  const auto mm2 = [&](u64 banks, u64 ports) {
    const auto parts = areas.area_by_part(machine(banks, ports)).at("pe");
    return (parts.at("operand_memory") + parts.at("operand_ports")) / 16;
  };
  // The published register file; cells grow in both directions with each port, every bank has its own periphery.
  CHECK(mm2(4, 2) == Approx(0.044).epsilon(1e-3));
  CHECK(mm2(4, 1) == Approx(0.036 * 4 / 9 + 0.004).epsilon(1e-3));
  CHECK(mm2(8, 2) == Approx(0.036 + 0.016).epsilon(1e-3));
  CHECK(mm2(1, 8) == Approx(0.036 * 9 + 0.008).epsilon(1e-3));
  const EnergyTable silicon = EnergyTable::load(shipped("silicon"));
  const auto picojoules = [&](const char* action, const MachineSize& size) {
    ActionCounts counts;
    for (const auto& [component, prices] : silicon.actions()) {
      for (const auto& [name, price] : prices) counts.by_component[component][name] = 0;
    }
    counts.by_component["pe"][action] = 1;
    return silicon.price_by_action(counts, size).at("pe").at(action) * 1e12;
  };
  for (const char* action : {"operand_read", "operand_write"}) {
    CHECK(picojoules(action, base) == Approx(0.016 * 512));
    CHECK(picojoules(action, machine(4, 1)) == Approx(0.016 * 512 * 2 / 3));
    CHECK(picojoules(action, machine(1, 8)) == Approx(0.016 * 512 * 3 * 2));
    CHECK(picojoules(action, machine(16, 2)) == Approx(0.016 * 512 / 2));
    MachineSize narrow = base;
    narrow.lanes = 8;
    narrow.operand_bytes /= 4;
    CHECK(picojoules(action, narrow) == Approx(0.016 * 128));
  }
}

TEST_CASE("the parts of a run have the energy of the whole", "[energy]") {
  Tree tree;
  const EnergyTable table = load("silicon");
  const ActionSampler sampler(tree.estimators());
  const std::vector<u64> begin = sampler.sample();
  std::vector<u64> last = begin;
  double parts = 0;
  for (u64 interval = 1; interval <= 50; ++interval) {
    tree.adds += 1'000'003 * interval;
    tree.other_adds += 17;
    tree.activates += interval % 3;
    std::vector<u64> now = sampler.sample();
    parts += sum(table.price(sampler.between(last, now), full));
    parts += sum(table.static_energy(full, 1e-6 * static_cast<double>(interval)));
    last = std::move(now);
  }
  const double whole = sum(table.price(sampler.between(begin, last), full)) + sum(table.static_energy(full, 1275e-6));
  CHECK(parts == Approx(whole).epsilon(1e-12));
}

}  // namespace
