// SPDX-License-Identifier: Apache-2.0
// The counters of all PEs of an array together. PEs that sit out firings of a kernel have their own waits.
#pragma once

#include <array>
#include <string>

#include "models/pe/account/pe_account.h"
#include "models/pe/fast/booked_until.h"
#include "models/pe/fast/launch_shares.h"
#include "models/pe/fast/participants.h"

namespace bvp {

class ArrayAccount {
 public:
  /// The cycles up to which each unit is counted, by unit and PE of the kernel; of a unit that is counted alike on all
  /// PEs there is no entry.
  using Booked = std::array<std::vector<Cycle>, unit_count>;

  ArrayAccount(std::string name, u64 pes, u32 lanes, bool clock_gating, StatGroup& parent)
      : pes_(pes), sum_(std::move(name), 0, lanes, clock_gating, parent) {}

  /// Counters of all PEs; counted_until() of PE 0, which takes part in every firing.
  [[nodiscard]] PeAccount& sum() { return sum_; }
  [[nodiscard]] const PeAccount& sum() const { return sum_; }

  /// Counts that the unit has waited until `now`, on the PEs that take part in a firing.
  /// @param kernel_pes  number of PEs of the kernel
  /// @return  the cycles since the last call, summed over the PEs; the caller adds them to the counters
  [[nodiscard]] u64 wait_until(Unit unit, Cycle now, const Participants& active, u64 kernel_pes);
  /// Counts that the unit works on a firing of these PEs from `now` on.
  /// @param counted  the number of PEs for which the firing is counted
  void busy(const Firing& firing, const BusyCycles& cycles, const Participants& active, u64 counted);
  /// Counts that all units have waited until `now`.
  /// @param ended  the launch that they were waiting to end, the last one; null: there is no launch
  void rest_until(Cycle now, u64 kernel_pes, const LaunchShares::SharedLaunch* ended);
  /// Counts that the PEs outside of the kernel's array have waited until `now`.
  void outside_until(Cycle now, u64 kernel_pes);

  [[nodiscard]] Booked booked() const;
  /// Sets the cycles up to which each unit is counted, as booked() gave them in a launch that arrived at cycle 0, for
  /// one that arrives at `arrival`.
  void repeat(const Booked& booked, Cycle arrival);
  /// Sets all units of all PEs as counted up to the arrival of a launch.
  void restart(Cycle arrival);

 private:
  const u64 pes_;
  PeAccount sum_;
  std::array<BookedUntil, unit_count> booked_;
  Cycle outside_booked_ = 0;
};

}  // namespace bvp
