// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/lowering/sparse_attention.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "platform/compiler/kernels/sum_kernels.h"
#include "platform/compiler/lowering/operators.h"
#include "platform/compiler/lowering/transpose.h"
#include "platform/compiler/passes/lay_out.h"
#include "platform/network/attention_pattern.h"
#include "platform/network/half.h"

namespace bvp {

static_assert(most_top_blocks == choice_limit);

namespace {

constexpr u16 minus_infinity = 0xfc00;

/// Consecutive blocks of queries that are alike: each has as many queries, its runs of keys lie by the same distances
/// behind those of the block before, and its queries see the same ones of its keys.
struct Group {
  QueryBlock first;
  u32 blocks = 1;
  std::vector<i64> steps;  // of each run of keys, in tokens, from one block to the next
};

/// Where the keys that a query sees stand among the block's keys.
TokenRuns seen_columns(const QueryBlock& block, const TokenRuns& seen) {
  TokenRuns columns;
  for (const TokenRun& run : seen) {
    u64 column = 0;
    for (const TokenRun& keys : block.keys) {
      if (run.first >= keys.first && run.first < keys.first + keys.count) {
        columns.push_back({column + run.first - keys.first, run.count});
      }
      column += keys.count;
    }
  }
  return columns;
}

bool sees_alike(const AttentionPattern& pattern, const QueryBlock& a, const QueryBlock& b) {
  if (a.whole && b.whole) return true;
  for (u64 i = 0; i < a.queries.count; ++i) {
    if (!(seen_columns(a, pattern.seen(a.queries.first + i)) == seen_columns(b, pattern.seen(b.queries.first + i)))) {
      return false;
    }
  }
  return true;
}

/// Whether the block continues the group, of which `last` is the last block so far; if it is the second one, it sets
/// the steps.
bool continues(const AttentionPattern& pattern, Group& group, const QueryBlock& last, const QueryBlock& next) {
  if (next.queries.count != last.queries.count || next.keys.size() != last.keys.size()) return false;
  std::vector<i64> steps;
  for (std::size_t i = 0; i < next.keys.size(); ++i) {
    if (next.keys[i].count != last.keys[i].count) return false;
    steps.push_back(static_cast<i64>(next.keys[i].first) - static_cast<i64>(last.keys[i].first));
  }
  if (group.blocks > 1 && steps != group.steps) return false;
  if (!sees_alike(pattern, last, next)) return false;
  group.steps = std::move(steps);
  return true;
}

std::vector<Group> groups_of(const AttentionPattern& pattern, u64 query_block) {
  std::vector<Group> groups;
  QueryBlock last;
  for (const QueryBlock& block : pattern.query_blocks(query_block)) {
    if (!groups.empty() && continues(pattern, groups.back(), last, block)) {
      ++groups.back().blocks;
    } else {
      groups.push_back({block, 1, std::vector<i64>(block.keys.size())});
    }
    last = block;
  }
  return groups;
}

/// What is added to the scores of a block, laid out as they are.
std::vector<u16> pattern_words(const AttentionPattern& pattern, const QueryBlock& block, const PanelLayout& layout) {
  const u64 lanes = layout.lanes, keys = tokens_in(block.keys);
  std::vector<u16> words(layout.bytes(keys) / 2);
  const auto set = [&](u64 row, const TokenRun& columns, u16 word) {
    for (u64 column = columns.first; column < columns.first + columns.count; ++column) {
      const u64 of_row = row % lanes, of_column = column % lanes;
      const u64 in_tile = layout.transposed ? of_column * lanes + of_row : of_row * lanes + of_column;
      words[(column / lanes * layout.panel_bytes() + row / lanes * layout.group_bytes()) / 2 + in_tile] = word;
    }
  };
  for (u64 row = 0; row < block.queries.count; ++row) {
    set(row, {0, keys}, minus_infinity);
    for (const TokenRun& columns : seen_columns(block, pattern.seen(block.queries.first + row))) set(row, columns, 0);
  }
  return words;
}

class SparseCore {
 public:
  SparseCore(const TaskPlanner& plan, const Attention& attention, const EncoderLayer& layer,
             const AttentionMatrices& matrices)
      : plan_(plan), attention_(attention), layer_(layer), matrices_(matrices), pattern_(layer, attention.tokens) {}

