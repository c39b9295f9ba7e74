// SPDX-License-Identifier: Apache-2.0
// The embedding, the layers of an encoder and the classifier head as tasks of a plan.
#pragma once

#include <vector>

#include "platform/compiler/passes/plan.h"
#include "platform/network/network.h"
#include "platform/network/tensors.h"

namespace bvp {

struct EncoderPlaces {
  TokenPlace tokens;
  MatrixPlace input;
  std::vector<MatrixPlace> layer_outputs;
  MatrixPlace output;
  MatrixPlace logits;
  u64 key_block = 0;  // of attention, in keys; 0: there is no attention
};

/// @throws CompileError  the network does not fit the machine
[[nodiscard]] EncoderPlaces plan_encoder(Plan& plan, const Network& network, const TensorMap& parameters);

}  // namespace bvp
