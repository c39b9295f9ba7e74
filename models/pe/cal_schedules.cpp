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
  u64 hash = 0;
  for (std::size_t s = 0; s < streams_per_segment; ++s) {
    if (used_[s]) hash = (hash ^ static_cast<u64>(bases[s])) * 0x9e3779b97f4a7c15;
  }
  u8& place = places_[hash >> (64 - place_bits)];
  if (place < known_.size() && same(known_[place].first)) return known_[place].second;
  const auto found = std::find_if(known_.begin(), known_.end(), [&](const auto& known) { return same(known.first); });
  if (found != known_.end()) {
    place = static_cast<u8>(found - known_.begin());
    return found->second;
  }
  if (known_.size() < most_schedules) {
    place = static_cast<u8>(known_.size());
    return known_.emplace_back(bases, cal.schedule(segment, bases)).second;
  }
  place = static_cast<u8>(next_);
  next_ = (next_ + 1) % most_schedules;
  known_[place] = {bases, cal.schedule(segment, bases)};
  return known_[place].second;
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
