// SPDX-License-Identifier: Apache-2.0
// Up to which cycle the time of one unit is counted, on each PE of a kernel in fast mode.
#pragma once

#include <vector>

#include "models/base/types.h"

namespace bvp {

/// Holds no entries as long as the unit is counted up to the same cycle on all PEs; the owner knows that cycle.
class BookedUntil {
 public:
  [[nodiscard]] bool alike() const { return of_pe_.empty(); }
  /// Gives each PE a cycle of its own, which is `until` at first.
  void differ(std::size_t pes, Cycle until) {
    if (alike()) of_pe_.assign(pes, until);
  }
  void unite() { of_pe_.clear(); }
  [[nodiscard]] const std::vector<Cycle>& of_pe() const { return of_pe_; }
  void set(const std::vector<u32>& pes, Cycle until) {
    for (const u32 pe : pes) of_pe_[pe] = until;
  }
  /// Counts these PEs up to `until`; returns the cycles that were counted, summed over the PEs.
  u64 advance(const std::vector<u32>& pes, Cycle until) {
    u64 cycles = 0;
    for (const u32 pe : pes) {
      if (until <= of_pe_[pe]) continue;
      cycles += until - of_pe_[pe];
      of_pe_[pe] = until;
    }
    return cycles;
  }
  /// Sets the cycles to those of a launch that arrived at cycle 0, shifted to a launch that arrives at `arrival`.
  void repeat(const std::vector<Cycle>& since_arrival, Cycle arrival) {
    of_pe_ = since_arrival;
    for (Cycle& until : of_pe_) until += arrival;
  }

 private:
  std::vector<Cycle> of_pe_;
};

}  // namespace bvp
