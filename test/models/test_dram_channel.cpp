// SPDX-License-Identifier: Apache-2.0
// Timing gates of a DRAM channel: each alone and tight, then all together on random traffic against an
// independent check of the command sequence.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <vector>

#include "models/memory/dram_channel.h"

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

  void build() {
    channel = std::make_unique<DramChannel>(parameters, statistics);
    channel->set_observer([this](const DramCommand& command) { commands.push_back(command); });
  }
  /// Performs an access and returns its plan.
  DramChannel::Plan issue(u32 bank, u64 row, bool write, Cycle earliest) {
    const DramChannel::Plan plan = channel->plan(bank, row, write, earliest);
    channel->commit(bank, row, write, plan);
    return plan;
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

/// Checks a finished command sequence rule by rule, all pairs within reach; shares nothing with the model.
struct CommandChecker {
  explicit CommandChecker(const DramParameters& p)
      : p(p), burst(64 / (2 * p.bus_bytes)), groups(static_cast<u32>(p.bank_groups.get())) {}
  const DramParameters& p;
  i64 burst;
  u32 groups;
  std::vector<std::string> violations;

  void require(bool good, const char* rule, const DramCommand& command) {
    if (!good) violations.push_back(std::string(rule) + " at " + std::to_string(command.cycle));
  }

  void check(std::vector<DramCommand> commands) {
    const auto rank = [](Kind kind) { return kind == Kind::precharge ? 0 : kind == Kind::refresh ? 1 : 2; };
    std::stable_sort(commands.begin(), commands.end(), [&](const DramCommand& a, const DramCommand& b) {
      return a.cycle != b.cycle ? a.cycle < b.cycle : rank(a.kind) < rank(b.kind);
    });
    struct BankState {
      bool open = false;
      u64 row = 0;
      i64 activated = -100000, precharged = -100000, read = -100000, write_end = -100000;
    };
    std::map<u32, BankState> banks;
    std::vector<DramCommand> activates, columns;
    i64 refreshed = -10000000;
    for (const DramCommand& command : commands) {
      const auto at = static_cast<i64>(command.cycle);
      BankState& bank = banks[command.bank];
      if (command.kind != Kind::refresh) require(at >= refreshed + p.refresh_cycles, "tRFC", command);
      switch (command.kind) {
        case Kind::refresh:
          for (auto& [index, state] : banks) {
            if (state.open) {  // the precharge of all banks before a refresh
              const i64 closed = at - p.precharge;
              require(closed >= state.activated + p.activate_to_precharge, "tRAS before refresh", command);
              require(closed >= state.read + p.read_to_precharge, "tRTP before refresh", command);
              require(closed >= state.write_end + p.write_recovery, "tWR before refresh", command);
            } else {
              require(at >= state.precharged + p.precharge, "tRP before refresh", command);
            }
            state.open = false;
          }
          refreshed = at;
          break;
        case Kind::precharge:
          require(bank.open, "precharge of a closed bank", command);
          require(at >= bank.activated + p.activate_to_precharge, "tRAS", command);
          require(at >= bank.read + p.read_to_precharge, "tRTP", command);
          require(at >= bank.write_end + p.write_recovery, "tWR", command);
          bank.open = false;
          bank.precharged = at;
          break;
        case Kind::activate:
          require(!bank.open, "activate of an open bank", command);
          require(at >= bank.precharged + p.precharge, "tRP", command);
          for (const DramCommand& other : activates) {
            const bool same = other.bank % groups == command.bank % groups;
            require(at >= static_cast<i64>(other.cycle) +
                              (same ? p.activate_to_activate_group.get() : p.activate_to_activate.get()),
                    "tRRD", command);
          }
          if (activates.size() >= 4) {
            require(at >= static_cast<i64>(activates[activates.size() - 4].cycle) + p.four_activates, "tFAW", command);
          }
          activates.push_back(command);
          if (activates.size() > 8) activates.erase(activates.begin());
          bank.open = true;
          bank.row = command.row;
          bank.activated = at;
          break;
        case Kind::read:
        case Kind::write: {
          const bool write = command.kind == Kind::write;
          require(bank.open && bank.row == command.row, "access to a row that is not open", command);
          require(at >= bank.activated + p.activate_to_column, "tRCD", command);
          const i64 data = at + (write ? p.write_latency : p.read_latency);
          for (const DramCommand& other : columns) {
            const bool same = other.bank % groups == command.bank % groups;
            const bool other_write = other.kind == Kind::write;
            const auto other_at = static_cast<i64>(other.cycle);
            const i64 other_data = other_at + (other_write ? p.write_latency : p.read_latency);
            require(data >= other_data + burst || other_data >= data + burst, "data bus", command);
            if (write == other_write) {
              require(at >= other_at + (same ? p.column_to_column_group.get() : p.column_to_column.get()), "tCCD",
                      command);
            } else if (other_write && other_data < data) {
              require(at >= other_data + burst + (same ? p.write_to_read_group.get() : p.write_to_read.get()), "tWTR",
                      command);
            } else if (write && other_data < data) {
              require(data >= other_data + burst + p.turnaround, "turnaround", command);
            }
          }
          columns.push_back(command);
          if (columns.size() > 24) columns.erase(columns.begin());
          (write ? bank.write_end : bank.read) = write ? data + burst : at;
          break;
        }
      }
    }
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
      other.parameters.activate_to_column = clocks;
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
  b.parameters.write_queue_entries = 8;
  b.parameters.write_queue_high = 4;
  b.parameters.write_queue_low = 1;
  b.build();
  SECTION("writes wait until the high mark, then a batch leaves down to the low mark") {
    for (u64 i = 0; i < 3; ++i) CHECK(b.channel->write(0, i, i, 64, 100) == 100);
    CHECK(b.channel->waiting_writes() == 3);
    CHECK(b.commands.empty());
    CHECK(b.channel->write(0, 3, 3, 64, 100) == 100);
    CHECK(b.channel->waiting_writes() == 1);
    CHECK(b.statistics.write_64b.value() == 3);
    CHECK(b.statistics.write_batches.value() == 1);
  }
  SECTION("a full queue makes the next write wait") {
    Cycle accepted = 0;
    for (u64 i = 0; i < 64; ++i) accepted = b.channel->write(0, i, i, 64, 100);
    // One bank, a row each: the queue empties at the pace of the bank, tRCD + tCWL + burst + tWR + tRP a write.
    CHECK(accepted >= 100 + (64 - 8 - 4) * Cycle{22 + 16 + 4 + 24 + 22});
    CHECK(accepted <= 100 + (64 - 8 + 4) * Cycle{22 + 16 + 4 + 24 + 22});
  }
  SECTION("a read finds a waiting write, a write joins one") {
    b.channel->write(0, 3, 77, 64, 100);
    CHECK(b.channel->read(0, 3, 77, 64, 110) == 110);
    CHECK(b.channel->write(0, 3, 77, 64, 120) == 120);
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
    b.parameters.refresh_interval = seed % 3 == 0 ? 2000 : 12480;
    b.parameters.posted_writes = seed % 2 == 0;
    if (seed % 5 == 4) b.parameters.page_policy = std::string("closed");
    if (seed % 7 == 6) b.parameters.bank_groups = 1;
    if (seed % 4 == 3) b.parameters.banks = 4;
    b.build();
    const u32 banks = static_cast<u32>(b.parameters.banks.get());
    Cycle now = 0;
    for (int i = 0; i < 4000; ++i) {
      now += random() % (seed < 8 ? 6 : seed < 16 ? 40 : 200);
      // Annotated delays: some arrivals lie far ahead of the others.
      const Cycle arrival = now + (random() % 8 == 0 ? random() % 2000 : random() % 32);
      const u32 bank = random() % banks;
      const u64 row = random() % (seed % 2 == 0 ? 2 : 64);
      const u64 block = random() % 4096;
      const Cycle done = random() % 3 == 0 ? b.channel->write(bank, row, block, 64, arrival)
                                           : b.channel->read(bank, row, block, 64, arrival);
      CHECK(done >= arrival);
    }
    b.channel->count_refreshes(now + 1000000);
    CommandChecker checker(b.parameters);
    checker.check(b.commands);
    INFO("seed " << seed << ": " << (checker.violations.empty() ? "" : checker.violations.front()));
    CHECK(checker.violations.size() == 0);
    CHECK(b.commands.size() > 4000);
  }
}

TEST_CASE("dram channel: impossible parameters are refused", "[dram]") {
  Bench b;
  SECTION("more groups than banks") {
    b.parameters.banks = 1;
    CHECK_THROWS(b.build());
  }
  SECTION("water marks") {
    b.parameters.write_queue_low = 48;
    CHECK_THROWS(b.build());
  }
  SECTION("no time beside refresh") {
    b.parameters.refresh_cycles = 12480;
    CHECK_THROWS(b.build());
  }
}
