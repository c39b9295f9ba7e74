// SPDX-License-Identifier: Apache-2.0
// The Cal unit: how long a segment occupies it, and what it computes.
#pragma once

#include <array>

#include "models/arith/lanes.h"
#include "models/isa/timing.h"
#include "models/pe/context/program.h"
#include "models/pe/operand_memory.h"
#include "models/pe/pe_parameters.h"
#include "models/pe/ports/operand_ports.h"

namespace bvp {

/// The schedule of a Cal segment that has the operand memory to itself: the order of issue is fixed, so it is the same
/// in every firing whose streams point to the same places. issue + special + latency cycles add up to `occupancy`.
struct CalSchedule {
  explicit CalSchedule(const OperandBanks& banks) : ports(banks) {}

  u64 issue = 0;       // instructions issued, one per cycle
  u64 special = 0;     // further cycles of the special function unit, which is narrower than the lanes
  u64 latency = 0;     // cycles without issue: an operand was still in a pipeline, or its bank had no port left
  u64 occupancy = 0;   // cycles until another segment may issue
  u64 completion = 0;  // cycles until the last result is in the operand memory
  u64 operations = 0;  // arithmetic operations per lane
  // Instructions by kind.
  u64 multiplies = 0, adds = 0, fused = 0, specials = 0, wide_specials = 0, accumulates = 0, shuffles = 0;
  u64 vector_reads = 0, scalar_reads = 0, vector_writes = 0;
  double full_banks = 0;  // the share of the banks that have no port left beside this, over the occupancy
  PortPattern ports;      // the ports of the operand memory that a firing uses, in cycles since its start
};

class CalUnit {
 public:
  CalUnit(const PeParameters& parameters, u32 lanes);

  [[nodiscard]] const OperandBanks& banks() const { return banks_; }

  /// @param bases  where the streams point to; all addresses lie within bounds
  [[nodiscard]] CalSchedule schedule(const SegmentProgram& segment, const StreamBases& bases) const;

  /// Runs the segment on the operand memory, all addresses within bounds.
  void execute(const SegmentProgram& segment, const StreamBases& bases, OperandMemory& memory) const;

 private:
  void execute_run(const CalRun& run, const CalStrides& strides, u64 count, const StreamBases& bases,
                   OperandMemory& memory) const;

  u32 lane_count_;
  Lanes lanes_;
  CalTiming timing_;
  OperandBanks banks_;
};

}  // namespace bvp
