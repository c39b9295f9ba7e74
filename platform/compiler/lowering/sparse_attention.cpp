// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/lowering/sparse_attention.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "platform/compiler/lowering/transpose.h"
#include "platform/network/mixing.h"

namespace bvp {

MatrixPlace from_row(MatrixPlace place, u64 row) {
  place.address += row * place.pitch;
  return place;
}

void need_whole_tiles(const TaskPlanner& plan, const Attention& attention) {
  if (!plan.may_pack()) return;
  throw ScratchpadError(
      fmt::format("{}: a scratchpad half of {} bytes does not hold whole tiles of all operators, which sparse "
                  "attention needs (raise "
                  "soc.scratchpad.size_bytes)",
                  attention.name, plan.half_bytes()));
}

SparseTile::Buffers SparseTile::buffers(TaskBuilder& task, u64 keys) const {
  const u64 width = attention_.width;
  const u32 count = stacks() ? items_.count() * stacked_keys(keys) : static_cast<u32>(keys);
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

TileBuffer SparseTile::of_item(TileBuffer buffer, u64 keys, u32 item) const {
  buffer.offset += item * stacked_keys(keys) * buffer.layout.row_bytes();
  return buffer;
}

void SparseTile::load_queries(TaskBuilder& task, const TileBuffer& buffer, const TokenRun& queries) const {
  const MatrixPlace from = from_row(matrices_.q, queries.first);
  const auto of_block = static_cast<i64>(from.pitch * queries.count);
  const TileStrides strides = tile_strides(from, of_block);
  if (stacks()) {
    task.load_stack(from, attention_.width, buffer, static_cast<u32>(queries.count),
                    stack(from, plan_.target().lanes, of_block), strides);
  } else {
    task.load(from, attention_.width, buffer, task.rows(), true, strides);
  }
}

void SparseTile::load_run(TaskBuilder& task, const Buffers& held, u64 keys, const TokenRun& run, u64 column,
                          i64 step) const {
  const auto count = static_cast<u32>(run.count);
  const auto behind = [&](TileBuffer buffer) {
    buffer.offset += static_cast<u32>(column) * buffer.layout.row_bytes();
    return buffer;
  };
  const auto load = [&](const MatrixPlace& place, const TileBuffer& buffer) {
    const i64 of_block = step * static_cast<i64>(place.pitch);
    const TileStrides strides = tile_strides(place, of_block);
    const MatrixPlace from = from_row(place, run.first);
    if (stacks()) {
      task.load_stack(from, attention_.width, behind(buffer), count, stack(from, stacked_keys(keys), of_block),
                      strides);
    } else {
      task.load(from, attention_.width, behind(buffer), count, false, strides);
    }
  };
  load(matrices_.k, held.k);
  load(matrices_.v, held.v);
  if (!held.mask) return;
  task.load_bytes(attention_.mask->address + run.first * 2, held.mask->offset + static_cast<u32>(column) * 2, count * 2,
                  {step * 2, 0, static_cast<i64>(attention_.mask->pitch)});
}

void SparseTile::attend(TaskBuilder& task, const Buffers& held, u64 keys, u64 queries) const {
  std::optional<HeadStack> stacked;
  if (stacks()) stacked = HeadStack{stacked_keys(keys), queries == plan_.target().lanes};
  const auto transpose = [&](const char* what, const TileBuffer& buffer, bool varying) {
    add_transpose(task, plan_.kernels(), attention_.name + what, buffer, attention_.width, varying);
  };
  transpose(".transpose_queries", held.q, true);
  transpose(".transpose_values", held.v, false);
  add_attention(task, plan_.kernels(), attention_.name, keys, attention_.width, softmax_power(keys), held.q, held.k,
                held.v, held.mask, held.scores, held.statistics, false, held.out, held.pattern, stacked);
  transpose(".transpose_output", held.out, true);
}

void SparseTile::store(TaskBuilder& task, const TileBuffer& out, const TokenRun& queries) const {
  const MatrixPlace to = from_row(matrices_.mixed, queries.first);
  const auto of_block = static_cast<i64>(to.pitch * queries.count);
  const TileStrides strides = tile_strides(to, of_block);
  if (stacks()) {
    task.store_stack(to, attention_.width, out, static_cast<u32>(queries.count),
                     stack(to, plan_.target().lanes, of_block), strides);
  } else {
    task.store(to, attention_.width, out, task.rows(), true, strides);
  }
}

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

class PatternCore {
 public:
  PatternCore(const TaskPlanner& plan, const Attention& attention, const EncoderLayer& layer,
              const AttentionMatrices& matrices)
      : plan_(plan),
        attention_(attention),
        layer_(layer),
        matrices_(matrices),
        pattern_(pattern_of(layer, attention.tokens)) {}

  [[nodiscard]] u64 best_query_block() const {
    if (pattern_->query_block() != 0) return pattern_->query_block();
    if (plan_.target().fixed) return plan_.target().fixed->query_blocks.at(attention_.layer);
    Shape shape(name_of(layer_.mixing));
    for (const auto& [name, value] : layer_.values) {
      if (const i64* const number = std::get_if<i64>(&value)) shape.add(*number);
      if (const std::string* const text = std::get_if<std::string>(&value)) {
        shape.add_list(std::vector<char>(text->begin(), text->end()));
      }
    }
    shape.add(attention_.tokens, attention_.heads, attention_.batch);
    shape.add(attention_.width, attention_.mask.has_value(), matrices_.q.pitch, matrices_.mixed.pitch);
    return plan_.once(plan_.decisions().strips, shape, [&] { return static_cast<u32>(find_query_block()); });
  }

  /// Attention with a pattern that is known beforehand.
  [[nodiscard]] Tasks pattern_tasks(u64 query_block) const {
    Tasks tasks;
    for (const Group& group : groups_of(*pattern_, query_block)) {
      const auto tiling = tiling_of(group);
      if (!tiling) throw plan_.does_not_fit(make(group, smallest(group)));
      tasks.push_back(make(group, tiling->choice));
      if (tasks.size() > 1) tasks.back().set_independent();
    }
    return tasks;
  }

 private:
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
      for (const Group& group : groups_of(*pattern_, query_block)) {
        const auto tiling = tiling_of(group);
        if (!tiling) return std::nullopt;
        sum += tiling->cost;
      }
    } catch (const CompileError&) {
      return std::nullopt;  // no kernel for so many keys
    }
    return sum;
  }

