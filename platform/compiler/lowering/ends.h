// SPDX-License-Identifier: Apache-2.0
// The tasks before and after the layers of an encoder: the embedding of tokens and the classifier head.
#pragma once

#include "platform/compiler/passes/plan.h"
#include "platform/network/network.h"
#include "platform/network/tensors.h"

namespace bvp {

/// Adds a task that gathers rows of the token table by the ids in DRAM and adds the positions. Returns the place of the
/// ids.
TokenPlace add_embedding(Plan& plan, const Network& network, const TensorMap& parameters, const MatrixPlace& output);

/// Adds tasks for pooling and for the dense layer after it. Returns the logits, one row for each batch element.
MatrixPlace add_classifier(Plan& plan, const Network& network, const TensorMap& parameters, const MatrixPlace& input);

}  // namespace bvp
