// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/lowering/real_fft.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>

#include "platform/compiler/lowering/exact_fft.h"
#include "platform/compiler/lowering/operators.h"
#include "platform/compiler/lowering/products.h"
#include "platform/network/half.h"
#include "platform/network/network.h"

namespace bvp {

namespace {

/// What the inputs of the two transforms are multiplied by, and their sums at the end. The first two are powers of two,
/// so that they round nothing; the first one also takes the half of the separation.
struct Scales {
  u16 tokens, hidden;
  ResidualFactor sum;
};

Scales scales_of(const RealFft& fft) {
  if (fft.exact) {
    return {to_half(fft.exact->tokens / 2),
            to_half(fft.exact->hidden),
            {to_half(fft.exact->factor), fft.exact->of_residual}};
  }
  if (!fft.ortho) return {to_half(0.5), to_half(1), {to_half(1), false}};
  const auto token_bits = static_cast<int>(log2_of(fft.token_points()));
  const int bits = token_bits + static_cast<int>(log2_of(fft.hidden_points()));
  return {to_half(std::ldexp(0.5, -(token_bits / 2))),
          to_half(std::ldexp(1.0, token_bits / 2 - bits / 2)),
          {to_half(bits % 2 == 0 ? 1.0 : std::sqrt(0.5)), false}};
}

/// The power-of-two transforms of which a transform consists.
struct Division {
  u32 points, parts;
  explicit Division(u64 n) : points(static_cast<u32>(power_of_two_in(n))), parts(static_cast<u32>(n / points)) {}
};

/// The planes of the half spectrum along the tokens, for all columns. Row i is that of the frequency points/2 - i, so
/// that the rows of the result that mirror rows i, i+1, .. have ascending numbers.
struct SpectrumPlaces {
  MatrixPlace re, im;
};
struct ResidentSpectrum {
  ResidentMatrix re, im;
  u64 bytes = 0;  // of each half, kept for them
};

/// Transforms the columns: those of the first half of the panels are the real parts, those of the second half the
/// imaginary parts of complex columns. Tiles are strips of neighbouring panels of both halves; lanes run over columns.
/// Of a length that is no power of two, the rows j, j + parts, j + 2 parts, ... are transformed for each j < parts, and
/// then joined.
class ColumnTask {
 public:
  ColumnTask(const TaskPlanner& plan, const RealFft& fft, const FftInput& x)
      : plan_(plan),
        fft_(fft),
        x_(x),
        division_(fft.token_points()),
        circle_(joins() ? std::make_shared<const Circle>(fft.token_points()) : nullptr) {}

  /// @param spectrum  SpectrumPlaces or ResidentSpectrum
  template <class Spectrum>
  [[nodiscard]] TaskBuilder make(u32 width, const Spectrum& spectrum) const {
    const u32 lanes = plan_.target().lanes;
    const u32 count = (half_panels() + width - 1) / width, tail = half_panels() - (count - 1) * width;
    TaskBuilder task(plan_.target(), fft_.along_tokens, fft_.layer, {count, static_cast<u32>(fft_.batch), 1},
                     width * lanes, tail * lanes);
    const auto points = static_cast<u32>(fft_.token_points()), rows = static_cast<u32>(fft_.tokens);
    const u32 part_rows = static_cast<u32>(plan_.padded(fft_.spectrum_rows()));
    // What the transform leaves goes from one pair of buffers to the other one: if parts are joined once more.
    const auto pair = [&](bool of_parts) {
      const u32 of_rows = of_parts ? std::max(points, 2 * part_rows) : points;
      const auto buffer = [&] { return task.buffer(u64{width} * lanes, of_rows); };
      const TileBuffer first = buffer();
      return Pair{first, buffer()};
    };
    const Pair columns = pair(!joins()), transformed = pair(joins());
    Pair input = columns;
    for (std::size_t i = 0; i < 2; ++i) {
      if (const auto* const place = std::get_if<MatrixPlace>(&x_)) {
        task.load_strip(of_half(*place, i), columns[i], rows, width, tail, strides(*place, width, fft_.tokens));
        task.zero_rows(columns[i], rows, points);
      } else {
        const auto& matrix = std::get<ResidentMatrix>(x_);
        input[i] = strip(matrix, i, width, fft_.tokens * matrix.layout.row_bytes());
        task.zero_resident_rows(input[i], rows, points, width, tail);
      }
    }
    FftOperator op;
    op.name = fft_.along_tokens;
    op.points = division_.points;
    op.along_rows = true;
    op.ortho = false;
    op.scale = scales_of(fft_).tokens;
    const u32 row_bytes = columns[0].layout.row_bytes();
    if (joins())
      op.parts = FftOperator::Parts{division_.parts, row_bytes, division_.points * row_bytes, division_.parts};
    op.rows = in_every_tile(points);
    op.columns = KernelResult::Extent{u64{width} * lanes, u64{half_panels()} * lanes, 0};
    op.groups = width;
    op.tail_groups = tail;
    add_fft(task, plan_.kernels(), op, input[0], input[1], columns[0], columns[1], transformed[0], transformed[1]);
    if (joins()) join(task, transformed, columns, width, tail);
    const Pair &spectra = joins() ? columns : transformed, &results = joins() ? transformed : columns;
    separate(task, spectra, parts(task, spectrum, results, part_rows, width, tail), *op.columns, width, tail);
    return task;
  }

