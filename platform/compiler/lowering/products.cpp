// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/lowering/products.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "platform/compiler/lowering/long_rows.h"
#include "platform/compiler/lowering/operators.h"
#include "platform/compiler/lowering/transpose.h"

namespace bvp {

namespace {

TileStrides row_strides(const MatrixPlace& place, u32 tile_rows, i64 second = 0, i64 third = 0) {
  return {static_cast<i64>(place.pitch) * tile_rows, second, third};
}

}  // namespace

// ---------------------------------------------------------------- products in parts

namespace {

/// y = x * w^T, or x * w with `transposed`, and the operations after it. Each head is a product of its own; the heads
/// lie at fixed distances.
struct Product {
  std::string name;
  u32 layer = 0;
  MatrixPlace x, w, y;                            // of the first head
  u64 outputs = 0;                                // columns of y that are written
  bool transposed = false, over_outputs = false;  // as in DenseOperator
  u32 heads = 1;
  i64 x_head = 0, w_head = 0, y_head = 0;
  std::optional<MatrixPlace> bias;
  std::optional<Activation> activation;
  std::optional<MatrixPlace> residual;
  i64 residual_head = 0;
  std::optional<ResidualFactor> residual_factor;
  std::optional<u16> factor;              // of the sums
  std::optional<MatrixPlace> row_factor;  // factors of the sums, one per row; heads lie one after the other
  unsigned row_power = 0;                 // as ProductSpec::row_power
};

/// Inputs [first, end) of a product; sums of several such parts go through DRAM.
struct InputPart {
  std::string suffix;
  u64 first = 0, end = 0;
  bool is_first = true, is_last = true;
};

/// Columns of the result in equal tiles, each whole panels or a part of one.
struct OutputRange {
  u64 first = 0, end = 0;
};

/// One task of a product: a part of the inputs, and a range of the outputs in tiles.
class ProductTask {
 public:
  struct Of {
    const TaskPlanner& plan;
    const Product& product;
    const InputPart& part;
    const OutputRange& range;
    const MatrixPlace &low, &high;  // of sums that go through DRAM
  };

  /// @param tile_columns  of the result, if the range has as many
  ProductTask(const Of& of, u64 tile_columns, const Tiling& tiling)
      : of_(of),
        product_(of.product),
        tiling_(tiling),
        inputs_(of.part.end - of.part.first),
        columns_(std::min(tile_columns, of.range.end - of.range.first)),
        held_(tiling.packed && !product_.over_outputs ? next_power_of_two(columns_) : columns_),
        task_(of.plan.target(), product_.name + of.part.suffix, product_.layer, tiling.tiles, tiling.rows,
              tiling.tail_rows) {
    if (tiling.packed) task_.pack();
  }

  [[nodiscard]] TaskBuilder build() {
    const TileBuffer x = taken(inputs_);
    const TileBuffer w = product_.transposed     ? taken(held_, static_cast<u32>(inputs_))
                         : product_.over_outputs ? task_.column_buffer(inputs_, static_cast<u32>(columns_))
                                                 : task_.buffer(inputs_, static_cast<u32>(held_));
    DenseOperator op = described();
    load_operands(op, x, w);
    turn(x, inputs_, true);
    turn(w, columns_, false);
    if (!of_.part.is_first || !of_.part.is_last) {
      op.sums = {taken(held_), taken(held_), !of_.part.is_first, !of_.part.is_last};
    }
    if (!of_.part.is_first) move_sums(op, true);
    if (!of_.part.is_last) {
      add_dense(task_, of_.plan.kernels(), op, x, w, op.sums->low);
      move_sums(op, false);
      return std::move(task_);
    }
    const TileBuffer y = taken(held_);
    load_factors(op);
    add_dense(task_, of_.plan.kernels(), op, x, w, y);
    turn(y, columns_, true);
    task_.store(of_range(product_.y), columns_, y, tiling_.rows, true, strides(product_.y, product_.y_head));
    return std::move(task_);
  }

