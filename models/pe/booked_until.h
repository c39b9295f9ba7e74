// SPDX-License-Identifier: Apache-2.0
// Until when the cycles of a unit are booked on each PE of a kernel that runs loosely timed.
#pragma once

#include <vector>

#include "models/base/types.h"

namespace bvp {

/// Nothing is kept as long as all PEs do the same: then it is the unit's time, which PE 0's is at any time.
class BookedUntil {
 public:
  [[nodiscard]] bool alike() const { return of_pe_.empty(); }
  void differ(std::size_t pes, Cycle until) {
    if (alike()) of_pe_.assign(pes, until);
  }
  void unite() { of_pe_.clear(); }
  [[nodiscard]] const std::vector<Cycle>& of_pe() const { return of_pe_; }
  void set(const std::vector<u32>& pes, Cycle until) {
    for (const u32 pe : pes) of_pe_[pe] = until;
  }
  /// Books these PEs up to `until`; returns the cycles, summed over them.
  u64 advance(const std::vector<u32>& pes, Cycle until) {
    u64 cycles = 0;
    for (const u32 pe : pes) {
      if (until <= of_pe_[pe]) continue;
      cycles += until - of_pe_[pe];
      of_pe_[pe] = until;
    }
    return cycles;
  }
  /// As it was in a launch before that arrived so many cycles earlier.
  void repeat(const std::vector<Cycle>& since_arrival, Cycle arrival) {
    of_pe_ = since_arrival;
    for (Cycle& until : of_pe_) until += arrival;
  }

 private:
  std::vector<Cycle> of_pe_;
};

}  // namespace bvp
