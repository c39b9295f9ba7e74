// SPDX-License-Identifier: Apache-2.0
// The layers of an encoder as tasks of a plan.
#pragma once

#include <vector>

#include "platform/compiler/plan.h"
#include "platform/network/network.h"
#include "platform/network/tensors.h"

namespace bvp {

struct EncoderPlaces {
  MatrixPlace input;
  std::vector<MatrixPlace> layer_outputs;
  MatrixPlace output;
  u64 key_block = 0;  // of attention, in keys; 0: there is no attention
};

/// @throws CompileError  the network does not fit the machine
[[nodiscard]] EncoderPlaces plan_encoder(Plan& plan, const Network& network, const TensorMap& parameters);

}  // namespace bvp
