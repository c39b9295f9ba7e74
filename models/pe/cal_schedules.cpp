// SPDX-License-Identifier: Apache-2.0
#include "models/pe/cal_schedules.h"

#include <algorithm>

namespace bvp {

SegmentSchedules::SegmentSchedules(const SegmentProgram& segment) {
  for (const Bound& bound : segment.bounds) used_[bound.stream] = true;
}

const CalSchedule& SegmentSchedules::at(const CalUnit& cal, const SegmentProgram& segment, const StreamBases& bases) {
  const auto same = [&](const StreamBases& known) {
    for (std::size_t s = 0; s < streams_per_segment; ++s) {
      if (used_[s] && known[s] != bases[s]) return false;
    }
    return true;
  };
  // Firings mostly go round the same few places.
  for (std::size_t i = 0; i < known_.size(); ++i) {
    last_ = last_ + 1 < known_.size() ? last_ + 1 : 0;
    if (same(known_[last_].first)) return known_[last_].second;
  }
  if (known_.size() < most_schedules) {
    last_ = known_.size();
    return known_.emplace_back(bases, cal.schedule(segment, bases)).second;
  }
  last_ = next_;
  next_ = (next_ + 1) % most_schedules;
  known_[last_] = {bases, cal.schedule(segment, bases)};
  return known_[last_].second;
}

std::shared_ptr<SegmentSchedules> CalSchedules::of(const SegmentProgram& segment) {
  std::string code;
  const auto add = [&](i64 value) { code.append(reinterpret_cast<const char*>(&value), sizeof value); };
  add(segment.repeat);
  for (const CalStrides& strides : segment.strides) {
    for (const i32 stride : {strides.d, strides.a, strides.b, strides.c}) add(stride);
  }
  for (const CalRun& run : segment.runs) {
    add(static_cast<i64>(run.opcode));
    for (const Access& access : {run.d, run.a, run.b, run.c}) {
      add(access.offset);
      add(access.stream);
    }
  }
  if (auto known = known_[code].lock()) return known;
  for (auto entry = known_.begin(); entry != known_.end();) {
    entry = entry->second.expired() ? known_.erase(entry) : std::next(entry);
  }
  auto schedules = std::make_shared<SegmentSchedules>(segment);
  known_[code] = schedules;
  return schedules;
}

}  // namespace bvp
