// SPDX-License-Identifier: Apache-2.0
// Timing gates of a DRAM channel: each alone and tight, then all together on random traffic against an
// independent check of the command sequence.
#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <random>
#include <vector>

#include "models/memory/dram_channel.h"
#include "test/models/dram_command_checker.h"

using namespace bvp;

namespace {

using Kind = DramCommand::Kind;
using Outcome = DramChannel::Outcome;

/// A channel whose commands are recorded.
struct Bench {
  ParameterGroup root{"test"};
  DramParameters parameters{&root};
  StatGroup stats{"dram"};
  DramStatistics statistics{&stats};
  std::vector<DramCommand> commands;
  std::unique_ptr<DramChannel> channel;
  Connection connection;

  void build() {
    channel = std::make_unique<DramChannel>(parameters, statistics);
    connection = channel->commanded.connect([this](const DramCommand& command) { commands.push_back(command); });
  }
  /// Performs an access and returns its plan.
  DramChannel::Plan issue(u32 bank, u64 row, bool write, Cycle earliest) {
    const DramChannel::Plan plan = channel->plan(bank, row, write, earliest);
    channel->commit(bank, row, write, plan);
    return plan;
  }
  /// Checks all commands so far rule by rule.
  void check_rules() const {
    const std::vector<std::string> violations = test::DramCommandChecker(parameters).check(commands);
    INFO((violations.empty() ? "" : violations.front()));
    CHECK(violations.size() == 0);
  }
  /// The access is refused one clock before `at` and possible at `at`: asked for either clock, it takes `at`.
  void check_column_tight(u32 bank, u64 row, bool write, Cycle at) {
    CHECK(channel->plan(bank, row, write, at - 1).column == at);
    CHECK(channel->plan(bank, row, write, at).column == at);
    CHECK(channel->plan(bank, row, write, at + 1).column == at + 1);
  }
  void check_activate_tight(u32 bank, u64 row, Cycle at) {
    CHECK(channel->plan(bank, row, false, at - 1).activate == at);
    CHECK(channel->plan(bank, row, false, at).activate == at);
    CHECK(channel->plan(bank, row, false, at + 1).activate == at + 1);
  }
  void check_precharge_tight(u32 bank, u64 row, Cycle at) {
    CHECK(channel->plan(bank, row, false, at - 1).precharge == at);
    CHECK(channel->plan(bank, row, false, at).precharge == at);
    CHECK(channel->plan(bank, row, false, at + 1).precharge == at + 1);
  }
};

}  // namespace

TEST_CASE("dram channel: row miss, hit and conflict", "[dram]") {
  Bench b;
  b.build();
  const auto miss = b.issue(0, 7, false, 100);
  CHECK(miss.outcome == Outcome::miss);
  CHECK(miss.activate == 100);
  CHECK(miss.column == 122);  // tRCD
  CHECK(miss.data == 144);    // tCL
  const auto hit = b.issue(0, 7, false, 1000);
  CHECK(hit.outcome == Outcome::hit);
  CHECK(hit.column == 1000);
  const auto conflict = b.issue(0, 8, false, 2000);
  CHECK(conflict.outcome == Outcome::conflict);
  CHECK(conflict.precharge == 2000);
  CHECK(conflict.activate == 2022);  // tRP
  CHECK(conflict.column == 2044);
  CHECK(b.statistics.row_misses.value() == 1);
  CHECK(b.statistics.row_hits.value() == 1);
  CHECK(b.statistics.row_conflicts.value() == 1);
  CHECK(b.statistics.activate.value() == 2);
  CHECK(b.statistics.read_64b.value() == 3);
  CHECK(b.statistics.busy_cycles.value() == 12);
}

TEST_CASE("dram channel: planning changes nothing", "[dram]") {
  Bench b;
  b.build();
  b.issue(0, 7, false, 100);
  const auto first = b.channel->plan(5, 3, true, 110);
  for (int i = 0; i < 5; ++i) (void)b.channel->plan(static_cast<u32>(i), 9, i % 2 == 0, 90);
  const auto second = b.channel->plan(5, 3, true, 110);
  CHECK(first.column == second.column);
  CHECK(first.activate == second.activate);
  CHECK(b.commands.size() == 2);
}

