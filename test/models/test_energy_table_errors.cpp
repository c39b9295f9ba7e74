// SPDX-License-Identifier: Apache-2.0
// Energy tables that must be refused, naming file, line and key.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "models/power/energy_table.h"

namespace {

using namespace bvp;
using Catch::Matchers::Contains;

const std::string good = R"(profile: mine
description: made up
technology_nm: 12
voltage: 0.8
actions:
  pe:
    fma_lane: {pj: 1, source: a book, confidence: mid}
    operand_read: {pj_per_bit: 0.5, bits: vector, source: a book, confidence: low}
    scalar_read: {pj_per_bit: 0.5, bits: 16, source: a book, confidence: low}
static:
  pe:
    control: {watt: 0.5, per: pe, source: a book, confidence: high}
)";

class TableFile {
 public:
  explicit TableFile(const std::string& text)
      : path_(std::filesystem::temp_directory_path() / ("bvp_energy_" + std::to_string(getpid()) + ".yaml")) {
    std::ofstream(path_) << text;
  }
  ~TableFile() { std::filesystem::remove(path_); }
  TableFile(const TableFile&) = delete;
  TableFile& operator=(const TableFile&) = delete;

  [[nodiscard]] EnergyTable load() const { return EnergyTable::load(path_); }

 private:
  std::filesystem::path path_;
};

std::string message(const std::string& text) {
  try {
    (void)TableFile(text).load();
  } catch (const EnergyTableError& error) {
    return error.what();
  }
  return "accepted";
}

/// The good table with one place changed.
std::string with(const std::string& old_text, const std::string& new_text) {
  std::string text = good;
  const std::size_t at = text.find(old_text);
  REQUIRE(at != std::string::npos);
  return text.replace(at, old_text.size(), new_text);
}

TEST_CASE("an energy table of one's own is read", "[energy]") {
  const EnergyTable table = TableFile(good).load();
  CHECK(table.profile() == "mine");
  CHECK(table.description() == "made up");
  CHECK(table.actions().at("pe").at("fma_lane").source == "a book");
  ActionCounts counts;
  counts.by_component["pe"] = {{"fma_lane", 3}, {"operand_read", 2}, {"scalar_read", 1}};
  const MachineSize size{4, 8, 0, 0};
  CHECK(table.price(counts, size).at("pe") == Approx((3 + 2 * 0.5 * 8 * 16 + 0.5 * 16) * 1e-12));
  CHECK(table.static_energy(size, 3).at("pe") == Approx(0.5 * 4 * 3));
}

TEST_CASE("an energy table must fit the machine", "[energy]") {
  ActionCounts counts;
  counts.by_component["pe"] = {{"fma_lane", 0}, {"operand_read", 0}, {"scalar_read", 0}};
  const MachineSize size{4, 8, 0, 0};
  CHECK_NOTHROW(TableFile(good).load().check(counts, size));
  CHECK_NOTHROW(TableFile(with("voltage: 0.8", "voltage: 0.8\nlanes: 8")).load().check(counts, size));
  const std::string entry = "{watt: 1, per: instance, source: a book, confidence: mid}\n";
  const struct {
    std::string text, expected;
  } cases[] = {
      {good + "  gpu:\n    leakage: " + entry, ":14: static.gpu: there is no such component"},
      {with("per: pe", "per: mm2"), ":12: background of 'pe' is priced by area, which is not known"},
      {with("fma_lane", "bogus_lane"), ":7: actions.pe.bogus_lane: no estimator counts this action"},
      {with("  pe:\n    fma", "  mash:\n    fma"), ":7: actions.mash.fma_lane: no estimator counts this action"},
      {with("    scalar_read: {pj_per_bit: 0.5, bits: 16, source: a book, confidence: low}\n", ""),
       ".yaml: actions.pe.scalar_read: missing"},
      {with("voltage: 0.8", "voltage: 0.8\nlanes: 16"), ".yaml: lanes: the prices hold for PEs of 16 lanes alone"},
  };
  for (const auto& example : cases) {
    CHECK_THROWS_WITH(TableFile(example.text).load().check(counts, size),
                      Contains("bvp_energy_") && Contains(example.expected));
  }
}

TEST_CASE("an energy table must say what some components take by standing there", "[energy]") {
  ActionCounts counts;
  counts.by_component["cpu"] = {{"instruction", 0}};
  const MachineSize size{4, 8, 0, 0};
  const std::string head = "profile: mine\ndescription: made up\ntechnology_nm: 12\nvoltage: 0.8\nactions:\n";
  const std::string cpu = head + "  cpu:\n    instruction: {pj: 1, source: a book, confidence: mid}\nstatic:\n";
  const std::string entry = "    leakage: {watt: 0, per: instance, source: a book, confidence: mid}\n";
  CHECK_NOTHROW(TableFile(cpu + "  cpu:\n" + entry).load().check(counts, size));
  counts.by_component["mesh"] = {};
  CHECK_NOTHROW(TableFile(cpu + "  cpu:\n" + entry).load().check(counts, size));
  CHECK_THROWS_WITH(TableFile(cpu + "  mesh:\n" + entry).load().check(counts, size),
                    Contains(".yaml: static.cpu: missing, expected what it takes by standing there, be it 0"));
}

