// SPDX-License-Identifier: Apache-2.0
// Attention in which each query sees some of the keys: only the keys that a block of queries sees are moved and
// multiplied. One lowering serves all patterns that are known beforehand: a block of queries, the runs of keys that it
// sees, and within these which query sees which key. Where keys are chosen at run time, the firmware takes the place of
// the runs.
#pragma once

#include "platform/compiler/ir/dram_plan.h"
#include "platform/compiler/lowering/products.h"
#include "platform/compiler/passes/tile.h"
#include "platform/network/network.h"

namespace bvp {

struct SparseTasks {
  Tasks tasks;
  u64 query_block = 0;  // queries that are taken at a time, which decides the order of sums (docs/numerics.md)
};

/// Queries, keys, values and the result, each with a row for each token of the batch.
struct AttentionMatrices {
  MatrixPlace q, k, v, mixed;
};

/// @param layer  its mixing is window, blocks or topk
/// @throws ScratchpadError  the keys of a block of queries do not fit a half
[[nodiscard]] SparseTasks sparse_attention(const TaskPlanner& plan, DramPlan& dram, const Attention& attention,
                                           const EncoderLayer& layer, const AttentionMatrices& matrices);

}  // namespace bvp