TEST_CASE("dram channel: each timing gate is tight", "[dram]") {
  Bench b;
  SECTION("tRCD") {
    for (const i64 clocks : {22, 23, 40}) {
      Bench other;
      other.parameters.timing.activate_to_column = clocks;
      other.build();
      const auto plan = other.channel->plan(0, 7, false, 100);
      CHECK(plan.activate == 100);
      CHECK(plan.column == 100 + static_cast<Cycle>(clocks));
    }
  }
  SECTION("tCCD_S and tCCD_L") {
    b.build();
    b.issue(0, 7, false, 100);
    b.issue(1, 7, false, 100);  // opened behind; read at 126 or later
    b.issue(4, 7, false, 200);  // group 0 again
    const Cycle last = b.issue(0, 7, false, 1000).column;
    b.check_column_tight(1, 7, false, last + 4);
    b.check_column_tight(4, 7, false, last + 8);
  }
  SECTION("tRRD_S and tRRD_L") {
    b.build();
    b.issue(0, 7, false, 100);
    b.check_activate_tight(1, 7, 109);
    b.check_activate_tight(4, 7, 111);
  }
  SECTION("tFAW") {
    b.build();
    for (u32 bank = 0; bank < 4; ++bank) b.issue(bank, 7, false, 100);
    b.check_activate_tight(4, 7, 100 + 48);
  }
  SECTION("tRAS") {
    b.build();
    b.issue(0, 7, false, 100);
    b.check_precharge_tight(0, 8, 100 + 52);
  }
  SECTION("tRTP") {
    b.build();
    b.issue(0, 7, false, 100);
    const Cycle read = b.issue(0, 7, false, 300).column;
    b.check_precharge_tight(0, 8, read + 12);
  }
  SECTION("tWR") {
    b.build();
    const auto write = b.issue(0, 7, true, 100);
    CHECK(write.data == write.column + 16);
    b.check_precharge_tight(0, 8, write.data + 4 + 24);
  }
  SECTION("tRP") {
    b.build();
    b.issue(0, 7, false, 100);
    const auto plan = b.channel->plan(0, 8, false, 500);
    CHECK(plan.activate == plan.precharge + 22);
  }
  SECTION("tWTR_S and tWTR_L") {
    b.build();
    b.issue(0, 7, false, 100);
    b.issue(1, 7, false, 100);
    const auto write = b.issue(0, 7, true, 1000);
    b.check_column_tight(1, 7, false, write.data + 4 + 4);
    b.check_column_tight(0, 7, false, write.data + 4 + 12);
  }
  SECTION("turnaround from read to write") {
    b.build();
    b.issue(0, 7, false, 100);
    b.issue(1, 7, false, 100);
    const auto read = b.issue(0, 7, false, 1000);
    b.check_column_tight(1, 7, true, read.data + 4 + 2 - 16);
  }
  SECTION("refresh: begins on time, and the channel is back on time") {
    b.build();
    const Cycle refresh = 12480;
    // The last read that leaves its bank ready for the precharge at the refresh (tRAS decides).
    CHECK(b.channel->plan(0, 7, false, refresh - 52).activate == refresh - 52);
    CHECK(b.channel->plan(0, 7, false, refresh - 51).activate == refresh + 22 + 560);
    const auto after = b.channel->plan(0, 7, false, refresh + 1);
    CHECK(after.activate == refresh + 22 + 560);
    CHECK(b.channel->plan(0, 7, false, refresh + 22 + 560).activate == refresh + 22 + 560);
    CHECK(b.channel->plan(0, 7, false, refresh + 22 + 561).activate == refresh + 22 + 561);
    // A row open before is closed behind it.
    b.issue(0, 7, false, 100);
    CHECK(b.channel->plan(0, 7, false, refresh + 1000).outcome == Outcome::miss);
  }
}

TEST_CASE("dram channel: gaps before later reservations are used", "[dram]") {
  Bench b;
  b.build();
  b.issue(0, 7, false, 100);
  b.issue(1, 7, false, 100);
  b.issue(0, 7, false, 5000);  // an initiator that runs ahead
  const auto early = b.issue(1, 7, false, 1000);
  CHECK(early.column == 1000);
  CHECK(b.channel->plan(2, 7, false, 1100).activate == 1100);
}

