// SPDX-License-Identifier: Apache-2.0
// What a stage of a butterfly has where in the operand memory.
#pragma once

#include <optional>

#include "platform/compiler/kernels/butterfly_shape.h"
#include "platform/compiler/kernels/butterfly_weights.h"
#include "platform/compiler/kernels/kernel_builder.h"
#include "platform/compiler/target.h"

namespace bvp {

/// Counts of vectors, and the first vector of each part.
struct OperandPlan {
  bool resident = true;  ///< the weights of all sets stay for a launch
  u32 weight_vectors = 0, weight_depth = 1;
  u32 constant_vectors = 0;
  u32 plane_vectors = 0, context_vectors = 0;
  u32 contexts = 0, residuals = 0;
  u32 inner_limit = 1;  ///< trips of level 0 of a Cal segment that have temporaries of their own
  u32 weights = 0, constants = 0, data = 0, temporaries = 0, residual = 0, dropped = 0;
};

/// Returns nullopt if the operand memory does not suffice.
[[nodiscard]] std::optional<OperandPlan> plan_operands(const CompilerTarget& target, const ButterflyStage& stage,
                                                       const StageShape& shape, const ButterflyWeights& weights,
                                                       KernelBuilder& builder);

}  // namespace bvp
