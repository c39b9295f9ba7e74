// SPDX-License-Identifier: Apache-2.0
// Power states of the array.
#pragma once

#include "models/base/types.h"

namespace bvp {

/// All states keep kernels, operands and accumulators. A PE takes configurations and launches only in the state `on`.
enum class ArrayPower : u8 {
  on = 0,
  clock_off = 1,
  retention = 2,  // The clock is off, logic has no supply, and memories have the voltage that keeps their contents.
};

}  // namespace bvp
