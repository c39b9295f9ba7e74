// SPDX-License-Identifier: Apache-2.0
// The special functions of a PE, tabulated over all fp16 arguments.
#pragma once

#include <array>
#include <cstddef>

#include "models/base/types.h"

namespace bvp {

/// The correctly rounded result for each of the 65,536 bit patterns; NaN is 0x7e00.
using SpecialFunctionTable = std::array<u16, std::size_t{1} << 16>;

/// Each table is computed once, at its first use.
[[nodiscard]] const SpecialFunctionTable& exp_table();
[[nodiscard]] const SpecialFunctionTable& erf_table();
[[nodiscard]] const SpecialFunctionTable& reciprocal_table();
[[nodiscard]] const SpecialFunctionTable& rsqrt_table();
[[nodiscard]] const SpecialFunctionTable& tanh_table();

}  // namespace bvp
