// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/lowering/attention_layer.h"

#include <array>
#include <utility>

#include "platform/network/mixing.h"

namespace bvp {

Attention attention_of(const EncoderDraft& draft) {
  Attention result;
  result.name = draft.name("attention");
  result.layer = draft.layer;
  result.tokens = draft.network.tokens;
  result.batch = draft.network.batch;
  result.heads = draft.network.heads;
  result.width = draft.network.hidden / draft.network.heads;
  if (draft.network.padding_mask) result.mask = draft.result.mask;
  return result;
}

MixedTokens attention_layer(EncoderDraft& draft, RowProgram::Value x,
                            const std::function<Tasks(const AttentionMatrices& matrices)>& core) {
  const bool is_dense = draft.network.layers[draft.layer].projections == LinearKind::dense;
  const u64 hidden = draft.network.hidden;
  std::array<MatrixPlace, 3> projected;
  static constexpr std::array<const char*, 3> parts{"query", "key", "value"};
  if (is_dense) {
    const MatrixPlace input = draft.mixing_input(x);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      projected[i] = draft.matrix(hidden);
      draft.add(
          dense_layer(draft.plan, draft.dram, draft.dense(draft.name("attention.") + parts[i]), input, projected[i]));
    }
  } else {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      projected[i] = draft.matrix(hidden);
      draft.program.store(draft.program.linear(draft.butterfly(draft.name("attention.") + parts[i], hidden, hidden), x),
                          projected[i]);
    }
    draft.flush();
  }
  const MatrixPlace mixed = draft.matrix(hidden);
  draft.add(core({projected[0], projected[1], projected[2], mixed}));
  if (is_dense) {
    const MatrixPlace h = draft.matrix(hidden);
    DenseLayer output = draft.dense(draft.name("attention.output"));
    output.residual = draft.x_place;
    draft.add(dense_layer(draft.plan, draft.dram, output, mixed, h));
    return {draft.program.load(h)};
  }
  const RowProgram::Value residual = draft.program.load(draft.x_place);
  return {draft.program.linear(draft.butterfly(draft.name("attention.output"), hidden, hidden),
                               draft.program.load(mixed), residual)};
}

MixedTokens pattern_attention_layer(EncoderDraft& draft, RowProgram::Value x) {
  const Attention attention = attention_of(draft);
  const EncoderLayer& layer = draft.network.layers[draft.layer];
  return attention_layer(draft, x, [&](const AttentionMatrices& matrices) {
    SparseTasks tasks = pattern_attention(draft.plan, attention, layer, matrices);
    note_query_block(draft, tasks.query_block);
    return std::move(tasks.tasks);
  });
}

void note_query_block(EncoderDraft& draft, u64 query_block) {
  draft.result.query_blocks.resize(draft.network.layers.size());
  draft.result.query_blocks[draft.layer] = query_block;
}

}  // namespace bvp
