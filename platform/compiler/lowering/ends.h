// SPDX-License-Identifier: Apache-2.0
// The tasks before and after the layers of an encoder: the embedding of tokens and the classifier head.
#pragma once

#include "platform/compiler/ir/dram_plan.h"
#include "platform/compiler/passes/tile.h"
#include "platform/network/network.h"
#include "platform/network/tensors.h"

namespace bvp {

/// Tasks that gather rows of the token table by the ids in DRAM and add the positions.
struct Embedding {
  Tasks tasks;
  TokenPlace tokens;  // the ids
};
[[nodiscard]] Embedding embedding(const TaskPlanner& plan, DramPlan& dram, const Network& network,
                                  const TensorMap& parameters, const MatrixPlace& output);

/// Tasks that make tokens of patches of an image, and add the positions. @param patches  a row for each token
[[nodiscard]] Tasks patch_embedding(const TaskPlanner& plan, DramPlan& dram, const Network& network,
                                    const TensorMap& parameters, const MatrixPlace& patches, const MatrixPlace& output);

/// Tasks for pooling and for the dense layers after it.
struct Classifier {
  Tasks tasks;
  MatrixPlace logits;  // one row for each batch element
};
[[nodiscard]] Classifier classifier(const TaskPlanner& plan, DramPlan& dram, const Network& network,
                                    const TensorMap& parameters, const MatrixPlace& input);

}  // namespace bvp
