// SPDX-License-Identifier: Apache-2.0
// Every memory standard, from its table: it is complete, each timing gate is tight, and random traffic obeys every
// rule.
#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "models/memory/dram_channel.h"
#include "models/memory/dram_standard.h"
#include "test/models/dram_command_checker.h"

using namespace bvp;

namespace {

using Kind = DramCommand::Kind;
using Outcome = DramChannel::Outcome;
using Plan = DramChannel::Plan;

/// A channel of a standard whose commands are recorded.
struct Bench {
  ParameterGroup root{"test"};
  DramParameters p{&root};
  StatGroup stats{"dram"};
  DramStatistics statistics{&stats};
  std::vector<DramCommand> commands;
  std::unique_ptr<DramChannel> channel;
  Connection connection;

  explicit Bench(const std::string& standard) {
    p.standard = standard;
    apply_dram_standard(p);
  }
  void build() {
    channel = std::make_unique<DramChannel>(p, statistics);
    connection = channel->commanded.connect([this](const DramCommand& command) { commands.push_back(command); });
  }
  Plan issue(u32 bank, u64 row, bool write, Cycle earliest) {
    const Plan plan = channel->plan(bank, row, write, earliest);
    channel->commit(bank, row, write, plan);
    return plan;
  }
  void check_rules() const {
    const std::vector<std::string> violations = test::DramCommandChecker(p).check(commands);
    INFO((violations.empty() ? "" : violations.front()));
    CHECK(violations.size() == 0);
  }
  /// The command is refused one clock before `at` and possible at `at`: asked for either clock, it comes at `at`.
  void check_tight(Cycle Plan::*command, u32 bank, u64 row, bool write, Cycle at) const {
    CHECK(channel->plan(bank, row, write, at - 1).*command == at);
    CHECK(channel->plan(bank, row, write, at).*command == at);
    CHECK(channel->plan(bank, row, write, at + 1).*command == at + 1);
  }

  [[nodiscard]] Cycle burst() const {
    return static_cast<Cycle>(
        std::max<i64>(1, p.geometry.burst_bytes / (p.geometry.transfers_per_clock * p.geometry.bus_bytes)));
  }
  [[nodiscard]] Cycle bursts() const { return static_cast<Cycle>(64 / p.geometry.burst_bytes); }
  static Cycle clocks(const Param<i64>& parameter) { return static_cast<Cycle>(parameter.get()); }
  /// tCCD, which is never less than the data.
  [[nodiscard]] Cycle ccd(const Param<i64>& parameter) const { return std::max(burst(), clocks(parameter)); }
  /// From the first burst of an access to its last.
  [[nodiscard]] Cycle to_last() const { return (bursts() - 1) * ccd(p.timing.column_to_column_group); }
  /// Banks in the group of bank 0 and in another one, if there is one.
  [[nodiscard]] u32 same() const { return static_cast<u32>(p.geometry.bank_groups.get()); }
  [[nodiscard]] bool has_groups() const { return p.geometry.bank_groups > 1; }
};

/// Far from the refreshes of all banks.
constexpr Cycle start_time = 100;

/// With refreshes of all banks together, which come late.
void for_every_standard(const std::function<void(Bench&)>& check) {
  for (const std::string& name : dram_standard_names()) {
    INFO(name);
    Bench bench(name);
    bench.p.refresh.policy = std::string("all_bank");
    check(bench);
  }
}

}  // namespace

TEST_CASE("dram standards: every table is complete, with a source for each value", "[dram][standards]") {
  ParameterGroup root{"test"};
  const DramParameters defaults(&root);
  REQUIRE(dram_standards().size() >= 4);
  CHECK(dram_standards().front().name == defaults.standard.get());
  CHECK(defaults.standard.choices() == dram_standard_names());
  // What any of them sets, each sets, but for the default, which is DramParameters.
  std::set<std::string> set_by_one;
  for (const DramStandard& standard : dram_standards()) {
    for (const DramStandard::Value& value : standard.values) set_by_one.insert(value.parameter);
  }
  for (const DramStandard& standard : dram_standards()) {
    INFO(standard.name);
    CHECK(standard.description.size() > 20);
    Bench bench(standard.name);
    std::set<std::string> set;
    for (const DramStandard::Value& value : standard.values) {
      INFO(value.parameter);
      REQUIRE(bench.p.find_parameter(value.parameter) != nullptr);
      CHECK(bench.p.find_parameter(value.parameter)->value() == value.value);
      CHECK(std::string(value.source).size() > 5);
      CHECK(set.insert(value.parameter).second);
    }
    if (standard.name != defaults.standard.get()) CHECK(set == set_by_one);
    CHECK_NOTHROW(bench.build());
    CHECK(bench.burst() * bench.bursts() *
              static_cast<Cycle>(bench.p.geometry.transfers_per_clock * bench.p.geometry.bus_bytes) ==
          64);
  }
}