TEST_CASE("the own point of an energy table needs no scaling", "[energy]") {
  for (const std::string& text :
       {with("technology_nm: 12", "technology_nm: 5"), with("technology_nm: 12", "technology_nm: 200")}) {
    const EnergyTable table = TableFile(text).load();
    CHECK_FALSE(table.at({table.technology_nm(), 0.8}).scaled());
    CHECK_THROWS_WITH(table.at({table.technology_nm(), 0.7}), Contains("bvp_energy_") && Contains("no scaling"));
  }
}

TEST_CASE("malformed energy tables are refused with file, line and key", "[energy]") {
  struct Case {
    const char *from, *to, *expected;
  };
  const Case cases[] = {
      {"profile: mine", "profil: mine", ".yaml:1: profil: unknown key, expected profile, "},
      {"profile: mine\n", "", "profile: missing"},
      {"profile: mine", "profile: [mine]", ":1: profile: expected a text"},
      {"voltage: 0.8", "voltage: high", ":4: voltage: found 'high', expected a number"},
      {"voltage: 0.8", "voltage: 0.8\nvoltage: 0.9", ":5: voltage: given twice"},
      {"actions:", "action:", ":5: action: unknown key"},
      {"pj: 1,", "pj: -1,", ":7: actions.pe.fma_lane.pj: found '-1', expected a number from 0"},
      {"pj: 1,", "pj: .nan,", ":7: actions.pe.fma_lane.pj: found '.nan'"},
      {"pj: 1,", "pj: .inf,", ":7: actions.pe.fma_lane.pj: found '.inf'"},
      {"pj: 1,", "pj: 1e300,", ":7: actions.pe.fma_lane.pj: found '1e300'"},
      {"pj: 1,", "pj: 1 pJ,", ":7: actions.pe.fma_lane.pj: found '1 pJ'"},
      {"pj: 1,", "pj: {},", ":7: actions.pe.fma_lane.pj: expected a text"},
      {"pj: 1,", "", ":7: actions.pe.fma_lane: expected either 'pj'"},
      {"pj: 1,", "pj: 1, pj_per_bit: 1, bits: 2,", ":7: actions.pe.fma_lane: expected either 'pj'"},
      {"pj: 1,", "pj: 1, bits: 2,", ":7: actions.pe.fma_lane.bits: belongs to"},
      {"pj: 1,", "pj: 1, nj: 2,", ":7: actions.pe.fma_lane.nj: unknown key"},
      {"pj: 1, source: a book", "pj: 1", ":7: actions.pe.fma_lane.source: missing"},
      {"pj: 1, source: a book", "pj: 1, source: ''", ":7: actions.pe.fma_lane.source: expected a text"},
      {"confidence: mid", "confidence: sure", ":7: actions.pe.fma_lane.confidence: found 'sure'"},
      {"bits: vector, ", "", ":8: actions.pe.operand_read.bits: missing"},
      {"bits: 16", "bits: 0", ":9: actions.pe.scalar_read.bits: found 0, expected a number above it"},
      {"technology_nm: 12", "technology_nm: 0", ":3: technology_nm: found 0"},
      {"voltage: 0.8", "voltage: 0.0", ":4: voltage: found 0"},
      {"bits: vector", "bits: vectors", ":8: actions.pe.operand_read.bits: found 'vectors'"},
      {"    operand_read:", "    fma_lane:", ":8: actions.pe.fma_lane: given twice"},
      {"    operand_read:", "    [a, b]:", ":8: actions.pe: a key must be a name"},
      {"{pj: 1, source: a book, confidence: mid}", "1", ":7: actions.pe.fma_lane: expected a map"},
      {"{pj: 1, source: a book, confidence: mid}", "{}", ":7: actions.pe.fma_lane: expected a map with entries"},
      {"static:", "static: {}\nother:", "other: unknown key"},
      {"per: pe", "per: core", ":12: static.pe.control.per: found 'core', expected instance, pe, lane"},
      {"watt: 0.5", "mw: 0.5", ":12: static.pe.control.mw: unknown key"},
      {"watt: 0.5, ", "", ":12: static.pe.control.watt: missing"},
      {"watt: 0.5, ", "watt: 0.5, retention: 1.5, ", ":12: static.pe.control.retention: expected a share from 0 to 1"},
      {"watt: 0.5, ", "watt: 0.5, retention: some, ", ":12: static.pe.control.retention: found 'some'"},
      {"static:", "static: [", ":"},
      {"description: made up", "description: *nothing", ":2: "},
  };
  for (const Case& example : cases) {
    INFO(example.from << " -> " << example.to);
    CHECK_THAT(message(with(example.from, example.to)), Contains("bvp_energy_") && Contains(example.expected));
  }
  for (const std::string& text : {std::string(), std::string("[1, 2]"), std::string("text"), std::string("{}"),
                                  std::string(100000, '['), std::string("\0\x01\xff", 3)}) {
    CHECK_THAT(message(text), Contains("bvp_energy_"));
  }
  CHECK_THROWS_WITH(EnergyTable::load("nowhere.yaml"), Contains("nowhere.yaml: cannot be read"));
  CHECK_THROWS_AS(EnergyTable::load(std::filesystem::temp_directory_path()), EnergyTableError);
}

}  // namespace
