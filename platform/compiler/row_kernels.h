// SPDX-License-Identifier: Apache-2.0
// Kernels whose lanes run over rows (tokens, queries) and whose PEs share out lane groups and columns: layer
// normalisation and softmax. PEs that work on the same rows exchange their parts of sums and maxima.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "models/isa/kernel.h"
#include "platform/compiler/layout.h"
#include "platform/compiler/target.h"

namespace bvp {

/// Interleaved parts in which these kernels sum up the columns of a row: at most 16, fewer where lanes or accumulators
/// are few. Part j sums the columns c with c mod ways = j.
[[nodiscard]] u32 sum_ways(const CompilerTarget& target);

struct RowKernel {
  Kernel kernel;
  std::vector<u16> weights;     // for the scratchpad, whole vectors
  std::array<u32, 3> counts{};  // of the instance levels 1..3
  u32 sharing = 1;              // PEs that share the columns of a lane group
  u64 exchange_cycles = 0;      // that a lane group waits for sums and maxima of other PEs, an estimate
};

/// y = (x - mean) / sqrt(variance + epsilon) * weight + bias over `columns` columns.
/// Launch registers: input, output, weights. Launch counts: level 0 = lane groups of rows.
struct LayerNormSpec {
  u32 columns = 0;
  double epsilon = 1e-5;
  PanelLayout layout;  // of input and output
  std::function<u16(u32 column)> weight, bias;
};
namespace layer_norm_register {
inline constexpr unsigned input = 0, output = 1, weights = 2;
}
[[nodiscard]] RowKernel make_layer_norm_kernel(const CompilerTarget& target, const LayerNormSpec& spec, u32 groups);

/// In place over `columns` columns: x = exp(x - maximum of the row); into columns of their own (softmax_column)
/// reciprocal = 1 / sum of the row and, for a later merge, maximum and sum.
/// Launch registers: scores, reciprocal (the panel of those columns), weights.
/// Launch counts: level 0 = lane groups of rows.
struct SoftmaxSpec {
  u32 columns = 0;
  PanelLayout layout;  // of the scores
  PanelLayout reciprocal_layout;
  bool for_merge = false;
};
namespace softmax_register {
inline constexpr unsigned scores = 0, reciprocal = 1, weights = 2;
}
[[nodiscard]] RowKernel make_softmax_kernel(const CompilerTarget& target, const SoftmaxSpec& spec, u32 groups);

/// A part of the columns of rows that are longer than a tile, for the layer norm or the softmax above: one launch for
/// each step and part. The parts of a sum are those of whole rows, so that the bits do not depend on the division.
/// Between the launches there are for each row
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
};
namespace row_part_register {
inline constexpr unsigned input = 0, output = 1, constants = 2, sums = 3, statistics = 4, scalars = 5;
}
namespace norm_column {
inline constexpr u32 mean = 0, deviation = 1, count = 2;
}
/// RowKernel::weights are the constants.
[[nodiscard]] RowKernel make_row_part_kernel(const CompilerTarget& target, const RowPartSpec& spec, u32 groups);
/// What Step::scale finds at its register `scalars`, whole vectors: the weights and biases of a part, panel by panel.
[[nodiscard]] std::vector<u16> row_part_scalars(const CompilerTarget& target, u32 columns,
                                                const std::function<u16(u32 column)>& weight,
                                                const std::function<u16(u32 column)>& bias);

}  // namespace bvp