 private:
  [[nodiscard]] static MatrixPlace moved(MatrixPlace place, u64 rows, u64 first_column) {
    place.address += rows * place.pitch + first_column * 2;
    return place;
  }
  [[nodiscard]] MatrixPlace of_range(const MatrixPlace& place) const { return moved(place, 0, of_.range.first); }
  [[nodiscard]] i64 column_bytes() const { return static_cast<i64>(columns_ * 2); }
  [[nodiscard]] TileStrides strides(const MatrixPlace& place, i64 head) const {
    return row_strides(place, tiling_.rows, column_bytes(), head);
  }
  [[nodiscard]] i64 heads_behind(const MatrixPlace& place) const {
    return static_cast<i64>(product_.x.rows * place.pitch);
  }

  /// Without column access, all operands that are taken by column are transposed, except the rows of w.
  [[nodiscard]] TileBuffer taken(u64 columns, u32 rows = 0) {
    return product_.over_outputs ? task_.buffer(columns, rows) : task_.column_buffer(columns, rows);
  }
  void turn(const TileBuffer& buffer, u64 columns, bool varying) {
    if (!buffer.layout.transposed) return;
    add_transpose(task_, of_.plan.kernels(), product_.name + of_.part.suffix + ".transpose", buffer, columns, varying);
  }

  [[nodiscard]] DenseOperator described() const {
    // After the columns of the result there may be padding, which is computed but not used.
    const u64 meant = std::min(of_.range.end, product_.y.columns), first = of_.range.first;
    DenseOperator op;
    op.name = product_.name + of_.part.suffix;
    op.inputs = inputs_;
    op.outputs = columns_;
    op.residual_factor = product_.residual_factor;
    op.result_columns = {columns_, meant > first ? meant - first : 0, 1};
    op.transposed = product_.transposed;
    op.over_outputs = product_.over_outputs;
    return op;
  }

  void load_operands(DenseOperator& op, const TileBuffer& x, const TileBuffer& w) {
    const InputPart& part = of_.part;
    const u64 first = of_.range.first;
    if (product_.bias) op.bias = task_.buffer(columns_, 1);
    if (product_.transposed) {
      task_.load(moved(product_.w, part.first, first), columns_, w, static_cast<u32>(inputs_), false,
                 {0, column_bytes(), product_.w_head});
    } else {
      task_.load(moved(product_.w, first, part.first), inputs_, w, static_cast<u32>(columns_), false,
                 {0, column_bytes() / 2 * static_cast<i64>(product_.w.pitch), product_.w_head});
    }
    if (product_.bias && part.is_last) {
      task_.load_bytes(product_.bias->address + first * 2, op.bias->offset, static_cast<u32>(columns_ * 2),
                       {0, column_bytes(), 0});
    }
    task_.load(moved(product_.x, 0, part.first), inputs_, x, tiling_.rows, true,
               row_strides(product_.x, tiling_.rows, 0, product_.x_head));
  }

  /// Sums of the parts before are loaded, those for the part behind stored.
  void move_sums(const DenseOperator& op, bool load) {
    const i64 head = heads_behind(of_.low);
    const auto move = [&](const MatrixPlace& place, const TileBuffer& buffer) {
      if (load) {
        task_.load(of_range(place), columns_, buffer, tiling_.rows, true, strides(place, head));
      } else {
        task_.store(of_range(place), columns_, buffer, tiling_.rows, true, strides(place, head));
      }
    };
    const auto turn_both = [&] {
      turn(op.sums->low, columns_, true);
      turn(op.sums->high, columns_, true);
    };
    if (!load) turn_both();
    move(of_.low, op.sums->low);
    move(of_.high, op.sums->high);
    if (load) turn_both();
  }

  /// What the last part does with the sums.
  void load_factors(DenseOperator& op) {
    op.activation = product_.activation;
    op.factor = product_.factor;
    if (product_.residual) {
      op.residual = taken(held_);
      task_.load(of_range(*product_.residual), columns_, *op.residual, tiling_.rows, true,
                 strides(*product_.residual, product_.residual_head));
      turn(*op.residual, columns_, true);
    }
    if (product_.row_factor) {
      const MatrixPlace& factors = *product_.row_factor;
      op.row_factor = taken(factors.columns);
      op.row_power = product_.row_power;
      task_.load(factors, factors.columns, *op.row_factor, tiling_.rows, true,
                 row_strides(factors, tiling_.rows, 0, heads_behind(factors)));
      turn(*op.row_factor, factors.columns, true);
    }
  }

