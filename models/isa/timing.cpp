// SPDX-License-Identifier: Apache-2.0
#include "models/isa/timing.h"

#include <algorithm>

namespace bvp {

u64 CalTiming::slots(Timing timing) const { return timing == Timing::special ? special_slots : 1; }

u64 CalTiming::latency(Timing timing) const {
  switch (timing) {
    case Timing::maximum:
      return maximum_latency;
    case Timing::special:
      // The lanes that the unit serves last enter it special_slots - 1 cycles after the first ones.
      return special_latency + special_slots - 1;
    case Timing::simple:
    case Timing::transfer:
      break;
  }
  return simple_latency;
}

void IssueSchedule::read(const Place& place) {
  for (const Result& result : results_) {
    if (result.place == place) earliest_ = std::max(earliest_, result.done);
  }
}

u64 IssueSchedule::issue(Timing timing, const Place& result) {
  const u64 now = std::max(next_, earliest_), waited = now - next_;
  const u64 done = now + timing_.latency(timing);
  const auto settled = [&](const Result& other) { return other.done <= now || other.place == result; };
  results_.erase(std::remove_if(results_.begin(), results_.end(), settled), results_.end());
  results_.push_back({result, done});
  ++issued_;
  next_ = now + timing_.slots(timing);
  completion_ = std::max({completion_, done, next_});
  return waited;
}

u64 issue_interval(const CalTiming& timing, const Segment& segment, const Instruction& instruction) {
  const InstructionInfo& info = instruction_info(instruction.opcode);
  if (info.timing == Timing::special) return timing.slots(info.timing);
  const bool stays = segment.trips[0] > 1 && segment.streams[instruction.d.stream].trip_stride[0] == 0;
  const bool reads_itself =
      adds_to_destination(info) || (info.b == Space::vector && instruction.b.stream == instruction.d.stream &&
                                    instruction.b.offset == instruction.d.offset);
  if (!reads_itself) return 1;
  const u64 latency = timing.latency(info.timing);
  if (stays) return latency;
  // A short inner loop over several results comes back to the first one before its latency is over.
  const bool comes_back = segment.trips[1] > 1 && segment.streams[instruction.d.stream].trip_stride[1] == 0;
  const u64 distance = u64{segment.trips[0]} * segment.instruction_count;
  return comes_back ? (latency + distance - 1) / distance : 1;
}

}  // namespace bvp