TEST_CASE("dram standards: each gate of a bank is tight", "[dram][standards]") {
  for_every_standard([](Bench& b) {
    const DramParameters& p = b.p;
    b.build();
    constexpr Cycle start = start_time;
    const Plan miss = b.issue(0, 7, false, start);
    CHECK(miss.outcome == Outcome::miss);
    CHECK(miss.activate == start);
    CHECK(miss.column == start + Bench::clocks(p.timing.activate_to_column));
    CHECK(miss.data == miss.column + Bench::clocks(p.timing.read_latency));
    CHECK(miss.end == miss.data + b.to_last() + b.burst());
    // tRAS or tRTP, whichever is later; tRP.
    const Cycle closing = std::max(start + Bench::clocks(p.timing.activate_to_precharge),
                                   miss.column + b.to_last() + Bench::clocks(p.timing.read_to_precharge));
    b.check_tight(&Plan::precharge, 0, 8, false, closing);
    const Plan conflict = b.channel->plan(0, 8, false, closing);
    CHECK(conflict.activate == closing + Bench::clocks(p.timing.precharge));
    // tRTP alone: tRAS is over.
    const Plan read = b.issue(0, 7, false, start + 2 * Bench::clocks(p.timing.activate_to_precharge));
    CHECK(read.outcome == Outcome::hit);
    b.check_tight(&Plan::precharge, 0, 8, false, read.column + b.to_last() + Bench::clocks(p.timing.read_to_precharge));
    // tWR.
    const Plan write = b.issue(0, 7, true, read.end + 100);
    CHECK(write.data == write.column + Bench::clocks(p.timing.write_latency));
    b.check_tight(&Plan::precharge, 0, 8, false,
                  write.data + b.to_last() + b.burst() + Bench::clocks(p.timing.write_recovery));
    b.check_rules();
  });
}

TEST_CASE("dram standards: activates keep tRRD and tFAW, and no more", "[dram][standards]") {
  for_every_standard([](Bench& b) {
    const DramParameters& p = b.p;
    b.build();
    constexpr Cycle start = start_time;
    b.issue(0, 7, false, start);
    if (b.has_groups())
      b.check_tight(&Plan::activate, 1, 7, false, start + Bench::clocks(p.timing.activate_to_activate));
    b.check_tight(&Plan::activate, b.same(), 7, false,
                  start + std::max(Bench::clocks(p.timing.activate_to_activate),
                                   Bench::clocks(p.timing.activate_to_activate_group)));
    const u32 step = b.has_groups() ? 1 : b.same();
    Cycle last = 0;
    for (u32 i = 1; i < 4; ++i) last = b.issue(i * step, 7, false, start).activate;
    const Cycle fifth =
        std::max(start + Bench::clocks(p.timing.four_activates), last + Bench::clocks(p.timing.activate_to_activate));
    b.check_tight(&Plan::activate, 4 * step + (b.has_groups() ? 1 : 0), 7, false, fifth);
    b.check_rules();
  });
}

TEST_CASE("dram standards: column commands keep tCCD, tWTR and the turnaround, and no more", "[dram][standards]") {
  for_every_standard([](Bench& b) {
    const DramParameters& p = b.p;
    b.build();
    Cycle now = start_time;
    const u32 other = b.has_groups() ? 1 : 2;
    for (const u32 bank : {u32{0}, b.same(), other}) now = b.issue(bank, 7, false, now).end;
    const auto later = [&] { return now += 200; };
    // tCCD: behind the last burst of the access before; another group's bursts may lie between those of one.
    Plan read = b.issue(0, 7, false, later());
    b.check_tight(&Plan::column, b.same(), 7, false,
                  read.column + b.to_last() + b.ccd(p.timing.column_to_column_group));
    if (b.has_groups()) {
      const Cycle next = read.column + b.ccd(p.timing.column_to_column);
      CHECK(b.channel->plan(other, 7, false, next - 1).column == next);
      CHECK(b.channel->plan(other, 7, false, next).column == next);
    }
    b.issue(other, 7, false, read.column);
    // From read to write.
    now = read.end + 400;
    read = b.issue(0, 7, false, now);
    const Cycle turned = read.end + Bench::clocks(p.timing.turnaround) - Bench::clocks(p.timing.write_latency);
    b.check_tight(&Plan::column, b.same(), 7, true, turned);
    // From write to read, in the group and in another.
    now = read.end + 400;
    const Plan write = b.issue(0, 7, true, now);
    b.check_tight(&Plan::column, b.same(), 7, false, write.end + Bench::clocks(p.timing.write_to_read_group));
    if (b.has_groups())
      b.check_tight(&Plan::column, other, 7, false, write.end + Bench::clocks(p.timing.write_to_read));
    b.channel->count_refreshes(write.end + 1000);
    b.check_rules();
  });
}