  const Of of_;
  const Product& product_;
  const Tiling& tiling_;
  const u64 inputs_, columns_;
  const u64 held_;  // kernels take outputs in blocks of a power of two; whole tiles have room for them
  TaskBuilder task_;
};

class ProductTasks {
 public:
  ProductTasks(const TaskPlanner& plan, Product product) : plan_(plan), product_(std::move(product)) {}

  /// Divides the inputs into as few parts as possible whose tasks fit in whole tiles; nullopt if no division fits.
  [[nodiscard]] std::optional<std::vector<InputPart>> fitting() const {
    const u64 lanes = plan_.target().lanes, chunks = plan_.padded(product_.x.columns) / lanes;
    for (u64 of_part = chunks;; of_part = (of_part + 1) / 2) {
      std::vector<InputPart> parts = divide(of_part * lanes);
      if (std::all_of(parts.begin(), parts.end(), [&](const InputPart& part) { return fits(part); })) return parts;
      if (of_part == 1) return std::nullopt;
    }
  }

  [[nodiscard]] Tasks make(DramPlan& dram) {
    Tasks tasks;
    if (const auto parts = fitting()) {
      add_sums(*parts, dram);
      for (const InputPart& part : *parts) {
        for (const OutputRange& range : ranges(plan_.target().lanes)) tasks.push_back(best_task(part, range));
      }
    } else if (plan_.may_pack()) {
      tasks = packed_tasks(dram);
    } else {
      const u64 lanes = plan_.target().lanes;
      throw plan_.does_not_fit(smallest(divide(lanes).back(), ranges(lanes).front()));
    }
    return tasks;
  }

 private:
  /// Tiles of so many columns, and one with the rest.
  [[nodiscard]] std::vector<OutputRange> ranges(u64 columns) const {
    const u64 whole = product_.outputs / columns * columns;
    std::vector<OutputRange> result;
    if (whole > 0) result.push_back({0, whole});
    if (whole < product_.outputs) result.push_back({whole, product_.outputs});
    return result;
  }

  /// Allocates matrices for the sums, which go through DRAM if there are several parts.
  void add_sums(const std::vector<InputPart>& parts, DramPlan& dram) {
    if (parts.size() == 1) return;
    low_ = dram.matrix(product_.x.rows * product_.heads, product_.outputs);
    high_ = dram.matrix(product_.x.rows * product_.heads, product_.outputs);
  }

  [[nodiscard]] u64 part_count(u64 of_part) const { return (product_.x.columns + of_part - 1) / of_part; }
  [[nodiscard]] InputPart input_part(u64 number, u64 of_part) const {
    InputPart part;
    part.first = number * of_part;
    part.end = std::min(part.first + of_part, product_.x.columns);
    part.is_first = number == 0;
    part.is_last = part.end == product_.x.columns;
    if (!part.is_first || !part.is_last) part.suffix = fmt::format(".part{}", number);
    return part;
  }
  [[nodiscard]] std::vector<InputPart> divide(u64 of_part) const {
    std::vector<InputPart> parts;
    for (u64 number = 0; number < part_count(of_part); ++number) parts.push_back(input_part(number, of_part));
    return parts;
  }

  [[nodiscard]] u32 panels(const OutputRange& range) const {
    return static_cast<u32>(plan_.padded(range.end - range.first) / plan_.target().lanes);
  }
  [[nodiscard]] TaskBuilder smallest(const InputPart& part, const OutputRange& range) const {
    return make(part, range, plan_.target().lanes, plan_.tiling(product_.x.rows, 1, {panels(range), product_.heads}));
  }
  [[nodiscard]] bool fits(const InputPart& part) const {
    const std::vector<OutputRange> all = ranges(plan_.target().lanes);
    return std::all_of(all.begin(), all.end(),
                       [&](const OutputRange& range) { return plan_.fits(smallest(part, range)); });
  }

