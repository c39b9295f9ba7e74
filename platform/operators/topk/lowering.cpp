// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <utility>

#include "platform/compiler/kernels/sum_kernels.h"
#include "platform/compiler/lowering/attention_layer.h"
#include "platform/compiler/passes/lay_out.h"
#include "platform/network/half.h"
#include "platform/operators/blocks/block_tokens.h"
#include "platform/operators/topk/top_blocks.h"

namespace bvp {

static_assert(most_top_blocks == choice_limit);

namespace {

/// The means of the blocks, their scores, and attention to the blocks that the firmware then chooses.
class ChosenBlocks {
 public:
  ChosenBlocks(const TaskPlanner& plan, const Attention& attention, const EncoderLayer& layer,
               const AttentionMatrices& matrices)
      : plan_(plan), attention_(attention), layer_(layer), matrices_(matrices), tile_(plan, attention, matrices) {}

  /// Attention to the blocks that score highest.
  [[nodiscard]] Tasks tasks(DramPlan& dram) const {
    const u64 blocks = attention_.tokens / block_tokens(layer_);
    const u64 most = plan_.target().transfers.index_entries;
    if (top_blocks(layer_) > most) {
      throw CompileError(
          fmt::format("{}: a DMA transfer takes at most {} blocks (lower network.layers.{}.top_blocks, or raise "
                      "soc.dma.index_entries)",
                      attention_.name, most, attention_.layer));
    }
    const MatrixPlace q_means = dram.matrix(attention_.batch * blocks, tile_.hidden());
    const MatrixPlace k_means = dram.matrix(attention_.batch * blocks, tile_.hidden());
    const MatrixPlace scores = dram.matrix(attention_.batch * attention_.heads * blocks, blocks);
    Tasks all;
    all.push_back(best_means(q_means, k_means));
    if (const std::optional<TaskBuilder> of_all = best_scores(q_means, k_means, scores)) {
      all.push_back(*of_all);
    } else {
      for (u64 element = 0; element < attention_.batch; ++element) {
        append(all, score_tasks(dram, element, q_means, k_means, scores));
      }
    }
    all.push_back(best_core(scores));
    return all;
  }

 private:
  [[nodiscard]] u32 block() const { return static_cast<u32>(block_tokens(layer_)); }
  [[nodiscard]] u32 block_count() const { return static_cast<u32>(attention_.tokens / block_tokens(layer_)); }

  /// The means of the queries and of the keys of each block, in tiles of blocks and panels of columns.
  [[nodiscard]] TaskBuilder best_means(const MatrixPlace& q_means, const MatrixPlace& k_means) const {
    const auto panels = static_cast<u32>(plan_.padded(tile_.hidden()) / plan_.target().lanes);
    u64 best_cost = std::numeric_limits<u64>::max();
    std::array<u32, 2> best{1, 1};
    for (u32 blocks = 1; blocks <= block_count(); ++blocks) {
      if (block_count() % blocks != 0) continue;
      for (u32 width = 1; width <= panels; ++width) {
        if (panels % width != 0) continue;
        const TaskBuilder task = means(q_means, k_means, blocks, width, panels);
        if (!plan_.fits(task)) break;
        const u64 cost = plan_.cost(task);
        if (cost >= best_cost) continue;
        best_cost = cost;
        best = {blocks, width};
      }
    }
    TaskBuilder task = means(q_means, k_means, best[0], best[1], panels);
    if (!plan_.fits(task)) throw plan_.does_not_fit(task);
    return task;
  }

  [[nodiscard]] TaskBuilder means(const MatrixPlace& q_means, const MatrixPlace& k_means, u32 blocks, u32 width,
                                  u32 panels) const {
    const u32 rows = blocks * block();
    const u64 columns = u64{width} * plan_.target().lanes;
    TaskBuilder task(plan_.target(), attention_.name + ".means", attention_.layer,
                     {block_count() / blocks, panels / width, static_cast<u32>(attention_.batch)}, rows, rows);
    const auto strides = [&](const MatrixPlace& place, u64 of_tile, u64 of_element) {
      return TileStrides{static_cast<i64>(of_tile * place.pitch), static_cast<i64>(columns * 2),
                         static_cast<i64>(of_element * place.pitch)};
    };
    const auto add = [&](const char* name, const MatrixPlace& from, const MatrixPlace& to) {
      const TileBuffer x = task.buffer(columns), y = task.buffer(columns, blocks);
      task.load(from, columns, x, rows, false, strides(from, rows, attention_.tokens));
      add_mean(task, attention_.name + name, blocks, columns, x, y);
      task.store(to, columns, y, blocks, false, strides(to, blocks, block_count()));
    };
    add(".query_means", matrices_.q, q_means);
    add(".key_means", matrices_.k, k_means);
    return task;
  }

