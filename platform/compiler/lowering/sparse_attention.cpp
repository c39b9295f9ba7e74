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

void SparseTile::load_queries(TaskBuilder& task, const TileBuffer& buffer, u64 first) const {
  task.load(from_row(matrices_.q, first), attention_.width, buffer, task.rows(), true,
            query_strides(matrices_.q, task));
}
TileStrides SparseTile::query_strides(const MatrixPlace& place, const TaskBuilder& task) const {
  return {static_cast<i64>(place.pitch) * task.rows(), head_stride(), batch_stride(place)};
}

void SparseTile::load_run(TaskBuilder& task, const Buffers& held, const TokenRun& run, u64 column, i64 step) const {
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
  task.load_bytes(attention_.mask->address + run.first * 2, held.mask->offset + static_cast<u32>(column) * 2, count * 2,
                  {step * 2, 0, static_cast<i64>(attention_.mask->pitch)});
}

void SparseTile::attend(TaskBuilder& task, const Buffers& held, u64 keys) const {
  const auto transpose = [&](const char* what, const TileBuffer& buffer, bool varying) {
    add_transpose(task, plan_.kernels(), attention_.name + what, buffer, attention_.width, varying);
  };
  transpose(".transpose_queries", held.q, true);
  transpose(".transpose_values", held.v, false);
  add_attention(task, plan_.kernels(), attention_.name, keys, attention_.width, softmax_power(keys), held.q, held.k,
                held.v, held.mask, held.scores, held.statistics, false, held.out, held.pattern);
  transpose(".transpose_output", held.out, true);
}

void SparseTile::store(TaskBuilder& task, const TileBuffer& out, u64 first) const {
  task.store(from_row(matrices_.mixed, first), attention_.width, out, task.rows(), true,
             query_strides(matrices_.mixed, task));
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
        tile_(plan, attention, matrices),
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

  /// A tile is a block of queries. Only a single block whose queries see all of its keys may be cut further.
  [[nodiscard]] std::optional<Decision<Tiling>> tiling_of(const Group& group) const {
    const QueryBlock& block = group.first;
    const auto make_task = [&](const Tiling& tiling) { return make(group, tiling); };
    if (group.blocks == 1 && block.whole) {
      return plan_.choose_tiling(block.queries.count, tile_.outer(), shape(group), make_task);
    }
    const TaskBuilder task = make(group, whole_blocks(group));
    if (!plan_.fits(task)) return std::nullopt;
    return Decision<Tiling>{whole_blocks(group), plan_.cost(task)};
  }
  [[nodiscard]] Tiling whole_blocks(const Group& group) const {
    const auto rows = static_cast<u32>(group.first.queries.count);
    return {{group.blocks, tile_.outer()[0], tile_.outer()[1]}, rows, rows};
  }
  [[nodiscard]] Tiling smallest(const Group& group) const {
    if (group.blocks > 1 || !group.first.whole) return whole_blocks(group);
    return plan_.tiling(group.first.queries.count, 1, tile_.outer());
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
    TaskBuilder task(plan_.target(), attention_.name + ".core", attention_.layer, tiling.tiles, tiling.rows,
                     tiling.tail_rows);
    SparseTile::Buffers held = tile_.buffers(task, tokens_in(block.keys));
    if (!block.whole) {
      // These are the first weights, so that they begin with a tile of the scratchpad.
      const PanelLayout layout = held.scores.layout;
      const u32 words = layout.bytes(tokens_in(block.keys)) / 2;
      const u32 offset = task.add_weights(
          words, [pattern = pattern_, block, layout] { return pattern_words(*pattern, block, layout); });
      held.pattern = WeightPlace{offset, true};
    }
    tile_.load_queries(task, held.q, block.queries.first);
    u64 column = 0;
    for (std::size_t i = 0; i < block.keys.size(); ++i) {
      tile_.load_run(task, held, block.keys[i], column, group.blocks > 1 ? group.steps[i] : 0);
      column += block.keys[i].count;
    }
    tile_.attend(task, held, column);
    tile_.store(task, held.out, block.queries.first);
    return task;
  }

  const TaskPlanner& plan_;
  const Attention& attention_;
  const EncoderLayer& layer_;
  const AttentionMatrices& matrices_;
  const SparseTile tile_;
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