  /// @param tile_columns  of the result, if the range has as many
  [[nodiscard]] TaskBuilder make(const InputPart& part, const OutputRange& range, u64 tile_columns,
                                 const Tiling& tiling) const {
    return ProductTask({plan_, product_, part, range, low_, high_}, tile_columns, tiling).build();
  }

  /// Identifies the tasks that make() makes of a range of outputs: equal shapes give equal tasks.
  [[nodiscard]] Shape shape(const InputPart& part, const OutputRange& range, u64 columns) const {
    Shape shape("product");
    shape.add(part.first, part.end, part.is_first, part.is_last, range.first, range.end, columns);
    shape.add(product_.x.pitch, product_.w.pitch, product_.y.pitch, product_.y.columns, product_.outputs);
    shape.add(product_.transposed, product_.over_outputs, product_.x_head, product_.w_head, product_.y_head);
    shape.add(product_.bias.has_value(), product_.factor.has_value(), product_.row_power, low_.pitch, high_.pitch);
    shape.add_if(product_.activation);
    shape.add(product_.residual_head, product_.residual_factor.has_value());
    shape.add(product_.residual ? product_.residual->pitch : 0, product_.row_factor ? product_.row_factor->pitch : 0);
    return shape.add(product_.row_factor ? product_.row_factor->columns : 0);
  }

  /// The task with the number of output panels and of rows that costs least.
  [[nodiscard]] TaskBuilder best_task(const InputPart& part, const OutputRange& range) const {
    std::optional<Decision<Tiling>> best;
    u64 best_columns = 0;
    const u32 all = panels(range);
    for (u32 count = 1; count <= all; ++count) {
      if (all % count != 0) continue;
      const u64 columns = u64{all / count} * plan_.target().lanes;
      const auto tiling =
          plan_.choose_tiling(product_.x.rows, {count, product_.heads}, shape(part, range, columns),
                              [&](const Tiling& candidate) { return make(part, range, columns, candidate); });
      if (!tiling || (best && tiling->cost >= best->cost)) continue;
      best = tiling;
      best_columns = columns;
    }
    return make(part, range, best_columns, best ? best->choice : Tiling{});
  }

  // ------------------------------------------------------------ packed

  /// Size of a tile: inputs, and columns of the result or, if lanes run over the columns, rows.
  struct PackedTile {
    u32 inputs = 0, others = 0;
  };

  [[nodiscard]] u32 packed_columns(const PackedTile& tile) const {
    return product_.over_outputs ? plan_.target().lanes : tile.others;
  }
  [[nodiscard]] TaskBuilder make_packed(const InputPart& part, const OutputRange& range, const PackedTile& tile) const {
    const u64 columns = packed_columns(tile), lanes = plan_.target().lanes;
    const auto count = static_cast<u32>((range.end - range.first + columns - 1) / columns);
    const auto rows = product_.over_outputs ? tile.others : static_cast<u32>(std::min(product_.x.rows, lanes));
    return make(part, range, columns, TaskPlanner::packed_tiling(product_.x.rows, rows, {count, product_.heads}));
  }

  /// The cost of all parts; nullopt if one of them does not fit.
  [[nodiscard]] std::optional<u64> packed_cost(const PackedTile& tile) const {
    const u64 count = part_count(tile.inputs);
    u64 sum = 0;
    const auto add_part = [&](u64 number, u64 alike) {
      const InputPart part = input_part(number, tile.inputs);
      const std::vector<OutputRange> all = ranges(packed_columns(tile));
      return std::all_of(all.begin(), all.end(), [&](const OutputRange& range) {
        const TaskBuilder task = make_packed(part, range, tile);
        sum += plan_.cost(task) * alike;
        return plan_.fits(task);
      });
    };
    // The parts between the first and the last one are equal.
    if (!add_part(0, 1) || (count > 2 && !add_part(1, count - 2)) || (count > 1 && !add_part(count - 1, 1))) {
      return std::nullopt;
    }
    return sum;
  }

