// SPDX-License-Identifier: Apache-2.0
// Integer names and the unit of time shared by all models.
#pragma once

#include <cstdint>

namespace bvp {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;

/// A count of accelerator clock cycles since the start of simulation.
using Cycle = u64;

/// The cycles from `begin` on and before `end`.
struct CycleSpan {
  Cycle begin = 0, end = 0;
};

}  // namespace bvp
