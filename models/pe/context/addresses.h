// SPDX-License-Identifier: Apache-2.0
// Where the streams of a segment point to in a firing: sums of parts, and whether they lie in the operand memory.
#pragma once

#include "models/isa/launch.h"
#include "models/pe/context/program.h"

namespace bvp {

/// The iteration of each level, counted from 0 on each PE.
using Iteration = std::array<u32, instance_levels>;

/// The sum of both, by stream, modulo 2^64.
[[nodiscard]] inline StreamBases bases_at(const StreamBases& first, const StreamBases& distance) {
  StreamBases bases{};
  for (std::size_t s = 0; s < streams_per_segment; ++s) {
    bases[s] = static_cast<i64>(static_cast<u64>(first[s]) + static_cast<u64>(distance[s]));
  }
  return bases;
}

/// The part of the bases that comes from the launch registers.
[[nodiscard]] StreamBases launch_bases(const SegmentProgram& segment, const LaunchRecord& record);
/// The part of the bases that comes from the iterations of the levels. It is the same for all PEs of a kernel.
[[nodiscard]] StreamBases instance_bases(const PeProgram& program, const SegmentProgram& segment,
                                         const Iteration& iteration);

/// Whether a firing with these bases stays within the operand memory and the accumulators.
[[nodiscard]] bool within_bounds(const KernelLimits& limits, const SegmentProgram& segment, const StreamBases& bases);

}  // namespace bvp
