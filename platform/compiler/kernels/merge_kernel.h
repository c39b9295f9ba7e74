// SPDX-License-Identifier: Apache-2.0
// Joins the partial results of attention over blocks of keys.
#pragma once

#include <array>
#include <tuple>

#include "models/isa/kernel.h"
#include "platform/compiler/target.h"
#include "platform/program/layout.h"

namespace bvp {

/// Columns of the statistics that a softmax leaves for a block of keys.
namespace softmax_column {
inline constexpr u32 reciprocal = 0, maximum = 1, sum = 2, count = 3;
}

/// From partial results o[b], maxima m[b] and sums l[b] of each row: M = max m[b], w[b] = r(exp(r(m[b] - M)) * l[b]),
/// y = r(sum over b of o[b] * w[b], in fp32 and ascending order, * 1 / r(sum of w[b])).
/// A block is the panels of o, then those of the statistics; blocks lie one behind the other.
/// Launch registers: partial, output. Launch counts: level 0 = lane groups of rows.
struct MergeSpec {
  u32 blocks = 2;
  u32 width = 0;       // columns of o
  PanelLayout layout;  // of the blocks and of the output

  [[nodiscard]] auto tied() const { return std::tie(blocks, width, layout); }
  friend bool operator<(const MergeSpec& a, const MergeSpec& b) { return a.tied() < b.tied(); }
};
namespace merge_register {
inline constexpr unsigned partial = 0, output = 1;
}

struct MergeKernel {
  Kernel kernel;
  std::array<u32, 3> counts{};  // of the instance levels 1..3
};

/// @throws CompileError  the operand memory is too small for so many blocks
[[nodiscard]] MergeKernel make_merge_kernel(const CompilerTarget& target, const MergeSpec& spec, u32 groups);

}  // namespace bvp
