// SPDX-License-Identifier: Apache-2.0
// Checks the commands of a DRAM channel rule by rule, all pairs within reach; shares nothing with the model.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "models/memory/dram_channel.h"

namespace bvp::test {

class DramCommandChecker {
 public:
  explicit DramCommandChecker(const DramParameters& p)
      : p(p),
        burst(std::max<i64>(1, p.geometry.burst_bytes / (p.geometry.transfers_per_clock * p.geometry.bus_bytes))),
        groups(static_cast<u32>(p.geometry.bank_groups.get())) {}

  /// What was violated and when, of a finished sequence in any order.
  std::vector<std::string> check(std::vector<DramCommand> commands) {
    violations.clear();
    last_bank_refresh = long_ago;
    const auto rank = [](Kind kind) {
      return kind == Kind::precharge ? 0 : kind == Kind::refresh || kind == Kind::refresh_bank ? 1 : 2;
    };
    std::stable_sort(commands.begin(), commands.end(), [&](const DramCommand& a, const DramCommand& b) {
      return a.cycle != b.cycle ? a.cycle < b.cycle : rank(a.kind) < rank(b.kind);
    });
    std::map<u32, BankState> banks;
    std::vector<DramCommand> activates, columns;
    i64 refreshed = long_ago, refreshes = 0;
    for (const DramCommand& command : commands) {
      const auto at = static_cast<i64>(command.cycle);
      if (command.kind == Kind::refresh) {
        require(at == ++refreshes * p.refresh.interval + p.timing.precharge, "tREFI", command);
        for (auto& [index, state] : banks) check_closed(state, command);
        refreshed = at;
        continue;
      }
      BankState& bank = banks[command.bank];
      if (command.kind == Kind::refresh_bank) {
        check_refresh_bank(bank, activates, command);
        continue;
      }
      require(at >= refreshed + p.refresh.cycles, "tRFC", command);
      require(at >= bank.refreshed + p.refresh.bank_cycles, "tRFCpb", command);
      switch (command.kind) {
        case Kind::precharge:
          require(bank.open, "precharge of a closed bank", command);
          check_precharge(bank, at, command);
          bank.open = false;
          bank.precharged = at;
          break;
        case Kind::activate:
          check_activate(bank, activates, command);
          for (const auto& [index, other] : banks) {
            require(index == command.bank || at >= other.refreshed + p.refresh.to_activate, "refresh to activate",
                    command);
          }
          forget(activates, at);
          activates.push_back(command);
          bank.open = true;
          bank.row = command.row;
          bank.activated = at;
          break;
        default:
          check_column(bank, columns, command);
          forget(columns, at);
          columns.push_back(command);
          if (command.kind == Kind::write) {
            bank.write_end = at + p.timing.write_latency + burst;
          } else {
            bank.read = at;
          }
      }
    }
    return violations;
  }

 private:
  using Kind = DramCommand::Kind;
  static constexpr i64 long_ago = -10'000'000;

  struct BankState {
    bool open = false;
    u64 row = 0;
    i64 activated = long_ago, precharged = long_ago, read = long_ago, write_end = long_ago, refreshed = long_ago;
  };

  void require(bool good, const char* rule, const DramCommand& command) {
    if (!good) violations.push_back(std::string(rule) + " at " + std::to_string(command.cycle));
  }

  /// No rule reaches farther back than the largest values that parameters may have.
  static void forget(std::vector<DramCommand>& commands, i64 now) {
    constexpr i64 reach = 1000;
    const auto keep = std::find_if(commands.begin(), commands.end(),
                                   [&](const DramCommand& c) { return static_cast<i64>(c.cycle) + reach >= now; });
    commands.erase(commands.begin(), keep);
  }

  [[nodiscard]] bool same_group(const DramCommand& a, const DramCommand& b) const {
    return a.bank % groups == b.bank % groups;
  }
  [[nodiscard]] i64 data_of(const DramCommand& column) const {
    return static_cast<i64>(column.cycle) +
           (column.kind == Kind::write ? p.timing.write_latency : p.timing.read_latency);
  }

