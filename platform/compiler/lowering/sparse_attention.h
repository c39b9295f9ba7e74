// SPDX-License-Identifier: Apache-2.0
// Attention in which each query sees some of the keys: only the keys that a block of queries sees are moved and
// multiplied. One lowering serves all patterns that are known beforehand: a block of queries, the runs of keys that it
// sees, and within these which query sees which key. Where keys are chosen at run time, the firmware takes the place of
// the runs.
#pragma once

#include <array>
#include <optional>

#include "platform/compiler/ir/dram_plan.h"
#include "platform/compiler/lowering/operators.h"
#include "platform/compiler/lowering/products.h"
#include "platform/compiler/passes/tile.h"
#include "platform/network/attention_pattern.h"
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

/// The steps of a tile in which a block of queries of one head attends to some of the keys. The tile levels are blocks
/// of queries (or parts of one), heads, batch elements.
class SparseTile {
 public:
  /// What it is given must outlive it.
  SparseTile(const TaskPlanner& plan, const Attention& attention, const AttentionMatrices& matrices)
      : plan_(plan), attention_(attention), matrices_(matrices) {}

  [[nodiscard]] u64 hidden() const { return attention_.heads * attention_.width; }
  /// Heads and batch elements.
  [[nodiscard]] std::array<u32, 2> outer() const {
    return {static_cast<u32>(attention_.heads), static_cast<u32>(attention_.batch)};
  }
  [[nodiscard]] i64 head_stride() const { return static_cast<i64>(attention_.width * 2); }
  [[nodiscard]] i64 batch_stride(const MatrixPlace& place) const {
    return static_cast<i64>(attention_.tokens * place.pitch);
  }

  /// What a tile's buffers hold.
  struct Buffers {
    TileBuffer out, statistics, k, v, q, scores;
    std::optional<TileBuffer> mask;
    std::optional<WeightPlace> pattern;
  };
  [[nodiscard]] Buffers buffers(TaskBuilder& task, u64 keys) const;
  void load_queries(TaskBuilder& task, const TileBuffer& buffer, u64 first) const;
  /// Loads a run of keys and values behind those that the buffers hold already. @param step  tokens from tile to tile
  void load_run(TaskBuilder& task, const Buffers& held, const TokenRun& run, u64 column, i64 step) const;
  void attend(TaskBuilder& task, const Buffers& held, u64 keys) const;
  void store(TaskBuilder& task, const TileBuffer& out, u64 first) const;

 private:
  [[nodiscard]] TileStrides query_strides(const MatrixPlace& place, const TaskBuilder& task) const;

  const TaskPlanner& plan_;
  const Attention& attention_;
  const AttentionMatrices& matrices_;
};

/// The matrix from this row on.
[[nodiscard]] MatrixPlace from_row(MatrixPlace place, u64 row);

/// @throws ScratchpadError  sparse attention needs whole tiles, which do not fit all operators of the network
void need_whole_tiles(const TaskPlanner& plan, const Attention& attention);

/// Attention with the pattern that the layer's mixing declares.
/// @throws ScratchpadError  the keys of a block of queries do not fit a half
[[nodiscard]] SparseTasks pattern_attention(const TaskPlanner& plan, const Attention& attention,
                                            const EncoderLayer& layer, const AttentionMatrices& matrices);

}  // namespace bvp
