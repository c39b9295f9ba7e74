// SPDX-License-Identifier: Apache-2.0
// Power states of the array.
#pragma once

#include "models/base/types.h"

namespace bvp {

/// Kernels, operands and accumulators are kept in all of them; a PE takes configurations and launches only when it is
/// on.
enum class ArrayPower : u8 {
  on = 0,
  clock_off = 1,
  retention = 2,  // clock off, logic without supply, memories at the voltage that keeps their contents
};

}  // namespace bvp