  [[nodiscard]] Tasks packed_tasks(DramPlan& dram) {
    // If lanes run over outputs, rows are moved unchanged; otherwise columns are moved value by value.
    product_.over_outputs = !product_.row_factor;
    const auto most = [&](u64 wanted) {
      return static_cast<u32>(std::min<u64>(plan_.target().lanes, next_power_of_two(wanted)));
    };
    const u32 others = most(product_.over_outputs ? product_.x.rows : product_.outputs);
    u64 best_cost = std::numeric_limits<u64>::max();
    PackedTile best{1, 1};
    for (PackedTile tile{most(product_.x.columns), 0}; tile.inputs > 0; tile.inputs /= 2) {
      for (tile.others = others; tile.others > 0; tile.others /= 2) {
        const auto cost = packed_cost(tile);
        if (!cost || *cost >= best_cost) continue;
        best_cost = *cost;
        best = tile;
      }
    }
    const std::vector<InputPart> parts = divide(best.inputs);
    const std::vector<OutputRange> all = ranges(packed_columns(best));
    if (best_cost == std::numeric_limits<u64>::max()) {
      throw plan_.does_not_fit(make_packed(parts.back(), all.front(), best));
    }
    add_sums(parts, dram);
    Tasks tasks;
    for (const InputPart& part : parts) {
      for (const OutputRange& range : all) tasks.push_back(make_packed(part, range, best));
    }
    return tasks;
  }

  const TaskPlanner& plan_;
  Product product_;
  MatrixPlace low_{}, high_{};  // halves of the bits of the sums
};

}  // namespace

Tasks dense_layer(const TaskPlanner& plan, DramPlan& dram, const DenseLayer& dense, const MatrixPlace& input,
                  const MatrixPlace& output) {
  Product product;
  product.name = dense.name;
  product.layer = dense.layer;
  product.x = input;
  product.transposed = product.over_outputs = !plan.target().column_access;
  product.y = output;
  product.outputs = plan.padded(output.columns);
  product.bias = MatrixPlace{};
  product.activation = dense.activation;
  product.residual = dense.residual;
  // Packed, lanes run over outputs.
  if (plan.may_pack() && !ProductTasks(plan, product).fitting()) product.transposed = product.over_outputs = true;
  product.w = dram.constant(*dense.weight, product.transposed);
  product.bias = dram.constant(*dense.bias);
  return ProductTasks(plan, product).make(dram);
}

// ---------------------------------------------------------------- products with constants

namespace {

Product product_of(const ConstantProduct& constant) {
  Product product;
  product.name = constant.name;
  product.layer = constant.layer;
  product.factor = constant.factor;
  product.residual = constant.residual;
  product.residual_factor = constant.residual_factor;
  return product;
}

}  // namespace

Tasks times_constant(const TaskPlanner& plan, DramPlan& dram, const ConstantProduct& constant, const MatrixPlace& x,
                     const MatrixPlace& matrix, const MatrixPlace& y) {
  Product product = product_of(constant);
  product.x = x;
  product.w = matrix;
  product.y = y;
  product.outputs = plan.padded(y.columns);
  product.transposed = product.over_outputs = !plan.target().column_access;
  // Packed, lanes run over outputs.
  if (plan.may_pack() && !ProductTasks(plan, product).fitting()) product.transposed = product.over_outputs = true;
  return ProductTasks(plan, product).make(dram);
}

Tasks constant_times(const TaskPlanner& plan, DramPlan& dram, const ConstantProduct& constant,
                     const MatrixPlace& matrix, const MatrixPlace& x, const MatrixPlace& y, u64 batch) {
  const auto of_element = [&](const MatrixPlace& place) { return static_cast<i64>(place.rows / batch * place.pitch); };
  Product product = product_of(constant);
  product.heads = static_cast<u32>(batch);
  product.x = matrix;
  product.w = x;
  product.w_head = of_element(x);
  product.y = y;
  product.y_head = of_element(y);
  if (product.residual) product.residual_head = of_element(*product.residual);
  // The rows of x and of y are taken as they lie.
  product.transposed = product.over_outputs = true;
  product.outputs = y.columns;
  return ProductTasks(plan, product).make(dram);
}

Tasks head_products(const TaskPlanner& plan, DramPlan& dram, const HeadProduct& heads) {
  Product product;
  product.name = heads.name;
  product.layer = heads.layer;
  product.heads = heads.heads;
  product.x = heads.x;
  product.w = heads.w;
  product.y = heads.y;
  product.x_head = heads.x_head;
  product.w_head = heads.w_head;
  product.y_head = heads.y_head;
  product.outputs = heads.y.columns;
  product.factor = heads.factor;
  return ProductTasks(plan, product).make(dram);
}

// ---------------------------------------------------------------- attention

namespace {

class AttentionCore {
 public:
  AttentionCore(const TaskPlanner& plan, const Attention& attention, const MatrixPlace& q, const MatrixPlace& k,
                const MatrixPlace& v, const MatrixPlace& mixed)
      : plan_(plan), attention_(attention), q_(q), k_(k), v_(v), mixed_(mixed) {}

