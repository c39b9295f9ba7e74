// SPDX-License-Identifier: Apache-2.0
// Kernels whose lanes run over rows (tokens, queries) and whose PEs share out lane groups and columns: layer
// normalisation and softmax. PEs that work on the same rows exchange their parts of sums and maxima.
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "models/isa/kernel.h"
#include "platform/compiler/layout.h"
#include "platform/compiler/target.h"

namespace bvp {

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

}  // namespace bvp