  /// The tiling that costs least: a tile is a block of queries in one head or, where that is possible, several blocks
  /// in several heads. Only a single block whose queries see all of its keys may be cut further.
  [[nodiscard]] std::optional<Decision<Tiling>> tiling_of(const Group& group) const {
    const QueryBlock& block = group.first;
    const auto make_task = [&](const Tiling& tiling) { return make(group, tiling); };
    std::optional<Decision<Tiling>> best;
    if (group.blocks == 1 && block.whole) {
      best = plan_.choose_tiling(block.queries.count, tile({}).outer(), shape(group), make_task);
    }
    for (const SparseItems& items : items_of(group)) {
      if (best && items.count() == 1) continue;
      const TaskBuilder task = make(group, whole_blocks(group, items));
      if (!plan_.fits(task)) break;
      const u64 cost = plan_.cost(task);
      if (!best || cost < best->cost) best = Decision<Tiling>{whole_blocks(group, items), cost};
    }
    return best;
  }
  /// What a tile may have, from the least on: blocks are taken together if all heads are, and batch elements where
  /// there is a single block. A mask of the tokens is another one for each block and batch element.
  [[nodiscard]] std::vector<SparseItems> items_of(const Group& group) const {
    std::vector<SparseItems> all{{}};
    if (!SparseTile::may_stack(plan_.target(), group.first.queries.count)) return all;
    const auto heads = static_cast<u32>(attention_.heads);
    for (u32 count = 2; count <= heads; ++count) {
      if (heads % count == 0) all.push_back({count, 1});
    }
    for (u32 count = 2; count <= group.blocks && !attention_.mask; ++count) {
      if (group.blocks % count == 0) all.push_back({heads, count});
    }
    const u64 elements = group.blocks == 1 && !attention_.mask ? attention_.batch : 1;
    for (u32 count = 2; count <= elements; ++count) {
      if (elements % count == 0) all.push_back({heads, 1, count});
    }
    return all;
  }
  [[nodiscard]] SparseTile tile(const SparseItems& items) const { return {plan_, attention_, matrices_, items}; }
  [[nodiscard]] Tiling whole_blocks(const Group& group, const SparseItems& items) const {
    const SparseTile of_items = tile(items);
    const u32 rows = of_items.rows(group.first.queries.count);
    return {{group.blocks / items.blocks, of_items.outer()[0], of_items.outer()[1]}, rows, rows};
  }
  /// The contrary of whole_blocks(). A single block may have been cut.
  [[nodiscard]] SparseItems items_of(const Group& group, const Tiling& tiling) const {
    return {static_cast<u32>(attention_.heads) / tiling.tiles[1], group.blocks > 1 ? group.blocks / tiling.tiles[0] : 1,
            static_cast<u32>(attention_.batch) / tiling.tiles[2]};
  }
  [[nodiscard]] Tiling smallest(const Group& group) const {
    if (group.blocks > 1 || !group.first.whole) return whole_blocks(group, {});
    return plan_.tiling(group.first.queries.count, 1, tile({}).outer());
  }
  [[nodiscard]] Shape shape(const Group& group) const {
    Shape shape("attention.sparse");
    std::vector<u64> counts;
    for (const TokenRun& run : group.first.keys) counts.push_back(run.count);
    shape.add_list(counts);
    return shape.add(attention_.width, attention_.mask.has_value(), matrices_.q.pitch, matrices_.mixed.pitch);
  }

