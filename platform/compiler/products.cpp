// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/products.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "platform/compiler/operators.h"
#include "platform/compiler/transpose.h"

namespace bvp {

namespace {

TileStrides row_strides(const MatrixPlace& place, u32 tile_rows, i64 second = 0, i64 third = 0) {
  return {static_cast<i64>(place.pitch) * tile_rows, second, third};
}

}  // namespace

// ---------------------------------------------------------------- dense layers

namespace {

/// Inputs [first, end) of a dense layer; sums of several such parts go through DRAM.
struct DensePart {
  std::string suffix;
  u64 first = 0, end = 0;
  bool is_first = true, is_last = true;
};

class DenseTask {
 public:
  DenseTask(Plan& plan, const DenseLayer& dense, const MatrixPlace& input, const MatrixPlace& output)
      : plan_(plan),
        dense_(dense),
        input_(input),
        output_(output),
        panels_(static_cast<u32>(plan.padded(output.columns) / plan.target().lanes)),
        weight_by_input_(!plan.target().column_access),
        weight_(plan.constant(*dense.weight, weight_by_input_)),
        bias_(plan.constant(*dense.bias)) {}

  void add() {
    const u64 lanes = plan_.target().lanes, chunks = plan_.padded(input_.columns) / lanes;
    for (u64 of_part = chunks; of_part >= 1; of_part = (of_part + 1) / 2) {
      const std::vector<DensePart> parts = divide(of_part * lanes);
      if (std::all_of(parts.begin(), parts.end(), [&](const DensePart& part) { return fits(part); })) {
        if (parts.size() > 1) {
          low_ = plan_.matrix(input_.rows, output_.columns);
          high_ = plan_.matrix(input_.rows, output_.columns);
        }
        for (const DensePart& part : parts) add(part);
        return;
      }
      if (of_part == 1) throw plan_.does_not_fit(make(parts.back(), 1, smallest(), true));
    }
  }

 private:
  [[nodiscard]] std::vector<DensePart> divide(u64 of_part) const {
    std::vector<DensePart> parts;
    for (u64 first = 0; first < input_.columns; first += of_part) {
      DensePart part;
      part.first = first;
      part.end = std::min(first + of_part, input_.columns);
      part.is_first = first == 0;
      part.is_last = part.end == input_.columns;
      if (!part.is_first || !part.is_last) part.suffix = fmt::format(".part{}", parts.size());
      parts.push_back(part);
    }
    return parts;
  }

  [[nodiscard]] Plan::Tiling smallest() const { return plan_.tiling(input_.rows, 1, {panels_, 1}); }
  [[nodiscard]] bool fits(const DensePart& part) const { return plan_.fits(make(part, 1, smallest(), true)); }

  [[nodiscard]] TaskBuilder make(const DensePart& part, u32 tile_panels, const Plan::Tiling& tiling,
                                 bool measuring) const {
    const CompilerTarget& target = plan_.target();
    const u64 inputs = part.end - part.first;
    const u64 columns = std::min(u64{tile_panels} * target.lanes, plan_.padded(output_.columns));
    const auto column_bytes = static_cast<i64>(columns * 2);
    const auto columns_from = [](MatrixPlace place, u64 first) {
      place.address += first * 2;
      return place;
    };
    TaskBuilder task(target, dense_.name + part.suffix, dense_.layer, tiling.tiles, tiling.rows, tiling.tail_rows,
                     measuring);
    const TileBuffer x = task.buffer(inputs);
    const TileBuffer w = weight_by_input_ ? task.buffer(columns, static_cast<u32>(inputs))
                                          : task.buffer(inputs, static_cast<u32>(columns));
    const TileBuffer b = task.buffer(columns, 1);
    if (weight_by_input_) {
      MatrixPlace from = weight_;
      from.address += part.first * weight_.pitch;
      task.load(from, columns, w, static_cast<u32>(inputs), false, {0, column_bytes, 0});
    } else {
      task.load(columns_from(weight_, part.first), inputs, w, static_cast<u32>(columns), false,
                {0, column_bytes / 2 * static_cast<i64>(weight_.pitch), 0});
    }
    if (part.is_last) task.load_bytes(bias_.address, b.offset, static_cast<u32>(columns * 2), {0, column_bytes, 0});
    task.load(columns_from(input_, part.first), inputs, x, tiling.rows, true, row_strides(input_, tiling.rows));
    DenseOperator op;
    op.name = dense_.name + part.suffix;
    op.inputs = inputs;
    op.outputs = columns;
    const auto outputs_of = [&](const MatrixPlace& place) { return row_strides(place, tiling.rows, column_bytes); };
    if (!part.is_first || !part.is_last) {
      op.sums = {task.buffer(columns), task.buffer(columns), !part.is_first, !part.is_last};
    }
    if (!part.is_first) {
      task.load(low_, columns, op.sums->low, tiling.rows, true, outputs_of(low_));
      task.load(high_, columns, op.sums->high, tiling.rows, true, outputs_of(high_));
    }
    if (!part.is_last) {
      add_dense(task, target, op, x, w, b, op.sums->low);
      task.store(low_, columns, op.sums->low, tiling.rows, true, outputs_of(low_));
      task.store(high_, columns, op.sums->high, tiling.rows, true, outputs_of(high_));
      return task;
    }
    const TileBuffer y = task.buffer(columns);
    op.activation = dense_.activation;
    if (dense_.residual) {
      op.residual = task.buffer(columns);
      task.load(*dense_.residual, columns, *op.residual, tiling.rows, true, outputs_of(*dense_.residual));
    }
    add_dense(task, target, op, x, w, b, y);
    task.store(output_, columns, y, tiling.rows, true, outputs_of(output_));
    return task;
  }

