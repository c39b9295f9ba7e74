// SPDX-License-Identifier: Apache-2.0
// Layer norm and softmax of rows that do not fit a scratchpad half: tasks over parts of the columns, whose sums, maxima
// and statistics go through DRAM. The bits are those of whole rows (docs/numerics.md).
#pragma once

#include <string>

#include "platform/compiler/plan.h"
#include "platform/network/tensors.h"

namespace bvp {

struct LongNorm {
  std::string name;
  u32 layer = 0;
  const Tensor* weight = nullptr;  // [columns]
  const Tensor* bias = nullptr;
  double epsilon = 1e-5;
};

/// output = (input - mean) / sqrt(variance + epsilon) * weight + bias of each row; the places may be the same.
/// @throws CompileError  a lane group of rows of one panel with its sums and statistics does not fit a half
void add_long_norm(Plan& plan, const LongNorm& norm, const MatrixPlace& input, const MatrixPlace& output);

/// In place: exp(score - maximum of its row). Returns a matrix of statistics (softmax_column): the reciprocals of the
/// sums. @throws CompileError  likewise
[[nodiscard]] MatrixPlace add_long_softmax(Plan& plan, const std::string& name, u32 layer, const MatrixPlace& scores);

}  // namespace bvp