TEST_CASE("dram channel: the write queue", "[dram]") {
  Bench b;
  b.parameters.writes.queue_entries = 8;
  b.parameters.writes.queue_high = 4;
  b.parameters.writes.queue_low = 1;
  b.build();
  SECTION("writes wait until the high mark, then a batch leaves down to the low mark") {
    for (u64 i = 0; i < 3; ++i) CHECK(b.channel->write(0, i, i, 64, 100).done == 100);
    CHECK(b.channel->waiting_writes() == 3);
    CHECK(b.commands.empty());
    CHECK(b.channel->write(0, 3, 3, 64, 100).done == 100);
    CHECK(b.channel->waiting_writes() == 1);
    CHECK(b.statistics.write_64b.value() == 3);
    CHECK(b.statistics.write_batches.value() == 1);
  }
  SECTION("a full queue makes the next write wait") {
    Cycle accepted = 0;
    for (u64 i = 0; i < 64; ++i) accepted = b.channel->write(0, i, i, 64, 100).done;
    // One bank, a row each: the queue empties at the pace of the bank, tRCD + tCWL + burst + tWR + tRP a write.
    CHECK(accepted >= 100 + (64 - 8 - 4) * Cycle{22 + 16 + 4 + 24 + 22});
    CHECK(accepted <= 100 + (64 - 8 + 4) * Cycle{22 + 16 + 4 + 24 + 22});
  }
  SECTION("a read finds a waiting write, a write joins one") {
    b.channel->write(0, 3, 77, 64, 100);
    CHECK(b.channel->read(0, 3, 77, 64, 110).done == 110);
    CHECK(b.channel->write(0, 3, 77, 64, 120).done == 120);
    CHECK(b.statistics.forwarded.value() == 1);
    CHECK(b.statistics.merged.value() == 1);
    CHECK(b.channel->waiting_writes() == 1);
  }
  SECTION("an idle channel writes what waits") {
    b.channel->write(0, 3, 77, 64, 100);
    b.channel->read(1, 3, 5, 64, 100 + 64);
    CHECK(b.channel->waiting_writes() == 1);
    b.channel->read(1, 3, 5, 64, 1000);
    CHECK(b.channel->waiting_writes() == 0);
  }
}

TEST_CASE("dram channel: what an access waits for", "[dram]") {
  Bench b;
  b.build();
  const auto read = [&](u32 bank, u64 row, u64 block, Cycle arrival) {
    return b.channel->read(bank, row, block, 64, arrival);
  };
  SECTION("a closed bank: its row is opened; then the row is open") {
    const DramChannel::Access miss = read(0, 7, 0, 100), hit = read(0, 7, 1, 1000);
    CHECK(miss.waits.rows == 22);
    CHECK(miss.waits.bus == 4);
    CHECK(miss.done == 100 + 22 + 22 + 4);
    CHECK(hit.waits.rows == 0);
    CHECK(hit.waits.bus == 4);
  }
  SECTION("another row is open") {
    read(0, 7, 0, 100);
    CHECK(read(0, 8, 1, 1000).waits.rows == 22 + 22);
  }
  SECTION("accesses to an open row wait for the bus alone") {
    read(0, 7, 0, 100);
    DramChannel::Access last{};
    for (u64 i = 1; i <= 40; ++i) last = read(0, 7, i, 1000);
    CHECK(last.waits.bus == last.done - 1000 - 22);
    CHECK(last.waits.rows == 0);
  }
  SECTION("a row for each access of one bank") {
    DramChannel::Access last{};
    for (u64 i = 0; i < 40; ++i) last = read(0, i, i, 1000);
    CHECK(static_cast<double>(last.waits.rows) > 0.85 * static_cast<double>(last.done - 1000));
  }
  SECTION("the wait for a place in the queue is divided as that of the access that had it") {
    Bench small;
    small.parameters.queue_entries = 4;
    small.build();
    small.channel->read(0, 7, 0, 64, 100);
    DramChannel::Access last{};
    for (u64 i = 1; i <= 40; ++i) last = small.channel->read(0, 7, i, 64, 1000);
    CHECK(last.waits.rows == 0);
    CHECK(last.waits.bus == last.done - 1000 - 22);
  }
  SECTION("the parts never pass the whole") {
    std::mt19937 random(3);
    Cycle arrival = 0;
    for (u64 i = 0; i < 5000; ++i) {
      arrival += random() % 20;
      const auto bank = static_cast<u32>(random() % 8);
      const u64 row = random() % 3;
      const bool write = random() % 4 == 0;
      const DramChannel::Access access =
          write ? b.channel->write(bank, row, i, 64, arrival) : b.channel->read(bank, row, i, 64, arrival);
      CHECK(access.waits.rows + access.waits.bus <= access.done - arrival);
      if (!write) CHECK(access.waits.bus >= 4);
    }
  }
}