  /// With the number of output panels and of rows that cost least.
  void add(const DensePart& part) {
    u64 best_cycles = std::numeric_limits<u64>::max();
    u32 best_panels = 1;
    Plan::Tiling best_tiling;
    for (u32 count = 1; count <= panels_; ++count) {
      if (panels_ % count != 0) continue;
      const u32 tile_panels = panels_ / count;
      const Plan::Make make_tile = [&](const Plan::Tiling& tiling, bool measuring) {
        return make(part, tile_panels, tiling, measuring);
      };
      const auto tiling = plan_.choose_tiling(input_.rows, {count, 1}, make_tile);
      if (!tiling) continue;
      const u64 cycles = plan_.cycles(make(part, tile_panels, *tiling, true));
      if (cycles >= best_cycles) continue;
      best_cycles = cycles;
      best_panels = tile_panels;
      best_tiling = *tiling;
    }
    plan_.add_task(make(part, best_panels, best_tiling, false));
  }

  Plan& plan_;
  const DenseLayer& dense_;
  const MatrixPlace &input_, &output_;
  const u32 panels_;
  const bool weight_by_input_;  // a row for each input, not for each output
  const MatrixPlace weight_, bias_;
  MatrixPlace low_{}, high_{};  // halves of the bits of the sums
};

}  // namespace

void add_dense_layer(Plan& plan, const DenseLayer& dense, const MatrixPlace& input, const MatrixPlace& output) {
  DenseTask(plan, dense, input, output).add();
}

// ---------------------------------------------------------------- attention

namespace {

class AttentionCore {
 public:
  AttentionCore(Plan& plan, const Attention& attention, const MatrixPlace& q, const MatrixPlace& k,
                const MatrixPlace& v, const MatrixPlace& mixed)
      : plan_(plan), attention_(attention), q_(q), k_(k), v_(v), mixed_(mixed) {}

  /// All keys at once: tiles of queries, heads, batch elements.
  void add_whole() {
    plan_.add_row_task(attention_.tokens, {static_cast<u32>(attention_.heads), static_cast<u32>(attention_.batch)},
                       whole());
  }

  /// Blocks of keys, one task for all that are full and one for the rest, and the merge; for one batch element.
  void add_blocks(u64 element) {
    set_up_blocks(element);
    u64 rows = 0;
    for (const Part& part : parts()) {
      const auto tiling = plan_.choose_tiling(attention_.tokens, part.outer, part.make);
      if (!tiling) throw plan_.does_not_fit(part.make(plan_.tiling(attention_.tokens, 1, part.outer), true));
      rows = std::max(rows, tiling->tiles[0] * plan_.padded(tiling->rows));
    }
    set_partial_rows(rows);
    partial_ = plan_.scratch(attention_.heads * blocks_ * block_bytes_);
    for (const Part& part : parts()) plan_.add_row_task(attention_.tokens, part.outer, part.make);
  }

