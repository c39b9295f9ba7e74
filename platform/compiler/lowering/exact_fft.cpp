// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/lowering/exact_fft.h"

#include <memory>
#include <utility>

#include "platform/compiler/lowering/operators.h"
#include "platform/compiler/lowering/products.h"
#include "platform/network/half.h"

namespace bvp {

namespace {

void add_places(Shape& shape, const ExactPlanes& planes) {
  if (!planes.resident) return;
  shape.add(planes.resident->re.offset, planes.resident->im.offset, planes.resident->re.layout.rows,
            planes.resident->bytes);
}

// ---------------------------------------------------------------- along hidden

/// parts x points values of a row: the parts are joined first, k = 0 .. parts - 1 of each position, then transformed,
/// and the results of part k are the frequencies k, k + parts, k + 2 parts, ...
class HiddenTask {
 public:
  HiddenTask(const TaskPlanner& plan, const ExactFft& fft, const MatrixPlace& x, const ExactPlanes& planes)
      : plan_(plan),
        fft_(fft),
        x_(x),
        planes_(planes),
        points_(static_cast<u32>(power_of_two_in(fft.hidden))),
        parts_(static_cast<u32>(fft.hidden / points_)),
        circle_(std::make_shared<const Circle>(fft.hidden)) {}

  [[nodiscard]] u32 points() const { return points_; }
  /// Whether the parts are whole panels, which can be accessed by column.
  [[nodiscard]] bool possible() const {
    return plan_.target().column_access && !plan_.may_pack() && points_ >= 2 && points_ % plan_.target().lanes == 0;
  }

  [[nodiscard]] Tasks tasks() const {
    Shape shape("exact_hidden");
    shape.add(fft_.hidden, x_.pitch, planes_.both.pitch);
    add_places(shape, planes_);
    Tasks tasks;
    tasks.push_back(
        plan_.best_task(fft_.batch * fft_.tokens, {1, 1}, shape, [&](const Tiling& tiling) { return make(tiling); }));
    return tasks;
  }

 private:
  [[nodiscard]] TaskBuilder make(const Tiling& tiling) const {
    TaskBuilder task(plan_.target(), fft_.along_hidden, fft_.layer, tiling.tiles, tiling.rows, tiling.tail_rows);
    const auto strides = [&](const MatrixPlace& place) {
      return TileStrides{static_cast<i64>(place.pitch) * tiling.rows, 0, 0};
    };
    const auto buffer = [&] { return task.buffer(fft_.hidden); };
    const TileBuffer x = buffer(), re = buffer(), im = buffer(), transformed_im = buffer();
    const TileBuffer& transformed_re = x;  // the input is not needed any more
    task.load(x_, fft_.hidden, x, tiling.rows, true, strides(x_));
    join(task, x, re, im);
    FftOperator op;
    op.name = fft_.along_hidden;
    op.points = points_;
    op.ortho = false;
    const u32 part_bytes = points_ / plan_.target().lanes * x.layout.panel_bytes();
    op.parts = FftOperator::Parts{parts_, part_bytes, part_bytes, 1};
    op.groups = task.groups();
    op.tail_groups = task.tail_groups();
    add_fft(task, plan_.kernels(), op, re, im, re, im, transformed_re, transformed_im);
    if (planes_.resident) {
      // Launches of the last tile may write all rows of a full one.
      const bool beyond = plan_.padded(tiling.rows) * tiling.tiles[0] > planes_.resident->re.layout.rows;
      task.set_resident_bytes(beyond ? plan_.half_bytes() + 1 : planes_.resident->bytes);
      interleave(task, transformed_re, part_of(planes_.resident->re, tiling.rows));
      interleave(task, transformed_im, part_of(planes_.resident->im, tiling.rows));
      return task;
    }
    interleave(task, transformed_re, re);
    interleave(task, transformed_im, im);
    task.store(planes_.re(), fft_.hidden, re, tiling.rows, true, strides(planes_.re()));
    task.store(planes_.im(), fft_.hidden, im, tiling.rows, true, strides(planes_.im()));
    return task;
  }

  /// A tile's rows of a plane.
  [[nodiscard]] static TileBuffer part_of(const ResidentMatrix& matrix, u32 rows) {
    const i64 tile_bytes = i64{rows} * matrix.layout.row_bytes();
    return {matrix.offset, static_cast<u32>(matrix.columns), matrix.layout, true, {tile_bytes, 0, 0}};
  }

  void join(TaskBuilder& task, const TileBuffer& x, const TileBuffer& re, const TileBuffer& im) const {
    RadixSpec spec;
    spec.points = points_;
    spec.parts = parts_;
    spec.real_input = true;
    spec.x = x.layout.by_column();
    spec.y = re.layout.by_column();
    spec.factor = to_half(fft_.scales.hidden);
    const auto weight = [circle = circle_, points = points_](u32 position, u32 result, u32 term) {
      const u64 angle = u64{result / 2} * (position + u64{term} * points);
      return result % 2 == 0 ? circle->cosine(angle) : circle->minus_sine(angle);
    };
    task.add_launch(radix_launch(task, plan_.kernels(), fft_.along_hidden + ".parts", spec, task.groups(),
                                 task.tail_groups(),
                                 {{radix_register::x_re, x.offset, false},
                                  {radix_register::y_re, re.offset, false},
                                  {radix_register::y_im, im.offset, false}},
                                 weight));
  }

