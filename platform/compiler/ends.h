// SPDX-License-Identifier: Apache-2.0
// What stands before and behind the layers of an encoder: the embedding of tokens and the classifier head.
#pragma once

#include "platform/compiler/plan.h"
#include "platform/network/network.h"
#include "platform/network/tensors.h"

namespace bvp {

/// A task that gathers the rows of the token table by the ids in DRAM and adds the positions. Returns where the ids
/// lie.
TokenPlace add_embedding(Plan& plan, const Network& network, const TensorMap& parameters, const MatrixPlace& output);

/// Tasks for pooling and the dense layer behind it. Returns the logits, a row for each batch element.
MatrixPlace add_classifier(Plan& plan, const Network& network, const TensorMap& parameters, const MatrixPlace& input);

}  // namespace bvp