  /// Expected cycles, nothing if no tile fits.
  [[nodiscard]] std::optional<u64> cycles_whole() const {
    return cycles_of({static_cast<u32>(attention_.heads), static_cast<u32>(attention_.batch)}, whole());
  }
  [[nodiscard]] std::optional<u64> cycles_blocks() {
    set_up_blocks(0);
    u64 sum = 0;
    for (const Part& part : parts()) {
      const auto cycles = cycles_of(part.outer, part.make);
      if (!cycles) return std::nullopt;
      sum += *cycles;
    }
    return sum * attention_.batch;
  }

 private:
  [[nodiscard]] TaskBuilder begin(const char* suffix, const Plan::Tiling& tiling, bool measuring) const {
    return {plan_.target(), attention_.name + suffix, attention_.layer, tiling.tiles,
            tiling.rows,    tiling.tail_rows,         measuring};
  }
  [[nodiscard]] i64 batch_stride() const { return static_cast<i64>(attention_.tokens * q_.pitch); }
  [[nodiscard]] i64 head_stride() const { return static_cast<i64>(attention_.width * 2); }
  [[nodiscard]] MatrixPlace from_row(const MatrixPlace& place, u64 row) const {
    MatrixPlace part = place;
    part.address += (first_row_ + row) * place.pitch;
    return part;
  }
  [[nodiscard]] TileStrides rows_of(const MatrixPlace& place, const Plan::Tiling& tiling, i64 batch) const {
    return {static_cast<i64>(place.pitch) * tiling.rows, head_stride(), batch};
  }

  /// Loads queries, keys and values of a tile and attends. With `for_merge` the tile levels are queries, blocks
  /// of keys, heads, otherwise queries, heads, batch elements.
  void attend(TaskBuilder& task, u64 keys, u64 first_key, i64 block_stride, i64 batch, const TileBuffer& out,
              bool for_merge) const {
    const u64 width = attention_.width;
    const auto count = static_cast<u32>(keys);
    const CompilerTarget& target = plan_.target();
    const TileBuffer statistics = for_columns(target, task.buffer(softmax_column::count));
    const TileBuffer k = task.buffer(width, count), v = for_columns(target, task.buffer(width, count));
    const TileBuffer queries = for_columns(target, task.buffer(width));
    const TileBuffer scores = for_columns(target, task.buffer(keys));
    const auto pitch = static_cast<i64>(q_.pitch);
    const TileStrides key_strides =
        for_merge ? TileStrides{0, block_stride, head_stride()} : TileStrides{0, head_stride(), batch};
    const TileStrides query_strides = for_merge ? TileStrides{pitch * task.rows(), 0, head_stride()}
                                                : TileStrides{pitch * task.rows(), head_stride(), batch};
    task.load(from_row(k_, first_key), width, k, count, false, key_strides);
    task.load(from_row(v_, first_key), width, v, count, false, key_strides);
    task.load(from_row(q_, 0), width, queries, task.rows(), true, query_strides);
    add_transpose(task, target, attention_.name + ".transpose_queries", queries, width, true);
    add_transpose(task, target, attention_.name + ".transpose_values", v, width, false);
    add_attention(task, target, attention_.name, keys, width, queries, k, v, scores, statistics, for_merge, out);
  }

  void transpose_output(TaskBuilder& task, const TileBuffer& out) const {
    add_transpose(task, plan_.target(), attention_.name + ".transpose_output", out, attention_.width, true);
  }

  struct Part {
    std::array<u32, 2> outer;
    Plan::Make make;
  };

  void set_up_blocks(u64 element) {
    first_row_ = element * attention_.tokens;
    blocks_ = static_cast<u32>((attention_.tokens + attention_.key_block - 1) / attention_.key_block);
    const PanelLayout layout{plan_.target().lanes, plan_.target().lanes};
    block_panels_ = layout.panels(attention_.width) + layout.panels(softmax_column::count);
    set_partial_rows(plan_.padded(attention_.tokens));
  }

  /// Partial results lie as [head][block][panel][row]; whole tiles are stored, so there are more rows than tokens.
  void set_partial_rows(u64 rows) {
    partial_rows_ = rows;
    block_bytes_ = block_panels_ * rows * plan_.target().vector_bytes();
  }

  [[nodiscard]] std::vector<Part> parts() const {
    const u64 full = attention_.tokens / attention_.key_block, rest = attention_.tokens % attention_.key_block;
    const auto heads = static_cast<u32>(attention_.heads);
    std::vector<Part> result;
    if (full > 0) result.push_back({{static_cast<u32>(full), heads}, partial(".core", 0, attention_.key_block)});
    if (rest > 0) result.push_back({{1, heads}, partial(".core_rest", full, rest)});
    result.push_back({{heads, 1}, merging()});
    return result;
  }