  /// The panels of a strip of each half that cost least; 0: no strip fits.
  template <class Spectrum>
  [[nodiscard]] u32 best_width(const Spectrum& spectrum) const {
    const auto best = plan_.best_strip(half_panels(), [&](u32 width) { return make(width, spectrum); });
    return best ? best->choice : 0;
  }

 private:
  using Pair = std::array<TileBuffer, 2>;
  using Parts = std::array<TileBuffer, 4>;  // in the order of the separation's registers

  [[nodiscard]] bool joins() const { return division_.parts > 1; }
  [[nodiscard]] u32 half_panels() const { return static_cast<u32>(fft_.hidden / plan_.target().lanes / 2); }
  /// The place from the first column of a half of the panels on.
  [[nodiscard]] MatrixPlace of_half(MatrixPlace place, std::size_t half) const {
    place.address += half * half_panels() * plan_.target().vector_bytes();
    return place;
  }
  [[nodiscard]] TileStrides strides(const MatrixPlace& place, u32 width, u64 rows) const {
    return {i64{width} * plan_.target().vector_bytes(), static_cast<i64>(rows * place.pitch), 0};
  }

  [[nodiscard]] Parts parts(TaskBuilder& task, const SpectrumPlaces& spectrum, const Pair& buffers, u32 part_rows,
                            u32 width, u32 tail) const {
    Parts result;
    for (std::size_t i = 0; i < 4; ++i) {
      result[i] = buffers[i / 2];
      if (i % 2 == 1) result[i].offset += part_rows * result[i].layout.row_bytes();
      const MatrixPlace& place = i % 2 == 0 ? spectrum.re : spectrum.im;
      task.store_strip(of_half(place, i / 2), result[i], static_cast<u32>(fft_.spectrum_rows()), width, tail,
                       strides(place, width, fft_.spectrum_rows()));
    }
    return result;
  }
  [[nodiscard]] Parts parts(TaskBuilder& task, const ResidentSpectrum& spectrum, const Pair&, u32, u32 width,
                            u32) const {
    task.set_resident_bytes(spectrum.bytes);
    Parts result;
    for (std::size_t i = 0; i < 4; ++i) {
      result[i] = strip(i % 2 == 0 ? spectrum.re : spectrum.im, i / 2, width, 0);
    }
    return result;
  }

  /// The strips of one half of a resident matrix's panels.
  /// @param batch_bytes  from a batch element to the next one
  [[nodiscard]] TileBuffer strip(const ResidentMatrix& matrix, std::size_t half, u32 width, u64 batch_bytes) const {
    const PanelLayout& layout = matrix.layout;
    return {static_cast<u32>(matrix.offset + half * half_panels() * layout.panel_bytes()),
            width * layout.lanes,
            layout,
            true,
            {i64{width} * layout.panel_bytes(), static_cast<i64>(batch_bytes), 0}};
  }

