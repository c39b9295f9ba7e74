// SPDX-License-Identifier: Apache-2.0
// fp16 numbers as the reference makes them of others.
#pragma once

#include <cmath>

#include "platform/network/half.h"

namespace bvp {

/// Nearest even; every NaN is 0x7e00.
inline u16 rounded(float value) { return std::isnan(value) ? u16{0x7e00} : to_half(static_cast<double>(value)); }

inline u16 inverse_root(u64 n) { return to_half(1 / std::sqrt(static_cast<double>(n))); }

}  // namespace bvp
