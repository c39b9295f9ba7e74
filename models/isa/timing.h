// SPDX-License-Identifier: Apache-2.0
// How long the Cal unit takes for instructions. The unit makes its schedules from this, and the compiler its estimates.
#pragma once

#include <vector>

#include "models/isa/kernel.h"

namespace bvp {

/// Latencies and slots of a Cal unit, in cycles.
struct CalTiming {
  u64 simple_latency = 4, maximum_latency = 2;
  u64 special_latency = 8;  ///< of the lanes that the special function unit serves in one cycle
  u64 special_slots = 4;    ///< cycles in which the special function unit serves all lanes of a vector

  /// Cycles until the unit can issue another instruction.
  [[nodiscard]] u64 slots(Timing timing) const;
  /// Cycles from the issue until another instruction can read the result.
  [[nodiscard]] u64 latency(Timing timing) const;
};

/// Instructions issued in a fixed order, each as soon as the unit is free and its operands have left the pipelines.
class IssueSchedule {
 public:
  /// A vector of the operand memory or an accumulator.
  struct Place {
    Space space = Space::none;
    i64 address = 0;
    bool operator==(const Place& other) const { return space == other.space && address == other.address; }
  };

  explicit IssueSchedule(const CalTiming& timing) : timing_(timing) {}

  /// The next instruction issued cannot be issued before the result at this place is there.
  void read(const Place& place);
  /// Issues an instruction that has read what read() was called for, and writes this place.
  /// @returns the cycles that it has waited for operands
  u64 issue(Timing timing, const Place& result);

  [[nodiscard]] u64 issued() const { return issued_; }
  /// Cycles until another segment may issue.
  [[nodiscard]] u64 occupancy() const { return next_; }
  /// Cycles until the last result is there.
  [[nodiscard]] u64 completion() const { return completion_; }

 private:
  struct Result {
    Place place;
    u64 done;
  };

  const CalTiming timing_;
  std::vector<Result> results_;  // in a pipeline
  u64 issued_ = 0, next_ = 0, earliest_ = 0, completion_ = 0;
};

/// What the compiler assumes: cycles from an issue of one of the segment's instructions to its next issue, without a
/// schedule of all trips. For a segment of one instruction over independent results, or over one sum, the trips times
/// this are the occupancy, or above it by less than a latency. The wait for a result of another instruction is left
/// out.
[[nodiscard]] u64 issue_interval(const CalTiming& timing, const Segment& segment, const Instruction& instruction);

}  // namespace bvp
