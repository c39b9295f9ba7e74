// SPDX-License-Identifier: Apache-2.0
// One DRAM channel with its controller: banks, rows, refresh, queues. Pure arithmetic on clocks, no events.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "models/base/signal.h"
#include "models/base/statistics.h"
#include "models/base/types.h"
#include "models/memory/dram_schedule.h"
#include "models/memory/dram_timing.h"
#include "models/memory/policies/page_policy.h"
#include "models/memory/policies/refresh_policy.h"
#include "models/memory/policies/write_drain.h"

namespace bvp {

/// Counters of the whole DRAM; its channels share them.
struct DramStatistics {
  explicit DramStatistics(StatGroup* group) : group_(group) {}

 private:
  StatGroup* group_;

 public:
  Counter requests_read{group_, "requests_read", "requests", "Read requests served."};
  Counter requests_written{group_, "requests_written", "requests", "Write requests served."};
  Counter bytes_read{group_, "bytes_read", "bytes", "Bytes that read requests asked for."};
  Counter bytes_written{group_, "bytes_written", "bytes", "Bytes that write requests brought."};
  Counter row_hits{group_, "row_hits", "accesses", "Accesses that found their row open."};
  Counter row_misses{group_, "row_misses", "accesses", "Accesses that found their bank closed."};
  Counter row_conflicts{group_, "row_conflicts", "accesses", "Accesses that found another row open."};
  Counter forwarded{group_, "forwarded", "accesses", "Reads answered by the write queue."};
  Counter merged{group_, "merged", "accesses", "Writes that joined one waiting in the write queue."};
  Counter write_batches{group_, "write_batches", "batches", "Times that a write queue was written."};
  Counter busy_cycles{group_, "busy_cycles", "DRAM clocks", "Clocks with data on the bus, over all channels."};
  Counter errors{group_, "errors", "requests", "Requests refused."};
  Counter activate{group_, "activate", "activates", "Rows opened."};
  Counter read_64b{group_, "read_64b", "accesses", "64-byte reads of the devices."};
  Counter write_64b{group_, "write_64b", "accesses", "64-byte writes of the devices."};
  Counter refresh{group_, "refresh", "refreshes", "Refreshes of a channel, all of its banks."};
};

/// A command that a channel sends to its devices.
struct DramCommand {
  enum class Kind { activate, precharge, read, write, refresh, refresh_bank };
  Kind kind;  ///< for read and write: one burst
  Cycle cycle;
  u32 bank;  ///< for refresh: all_banks
  u64 row;
};

class DramChannel {
 public:
  enum class Outcome { hit, miss, conflict };
  static constexpr u32 max_bursts = 4;  ///< the most bursts that an access has

  /// The clocks of the commands of one access, planned or performed. An access to an open row needs neither precharge
  /// nor activate.
  struct Plan {
    Outcome outcome;
    Cycle precharge, activate;
    Cycle ready;                                ///< the first clock at which the bank takes the column command
    Cycle column;                               ///< the read or write command, of the first burst
    Cycle data;                                 ///< first clock of the data
    Cycle end;                                  ///< first clock after the data
    Cycle closing;                              ///< first clock at which the bank may be precharged afterwards
    Cycle period;                               ///< beginning of the refresh period that all of it lies in
    std::array<Cycle, max_bursts - 1> further;  ///< first clocks of the data of the bursts behind the first
  };

  DramChannel(const DramParameters& parameters, DramStatistics& statistics);

  /// The earliest access to a row, not before `earliest`. Changes nothing.
  [[nodiscard]] Plan plan(u32 bank, u64 row, bool write, Cycle earliest) const;
  /// Performs an access, where the plan was made from the present state.
  void commit(u32 bank, u64 row, bool write, const Plan& plan);

  /// What an access waits for, in clocks, along the chain of accesses that waited for each other; the rest of its time
  /// is latency.
  struct Waits {
    Cycle rows = 0;  ///< the banks: rows that are closed and opened, the limits on activates, refresh
    Cycle bus = 0;   ///< the data bus, the access's own data included
    /// This many clocks in the proportion of the two.
    [[nodiscard]] Waits scaled(Cycle clocks) const;
  };
  struct Access {
    Cycle done;  ///< the data are there (read), or the initiator is done with it (write)
    Waits waits;
  };
  /// A read or write of 64 bytes that reaches the controller at `arrival`; `block` is its address / 64. `bytes` of the
  /// block are requested or written; they are counted at the time when they are on the data bus.
  Access read(u32 bank, u64 row, u64 block, u32 bytes, Cycle arrival);
  Access write(u32 bank, u64 row, u64 block, u32 bytes, Cycle arrival);

