// SPDX-License-Identifier: Apache-2.0
// For measurement: who wants to know when the units of the PEs work.
#pragma once

#include "models/base/types.h"
#include "models/isa/instruction.h"

namespace bvp {

class UnitObserver {
 public:
  virtual ~UnitObserver() = default;
  /// A unit of PE `pe` works on a segment in the cycles [begin, end). `tag` is the segment's layer within its kernel.
  /// In `fast` runs PE 0 stands for all.
  virtual void unit_busy(u32 pe, Unit unit, u8 tag, Cycle begin, Cycle end) = 0;
};

}  // namespace bvp
