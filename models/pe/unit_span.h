// SPDX-License-Identifier: Apache-2.0
// For measurement: the cycles in which a unit of a PE works.
#pragma once

#include "models/base/signal.h"
#include "models/base/types.h"
#include "models/isa/instruction.h"

namespace bvp {

/// A unit of PE `pe` works on a segment in the cycles [begin, end). In fast mode PE 0 stands for all.
struct UnitSpan {
  u32 pe = 0;
  Unit unit = Unit::load;
  u8 tag = 0;  ///< the segment's layer within its kernel
  Cycle begin = 0, end = 0;
};

using UnitBusy = Signal<const UnitSpan&>;

}  // namespace bvp