  [[nodiscard]] std::optional<u64> cycles_of(std::array<u32, 2> outer, const Plan::Make& make) const {
    const auto tiling = plan_.choose_tiling(attention_.tokens, outer, make);
    if (!tiling) return std::nullopt;
    return plan_.cycles(make(*tiling, true));
  }

  [[nodiscard]] Plan::Make whole() const {
    return [this](const Plan::Tiling& tiling, bool measuring) {
      TaskBuilder task = begin(".core", tiling, measuring);
      const TileBuffer out = for_columns(plan_.target(), task.buffer(attention_.width));
      attend(task, attention_.tokens, 0, 0, batch_stride(), out, false);
      transpose_output(task, out);
      task.store(mixed_, attention_.width, out, tiling.rows, true, rows_of(mixed_, tiling, batch_stride()));
      return task;
    };
  }

  [[nodiscard]] Plan::Make partial(const char* suffix, u64 first_block, u64 keys) const {
    return [=](const Plan::Tiling& tiling, bool measuring) {
      TaskBuilder task = begin(suffix, tiling, measuring);
      // The statistics, the next buffer, go with the output. Both go to the merge as they lie.
      const TileBuffer out = for_columns(plan_.target(), task.buffer(attention_.width));
      attend(task, keys, first_block * attention_.key_block,
             static_cast<i64>(attention_.key_block) * static_cast<i64>(q_.pitch), 0, out, true);
      const u32 row_bytes = out.layout.row_bytes();
      task.store_runs(
          partial_ + first_block * block_bytes_, out.offset, block_panels_, out.layout.panel_bytes(),
          partial_rows_ * row_bytes, out.layout.panel_bytes(),
          {i64{tiling.rows} * row_bytes, static_cast<i64>(block_bytes_), static_cast<i64>(block_bytes_ * blocks_)});
      return task;
    };
  }

  [[nodiscard]] Plan::Make merging() const {
    return [this](const Plan::Tiling& tiling, bool measuring) {
      TaskBuilder task = begin(".merge", tiling, measuring);
      const TileBuffer partial = task.buffer(u64{blocks_} * block_panels_ * plan_.target().lanes);
      const TileBuffer out = for_columns(plan_.target(), task.buffer(attention_.width));
      const u32 row_bytes = out.layout.row_bytes();
      task.load_runs(partial_, partial.offset, blocks_ * block_panels_, out.layout.panel_bytes(),
                     partial_rows_ * row_bytes, out.layout.panel_bytes(),
                     {i64{tiling.rows} * row_bytes, static_cast<i64>(block_bytes_ * blocks_), 0});
      add_merge(task, plan_.target(), attention_.name + ".merge", blocks_, attention_.width, partial, out);
      transpose_output(task, out);
      task.store(from_row(mixed_, 0), attention_.width, out, tiling.rows, true, rows_of(mixed_, tiling, 0));
      return task;
    };
  }

  Plan& plan_;
  const Attention& attention_;
  const MatrixPlace &q_, &k_, &v_, &mixed_;
  u64 first_row_ = 0, partial_ = 0, partial_rows_ = 0, block_bytes_ = 0;
  u32 block_panels_ = 0, blocks_ = 0;
};

}  // namespace

u64 choose_key_block(Plan& plan, Attention attention) {
  const MatrixPlace nowhere{0, 0, 0, plan.target().vector_bytes()};
  AttentionCore core(plan, attention, nowhere, nowhere, nowhere, nowhere);
  u64 best = attention.tokens;
  std::optional<u64> best_cycles = core.cycles_whole();
  for (u64 block = plan.target().lanes; block < attention.tokens; block *= 2) {
    if (attention.tokens / block > 64) continue;
    attention.key_block = block;
    const auto cycles = core.cycles_blocks();
    if (!cycles || (best_cycles && *best_cycles <= *cycles)) continue;
    best = block;
    best_cycles = cycles;
  }
  return best;
}

void add_attention_core(Plan& plan, const Attention& attention, const MatrixPlace& q, const MatrixPlace& k,
                        const MatrixPlace& v, const MatrixPlace& mixed) {
  AttentionCore core(plan, attention, q, k, v, mixed);
  if (attention.key_block >= attention.tokens) {
    core.add_whole();
    return;
  }
  for (u64 element = 0; element < attention.batch; ++element) core.add_blocks(element);
}

}  // namespace bvp