  void add_mean(TaskBuilder& task, const std::string& name, u32 blocks, u64 columns, const TileBuffer& x,
                const TileBuffer& y) const {
    RowSumSpec spec;
    spec.round = true;
    spec.rows = block();
    spec.blocks = blocks;
    spec.columns = columns;
    spec.x = x.layout;
    spec.y = y.layout;
    spec.factor = to_half(1 / static_cast<double>(block()));
    const auto kernel = named(name, [&] { return plan_.kernels().row_sum(spec); });
    LaunchStep step;
    step.name = name;
    step.mapping = fmt::format("{} {} of {} tokens", blocks, blocks == 1 ? "block" : "blocks", block());
    step.counts = {blocks, kernel->counts[0], kernel->counts[1], kernel->counts[2]};
    step.tail_count = blocks;
    step.kernel = kernel_of(kernel);
    step.registers = {{row_sum_register::x, x.offset, false},
                      {row_sum_register::y, y.offset, false},
                      {row_sum_register::constants, task.add_weights(kernel->constants), true}};
    task.add_launch(std::move(step));
  }

  /// The scores of all pairs of blocks, a tile with all heads of as many batch elements as cost least; nullopt: the
  /// blocks of a sequence are more than a lane group, or do not fit.
  [[nodiscard]] std::optional<TaskBuilder> best_scores(const MatrixPlace& q_means, const MatrixPlace& k_means,
                                                       const MatrixPlace& scores) const {
    std::optional<TaskBuilder> best;
    if (!SparseTile::may_stack(plan_.target(), block_count())) return best;
    u64 best_cost = std::numeric_limits<u64>::max();
    for (u32 elements = 1; elements <= attention_.batch; ++elements) {
      if (attention_.batch % elements != 0) continue;
      TaskBuilder task = stacked_scores(q_means, k_means, scores, elements);
      if (!plan_.fits(task)) break;
      const u64 cost = plan_.cost(task);
      if (cost >= best_cost) continue;
      best_cost = cost;
      best.emplace(std::move(task));
    }
    return best;
  }

  /// The heads of `elements` batch elements lie one below the other, a lane group each.
  [[nodiscard]] TaskBuilder stacked_scores(const MatrixPlace& q_means, const MatrixPlace& k_means,
                                           const MatrixPlace& scores, u32 elements) const {
    const u32 lanes = plan_.target().lanes, blocks = block_count();
    const auto heads = static_cast<u32>(attention_.heads);
    const u32 rows = heads * elements * lanes;
    TaskBuilder task(plan_.target(), attention_.name + ".block_scores", attention_.layer,
                     {static_cast<u32>(attention_.batch) / elements, 1, 1}, rows, rows);
    const TileBuffer q = task.buffer(attention_.width), k = task.buffer(attention_.width), y = task.buffer(blocks);
    const auto block_rows = [&](const MatrixPlace& place) { return static_cast<i64>(blocks * place.pitch); };
    const auto load = [&](const MatrixPlace& place, const TileBuffer& buffer) {
      const TaskBuilder::Stack stack{heads, tile_.head_stride(), lanes, elements, block_rows(place)};
      task.load_stack(place, attention_.width, buffer, blocks, stack, {block_rows(place) * elements, 0, 0});
    };
    load(q_means, q);
    load(k_means, k);
    add_scores(task, plan_.kernels(), attention_.name + ".block_scores", blocks, attention_.width, q, k, y,
               {lanes, blocks == lanes});
    const i64 of_element = block_rows(scores) * heads;
    task.store_stack(scores, blocks, y, blocks, {heads, block_rows(scores), lanes, elements, of_element},
                     {of_element * elements, 0, 0});
    return task;
  }

  /// The scores of all pairs of blocks of a batch element, for each head.
  [[nodiscard]] Tasks score_tasks(DramPlan& dram, u64 element, const MatrixPlace& q_means, const MatrixPlace& k_means,
                                  const MatrixPlace& scores) const {
    const auto part = [&](const MatrixPlace& place, u64 rows_of_element, u64 columns) {
      MatrixPlace result = from_row(place, element * rows_of_element);
      result.rows = block_count();
      result.columns = columns;
      return result;
    };
    HeadProduct product;
    product.name = attention_.name + ".block_scores";
    product.layer = attention_.layer;
    product.heads = static_cast<u32>(attention_.heads);
    product.x = part(q_means, block_count(), attention_.width);
    product.w = part(k_means, block_count(), attention_.width);
    product.y = part(scores, attention_.heads * block_count(), block_count());
    product.x_head = product.w_head = tile_.head_stride();
    product.y_head = static_cast<i64>(block_count() * scores.pitch);
    product.factor = attention_factor(attention_.width);
    return head_products(plan_, dram, product);
  }