  /// Moves the channel's state by `clocks`, during which traffic passes that is not timed here: all that waits or is in
  /// progress happens that much later.
  void carry_on(Cycle clocks);
  /// Counts the refreshes that were due before `now`.
  void count_refreshes(Cycle now);
  [[nodiscard]] u32 waiting_writes() const { return static_cast<u32>(waiting_.size()); }

  /// Tells each command; commands come bank by bank, not in time order.
  Signal<const DramCommand&> commanded;

 private:
  struct Bank {
    bool open = false;
    u64 row = 0;
    u64 accesses = 0;         // accesses since the activate
    Cycle activate_from = 0;  // earliest activate, while the bank is closed
    Cycle column_from = 0;    // earliest read or write command, while a row is open
    Cycle precharge_from = 0;
    Cycle period = 0;         // beginning of the refresh period to which this state belongs
    Cycle first_refresh = 0;  // the bank's first refresh, which ends the period that begins at 0
    Waits waits;              // of its last access
  };
  struct Turn {
    u64 number = 0;
    u64 row = 0;
  };
  struct InFlight {
    Cycle arrival = 0, done = 0;
    Waits waits;
  };
  struct Queue {
    std::vector<InFlight> places;  // ring: the last accesses in flight
    u64 count = 0;
  };
  struct WaitingWrite {
    u64 block;
    u64 row;
    u32 bank, bytes;
    Cycle arrival;
    Cycle counted;  // the clock at which its bytes were counted so far
  };

  static std::size_t hash(u64 block) { return (block ^ (block >> 9) ^ (block >> 18)) % 512; }
  /// The waiting write of this block, or null.
  [[nodiscard]] WaitingWrite* waiting(u64 block);
  /// Takes the next place of the queue. Returns when it is free, with what was waited for until then.
  [[nodiscard]] static Access enter(Queue& queue, Cycle arrival);
  /// Performs a read, or a write that is not posted.
  Access access_in_turn(u32 bank, u64 row, bool write, Cycle arrival);
  /// The beginning of the bank's refresh period that contains `cycle`, and the beginning of the next period.
  [[nodiscard]] Cycle period_of(const Bank& bank, Cycle cycle) const;
  [[nodiscard]] Cycle next_refresh(const Bank& bank, Cycle period) const {
    return period == 0 ? bank.first_refresh : period + refresh_.interval;
  }
  /// Plans the bursts of an access. The read or write command of its first burst comes at plan.column or later.
  void plan_bursts(Plan& plan, bool write, u32 group) const;
  /// Returns the first clock at or after `earliest` in which the channel may open a row of a bank of the group.
  [[nodiscard]] Cycle plan_activate(Cycle earliest, u32 group) const;
  Access access(u32 bank, u64 row, bool write, Cycle earliest);
  /// What the planned access waits for from `earliest` on.
  Waits waits_of(Bank& bank, const Plan& planned, Cycle earliest);
  /// Performs the oldest `batch` of the waiting writes, from clock `from` on.
  void write_waiting(Cycle from, u32 batch);
  void write_if_idle(Cycle arrival);
  void tell(DramCommand::Kind kind, Cycle cycle, u32 bank, u64 row) const {
    if (commanded.connected()) commanded({kind, cycle, bank, row});
  }

  DramTiming timing_;
  u32 group_mask_;
  bool posted_writes_;
  std::unique_ptr<DramPagePolicy> page_policy_;
  std::unique_ptr<DramRefreshPolicy> refresh_policy_;
  DramRefreshPolicy::Times refresh_;         // of the first bank
  DramRefreshPolicy::Command next_refresh_;  // the next refresh command that has not been counted
  std::unique_ptr<DramWriteDrain> write_drain_;
  Cycle write_idle_;
  DramStatistics& statistics_;

  DramDataBus bus_;
  DramActivates activates_;
  std::vector<Bank> banks_;
  std::vector<Turn> turns_;  // by bank: the row whose writes the bank serves in turn `number`
  u64 turn_ = 0;
  Queue reads_, writes_;
  u64 written_count_ = 0;
  std::vector<WaitingWrite> waiting_;
  std::vector<Cycle> ends_;  // of the writes in the present batch: the clocks at which they end
  // Number of waiting writes by hash of their block; 0 spares a search of waiting_.
  std::array<u16, 512> waiting_per_hash_{};
  Cycle last_activity_ = 0;
  Waits last_waits_;  // of the last access
  u64 refreshes_ = 0;
};

}  // namespace bvp