  /// Attention with all keys at once; the tile levels are queries, heads, batch elements.
  [[nodiscard]] Tasks whole_tasks() const {
    Tasks tasks;
    tasks.push_back(plan_.best_task(attention_.tokens,
                                    {static_cast<u32>(attention_.heads), static_cast<u32>(attention_.batch)},
                                    shape("attention.whole", 0), whole()));
    return tasks;
  }

  /// Attention in blocks of keys, for one batch element: one task for all full blocks, one for the rest, and the merge.
  [[nodiscard]] Tasks block_tasks(DramPlan& dram, u64 element) {
    set_up_blocks(element);
    u64 rows = 0;
    for (const Part& part : parts()) {
      const auto tiling = choose_tiling(part);
      if (!tiling) throw plan_.does_not_fit(part.make(plan_.tiling(attention_.tokens, 1, part.outer)));
      rows = std::max(rows, tiling->choice.tiles[0] * plan_.padded(tiling->choice.rows));
    }
    set_partial_rows(rows);
    partial_ = dram.scratch(attention_.heads * blocks_ * block_bytes_);
    Tasks tasks;
    for (const Part& part : parts()) {
      tasks.push_back(plan_.best_task(attention_.tokens, part.outer, shape(part.kind, part.keys), part.make));
    }
    return tasks;
  }

  /// For one batch element. If not even one lane group of queries fits with a block of keys, then scores, softmax and
  /// values are tasks of their own, and the scores go through DRAM.
  [[nodiscard]] Tasks apart_tasks(DramPlan& dram, u64 element) {
    first_row_ = element * attention_.tokens;
    const auto heads = static_cast<u32>(attention_.heads);
    const auto of_element = [&](const MatrixPlace& place, u64 columns) {
      MatrixPlace result = from_row(place, 0);
      result.rows = attention_.tokens;
      result.columns = columns;
      return result;
    };
    const MatrixPlace all_scores = dram.matrix(attention_.heads * attention_.tokens, attention_.tokens);
    MatrixPlace scores = all_scores;
    scores.rows = attention_.tokens;
    const auto scores_head = static_cast<i64>(attention_.tokens * scores.pitch);

    Product product;
    product.name = attention_.name + ".scores";
    product.layer = attention_.layer;
    product.heads = heads;
    product.x = of_element(q_, attention_.width);
    product.w = of_element(k_, attention_.width);
    product.x_head = product.w_head = head_stride();
    product.y = scores;
    product.y_head = scores_head;
    product.outputs = attention_.tokens;
    product.factor = attention_factor(attention_.width);
    if (attention_.mask) {
      product.bias = *attention_.mask;
      product.bias->address += element * attention_.mask->pitch;
    }
    Tasks tasks = ProductTasks(plan_, product).make(dram);

    LongSoftmax softmax = long_softmax(plan_, dram, attention_.name + ".softmax", attention_.layer, all_scores);
    append(tasks, std::move(softmax.tasks));

    Product values;
    values.name = attention_.name + ".values";
    values.layer = attention_.layer;
    values.heads = heads;
    values.row_factor = softmax.statistics;
    values.row_power = softmax_power(attention_.tokens);
    values.transposed = true;
    values.x = scores;
    values.x_head = scores_head;
    values.w = of_element(v_, attention_.width);
    values.y = of_element(mixed_, attention_.width);
    values.w_head = values.y_head = head_stride();
    values.outputs = attention_.width;
    append(tasks, ProductTasks(plan_, values).make(dram));
    return tasks;
  }