  void check_precharge(const BankState& bank, i64 at, const DramCommand& command) {
    require(at >= bank.activated + p.timing.activate_to_precharge, "tRAS", command);
    require(at >= bank.read + p.timing.read_to_precharge, "tRTP", command);
    require(at >= bank.write_end + p.timing.write_recovery, "tWR", command);
  }

  /// All banks are precharged tRP before a refresh.
  void check_closed(BankState& bank, const DramCommand& refresh) {
    const auto at = static_cast<i64>(refresh.cycle);
    if (bank.open) {
      check_precharge(bank, at - p.timing.precharge, refresh);
    } else {
      require(at >= bank.precharged + p.timing.precharge, "tRP before refresh", refresh);
    }
    bank.open = false;
  }

  /// Each bank is refreshed once in every tREFI, in a fixed rhythm, one at a time; it was precharged tRP before.
  void check_refresh_bank(BankState& bank, const std::vector<DramCommand>& activates, const DramCommand& command) {
    const auto at = static_cast<i64>(command.cycle);
    const bool first = bank.refreshed == long_ago;
    require(first ? at <= p.refresh.interval + p.timing.precharge : at == bank.refreshed + p.refresh.interval, "tREFI",
            command);
    require(at >= last_bank_refresh + p.refresh.bank_cycles, "tRFCpb between refreshes", command);
    for (const DramCommand& other : activates) {
      require(other.bank == command.bank || at >= static_cast<i64>(other.cycle) + p.refresh.to_activate,
              "activate to refresh", command);
    }
    check_closed(bank, command);
    bank.refreshed = last_bank_refresh = at;
  }

  void check_activate(const BankState& bank, const std::vector<DramCommand>& activates, const DramCommand& command) {
    const auto at = static_cast<i64>(command.cycle);
    require(!bank.open, "activate of an open bank", command);
    require(at >= bank.precharged + p.timing.precharge, "tRP", command);
    for (const DramCommand& other : activates) {
      // The longer distance holds for banks of one group, and is never below that of others.
      const i64 between = same_group(other, command)
                              ? std::max(p.timing.activate_to_activate.get(), p.timing.activate_to_activate_group.get())
                              : p.timing.activate_to_activate.get();
      require(at >= static_cast<i64>(other.cycle) + between, "tRRD", command);
    }
    if (activates.size() >= 4) {
      require(at >= static_cast<i64>(activates[activates.size() - 4].cycle) + p.timing.four_activates, "tFAW", command);
    }
  }

  void check_column(const BankState& bank, const std::vector<DramCommand>& columns, const DramCommand& command) {
    const auto at = static_cast<i64>(command.cycle);
    const bool write = command.kind == Kind::write;
    require(bank.open && bank.row == command.row, "access to a row that is not open", command);
    require(at >= bank.activated + p.timing.activate_to_column, "tRCD", command);
    const i64 data = data_of(command);
    for (const DramCommand& other : columns) {
      const bool same = same_group(other, command);
      const bool other_write = other.kind == Kind::write;
      const auto other_at = static_cast<i64>(other.cycle);
      const i64 other_data = data_of(other);
      require(data >= other_data + burst || other_data >= data + burst, "data bus", command);
      if (write == other_write) {
        require(at >= other_at + (same ? p.timing.column_to_column_group.get() : p.timing.column_to_column.get()),
                "tCCD", command);
      } else if (other_write && other_data < data) {
        require(at >= other_data + burst + (same ? p.timing.write_to_read_group.get() : p.timing.write_to_read.get()),
                "tWTR", command);
      } else if (write && other_data < data) {
        require(data >= other_data + burst + p.timing.turnaround, "turnaround", command);
      }
    }
  }

  const DramParameters& p;
  i64 burst;
  u32 groups;
  i64 last_bank_refresh = long_ago;
  std::vector<std::string> violations;
};

}  // namespace bvp::test