  void interleave(TaskBuilder& task, const TileBuffer& x, const TileBuffer& y) const {
    InterleaveSpec spec;
    spec.points = points_;
    spec.parts = parts_;
    LaunchStep step = interleave_launch(task, plan_.kernels(), fft_.along_hidden + ".interleave", spec, x, y);
    step.results = {task.result(y, fft_.hidden)};
    if (y.resident) step.results.back().launch_register = interleave_register::y;
    task.add_launch(std::move(step));
  }

  const TaskPlanner& plan_;
  const ExactFft& fft_;
  const MatrixPlace& x_;
  const ExactPlanes& planes_;
  const u32 points_, parts_;
  const SharedCircle circle_;
};

/// Two products with constant matrices.
Tasks hidden_products(const TaskPlanner& plan, const ExactMemory& memory, const ExactFft& fft, const MatrixPlace& x,
                      const ExactPlanes& planes) {
  if (!memory.constants.hidden) {
    const auto circle = std::make_shared<const Circle>(fft.hidden);
    memory.constants.hidden = {
        memory.dram.constant(fft.hidden, fft.hidden, [=](u64 row, u64 column) { return circle->cosine(row * column); }),
        memory.dram.constant(fft.hidden, fft.hidden,
                             [=](u64 row, u64 column) { return circle->minus_sine(row * column); })};
  }
  Tasks tasks;
  for (const bool imaginary : {false, true}) {
    ConstantProduct product;
    product.name = fft.along_hidden + (imaginary ? ".im" : ".re");
    product.layer = fft.layer;
    product.factor = to_half(fft.scales.hidden);
    append(tasks, times_constant(plan, memory.dram, product, x, (*memory.constants.hidden)[imaginary ? 1 : 0],
                                 imaginary ? planes.im() : planes.re()));
  }
  return tasks;
}

// ---------------------------------------------------------------- along the tokens

/// Rows j, j + parts, j + 2 parts, ... are transformed for each j < parts; then each position of the parts is joined.
/// Tiles are strips of columns; lanes run over columns.
class TokenTask {
 public:
  TokenTask(const TaskPlanner& plan, const ExactFft& fft, const ExactPlanes& planes, const MatrixPlace& residual,
            const MatrixPlace& mixed)
      : plan_(plan),
        fft_(fft),
        planes_(planes),
        residual_(residual),
        mixed_(mixed),
        points_(static_cast<u32>(power_of_two_in(fft.tokens))),
        parts_(static_cast<u32>(fft.tokens / points_)),
        circle_(std::make_shared<const Circle>(fft.tokens)) {}

  [[nodiscard]] u32 points() const { return points_; }
  [[nodiscard]] bool possible() const { return points_ >= 2 && !plan_.may_pack(); }

  [[nodiscard]] Tasks tasks() const {
    Shape shape("exact_tokens");
    shape.add(fft_.tokens, fft_.batch, mixed_.columns, planes_.both.pitch, residual_.pitch, mixed_.pitch);
    add_places(shape, planes_);
    const u32 width = plan_.once(plan_.decisions().strips, shape, [&] {
      const auto best = plan_.best_strip(panels(), [&](u32 panels_of_strip) { return make(panels_of_strip); });
      return best ? best->choice : 0;
    });
    if (width == 0) throw plan_.does_not_fit(make(1));
    Tasks tasks;
    tasks.push_back(make(width));
    return tasks;
  }

 private:
  [[nodiscard]] u32 panels() const { return static_cast<u32>(plan_.padded(mixed_.columns) / plan_.target().lanes); }

  [[nodiscard]] TaskBuilder make(u32 width) const {
    const u32 lanes = plan_.target().lanes, rows = static_cast<u32>(fft_.tokens);
    const u32 count = (panels() + width - 1) / width, tail = panels() - (count - 1) * width;
    TaskBuilder task(plan_.target(), fft_.along_tokens, fft_.layer, {count, static_cast<u32>(fft_.batch), 1},
                     width * lanes, tail * lanes);
    const auto buffer = [&] { return task.buffer(u64{width} * lanes, rows); };
    const auto strides = [&](const MatrixPlace& place) {
      return TileStrides{i64{width} * plan_.target().vector_bytes(), static_cast<i64>(rows * place.pitch), 0};
    };
    const auto load = [&](const MatrixPlace& place) {
      const TileBuffer plane = buffer();
      task.load_strip(place, plane, rows, width, tail, strides(place));
      return plane;
    };
    if (planes_.resident) task.set_resident_bytes(planes_.resident->bytes);
    const TileBuffer in_re = planes_.resident ? part_of(planes_.resident->re, width) : load(planes_.re());
    const TileBuffer in_im = planes_.resident ? part_of(planes_.resident->im, width) : load(planes_.im());
    const TileBuffer re = buffer(), im = buffer();
    const TileBuffer out = buffer();  // the result overwrites the residual
    task.load_strip(residual_, out, rows, width, tail, strides(residual_));
    FftOperator op;
    op.name = fft_.along_tokens;
    op.points = points_;
    op.along_rows = true;
    op.ortho = false;
    op.scale = to_half(fft_.scales.tokens);
    const u32 row_bytes = in_re.layout.row_bytes();
    op.parts = FftOperator::Parts{parts_, row_bytes, points_ * row_bytes, parts_};
    op.groups = width;
    op.tail_groups = tail;
    add_fft(task, plan_.kernels(), op, in_re, in_im, in_re, in_im, re, im);
    join(task, re, im, out, width, tail);
    task.store_strip(mixed_, out, rows, width, tail, strides(mixed_));
    return task;
  }