  [[nodiscard]] u64 best_query_block() const {
    if (layer_.mixing != Mixing::window) return layer_.sparse.block;
    Shape shape("attention.window");
    shape.add(layer_.sparse.window, layer_.sparse.global_tokens, attention_.tokens, attention_.heads, attention_.batch);
    shape.add(attention_.width, attention_.mask.has_value(), matrices_.q.pitch, matrices_.mixed.pitch);
    return plan_.once(plan_.decisions().strips, shape, [&] { return static_cast<u32>(find_query_block()); });
  }

  /// Attention with a pattern that is known beforehand.
  [[nodiscard]] Tasks pattern_tasks(u64 query_block) const {
    Tasks tasks;
    for (const Group& group : groups_of(pattern_, query_block)) {
      const auto tiling = tiling_of(group);
      if (!tiling) throw plan_.does_not_fit(make(group, smallest(group)));
      tasks.push_back(make(group, tiling->choice));
      if (tasks.size() > 1) tasks.back().set_independent();
    }
    return tasks;
  }

  /// Attention to the blocks that score highest.
  [[nodiscard]] Tasks chosen_tasks(DramPlan& dram) const {
    const u64 blocks = attention_.tokens / layer_.sparse.block;
    constexpr u64 most = NetworkTables::ring_entries / 2;  // indices of a gather
    if (layer_.sparse.top_blocks > most) {
      throw CompileError(
          fmt::format("{}: the firmware gathers at most {} blocks at a time (lower network.layers.{}.top_blocks)",
                      attention_.name, most, attention_.layer));
    }
    const MatrixPlace q_means = dram.matrix(attention_.batch * blocks, hidden());
    const MatrixPlace k_means = dram.matrix(attention_.batch * blocks, hidden());
    const MatrixPlace scores = dram.matrix(attention_.batch * attention_.heads * blocks, blocks);
    Tasks tasks;
    tasks.push_back(best_means(q_means, k_means));
    for (u64 element = 0; element < attention_.batch; ++element) {
      append(tasks, score_tasks(dram, element, q_means, k_means, scores));
    }
    const TaskBuilder core = chosen_core(scores);
    if (!plan_.fits(core)) throw plan_.does_not_fit(core);
    tasks.push_back(core);
    return tasks;
  }

 private:
  [[nodiscard]] u64 hidden() const { return attention_.heads * attention_.width; }
  [[nodiscard]] std::array<u32, 2> outer() const {
    return {static_cast<u32>(attention_.heads), static_cast<u32>(attention_.batch)};
  }
  [[nodiscard]] i64 head_stride() const { return static_cast<i64>(attention_.width * 2); }
  [[nodiscard]] i64 batch_stride(const MatrixPlace& place) const {
    return static_cast<i64>(attention_.tokens * place.pitch);
  }
  static MatrixPlace from_row(MatrixPlace place, u64 row) {
    place.address += row * place.pitch;
    return place;
  }

  // ------------------------------------------------------------ patterns

  [[nodiscard]] u64 find_query_block() const {
    const u32 lanes = plan_.target().lanes;
    u64 best = lanes;
    std::optional<u64> best_cost = cost_of(lanes);
    for (u64 size = u64{2} * lanes; size / 2 < attention_.tokens; size *= 2) {
      if (plan_.target().tile_rows > 0 && size > plan_.target().tile_rows) break;
      const auto cost = cost_of(size);
      if (!cost || (best_cost && *best_cost <= *cost)) continue;
      best = size;
      best_cost = cost;
    }
    return best;
  }

  /// The cost with so many queries at a time; nullopt if they do not fit.
  [[nodiscard]] std::optional<u64> cost_of(u64 query_block) const {
    u64 sum = 0;
    try {
      for (const Group& group : groups_of(pattern_, query_block)) {
        const auto tiling = tiling_of(group);
        if (!tiling) return std::nullopt;
        sum += tiling->cost;
      }
    } catch (const CompileError&) {
      return std::nullopt;  // no kernel for so many keys
    }
    return sum;
  }

