// SPDX-License-Identifier: Apache-2.0
// Sums of whole matrices: row by row, and over the rows.
#pragma once

#include <array>
#include <tuple>
#include <vector>

#include "models/isa/kernel.h"
#include "platform/compiler/target.h"
#include "platform/program/layout.h"

namespace bvp {

/// y = r(x + y), value by value; vectors are rows of a panel.
/// Launch registers: x, y. Launch counts: level 0 = lane groups of rows.
struct AddSpec {
  u64 columns = 0;
  PanelLayout layout;  // of both

  [[nodiscard]] auto tied() const { return std::tie(columns, layout); }
  friend bool operator<(const AddSpec& a, const AddSpec& b) { return a.tied() < b.tied(); }
};
namespace add_register {
inline constexpr unsigned x = 0, y = 1;
}

struct SumKernel {
  Kernel kernel;
  std::vector<u16> constants;   // for the scratchpad, whole vectors
  std::array<u32, 3> counts{};  // of the instance levels 1..3
};

/// @param groups  lane groups of rows of a full launch
[[nodiscard]] SumKernel make_add_kernel(const CompilerTarget& target, const AddSpec& spec, u32 groups);

/// For each block of rows and each column: the sum of x * factor, in fp32 and in ascending order of rows from 0 on. The
/// sum is left as fp32 in two rows of y for each block, the lower and the upper halves of its bits. With `join`, the
/// terms are such pairs of rows of x, and the result is one row of y: r(sum * factor).
/// Launch registers: x, y, constants. Launch counts: level 0 = blocks.
struct RowSumSpec {
  bool join = false;
  bool resume = false;   // without join: the sum begins with what y holds
  bool suspend = false;  // join: the sum is left in two rows as well
  bool round = false;    // without join: one row of y for each block is r(sum of x * factor)
  u32 rows = 0;          // of a block (`join`: pairs of rows)
  u32 blocks = 1;
  u64 columns = 0;
  PanelLayout x, y;
  u16 factor = 0;

  [[nodiscard]] auto tied() const {
    return std::tie(join, resume, suspend, round, rows, blocks, columns, x, y, factor);
  }
  friend bool operator<(const RowSumSpec& a, const RowSumSpec& b) { return a.tied() < b.tied(); }
};
namespace row_sum_register {
inline constexpr unsigned x = 0, y = 1, constants = 2;
}

/// @throws CompileError  the operand memory is too small
[[nodiscard]] SumKernel make_row_sum_kernel(const CompilerTarget& target, const RowSumSpec& spec);

}  // namespace bvp