  /// The core with as many blocks of queries and heads in a tile as cost least.
  [[nodiscard]] TaskBuilder best_core(const MatrixPlace& scores) const {
    TaskBuilder best = chosen_core(scores, {});
    if (!plan_.fits(best)) throw plan_.does_not_fit(best);
    u64 best_cost = plan_.cost(best);
    const auto take = [&](const SparseItems& items) {
      // There is a list of blocks for each item of two tiles, of which one is loaded while the other one is computed.
      if (!SparseTile::may_stack(plan_.target(), block()) || items.count() > choice_lists / 2) return;
      TaskBuilder task = chosen_core(scores, items);
      const u64 cost = plan_.fits(task) ? plan_.cost(task) : best_cost;
      if (cost >= best_cost) return;
      best_cost = cost;
      best = std::move(task);
    };
    const auto heads = static_cast<u32>(attention_.heads);
    for (u32 count = 2; count <= heads; ++count) {
      if (heads % count == 0) take({count, 1});
    }
    for (u32 count = 2; count <= block_count(); ++count) {
      if (block_count() % count == 0) take({heads, count});
    }
    return best;
  }

  /// The tile levels are blocks of queries, heads, batch elements.
  [[nodiscard]] TaskBuilder chosen_core(const MatrixPlace& scores, const SparseItems& items) const {
    const SparseTile tile(plan_, attention_, matrices_, items);
    const u64 keys = top_blocks(layer_) * block_tokens(layer_);
    const u32 rows = tile.rows(block());
    TaskBuilder task(plan_.target(), attention_.name + ".core", attention_.layer,
                     {block_count() / items.blocks, tile.outer()[0], tile.outer()[1]}, rows, rows);
    const SparseTile::Buffers held = tile.buffers(task, keys);
    tile.load_queries(task, held.q, {0, block()});
    const auto score_row = static_cast<i64>(scores.pitch);
    const auto of_head = score_row * block_count();
    for (u32 item = 0; item < items.count(); ++item) {
      const u32 head = item % items.heads, of_block = item / items.heads;
      TaskBuilder::Choice choice;
      choice.scores = scores.address + static_cast<u64>(of_head * head + score_row * of_block);
      choice.score_strides = {score_row * items.blocks, of_head * items.heads,
                              of_head * static_cast<i64>(attention_.heads)};
      choice.table_strides = {0, tile.tile_stride(), tile.batch_stride(matrices_.k)};
      choice.blocks = block_count();
      choice.top = static_cast<u32>(top_blocks(layer_));
      choice.block_rows = block();
      const auto gather = [&](MatrixPlace place, const TileBuffer& buffer) {
        place.address += static_cast<u64>(tile.head_stride()) * head;
        task.gather_blocks(place, attention_.width, tile.of_item(buffer, keys, item), choice);
        choice.chosen = true;
      };
      gather(matrices_.k, held.k);
      gather(matrices_.v, held.v);
    }
    tile.attend(task, held, keys, block());
    tile.store(task, held.out, {0, block()});
    return task;
  }

  const TaskPlanner& plan_;
  const Attention& attention_;
  const EncoderLayer& layer_;
  const AttentionMatrices& matrices_;
  const SparseTile tile_;
};

class TopkLowering final : public MixingLowering {
 public:
  explicit TopkLowering(EncoderDraft& draft) : draft_(draft) {}

  MixedTokens lower(RowProgram::Value x) override {
    const Attention attention = attention_of(draft_);
    const EncoderLayer& layer = draft_.network.layers[draft_.layer];
    return attention_layer(draft_, x, [&](const AttentionMatrices& matrices) {
      need_whole_tiles(draft_.plan, attention);
      note_query_block(draft_, block_tokens(layer));
      return ChosenBlocks(draft_.plan, attention, layer, matrices).tasks(draft_.dram);
    });
  }

 private:
  EncoderDraft& draft_;
};

}  // namespace

namespace lowerings {

MixingLoweringEntry topk() {
  return {[](EncoderDraft& draft) -> std::unique_ptr<MixingLowering> { return std::make_unique<TopkLowering>(draft); }};
}

}  // namespace lowerings

}  // namespace bvp
