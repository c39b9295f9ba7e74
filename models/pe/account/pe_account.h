// SPDX-License-Identifier: Apache-2.0
// The counters of a PE: what its units do in each cycle, what is computed and moved. Every cycle of a unit is in
// exactly one counter.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "models/base/power_state.h"
#include "models/base/statistics.h"
#include "models/pe/cal_unit.h"
#include "models/pe/unit_span.h"
#include "models/pe/wait.h"

namespace bvp {

/// Cycles in which a unit works on a firing, by what it does.
struct BusyCycles {
  u64 issue = 0;    ///< an instruction is issued
  u64 special = 0;  ///< further cycles of instructions on the special function unit
  u64 stall = 0;    ///< nothing is issued
  [[nodiscard]] u64 sum() const { return issue + special + stall; }
};

class PeAccount {
 public:
  /// @param name   of the group of counters
  /// @param index  of the PE, for observers
  PeAccount(std::string name, u32 index, u32 lanes, bool clock_gating, StatGroup& parent);

  [[nodiscard]] const StatGroup& statistics() const { return stats_; }
  /// Issue slots of a unit used so far.
  [[nodiscard]] u64 issue_slots(Unit unit) const { return units_[index_of(unit)].counters->issue.value(); }
  /// Tells when a unit works on a segment.
  UnitBusy unit_busy;

  /// The cycles of the unit are counted up to this one. It is also the first cycle in which the unit can begin a
  /// firing, unless the unit is busy_beyond().
  [[nodiscard]] Cycle counted_until(Unit unit) const { return units_[index_of(unit)].until; }
  void set_counted_until(Unit unit, Cycle until) { units_[index_of(unit)].until = until; }

  /// Counts that the unit works on a firing from `now` on, on `pes` PEs.
  void busy(Unit unit, u8 tag, Cycle now, const BusyCycles& cycles, u64 pes = 1);
  /// Counts that a busy unit has been busy until `end` without issuing an instruction.
  void stall_until(Unit unit, Cycle end);
  /// Counts that the unit has waited until `now`.
  void wait_until(Unit unit, Cycle now, Wait reason);
  /// Counts that all units have waited until `now`.
  void rest_until(Cycle now, Wait reason);
  void count_wait(Unit unit, Wait reason, u64 cycles) {
    *units_[index_of(unit)].counters->waits[index_of(reason)] += cycles;
  }
  /// Says that the unit stays busy after counted_until(), for a time that is not known yet.
  void set_busy_beyond(Unit unit, bool beyond) { units_[index_of(unit)].beyond = beyond; }
  [[nodiscard]] bool busy_beyond(Unit unit) const { return units_[index_of(unit)].beyond; }

  // What firings do. Amounts are spread over the cycles of `when`.
  /// So many firings, each of which takes so many tokens.
  void count_firings(u64 firings, u64 tokens) {
    firings_ += firings;
    tokens_ += firings * tokens;
  }
  void count_cal(const CalSchedule& schedule, u64 firings, CycleSpan when);
  void count_reads(u64 vectors, CycleSpan when) { operands_.reads.add(vectors, when.begin, when.end); }
  void count_writes(u64 vectors, CycleSpan when) { operands_.writes.add(vectors, when.begin, when.end); }
  /// Counts words of configuration, which have come over the configuration network until `now`, one a cycle.
  void count_configuration(u64 words, u64 receivers, Cycle now);

  // The PE as a whole.
  [[nodiscard]] ArrayPower power() const { return power_; }
  /// The clock or the supply changes; book_cycles() has counted what came before.
  void set_power(ArrayPower power) { power_ = power; }
  /// Cycles are counted as active, idle, gated or in retention up to this one.
  [[nodiscard]] Cycle cycles_booked() const { return cycles_.booked; }
  /// Counts the cycles from cycles_booked() to `now`.
  /// @param pes     the PEs that this account stands for
  /// @param active  cycles, summed over the PEs, since cycles_booked() in which they had a launch
  void book_cycles(Cycle now, u64 pes, u64 active);

 private:
  /// Counters of one unit. Each cycle is in exactly one of issue, special, stall and the waits.
  struct UnitCounters {
    UnitCounters(StatGroup& parent, const char* name, const char* stall_description);
    StatGroup group;
    Counter instructions, issue, special, stall;
    std::vector<std::unique_ptr<Counter>> waits;
  };
  struct UnitAccount {
    std::unique_ptr<UnitCounters> counters;
    Cycle until = 0;
    bool beyond = false;
    u8 tag = 0;  // of the segment that it began last
  };
  struct LaneCounters {
    explicit LaneCounters(StatGroup* group);
    Counter multiplies, adds, fused, specials, wide_specials, accumulates, shuffles;
  };
  struct OperandCounters {
    explicit OperandCounters(StatGroup* group);
    Counter reads, writes, scalar_reads;
  };
  struct CycleCounters {
    explicit CycleCounters(StatGroup* group);
    Counter active, idle, gated, retention;
    Cycle booked = 0;
  };

  template <class Enumeration>
  [[nodiscard]] static constexpr std::size_t index_of(Enumeration value) {
    return static_cast<std::size_t>(value);
  }

  const u32 index_, lanes_;
  const bool clock_gating_;
  StatGroup stats_;
  std::array<UnitAccount, unit_count> units_;
  Counter firings_;
  LaneCounters lane_counters_;
  Counter operations_;
  OperandCounters operands_;
  Counter instructions_, tokens_, configured_words_;
  CycleCounters cycles_;
  ArrayPower power_ = ArrayPower::on;
};

}  // namespace bvp
