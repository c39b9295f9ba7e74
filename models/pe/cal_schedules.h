// SPDX-License-Identifier: Apache-2.0
// Schedules of Cal segments that have been worked out, for all PEs of an array.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "models/pe/cal_unit.h"

namespace bvp {

/// The schedules of one Cal segment, by the places that its streams point to: those decide which banks of the operand
/// memory an instruction asks for.
class SegmentSchedules {
 public:
  explicit SegmentSchedules(const SegmentProgram& segment);

  /// Valid until the next call.
  /// @param bases  within the bounds of the segment
  [[nodiscard]] const CalSchedule& at(const CalUnit& cal, const SegmentProgram& segment, const StreamBases& bases);

  /// A schedule that at() has given. All schedules of a segment have the same counts of instructions and accesses.
  [[nodiscard]] const CalSchedule& any() const { return known_.front().second; }

 private:
  static constexpr std::size_t most_schedules = 64;

  std::array<bool, streams_per_segment> used_{};
  std::vector<std::pair<StreamBases, CalSchedule>> known_;
  std::size_t next_ = 0;  // to be given up
  static constexpr unsigned place_bits = 8;
  std::array<u8, std::size_t{1} << place_bits> places_{};  // in known_, where bases of that hash were found last
};

/// PEs that share one work out each schedule once. They must have the same parameters.
class CalSchedules {
 public:
  /// The schedules of a segment with this code; empty at first.
  [[nodiscard]] std::shared_ptr<SegmentSchedules> of(const SegmentProgram& segment);

 private:
  std::map<std::string, std::weak_ptr<SegmentSchedules>> known_;
};

}  // namespace bvp