  /// The tile levels are blocks of queries (or parts of one), heads, batch elements.
  [[nodiscard]] TaskBuilder make(const Group& group, const Tiling& tiling) const {
    const QueryBlock& block = group.first;
    const SparseTile tile = this->tile(items_of(group, tiling));
    const u64 keys = tokens_in(block.keys);
    TaskBuilder task(plan_.target(), attention_.name + ".core", attention_.layer, tiling.tiles, tiling.rows,
                     tiling.tail_rows);
    SparseTile::Buffers held = tile.buffers(task, keys);
    if (!block.whole) {
      // These are the first weights, so that they begin with a tile of the scratchpad.
      PanelLayout layout = held.scores.layout;
      if (tile.stacks()) layout.rows = layout.lanes;
      const u32 words = layout.bytes(keys) / 2;
      const u32 offset = task.add_weights(
          words, [pattern = pattern_, block, layout] { return pattern_words(*pattern, block, layout); });
      held.pattern = WeightPlace{offset, true};
    }
    const TokenRun queries{block.queries.first, tile.stacks() ? block.queries.count : tiling.rows};
    tile.load_queries(task, held.q, queries);
    u64 column = 0;
    for (std::size_t i = 0; i < block.keys.size(); ++i) {
      tile.load_run(task, held, keys, block.keys[i], column, group.blocks > 1 ? group.steps[i] : 0);
      column += block.keys[i].count;
    }
    tile.attend(task, held, keys, block.queries.count);
    tile.store(task, held.out, queries);
    return task;
  }

  const TaskPlanner& plan_;
  const Attention& attention_;
  const EncoderLayer& layer_;
  const AttentionMatrices& matrices_;
  const std::shared_ptr<const AttentionPattern> pattern_;
};

}  // namespace

SparseTasks pattern_attention(const TaskPlanner& plan, const Attention& attention, const EncoderLayer& layer,
                              const AttentionMatrices& matrices) {
  need_whole_tiles(plan, attention);
  const PatternCore core(plan, attention, layer, matrices);
  const u64 query_block = core.best_query_block();
  return {core.pattern_tasks(query_block), query_block};
}

}  // namespace bvp