  /// The cost; nullopt if no tile fits or there is no kernel.
  [[nodiscard]] std::optional<u64> cost_whole() const {
    return cost_of(
        {{static_cast<u32>(attention_.heads), static_cast<u32>(attention_.batch)}, whole(), "attention.whole", 0});
  }
  [[nodiscard]] std::optional<u64> cost_blocks() {
    set_up_blocks(0);
    u64 sum = 0;
    for (const Part& part : parts()) {
      const auto cost = cost_of(part);
      if (!cost) return std::nullopt;
      sum += *cost;
    }
    return sum * attention_.batch;
  }

 private:
  [[nodiscard]] TaskBuilder begin(const char* suffix, const Tiling& tiling) const {
    return {plan_.target(), attention_.name + suffix, attention_.layer, tiling.tiles, tiling.rows, tiling.tail_rows};
  }
  /// Identifies the tasks of a part: equal shapes give equal tasks.
  [[nodiscard]] Shape shape(const char* kind, u64 keys) const {
    return Shape(kind).add(keys, attention_.tokens, attention_.width, attention_.key_block, partial_rows_, q_.pitch,
                           k_.pitch, v_.pitch, mixed_.pitch, attention_.mask.has_value());
  }
  [[nodiscard]] i64 batch_stride() const { return static_cast<i64>(attention_.tokens * q_.pitch); }
  [[nodiscard]] i64 head_stride() const { return static_cast<i64>(attention_.width * 2); }
  [[nodiscard]] MatrixPlace from_row(const MatrixPlace& place, u64 row) const {
    MatrixPlace part = place;
    part.address += (first_row_ + row) * place.pitch;
    return part;
  }
  [[nodiscard]] TileStrides rows_of(const MatrixPlace& place, const Tiling& tiling, i64 batch) const {
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
    std::optional<TileBuffer> mask;
    if (attention_.mask) {
      mask = task.buffer(keys, 1);
      const auto of_element = static_cast<i64>(attention_.mask->pitch);
      const TileStrides strides =
          for_merge ? TileStrides{0, static_cast<i64>(attention_.key_block) * 2, 0} : TileStrides{0, 0, of_element};
      const u64 first_element = first_row_ / attention_.tokens;
      task.load_bytes(attention_.mask->address + first_element * attention_.mask->pitch + first_key * 2, mask->offset,
                      static_cast<u32>(keys * 2), strides);
    }
    const auto pitch = static_cast<i64>(q_.pitch);
    const TileStrides key_strides =
        for_merge ? TileStrides{0, block_stride, head_stride()} : TileStrides{0, head_stride(), batch};
    const TileStrides query_strides = for_merge ? TileStrides{pitch * task.rows(), 0, head_stride()}
                                                : TileStrides{pitch * task.rows(), head_stride(), batch};
    task.load(from_row(k_, first_key), width, k, count, false, key_strides);
    task.load(from_row(v_, first_key), width, v, count, false, key_strides);
    task.load(from_row(q_, 0), width, queries, task.rows(), true, query_strides);
    add_transpose(task, plan_.kernels(), attention_.name + ".transpose_queries", queries, width, true);
    add_transpose(task, plan_.kernels(), attention_.name + ".transpose_values", v, width, false);
    add_attention(task, plan_.kernels(), attention_.name, keys, width, softmax_power(attention_.tokens), queries, k, v,
                  mask, scores, statistics, for_merge, out);
  }

  void transpose_output(TaskBuilder& task, const TileBuffer& out) const {
    add_transpose(task, plan_.kernels(), attention_.name + ".transpose_output", out, attention_.width, true);
  }

  struct Part {
    std::array<u32, 2> outer;
    TaskPlanner::Make make;
    const char* kind;  // what its tasks have in common with those of other layers, together with `keys`
    u64 keys;
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
    if (full > 0)
      result.push_back({{static_cast<u32>(full), heads},
                        partial(".core", 0, attention_.key_block),
                        "attention.block",
                        attention_.key_block});
    if (rest > 0) result.push_back({{1, heads}, partial(".core_rest", full, rest), "attention.rest", rest});
    result.push_back({{heads, 1}, merging(), "attention.merge", 0});
    return result;
  }

