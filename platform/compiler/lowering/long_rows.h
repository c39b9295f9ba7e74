// SPDX-License-Identifier: Apache-2.0
// Layer norm and softmax of rows that do not fit a scratchpad half. Their tasks work on parts of the columns; sums,
// maxima and statistics go through DRAM between the tasks. The result has the same bits as with whole rows
// (docs/numerics.md).
#pragma once

#include <string>

#include "platform/compiler/ir/dram_plan.h"
#include "platform/compiler/passes/tile.h"
#include "platform/network/tensors.h"

namespace bvp {

struct LongNorm {
  std::string name;
  u32 layer = 0;
  const Tensor* weight = nullptr;  // [columns]
  const Tensor* bias = nullptr;
  double epsilon = 1e-5;
};

/// output = (input - mean) / sqrt(variance + epsilon) * weight + bias for each row; input and output may have the same
/// place.
/// @throws CompileError  one lane group of rows of one panel does not fit a half together with its sums and statistics
[[nodiscard]] Tasks long_norm(const TaskPlanner& plan, DramPlan& dram, const LongNorm& norm, const MatrixPlace& input,
                              const MatrixPlace& output);

/// In place: exp(score - maximum of its row).
struct LongSoftmax {
  Tasks tasks;
  MatrixPlace statistics;  // softmax_column: the reciprocals of the sums
};
/// @throws CompileError  as long_norm()
[[nodiscard]] LongSoftmax long_softmax(const TaskPlanner& plan, DramPlan& dram, const std::string& name, u32 layer,
                                       const MatrixPlace& scores);

}  // namespace bvp