  /// A strip of a plane.
  [[nodiscard]] static TileBuffer part_of(const ResidentMatrix& matrix, u32 width) {
    const PanelLayout& layout = matrix.layout;
    return {matrix.offset, width * layout.lanes, layout, true, {i64{width} * layout.panel_bytes(), 0, 0}};
  }

  void join(TaskBuilder& task, const TileBuffer& re, const TileBuffer& im, const TileBuffer& out, u32 width,
            u32 tail) const {
    RadixSpec spec;
    spec.points = points_;
    spec.parts = parts_;
    spec.real_output = true;
    spec.x = re.layout.by_row();
    spec.y = out.layout.by_row();
    spec.residual = true;
    spec.residual_factor = fft_.residual_factor();
    LaunchStep step = radix_launch(task, plan_.kernels(), fft_.along_tokens + ".parts", spec, width, tail,
                                   {{radix_register::x_re, re.offset, false},
                                    {radix_register::x_im, im.offset, false},
                                    {radix_register::y_re, out.offset, false},
                                    {radix_register::residual, out.offset, false}},
                                   joining_weights(circle_, points_, true));
    step.results = {{out.offset,
                     out.layout,
                     in_every_tile(fft_.tokens),
                     KernelResult::Extent{u64{width} * plan_.target().lanes, mixed_.columns, 0},
                     {}}};
    task.add_launch(std::move(step));
  }

  const TaskPlanner& plan_;
  const ExactFft& fft_;
  const ExactPlanes& planes_;
  const MatrixPlace &residual_, &mixed_;
  const u32 points_, parts_;
  const SharedCircle circle_;
};

/// One product of a constant matrix with the rows of both planes.
Tasks token_product(const TaskPlanner& plan, const ExactMemory& memory, const ExactFft& fft, const ExactPlanes& planes,
                    const MatrixPlace& residual, const MatrixPlace& mixed) {
  if (!memory.constants.tokens) {
    const auto circle = std::make_shared<const Circle>(fft.tokens);
    memory.constants.tokens = memory.dram.constant(fft.tokens, 2 * fft.tokens, [=](u64 row, u64 column) {
      return column % 2 == 0 ? circle->cosine(row * (column / 2)) : circle->sine(row * (column / 2));
    });
  }
  ConstantProduct product;
  product.name = fft.along_tokens;
  product.layer = fft.layer;
  product.factor = to_half(fft.scales.tokens);
  product.residual = residual;
  product.residual_factor = fft.residual_factor();
  return constant_times(plan, memory.dram, product, *memory.constants.tokens, planes.both, mixed, fft.batch);
}

}  // namespace

ResidualFactor ExactFft::residual_factor() const { return {to_half(scales.factor), scales.of_residual}; }

ExactPlanes ExactPlanes::in(DramPlan& dram, u64 rows, u64 columns) { return {dram.matrix(2 * rows, columns), {}}; }

MatrixPlace ExactPlanes::re() const {
  MatrixPlace place = both;
  place.rows /= 2;
  place.pitch *= 2;
  return place;
}

MatrixPlace ExactPlanes::im() const {
  MatrixPlace place = re();
  place.address += both.pitch;
  return place;
}

ExactTasks exact_along_hidden(const TaskPlanner& plan, DramPlan& dram, ExactConstants& constants, const ExactFft& fft,
                              const MatrixPlace& x, const ExactPlanes& planes, std::optional<u64> points) {
  const HiddenTask split(plan, fft, x, planes);
  return cheaper(
      plan, {dram, constants}, split.possible() ? split.points() : 1, points, [&] { return split.tasks(); },
      [&](const ExactMemory& memory) { return hidden_products(plan, memory, fft, x, planes); });
}

ExactTasks exact_along_tokens(const TaskPlanner& plan, DramPlan& dram, ExactConstants& constants, const ExactFft& fft,
                              const ExactPlanes& planes, const MatrixPlace& residual, const MatrixPlace& mixed,
                              std::optional<u64> points) {
  const TokenTask split(plan, fft, planes, residual, mixed);
  return cheaper(
      plan, {dram, constants}, split.possible() ? split.points() : 1, points, [&] { return split.tasks(); },
      [&](const ExactMemory& memory) { return token_product(plan, memory, fft, planes, residual, mixed); });
}

}  // namespace bvp
