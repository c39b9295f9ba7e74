// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/kernels/butterfly_operands.h"

#include <algorithm>

#include "platform/compiler/kernels/activation.h"

namespace bvp {

std::optional<OperandPlan> plan_operands(const CompilerTarget& target, const ButterflyStage& stage,
                                         const StageShape& shape, const ButterflyWeights& weights,
                                         KernelBuilder& builder) {
  OperandPlan plan;
  plan.weight_vectors = weights.block_vectors();
  plan.constant_vectors = weights.constant_vectors();
  const u32 group_vectors = shape.group_points * shape.multiplicity;
  plan.plane_vectors = (shape.exchanges > 0 || stage.normal ? 3 : 2) * group_vectors;
  plan.context_vectors = plan.plane_vectors * shape.planes;
  bool products = false;  // some layer needs temporaries
  for (unsigned layer = 0; layer < shape.layers(); ++layer) {
    plan.inner_limit = std::max(plan.inner_limit, shape.repeat_of(stage, layer));
    products = products || stage.form(layer) != PairForm::ratios;
  }
  const u32 of_trip = products ? 2 : (needs_temporary(stage.activation) ? 1 : 0);
  const u32 temporaries = of_trip * plan.inner_limit;
  const u32 residual = stage.residual ? 2 * group_vectors : 0;
  const u32 dropped = shape.exchanges > 0 && !target.exchange_by_half ? group_vectors * shape.planes : 0;
  const u32 fixed = temporaries + plan.constant_vectors + dropped;
  const auto fits = [&](u32 of_weights, u32 contexts, u32 residuals) {
    return u64{fixed} + of_weights + u64{contexts} * plan.context_vectors + u64{residuals} * residual <=
           target.operand_vectors;
  };
  const u32 wanted = std::max<u32>(1, std::min<u32>(2, target.contexts));
  plan.resident = target.weight_residency && fits(plan.weight_vectors * shape.weight_sets, wanted, 1);
  plan.weight_depth = plan.resident ? shape.weight_sets : (fits(plan.weight_vectors * 2, wanted, 1) ? 2 : 1);
  const u32 all_weights = plan.weight_vectors * plan.weight_depth;
  while (plan.contexts < target.contexts && fits(all_weights, plan.contexts + 1, 1)) ++plan.contexts;
  if (plan.contexts == 0) return std::nullopt;
  plan.residuals = stage.residual ? (fits(all_weights, plan.contexts, 2) ? 2 : 1) : 0;
  plan.weights = builder.allocate_vectors(all_weights);
  plan.constants = builder.allocate_vectors(plan.constant_vectors);
  plan.data = builder.allocate_vectors(plan.contexts * plan.context_vectors);
  plan.temporaries = builder.allocate_vectors(temporaries);
  plan.dropped = builder.allocate_vectors(dropped);
  plan.residual = plan.residuals > 0 ? builder.allocate_vectors(plan.residuals * residual) : 0;
  return plan;
}

}  // namespace bvp