  void join(TaskBuilder& task, const Pair& x, const Pair& y, u32 width, u32 tail) const {
    RadixSpec spec;
    spec.points = division_.points;
    spec.parts = division_.parts;
    spec.x = x[0].layout.by_row();
    spec.y = y[0].layout.by_row();
    task.add_launch(radix_launch(task, plan_.kernels(), fft_.along_tokens + ".parts", spec, width, tail,
                                 {{radix_register::x_re, x[0].offset, false},
                                  {radix_register::x_im, x[1].offset, false},
                                  {radix_register::y_re, y[0].offset, false},
                                  {radix_register::y_im, y[1].offset, false}},
                                 joining_weights(circle_, division_.points, false)));
  }

  void separate(TaskBuilder& task, const Pair& transformed, const Parts& results, const KernelResult::Extent& columns,
                u32 width, u32 tail) const {
    SeparationSpec spec;
    spec.points = static_cast<u32>(fft_.token_points());
    spec.input = transformed[0].layout;
    spec.output = results[0].layout;
    const std::string name = fft_.along_tokens + ".separate";
    const auto kernel = named(name, [&] { return plan_.kernels().separation(spec, width); });
    LaunchStep step;
    step.name = name;
    step.mapping = fmt::format("rows u and -u of {} points, PEs {} x {} (panels, rows)", spec.points,
                               kernel->shared_by[0], kernel->shared_by[1]);
    step.counts = {width, kernel->counts[0], kernel->counts[1], kernel->counts[2]};
    step.tail_count = tail;
    step.registers = {LaunchStep::Register::of(separation_register::p, transformed[0]),
                      LaunchStep::Register::of(separation_register::q, transformed[1])};
    for (unsigned i = 0; i < 4; ++i) {
      const unsigned number = separation_register::x_re + i;
      step.registers.push_back(LaunchStep::Register::of(number, results[i]));
      step.results.push_back({results[i].offset, results[i].layout, in_every_tile(fft_.spectrum_rows()), columns, {}});
      if (results[i].resident) step.results.back().launch_register = number;
    }
    step.kernel = kernel_of(kernel);
    task.add_launch(std::move(step));
  }

  const TaskPlanner& plan_;
  const RealFft& fft_;
  const FftInput& x_;
  const Division division_;
  const SharedCircle circle_;
};

/// A part of the half spectrum's rows. The first `mirrored` of them also make a mirrored row of the result each.
struct RowRange {
  u64 first = 0, count = 0, mirrored = 0;
};

/// Transforms rows of the half spectrum; lanes run over rows. Row i is row half - i of the result, and with its columns
/// mirrored it is row points - half + i. Of a length that is no power of two, the columns j, j + parts, j + 2 parts,
/// ... are brought together and transformed for each j < parts, and then joined.
class RowTask {
 public:
  RowTask(const TaskPlanner& plan, const RealFft& fft, const MatrixPlace& mixed)
      : plan_(plan),
        fft_(fft),
        mixed_(mixed),
        division_(fft.hidden_points()),
        circle_(division_.parts > 1 ? std::make_shared<const Circle>(fft.hidden_points()) : nullptr) {}

  /// One range if the rows that are mirrored fill all tiles but the last one, otherwise two: a DMA transfer can be
  /// shorter in the last tile alone.
  [[nodiscard]] std::vector<RowRange> ranges() const {
    const u64 rows = fft_.spectrum_rows(), mirrored = fft_.tokens - first_mirrored();
    const u64 first = std::min(rows, plan_.padded(mirrored));
    if (fft_.tokens == fft_.token_points() || first == rows) return {{0, rows, mirrored}};
    return {{0, first, mirrored}, {first, rows - first, 0}};
  }

  template <class Spectrum>
  [[nodiscard]] TaskPlanner::Make maker(const RowRange& range, const Spectrum& spectrum) const {
    return [this, range, spectrum](const Tiling& tiling) { return make(range, spectrum, tiling); };
  }

 private:
  struct Planes {
    TileBuffer re, im;
  };

  /// The row of the result that mirrors the first row of the spectrum.
  [[nodiscard]] u64 first_mirrored() const { return fft_.token_points() - fft_.token_points() / 2; }

