// SPDX-License-Identifier: Apache-2.0
// The embedding, the layers of an encoder and the classifier head as tasks.
#pragma once

#include <string>
#include <vector>

#include "platform/compiler/ir/dram_plan.h"
#include "platform/compiler/passes/normal_forms.h"
#include "platform/compiler/passes/tile.h"
#include "platform/network/network.h"
#include "platform/network/tensors.h"

namespace bvp {

struct EncoderPlan {
  Tasks tasks;
  TokenPlace tokens;
  MatrixPlace patches;  // rows 0: the network's input is no patches
  MatrixPlace mask;     // of each batch element a row of what is added to its scores; rows 0: there is none
  MatrixPlace input;
  std::vector<MatrixPlace> layer_outputs;
  MatrixPlace output;
  MatrixPlace logits;
  u64 key_block = 0;              // of attention, in keys; 0: there is no attention
  std::vector<u64> query_blocks;  // of each layer, of sparse attention; 0: it has none
  FftForm fft = FftForm::none;    // of all two-dimensional transforms
  std::string not_real_because;   // empty where they have the real form, or where there are none
  bool tokens_stay = false;       // between a layer and the transform of the next one in the scratchpad
  ExactPoints exact;              // of all of them
};

/// Bytes that the inputs of layers take in the scratchpad if they stay there between layers, for a mixing that takes
/// them there (CompilerTarget::token_bytes); 0: they cannot stay.
[[nodiscard]] u64 token_bytes_of(const CompilerTarget& target, const Network& network);

/// @throws CompileError  the network does not fit the machine
[[nodiscard]] EncoderPlan plan_encoder(const TaskPlanner& plan, DramPlan& dram, const Network& network,
                                       const TensorMap& parameters, const NormalForms& normal_forms);

}  // namespace bvp