  [[nodiscard]] std::optional<Decision<Tiling>> choose_tiling(const Part& part) const {
    return plan_.choose_tiling(attention_.tokens, part.outer, shape(part.kind, part.keys), part.make);
  }
  [[nodiscard]] std::optional<u64> cost_of(const Part& part) const {
    try {
      const auto tiling = choose_tiling(part);
      return tiling ? std::optional<u64>(tiling->cost) : std::nullopt;
    } catch (const CompileError&) {
      return std::nullopt;  // no kernel for so many keys or blocks
    }
  }

  [[nodiscard]] TaskPlanner::Make whole() const {
    return [this](const Tiling& tiling) {
      TaskBuilder task = begin(".core", tiling);
      const TileBuffer out = for_columns(plan_.target(), task.buffer(attention_.width));
      attend(task, attention_.tokens, 0, 0, batch_stride(), out, false);
      transpose_output(task, out);
      task.store(mixed_, attention_.width, out, tiling.rows, true, rows_of(mixed_, tiling, batch_stride()));
      return task;
    };
  }

  [[nodiscard]] TaskPlanner::Make partial(const char* suffix, u64 first_block, u64 keys) const {
    return [=](const Tiling& tiling) {
      TaskBuilder task = begin(suffix, tiling);
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

  [[nodiscard]] TaskPlanner::Make merging() const {
    return [this](const Tiling& tiling) {
      TaskBuilder task = begin(".merge", tiling);
      const TileBuffer partial = task.buffer(u64{blocks_} * block_panels_ * plan_.target().lanes);
      const TileBuffer out = for_columns(plan_.target(), task.buffer(attention_.width));
      const u32 row_bytes = out.layout.row_bytes();
      task.load_runs(partial_, partial.offset, blocks_ * block_panels_, out.layout.panel_bytes(),
                     partial_rows_ * row_bytes, out.layout.panel_bytes(),
                     {i64{tiling.rows} * row_bytes, static_cast<i64>(block_bytes_ * blocks_), 0});
      add_merge(task, plan_.kernels(), attention_.name + ".merge", blocks_, attention_.width, partial, out);
      transpose_output(task, out);
      task.store(from_row(mixed_, 0), attention_.width, out, tiling.rows, true, rows_of(mixed_, tiling, 0));
      return task;
    };
  }

  const TaskPlanner& plan_;
  const Attention& attention_;
  const MatrixPlace &q_, &k_, &v_, &mixed_;
  u64 first_row_ = 0, partial_ = 0, partial_rows_ = 0, block_bytes_ = 0;
  u32 block_panels_ = 0, blocks_ = 0;
};

}  // namespace

u64 choose_key_block(const TaskPlanner& plan, Attention attention) {
  if (plan.target().fixed) return plan.target().fixed->key_block;
  const MatrixPlace nowhere{0, 0, 0, plan.padded(attention.heads * attention.width) * 2};
  AttentionCore core(plan, attention, nowhere, nowhere, nowhere, nowhere);
  u64 best = attention.tokens;
  std::optional<u64> best_cost = core.cost_whole();
  for (u64 block = plan.target().lanes; block < attention.tokens; block *= 2) {
    if (attention.tokens / block > 64) continue;
    attention.key_block = block;
    const auto cost = core.cost_blocks();
    if (!cost || (best_cost && *best_cost <= *cost)) continue;
    best = block;
    best_cost = cost;
  }
  return best;
}

Tasks attention_core(const TaskPlanner& plan, DramPlan& dram, const Attention& attention, const MatrixPlace& q,
                     const MatrixPlace& k, const MatrixPlace& v, const MatrixPlace& mixed) {
  AttentionCore core(plan, attention, q, k, v, mixed);
  const bool whole = attention.key_block >= attention.tokens;
  if (whole && core.cost_whole()) return core.whole_tasks();
  Tasks tasks;
  for (u64 element = 0; element < attention.batch; ++element) {
    append(tasks, whole ? core.apart_tasks(dram, element) : core.block_tasks(dram, element));
  }
  return tasks;
}

}  // namespace bvp
