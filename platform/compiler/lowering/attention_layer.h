// SPDX-License-Identifier: Apache-2.0
// What lowerings of all kinds of attention have in common: the projections around the heads.
#pragma once

#include <functional>

#include "platform/compiler/lowering/sparse_attention.h"
#include "platform/compiler/passes/mixing_lowering.h"

namespace bvp {

/// The heads of the current layer, without a block of keys.
[[nodiscard]] Attention attention_of(const EncoderDraft& draft);

/// Projects x, lets `core` make the tasks that mix the heads, projects their result and adds the residual.
[[nodiscard]] MixedTokens attention_layer(EncoderDraft& draft, RowProgram::Value x,
                                          const std::function<Tasks(const AttentionMatrices& matrices)>& core);

/// Attention with the pattern that the layer's mixing declares.
[[nodiscard]] MixedTokens pattern_attention_layer(EncoderDraft& draft, RowProgram::Value x);

/// Says how many queries sparse attention of the current layer takes at a time.
void note_query_block(EncoderDraft& draft, u64 query_block);

}  // namespace bvp
