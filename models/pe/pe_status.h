// SPDX-License-Identifier: Apache-2.0
// What others read of a PE, or of a model that stands for all PEs of an array.
#pragma once

#include <string>
#include <vector>

#include "models/base/statistics.h"
#include "models/isa/instruction.h"

namespace bvp {

class PeStatus {
 public:
  virtual ~PeStatus() = default;
  [[nodiscard]] virtual const StatGroup& statistics() const = 0;
  /// Issue slots of a unit used so far.
  [[nodiscard]] virtual u64 issue_slots(Unit unit) const = 0;
  /// The reason why an error has stopped it; empty: no error has.
  [[nodiscard]] virtual const std::string& error() const = 0;
  /// What the segments that have firings left are waiting for, a line each; empty if no launch is under way.
  [[nodiscard]] virtual std::string pending() const = 0;
  /// The segments that pending() has lines about, in their order; empty also where the lines are not about segments.
  [[nodiscard]] virtual std::vector<u32> pending_segments() const = 0;
};

}  // namespace bvp