  template <class Spectrum>
  [[nodiscard]] TaskBuilder make(const RowRange& range, const Spectrum& spectrum, const Tiling& tiling) const {
    const u64 hidden = fft_.hidden, half = fft_.token_points() / 2;
    TaskBuilder task(plan_.target(), fft_.along_hidden, fft_.layer, tiling.tiles, tiling.rows, tiling.tail_rows);
    const Planes planes = load(task, range, spectrum, tiling);
    // A buffer that is free after the transform, if there is one.
    std::optional<TileBuffer> free;
    if (!planes.re.resident) free = planes.re;
    const TileBuffer result = division_.parts > 1 ? transform_parts(task, planes, free) : transform(task, planes);

    const auto strides = [&](i64 direction) {
      return TileStrides{direction * static_cast<i64>(mixed_.pitch) * tiling.rows,
                         static_cast<i64>(mixed_.pitch * fft_.tokens), 0};
    };
    if (range.mirrored > 0) {
      const TileBuffer mirror = free ? *free : task.buffer(hidden);
      const u64 before = u64{tiling.rows} * (tiling.tiles[0] - 1);
      const auto tail = static_cast<u32>(range.mirrored - std::min(range.mirrored, before));
      add_mirror(task, result, mirror, {tiling.rows, range.mirrored, 0});
      MatrixPlace rising = mixed_;
      rising.address += (first_mirrored() + range.first) * mixed_.pitch;
      task.store_rows(rising, hidden, mirror, tiling.rows, tail, strides(1));
    }
    // Frequencies fall from row to row of the tile. The row of the highest one is its own mirror: of its two values the
    // one that is stored last stays.
    MatrixPlace falling = mixed_;
    falling.address += (half - range.first) * mixed_.pitch;
    falling.pitch = -mixed_.pitch;  // strides of a transfer are signed
    task.store(falling, hidden, result, tiling.rows, true, strides(-1));
    return task;
  }

  [[nodiscard]] FftOperator operation(const TaskBuilder& task) const {
    FftOperator op;
    op.name = fft_.along_hidden;
    op.points = division_.points;
    op.ortho = false;
    op.scale = scales_of(fft_).hidden;
    op.groups = task.groups();
    op.tail_groups = task.tail_groups();
    return op;
  }

  /// Returns the real part of the transform of the planes, which are overwritten.
  [[nodiscard]] TileBuffer transform(TaskBuilder& task, const Planes& planes) const {
    const TileBuffer result = task.buffer(fft_.hidden_points());
    FftOperator op = operation(task);
    op.real_output = true;
    add_fft(task, plan_.kernels(), op, planes.re, planes.im, planes.re, planes.im, result, result);
    return result;
  }

  /// The same of a length that is no power of two. `free` becomes a buffer that is not needed any more.
  [[nodiscard]] TileBuffer transform_parts(TaskBuilder& task, const Planes& planes,
                                           std::optional<TileBuffer>& free) const {
    const TileBuffer re = task.buffer(fft_.hidden), im = task.buffer(fft_.hidden);
    InterleaveSpec apart;
    apart.points = division_.points;
    apart.parts = division_.parts;
    apart.apart = true;
    const std::string name = fft_.along_hidden + ".apart";
    task.add_launch(interleave_launch(task, plan_.kernels(), name, apart, planes.re, re));
    task.add_launch(interleave_launch(task, plan_.kernels(), name, apart, planes.im, im));
    FftOperator op = operation(task);
    const u32 panels = division_.points / plan_.target().lanes;
    op.parts = FftOperator::Parts{division_.parts, panels * re.layout.panel_bytes(),
                                  panels * planes.re.layout.panel_bytes(), 1};
    add_fft(task, plan_.kernels(), op, re, im, re, im, planes.re, planes.im);
    RadixSpec spec;
    spec.points = division_.points;
    spec.parts = division_.parts;
    spec.real_output = true;
    spec.x = planes.re.layout.by_column();
    spec.y = re.layout.by_column();
    LaunchStep join =
        radix_launch(task, plan_.kernels(), fft_.along_hidden + ".parts", spec, task.groups(), task.tail_groups(),
                     {LaunchStep::Register::of(radix_register::x_re, planes.re),
                      LaunchStep::Register::of(radix_register::x_im, planes.im),
                      {radix_register::y_re, re.offset, false}},
                     joining_weights(circle_, division_.points, true));
    join.results = {task.result(re, fft_.hidden)};
    task.add_launch(std::move(join));
    free = im;
    return re;
  }