TEST_CASE("dram channel: closed pages", "[dram]") {
  Bench b;
  b.parameters.page_policy = std::string("closed");
  b.build();
  b.issue(0, 7, false, 100);
  b.check_activate_tight(0, 7, 100 + 52 + 22);
  CHECK(b.channel->plan(0, 7, false, 1000).outcome == Outcome::miss);
  CHECK(b.channel->plan(0, 8, false, 1000).outcome == Outcome::miss);
}

TEST_CASE("dram channel: random traffic obeys every rule", "[dram]") {
  for (u32 seed = 0; seed < 24; ++seed) {
    Bench b;
    std::mt19937 random(seed);
    b.parameters.refresh.interval = seed % 3 == 0 ? 2000 : 12480;
    b.parameters.writes.posted = seed % 2 == 0;
    if (seed % 5 == 4) b.parameters.page_policy = std::string("closed");
    if (seed % 7 == 6) b.parameters.geometry.bank_groups = 1;
    if (seed % 4 == 3) b.parameters.geometry.banks = 4;
    b.build();
    const u32 banks = static_cast<u32>(b.parameters.geometry.banks.get());
    Cycle now = 0;
    for (int i = 0; i < 4000; ++i) {
      now += random() % (seed < 8 ? 6 : seed < 16 ? 40 : 200);
      // Annotated delays: some arrivals lie far ahead of the others.
      const Cycle arrival = now + (random() % 8 == 0 ? random() % 2000 : random() % 32);
      const u32 bank = random() % banks;
      const u64 row = random() % (seed % 2 == 0 ? 2 : 64);
      const u64 block = random() % 4096;
      const Cycle done = random() % 3 == 0 ? b.channel->write(bank, row, block, 64, arrival).done
                                           : b.channel->read(bank, row, block, 64, arrival).done;
      CHECK(done >= arrival);
    }
    b.channel->count_refreshes(now + 1000000);
    b.check_rules();
    INFO("seed " << seed);
    CHECK(b.commands.size() > 4000);
  }
}