  /// A tile is a block of queries. Only a single block whose queries see all of its keys may be cut further.
  [[nodiscard]] std::optional<Decision<Tiling>> tiling_of(const Group& group) const {
    const QueryBlock& block = group.first;
    const auto make_task = [&](const Tiling& tiling) { return make(group, tiling); };
    if (group.blocks == 1 && block.whole) {
      return plan_.choose_tiling(block.queries.count, outer(), shape(group), make_task);
    }
    const TaskBuilder task = make(group, whole_blocks(group));
    if (!plan_.fits(task)) return std::nullopt;
    return Decision<Tiling>{whole_blocks(group), plan_.cost(task)};
  }
  [[nodiscard]] Tiling whole_blocks(const Group& group) const {
    const auto rows = static_cast<u32>(group.first.queries.count);
    return {{group.blocks, outer()[0], outer()[1]}, rows, rows};
  }
  [[nodiscard]] Tiling smallest(const Group& group) const {
    if (group.blocks > 1 || !group.first.whole) return whole_blocks(group);
    return plan_.tiling(group.first.queries.count, 1, outer());
  }
  [[nodiscard]] Shape shape(const Group& group) const {
    Shape shape("attention.sparse");
    std::vector<u64> counts;
    for (const TokenRun& run : group.first.keys) counts.push_back(run.count);
    shape.add_list(counts);
    return shape.add(attention_.width, attention_.mask.has_value(), matrices_.q.pitch, matrices_.mixed.pitch);
  }

  /// What a tile's buffers hold.
  struct Buffers {
    TileBuffer out, statistics, k, v, q, scores;
    std::optional<TileBuffer> mask;
    std::optional<WeightPlace> pattern;
  };
  [[nodiscard]] Buffers buffers(TaskBuilder& task, u64 keys) const {
    const u64 width = attention_.width;
    const auto count = static_cast<u32>(keys);
    const CompilerTarget& target = plan_.target();
    Buffers result;
    result.out = for_columns(target, task.buffer(width));
    result.statistics = for_columns(target, task.buffer(softmax_column::count));
    result.k = task.buffer(width, count);
    result.v = for_columns(target, task.buffer(width, count));
    result.q = for_columns(target, task.buffer(width));
    result.scores = for_columns(target, task.buffer(keys));
    if (attention_.mask) result.mask = task.buffer(keys, 1);
    return result;
  }

  /// The tile levels are blocks of queries (or parts of one), heads, batch elements.
  [[nodiscard]] TaskBuilder make(const Group& group, const Tiling& tiling) const {
    const QueryBlock& block = group.first;
    TaskBuilder task(plan_.target(), attention_.name + ".core", attention_.layer, tiling.tiles, tiling.rows,
                     tiling.tail_rows);
    Buffers held = buffers(task, tokens_in(block.keys));
    if (!block.whole) {
      // These are the first weights, so that they begin with a tile of the scratchpad.
      const PanelLayout layout = held.scores.layout;
      const u32 words = layout.bytes(tokens_in(block.keys)) / 2;
      const u32 offset = task.add_weights(
          words, [pattern = pattern_, block, layout] { return pattern_words(pattern, block, layout); });
      held.pattern = WeightPlace{offset, true};
    }
    load_queries(task, held.q, block.queries.first);
    u64 column = 0;
    for (std::size_t i = 0; i < block.keys.size(); ++i) {
      load_run(task, held, block.keys[i], column, group.blocks > 1 ? group.steps[i] : 0);
      column += block.keys[i].count;
    }
    attend(task, held, column);
    store(task, held.out, block.queries.first);
    return task;
  }

  void load_queries(TaskBuilder& task, const TileBuffer& buffer, u64 first) const {
    task.load(from_row(matrices_.q, first), attention_.width, buffer, task.rows(), true,
              query_strides(matrices_.q, task));
  }
  [[nodiscard]] TileStrides query_strides(const MatrixPlace& place, const TaskBuilder& task) const {
    return {static_cast<i64>(place.pitch) * task.rows(), head_stride(), batch_stride(place)};
  }

  /// Loads a run of keys and values behind those that the buffers hold already.
  void load_run(TaskBuilder& task, const Buffers& held, const TokenRun& run, u64 column, i64 step) const {
    const auto count = static_cast<u32>(run.count);
    const auto behind = [&](TileBuffer buffer) {
      buffer.offset += static_cast<u32>(column) * buffer.layout.row_bytes();
      return buffer;
    };
    const auto load = [&](const MatrixPlace& place, const TileBuffer& buffer) {
      task.load(from_row(place, run.first), attention_.width, behind(buffer), count, false,
                {step * static_cast<i64>(place.pitch), head_stride(), batch_stride(place)});
    };
    load(matrices_.k, held.k);
    load(matrices_.v, held.v);
    if (!held.mask) return;
    task.load_bytes(attention_.mask->address + run.first * 2, held.mask->offset + static_cast<u32>(column) * 2,
                    count * 2, {step * 2, 0, static_cast<i64>(attention_.mask->pitch)});
  }