  /// Columns of the half spectrum beyond `hidden` are zeros.
  [[nodiscard]] Planes load(TaskBuilder& task, const RowRange& range, const SpectrumPlaces& spectrum,
                            const Tiling& tiling) const {
    const auto plane = [&](MatrixPlace place) {
      const TileBuffer buffer = task.buffer(fft_.hidden_points());
      const TileStrides strides{static_cast<i64>(place.pitch) * tiling.rows,
                                static_cast<i64>(place.pitch * fft_.spectrum_rows()), 0};
      place.address += range.first * place.pitch;
      task.load(place, fft_.hidden, buffer, tiling.rows, true, strides);
      task.zero_columns(buffer, fft_.hidden, fft_.hidden_points());
      return buffer;
    };
    const TileBuffer re = plane(spectrum.re);
    return {re, plane(spectrum.im)};
  }
  [[nodiscard]] Planes load(TaskBuilder& task, const RowRange& range, const ResidentSpectrum& spectrum,
                            const Tiling& tiling) const {
    const auto plane = [&](const ResidentMatrix& matrix) {
      const PanelLayout& layout = matrix.layout;
      const auto tile_bytes = static_cast<u32>(plan_.padded(tiling.rows) * layout.row_bytes());
      const auto first = static_cast<u32>(matrix.offset + range.first * layout.row_bytes());
      const u32 panels = layout.panels(fft_.hidden), all = layout.panels(fft_.hidden_points());
      // Launches of the last tile may write all rows of a full one, which must not be rows of the next range.
      const u64 end = range.first + range.count, limit = end < fft_.spectrum_rows() ? end : layout.rows;
      const bool beyond = range.first + plan_.padded(tiling.rows) * tiling.tiles[0] > limit;
      task.set_resident_bytes(beyond ? plan_.half_bytes() + 1 : spectrum.bytes);
      if (panels < all) {
        TaskBuilder::Move zeros;
        zeros.descriptor.destination = plan_.target().scratchpad_base + first + u64{panels} * layout.panel_bytes();
        zeros.descriptor.length = tile_bytes;
        zeros.descriptor.fill = dma_fill_flag;
        zeros.descriptor.count = {all - panels, 1, 1};
        zeros.descriptor.destination_stride = {static_cast<i32>(layout.panel_bytes()), 0, 0};
        zeros.destination_strides = {tile_bytes, 0, 0};
        zeros.with_half = false;
        task.add_input(zeros);
      }
      return TileBuffer{first, static_cast<u32>(fft_.hidden_points()), layout, true, {tile_bytes, 0, 0}};
    };
    const TileBuffer re = plane(spectrum.re);
    return {re, plane(spectrum.im)};
  }

  void add_mirror(TaskBuilder& task, const TileBuffer& x, const TileBuffer& y, const KernelResult::Extent& rows) const {
    MirrorSpec spec;
    spec.points = static_cast<u32>(fft_.hidden_points());
    spec.columns = static_cast<u32>(fft_.hidden);
    spec.x = x.layout;
    spec.y = y.layout;
    const std::string name = fft_.along_hidden + ".mirror";
    const auto kernel = named(name, [&] { return plan_.kernels().mirror(spec, task.groups()); });
    LaunchStep step;
    step.name = name;
    step.mapping = fmt::format("columns k and -k of {} points, PEs {} x {} (lane groups, panels)", spec.points,
                               kernel->shared_by[0], kernel->shared_by[1]);
    step.counts = {task.groups(), kernel->counts[0], kernel->counts[1], kernel->counts[2]};
    step.tail_count = task.tail_groups();
    step.registers = {{mirror_register::x, x.offset, false}, {mirror_register::y, y.offset, false}};
    step.results = {task.result(y, fft_.hidden)};
    step.results.back().rows = rows;
    step.kernel = kernel_of(kernel);
    task.add_launch(std::move(step));
  }

