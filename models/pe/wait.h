// SPDX-License-Identifier: Apache-2.0
// What units of a PE wait for.
#pragma once

#include <array>

#include "models/base/types.h"

namespace bvp {

/// Why a unit did not start a segment.
enum class Wait : u8 { load, compute, flow, space, launch, drain, no_kernel };
inline constexpr std::size_t wait_count = 7;
inline constexpr std::array<const char*, wait_count> wait_names{"load",   "compute", "flow",     "space",
                                                                "launch", "drain",   "no_kernel"};

}  // namespace bvp