TEST_CASE("dram standards: refreshes begin on time and end on time, of all banks or of one", "[dram][standards]") {
  for_every_standard([](Bench& b) {
    const DramParameters& p = b.p;
    for (const std::string& policy : {std::string("all_bank"), std::string("per_bank")}) {
      const bool per_bank = policy == "per_bank";
      if (per_bank && p.refresh.bank_cycles == 0) continue;
      INFO(policy);
      b.p.refresh.policy = policy;
      b.commands.clear();
      b.build();
      const u32 bank = 3;
      const Cycle due = Bench::clocks(p.refresh.interval) / (per_bank ? Bench::clocks(p.geometry.banks) : 1) *
                        (per_bank ? bank + 1 : 1);
      const Cycle back =
          due + Bench::clocks(p.timing.precharge) + Bench::clocks(per_bank ? p.refresh.bank_cycles : p.refresh.cycles);
      // The last read that leaves its bank ready for the precharge.
      const Cycle open = std::max(
          Bench::clocks(p.timing.activate_to_precharge),
          Bench::clocks(p.timing.activate_to_column) + b.to_last() + Bench::clocks(p.timing.read_to_precharge));
      CHECK(b.channel->plan(bank, 7, false, due - open).activate == due - open);
      CHECK(b.channel->plan(bank, 7, false, due - open + 1).activate == back);
      b.check_tight(&Plan::activate, bank, 7, false, back);
      // Another bank waits with all banks, and goes on with one, at a distance to the refresh.
      if (per_bank) {
        const Cycle begin = due + Bench::clocks(p.timing.precharge), apart = Bench::clocks(p.refresh.to_activate);
        CHECK(b.channel->plan(0, 7, false, begin - apart).activate == begin - apart);
        CHECK(b.channel->plan(0, 7, false, begin - apart + 1).activate == begin + apart);
        b.check_tight(&Plan::activate, 0, 7, false, begin + apart);
      } else {
        b.check_tight(&Plan::activate, 0, 7, false, back);
      }
      // One refresh of all banks in a tREFI.
      b.channel->count_refreshes(10 * Bench::clocks(p.refresh.interval));
      CHECK(b.statistics.refresh.value() >= 9);
      b.check_rules();
    }
  });
}

TEST_CASE("dram standards: random traffic obeys every rule", "[dram][standards]") {
  for (const std::string& name : dram_standard_names()) {
    for (u32 seed = 0; seed < 12; ++seed) {
      INFO(name << ", seed " << seed);
      std::mt19937 random(seed);
      Bench b(name);
      b.p.writes.posted = seed % 2 == 0;
      b.p.page_policy = std::string(seed % 5 == 4 ? "closed" : "open");
      if (seed % 4 == 3) b.p.refresh.policy = std::string("all_bank");
      b.build();
      const u32 banks = static_cast<u32>(b.p.geometry.banks.get());
      Cycle now = 0;
      for (int i = 0; i < 3000; ++i) {
        now += random() % (seed < 4 ? 6 : seed < 8 ? 40 : 200);
        const Cycle arrival = now + (random() % 8 == 0 ? random() % 2000 : random() % 32);
        const u32 bank = random() % banks;
        const u64 row = random() % (seed % 2 == 0 ? 2 : 64), block = random() % 4096;
        const Cycle done = random() % 3 == 0 ? b.channel->write(bank, row, block, 64, arrival).done
                                             : b.channel->read(bank, row, block, 64, arrival).done;
        REQUIRE(done >= arrival);
      }
      b.channel->count_refreshes(now + 1000000);
      b.check_rules();
      CHECK(b.commands.size() > 3000);
    }
  }
}

TEST_CASE("dram standards: a refresh of single banks needs devices that have it", "[dram][standards]") {
  Bench b("ddr4_3200");
  b.p.refresh.policy = std::string("per_bank");
  CHECK_THROWS_WITH(b.build(), Catch::Matchers::Contains("refresh_bank_cycles is 0"));
  Bench crowded("lpddr5_6400");
  crowded.p.refresh.bank_cycles = 1000;
  CHECK_THROWS_WITH(crowded.build(), Catch::Matchers::Contains("refresh_interval is 3124"));
}
