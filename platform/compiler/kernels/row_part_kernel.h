// SPDX-License-Identifier: Apache-2.0
// Layer normalisation and softmax of rows that are longer than a tile, part by part.
#pragma once

#include "platform/compiler/kernels/row_kernels.h"

namespace bvp {

/// Processes a part of the columns of rows that are longer than a tile, for layer norm or softmax. Each step of
/// RowPartSpec is one launch for each part. The interleaved parts of a sum are those of whole rows, so that the bits of
/// the result do not depend on the division into parts. Between the launches, memory holds for each row
/// - sums: the parts of the sum so far in fp32, lower halves in columns [0, ways), upper ones in [ways, 2 ways);
/// - statistics: norm_column or softmax_column.
/// Launch registers: row_part_register. Launch counts: level 0 = lane groups of rows.
struct RowPartSpec {
  enum class Step {
    sum,      // the mean of the row
    squares,  // from the mean, the reciprocal of the deviation
    scale,    // output = (x - mean) * that * weight + bias
    maximum,  // the maximum of the row
    exponent  // output = exp(x - maximum), and the reciprocal of their sum
  } step = Step::sum;
  u32 columns = 0;  // of this part; whole panels but for the last part
  bool first = true, last = true;
  PanelLayout layout;     // of all matrices
  u32 row_columns = 0;    // of whole rows
  double epsilon = 1e-5;  // Step::squares
  unsigned power = 0;     // Step::exponent, as in SoftmaxSpec

  [[nodiscard]] auto tied() const { return std::tie(step, columns, first, last, layout, row_columns, epsilon, power); }
  friend bool operator<(const RowPartSpec& a, const RowPartSpec& b) { return a.tied() < b.tied(); }
};
namespace row_part_register {
inline constexpr unsigned input = 0, output = 1, constants = 2, sums = 3, statistics = 4, scalars = 5;
}
namespace norm_column {
/// fp32 values in halves: the lower half in this column, the upper half in the next one. `deviation` is the reciprocal
/// of the deviation. RowKernel::weights are the constants; Step::scale finds row_scalars of the part at its register
/// `scalars`.
inline constexpr u32 mean = 0, deviation = 2, count = 4;
}  // namespace norm_column
/// RowKernel::weights are the constants; Step::scale finds row_scalars of the part at its register `scalars`.
[[nodiscard]] RowKernel make_row_part_kernel(const CompilerTarget& target, const RowPartSpec& spec, u32 groups);

}  // namespace bvp
