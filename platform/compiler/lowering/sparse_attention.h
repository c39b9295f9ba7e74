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

/// What a tile of sparse attention has: divisors of all heads, and of the blocks of queries that are alike or of the
/// batch elements, of which one is 1.
struct SparseItems {
  u32 heads = 1, blocks = 1, elements = 1;
  [[nodiscard]] u32 count() const { return heads * blocks * elements; }
};

/// The steps of a tile in which a block of queries attends to some of the keys, in one head, or several blocks, maybe
/// of several batch elements, in several heads. The tile levels are blocks of queries (or parts of one), heads, batch
/// elements. Several items (a block in a head) lie one below the other, the heads of a block together: a lane group of
/// rows, which holds the block, for each of them, so that one transfer moves and one launch computes what belongs to
/// all of them.
class SparseTile {
 public:
  /// What it is given must outlive it.
  /// @param items  more than one: may_stack() allows it
  SparseTile(const TaskPlanner& plan, const Attention& attention, const AttentionMatrices& matrices,
             SparseItems items = {})
      : plan_(plan), attention_(attention), matrices_(matrices), items_(items) {}

  /// Whether a tile may have several items: a block of queries is one lane group, and nothing is transposed.
  [[nodiscard]] static bool may_stack(const CompilerTarget& target, u64 queries) {
    return target.column_access && queries <= target.lanes;
  }
  /// Rows of a tile whose blocks of queries have so many.
  [[nodiscard]] u32 rows(u64 queries) const {
    return stacks() ? items_.count() * plan_.target().lanes : static_cast<u32>(queries);
  }
  [[nodiscard]] bool stacks() const { return items_.count() > 1; }
  [[nodiscard]] u64 hidden() const { return attention_.heads * attention_.width; }
  /// Tiles along the heads, and batch elements.
  [[nodiscard]] std::array<u32, 2> outer() const {
    return {static_cast<u32>(attention_.heads) / items_.heads, static_cast<u32>(attention_.batch) / items_.elements};
  }
  /// From one head to the next, and from the heads of a tile to those of the next.
  [[nodiscard]] i64 head_stride() const { return static_cast<i64>(attention_.width * 2); }
  [[nodiscard]] i64 tile_stride() const { return items_.heads * head_stride(); }
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
  /// The rows of a buffer of keys or values that belong to one item of the tile.
  [[nodiscard]] TileBuffer of_item(TileBuffer buffer, u64 keys, u32 item) const;
  /// @param queries  the first one, and how many a tile has
  void load_queries(TaskBuilder& task, const TileBuffer& buffer, const TokenRun& queries) const;
  /// Loads a run of keys and values behind those that the buffers hold already.
  /// @param keys  of the block
  /// @param step  tokens from block to block
  void load_run(TaskBuilder& task, const Buffers& held, u64 keys, const TokenRun& run, u64 column, i64 step) const;
  void attend(TaskBuilder& task, const Buffers& held, u64 keys, u64 queries) const;
  void store(TaskBuilder& task, const TileBuffer& out, const TokenRun& queries) const;

 private:
  /// Rows from the keys of one item to those of the next.
  [[nodiscard]] u32 stacked_keys(u64 keys) const { return static_cast<u32>(plan_.padded(keys)); }
  /// How the items of a tile lie in a buffer with so many rows for each.
  /// @param step  bytes from block to block in this matrix
  [[nodiscard]] TaskBuilder::Stack stack(const MatrixPlace& place, u32 rows, i64 step) const {
    return {items_.heads, head_stride(), rows, items_.blocks * items_.elements,
            items_.elements > 1 ? batch_stride(place) : step};
  }
  /// From tile to tile. @param step  bytes from block to block
  [[nodiscard]] TileStrides tile_strides(const MatrixPlace& place, i64 step) const {
    return {step * items_.blocks, tile_stride(), batch_stride(place) * items_.elements};
  }

  const TaskPlanner& plan_;
  const Attention& attention_;
  const AttentionMatrices& matrices_;
  const SparseItems items_;
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