TEST_CASE("dram channel: random traffic obeys every rule, whatever the timing, the banks and the queues", "[dram]") {
  for (u32 seed = 0; seed < 60; ++seed) {
    INFO("seed " << seed);
    std::mt19937 random(seed);
    const auto between = [&](i64 least, i64 most) {
      return least + static_cast<i64>(random() % static_cast<u64>(most - least + 1));
    };
    const auto power = [&](i64 least, i64 most) { return i64{1} << between(least, most); };
    Bench b;
    DramParameters& p = b.parameters;
    p.geometry.bus_bytes = power(0, 5);
    p.geometry.banks = power(0, 6);
    p.geometry.bank_groups = std::min(power(0, 3), p.geometry.banks.get());
    p.page_policy = std::string(random() % 2 == 0 ? "open" : "closed");
    p.timing.read_latency = between(1, 60);
    p.timing.write_latency = between(1, 60);
    p.timing.activate_to_column = between(1, 60);
    p.timing.precharge = between(1, 60);
    p.timing.activate_to_precharge = between(1, 120);
    p.timing.read_to_precharge = between(1, 40);
    p.timing.write_recovery = between(1, 60);
    p.timing.activate_to_activate = between(1, 30);
    p.timing.activate_to_activate_group = between(1, 40);
    p.timing.four_activates = between(1, 150);
    p.timing.column_to_column = between(1, 12);
    p.timing.column_to_column_group = between(p.timing.column_to_column, 20);
    p.timing.write_to_read = between(0, 20);
    p.timing.write_to_read_group = between(p.timing.write_to_read, 40);
    p.timing.turnaround = between(0, 10);
    p.refresh.interval = between(2000, 13000);
    p.refresh.cycles = between(1, 1000);
    p.writes.posted = random() % 4 != 0;
    p.queue_entries = between(1, 100);
    p.writes.queue_entries = between(1, 100);
    p.writes.queue_high = between(1, p.writes.queue_entries);
    // Every fourth machine writes one by one.
    p.writes.queue_low = seed % 4 == 0 ? p.writes.queue_high - 1 : between(0, p.writes.queue_high - 1);
    p.writes.idle = between(0, 200);
    b.build();
    const u64 rows = static_cast<u64>(power(0, 8)), reads = random() % 101, pace = 1 + random() % 60;
    Cycle now = 0;
    for (int i = 0; i < 2000; ++i) {
      now += random() % pace;
      const Cycle arrival = now + (random() % 8 == 0 ? random() % 2000 : random() % 32);
      const u32 bank = random() % static_cast<u32>(p.geometry.banks.get());
      const u64 row = random() % rows, block = random() % 4096;
      const Cycle done = random() % 100 < reads ? b.channel->read(bank, row, block, 64, arrival).done
                                                : b.channel->write(bank, row, block, 64, arrival).done;
      REQUIRE(done >= arrival);
    }
    b.channel->count_refreshes(now + 1000000);
    b.check_rules();
  }
}

TEST_CASE("dram channel: random traffic comes as near as every rule allows", "[dram]") {
  // A rule that asks for a clock more is violated, so the model loses none and the checker sees each.
  struct Gate {
    const char* rule;
    const char* parameter;
  };
  const std::vector<Gate> gates{
      {"tRCD", "activate_to_column"},         {"tRP", "precharge"},       {"tRAS", "activate_to_precharge"},
      {"tRTP", "read_to_precharge"},          {"tWR", "write_recovery"},  {"tRRD", "activate_to_activate"},
      {"tRRD", "activate_to_activate_group"}, {"tFAW", "four_activates"}, {"tCCD", "column_to_column"},
      {"tCCD", "column_to_column_group"},     {"tWTR", "write_to_read"},  {"tWTR", "write_to_read_group"},
      {"turnaround", "turnaround"},           {"tRFC", "refresh_cycles"}, {"tREFI", "refresh_interval"}};
  Bench b;
  b.build();
  std::mt19937 random(1);
  Cycle now = 0;
  for (u64 i = 0; i < 20000; ++i) {
    now += random() % 8;
    const u32 bank = random() % 8;
    const u64 row = random() % 4;
    if (random() % 2 == 0) {
      b.channel->write(bank, row, i, 64, now);
    } else {
      b.channel->read(bank, row, i, 64, now);
    }
  }
  b.check_rules();
  for (const Gate& gate : gates) {
    ParameterGroup root{"test"};
    DramParameters stricter{&root};
    ParamBase& parameter = *stricter.find_parameter(gate.parameter);
    const i64 clocks = std::get<i64>(parameter.value()) + 1;
    parameter.assign(clocks);
    const std::vector<std::string> violations = test::DramCommandChecker(stricter).check(b.commands);
    INFO(gate.rule << ", " << clocks << " clocks");
    CHECK(std::any_of(violations.begin(), violations.end(),
                      [&](const std::string& violation) { return violation.find(gate.rule) == 0; }));
  }
}

TEST_CASE("dram channel: impossible parameters are refused", "[dram]") {
  Bench b;
  SECTION("more groups than banks") {
    b.parameters.geometry.banks = 1;
    CHECK_THROWS(b.build());
  }
  SECTION("water marks") {
    b.parameters.writes.queue_low = 48;
    CHECK_THROWS(b.build());
  }
  SECTION("no time beside refresh") {
    b.parameters.refresh.cycles = 12480;
    CHECK_THROWS(b.build());
  }
}