  const TaskPlanner& plan_;
  const RealFft& fft_;
  const MatrixPlace& mixed_;
  const Division division_;
  const SharedCircle circle_;
};

/// The transform along hidden, behind `tasks`.
template <class Spectrum>
void append_rows(Tasks& tasks, const TaskPlanner& plan, const RealFft& fft, const Spectrum& spectrum,
                 const Shape& shape, const MatrixPlace& mixed) {
  const RowTask rows(plan, fft, mixed);
  for (const RowRange& range : rows.ranges()) {
    Shape of_range = shape;
    of_range.add(range.first, range.count, range.mirrored);
    tasks.push_back(
        plan.best_task(range.count, {static_cast<u32>(fft.batch), 1}, of_range, rows.maker(range, spectrum)));
  }
}

/// @throws CompileError  the tasks do not fit the machine
template <class Spectrum>
Tasks tasks_of(const TaskPlanner& plan, const RealFft& fft, const Spectrum& spectrum, const Shape& shape,
               const FftInput& x, const MatrixPlace& mixed) {
  Tasks tasks;
  const ColumnTask columns(plan, fft, x);
  const u32 width = plan.once(plan.decisions().strips, shape, [&] { return columns.best_width(spectrum); });
  if (width == 0) throw plan.does_not_fit(columns.make(1, spectrum));
  tasks.push_back(columns.make(width, spectrum));
  append_rows(tasks, plan, fft, spectrum, shape, mixed);
  return tasks;
}

Shape shape_of(const char* kind, const RealFft& fft, const FftInput& x, const MatrixPlace& mixed) {
  Shape shape(kind);
  shape.add(fft.tokens, fft.hidden, fft.batch, fft.ortho, mixed.pitch, x.index());
  if (const auto* const place = std::get_if<MatrixPlace>(&x)) {
    shape.add(place->pitch);
  } else {
    shape.add(std::get<ResidentMatrix>(x).offset, std::get<ResidentMatrix>(x).layout.rows);
  }
  return shape;
}

/// @param rows  of the planes in the scratchpad, whole lane groups
std::optional<Tasks> resident_with_rows(const TaskPlanner& plan, const RealFft& fft, u32 rows, const FftInput& x,
                                        const MatrixPlace& mixed) {
  const PanelLayout layout{plan.target().lanes, rows};
  ScratchpadMap map = plan.map();
  const auto re = map.place(layout, fft.hidden_points()), im = map.place(layout, fft.hidden_points());
  if (!re || !im) return std::nullopt;
  const ResidentSpectrum spectrum{*re, *im, map.resident_bytes()};
  Shape shape = shape_of("resident_real_fft", fft, x, mixed);
  shape.add(spectrum.bytes, re->offset, im->offset, rows);
  try {
    return tasks_of(plan, fft, spectrum, shape, x, mixed);
  } catch (const CompileError&) {
    return std::nullopt;
  }
}

/// With a half spectrum that goes through DRAM. @throws CompileError  the tasks do not fit the machine
Tasks through_dram(const TaskPlanner& plan, DramPlan& dram, const RealFft& fft, const FftInput& x,
                   const MatrixPlace& mixed) {
  const u64 rows = fft.batch * fft.spectrum_rows();
  const SpectrumPlaces spectrum{dram.matrix(rows, fft.hidden), dram.matrix(rows, fft.hidden)};
  return tasks_of(plan, fft, spectrum, shape_of("real_fft", fft, x, mixed), x, mixed);
}

/// With a half spectrum that stays in the scratchpad; nullopt: there is no room for it, or there are several batch
/// elements.
std::optional<Tasks> resident(const TaskPlanner& plan, const RealFft& fft, const FftInput& x,
                              const MatrixPlace& mixed) {
  if (!plan.target().residency || fft.batch > 1) return std::nullopt;
  // Half of a power of two and one row more are an odd number of lane groups, often a prime one: tiles of several lane
  // groups need room for a last tile that is full.
  constexpr u32 tile_groups = 4;
  const u32 groups = plan.groups(fft.spectrum_rows()), roomy = (groups + tile_groups - 1) / tile_groups * tile_groups;
  std::optional<Tasks> best;
  for (const u32 of_planes : {groups, roomy}) {
    auto tasks = resident_with_rows(plan, fft, of_planes * plan.target().lanes, x, mixed);
    if (tasks && (!best || plan.cost(*tasks) < plan.cost(*best))) best = std::move(tasks);
    if (roomy == groups) break;
  }
  return best;
}

/// The transform along the tokens is a product with a matrix of cosines and sines.
Tasks product_tasks(const TaskPlanner& plan, const ExactMemory& memory, const RealFft& fft, const MatrixPlace& x,
                    const MatrixPlace& mixed) {
  const u64 rows = fft.spectrum_rows();
  const ExactPlanes planes = ExactPlanes::in(memory.dram, fft.batch * rows, fft.hidden);
  Tasks along_hidden;
  append_rows(along_hidden, plan, fft, SpectrumPlaces{planes.re(), planes.im()},
              shape_of("real_fft_of_product", fft, x, mixed), mixed);
  if (!memory.constants.tokens) {
    const auto circle = std::make_shared<const Circle>(fft.tokens);
    memory.constants.tokens = memory.dram.constant(2 * rows, fft.tokens, [=](u64 row, u64 column) {
      const u64 angle = (rows - 1 - row / 2) * column;
      return row % 2 == 0 ? circle->cosine(angle) : circle->minus_sine(angle);
    });
  }
  ConstantProduct product;
  product.name = fft.along_tokens;
  product.layer = fft.layer;
  product.factor = to_half(fft.exact->tokens);
  Tasks tasks = constant_times(plan, memory.dram, product, *memory.constants.tokens, x, planes.both, fft.batch);
  append(tasks, std::move(along_hidden));
  return tasks;
}

}  // namespace

u64 RealFft::token_points() const { return exact ? tokens : std::max<u64>(2, next_power_of_two(tokens)); }
u64 RealFft::hidden_points() const { return exact ? hidden : std::max<u64>(2, next_power_of_two(hidden)); }

std::string no_real_form_because(const CompilerTarget& target, const RealFft& fft) {
  if (target.fft == FftChoice::complex) return "compiler.fft asks for the complex form";
  if (!target.column_access) return "the scratchpad cannot be accessed by column (soc.scratchpad.column_access)";
  if (fft.tokens < 3) return fmt::format("it takes three tokens at least, and there are {}", fft.tokens);
  if (has_packed_columns(target, fft)) return {};
  if (fft.hidden % target.lanes != 0 || fft.hidden < 2 * u64{target.lanes}) {
    return fmt::format("{} values of a token are not whole panels of {} columns, two at least", fft.hidden,
                       target.lanes);
  }
  if (fft.exact && power_of_two_in(fft.tokens) != fft.tokens) return {};
  return fmt::format("{} values of a token are an odd number of panels of {} columns", fft.hidden, target.lanes);
}

bool has_packed_columns(const CompilerTarget& target, const RealFft& fft) {
  return fft.hidden % (2 * u64{target.lanes}) == 0 && power_of_two_in(fft.token_points()) >= 2;
}

ResidualFactor real_fft_sum(const RealFft& fft) { return scales_of(fft).sum; }

ExactTasks real_fft(const TaskPlanner& plan, const ExactMemory& memory, const RealFft& fft, const FftInput& x,
                    const MatrixPlace& mixed, const std::optional<u64>& points) {
  const auto packed = [&] {
    std::optional<Tasks> tasks;
    std::string does_not_fit;
    try {
      tasks = through_dram(plan, memory.dram, fft, x, mixed);
    } catch (const CompileError& error) {
      does_not_fit = error.what();
    }
    auto staying = resident(plan, fft, x, mixed);
    if (staying && (!tasks || plan.cost(*staying) < plan.cost(*tasks))) tasks = std::move(staying);
    if (!tasks) throw ScratchpadError(does_not_fit);
    return std::move(*tasks);
  };
  const u64 part = power_of_two_in(fft.token_points());
  if (part == fft.token_points()) return {packed(), 0};
  const auto* const place = std::get_if<MatrixPlace>(&x);
  if (place == nullptr) return {packed(), part};
  return cheaper(plan, memory, has_packed_columns(plan.target(), fft) ? part : 1, points, packed,
                 [&](const ExactMemory& of_product) { return product_tasks(plan, of_product, fft, *place, mixed); });
}

}  // namespace bvp