  void attend(TaskBuilder& task, const Buffers& held, u64 keys) const {
    const auto transpose = [&](const char* what, const TileBuffer& buffer, bool varying) {
      add_transpose(task, plan_.kernels(), attention_.name + what, buffer, attention_.width, varying);
    };
    transpose(".transpose_queries", held.q, true);
    transpose(".transpose_values", held.v, false);
    add_attention(task, plan_.kernels(), attention_.name, keys, attention_.width, softmax_power(keys), held.q, held.k,
                  held.v, held.mask, held.scores, held.statistics, false, held.out, held.pattern);
    transpose(".transpose_output", held.out, true);
  }

  void store(TaskBuilder& task, const TileBuffer& out, u64 first) const {
    task.store(from_row(matrices_.mixed, first), attention_.width, out, task.rows(), true,
               query_strides(matrices_.mixed, task));
  }

  // ------------------------------------------------------------ choice

  [[nodiscard]] u32 block() const { return static_cast<u32>(layer_.sparse.block); }
  [[nodiscard]] u32 block_count() const { return static_cast<u32>(attention_.tokens / layer_.sparse.block); }

  /// The means of the queries and of the keys of each block, in tiles of blocks and panels of columns.
  [[nodiscard]] TaskBuilder best_means(const MatrixPlace& q_means, const MatrixPlace& k_means) const {
    const auto panels = static_cast<u32>(plan_.padded(hidden()) / plan_.target().lanes);
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
    product.x_head = product.w_head = head_stride();
    product.y_head = static_cast<i64>(block_count() * scores.pitch);
    product.factor = attention_factor(attention_.width);
    return head_products(plan_, dram, product);
  }

  /// The tile levels are blocks of queries, heads, batch elements.
  [[nodiscard]] TaskBuilder chosen_core(const MatrixPlace& scores) const {
    const u64 keys = layer_.sparse.top_blocks * layer_.sparse.block;
    TaskBuilder task(plan_.target(), attention_.name + ".core", attention_.layer,
                     {block_count(), outer()[0], outer()[1]}, block(), block());
    const Buffers held = buffers(task, keys);
    load_queries(task, held.q, 0);
    TaskBuilder::Choice choice;
    choice.scores = scores.address;
    const auto score_row = static_cast<i64>(scores.pitch);
    const auto of_head = score_row * block_count();
    choice.score_strides = {score_row, of_head, of_head * static_cast<i64>(attention_.heads)};
    choice.table_strides = {0, head_stride(), batch_stride(matrices_.k)};
    choice.blocks = block_count();
    choice.top = static_cast<u32>(layer_.sparse.top_blocks);
    choice.block_rows = block();
    task.gather_blocks(matrices_.k, attention_.width, held.k, choice);
    choice.chosen = true;
    task.gather_blocks(matrices_.v, attention_.width, held.v, choice);
    attend(task, held, keys);
    store(task, held.out, 0);
    return task;
  }

  const TaskPlanner& plan_;
  const Attention& attention_;
  const EncoderLayer& layer_;
  const AttentionMatrices& matrices_;
  const AttentionPattern pattern_;
};

}  // namespace

SparseTasks sparse_attention(const TaskPlanner& plan, DramPlan& dram, const Attention& attention,
                             const EncoderLayer& layer, const AttentionMatrices& matrices) {
  if (plan.may_pack()) {
    throw ScratchpadError(
        fmt::format("{}: a scratchpad half of {} bytes does not hold whole tiles of all operators, which sparse "
                    "attention needs (raise "
                    "soc.scratchpad.size_bytes)",
                    attention.name, plan.half_bytes()));
  }
  const SparseCore core(plan, attention, layer, matrices);
  if (layer.mixing == Mixing::topk) return {core.chosen_tasks(dram), layer.sparse.block};
  const u64 query_block = core.best_query_block();
  return {core.pattern_tasks(query_block), query_block};
}

}  // namespace bvp
