// SPDX-License-Identifier: Apache-2.0
#include "models/pe/context/addresses.h"

#include <algorithm>

namespace bvp {

StreamBases launch_bases(const SegmentProgram& segment, const LaunchRecord& record) {
  StreamBases bases{};
  for (std::size_t s = 0; s < streams_per_segment; ++s) {
    const u8 number = segment.streams[s].launch_register;
    if (number != 0) bases[s] = static_cast<i32>(record.registers[number - 1u]);
  }
  return bases;
}

StreamBases instance_bases(const PeProgram& program, const SegmentProgram& segment, const Iteration& iteration) {
  StreamBases bases{};
  for (std::size_t s = 0; s < streams_per_segment; ++s) {
    // Modulo 2^64: a launch's counts may be anything.
    u64 wrapping = 0;
    for (unsigned level = 0; level < segment.scope; ++level) {
      const u64 steps = u64{iteration[level]} * program.step[level];
      wrapping += steps * static_cast<u64>(i64{segment.streams[s].instance_stride[level]});
    }
    bases[s] = static_cast<i64>(wrapping);
  }
  return bases;
}

bool within_bounds(const KernelLimits& limits, const SegmentProgram& segment, const StreamBases& bases) {
  constexpr i64 nowhere = i64{1} << 40;  // far beyond all memories, and no sum with an offset overflows
  return std::all_of(segment.bounds.begin(), segment.bounds.end(), [&](const Bound& bound) {
    if (bases[bound.stream] > nowhere || bases[bound.stream] < -nowhere) return false;
    i64 limit = 0;
    switch (bound.space) {
      case Space::vector:
        limit = limits.operand_vectors;
        break;
      case Space::scalar:
        limit = i64{limits.operand_vectors} * limits.lanes;
        break;
      case Space::accumulator:
        limit = limits.accumulators;
        break;
      default:
        return true;
    }
    return bases[bound.stream] + bound.min >= 0 && bases[bound.stream] + bound.max < limit;
  });
}

}  // namespace bvp
