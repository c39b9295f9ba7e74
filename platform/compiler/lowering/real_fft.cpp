// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/lowering/real_fft.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "platform/compiler/lowering/operators.h"
#include "platform/network/half.h"
#include "platform/network/network.h"

namespace bvp {

namespace {

/// What the inputs of the two transforms are multiplied by, and their sums at the end. The first two are powers of two,
/// so that they round nothing; the first one also takes the half of the separation.
struct Scales {
  u16 tokens, hidden, sum;
};

Scales scales_of(const RealFft& fft) {
  if (!fft.ortho) return {to_half(0.5), to_half(1), to_half(1)};
  const auto token_bits = static_cast<int>(log2_of(fft.token_points()));
  const int bits = token_bits + static_cast<int>(log2_of(fft.hidden_points()));
  return {to_half(std::ldexp(0.5, -(token_bits / 2))), to_half(std::ldexp(1.0, token_bits / 2 - bits / 2)),
          to_half(bits % 2 == 0 ? 1.0 : std::sqrt(0.5))};
}

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
class ColumnTask {
 public:
  ColumnTask(const TaskPlanner& plan, const RealFft& fft, const FftInput& x) : plan_(plan), fft_(fft), x_(x) {}

  /// @param spectrum  SpectrumPlaces or ResidentSpectrum
  template <class Spectrum>
  [[nodiscard]] TaskBuilder make(u32 width, const Spectrum& spectrum) const {
    const u32 lanes = plan_.target().lanes;
    const u32 count = (half_panels() + width - 1) / width, tail = half_panels() - (count - 1) * width;
    TaskBuilder task(plan_.target(), fft_.along_tokens, fft_.layer, {count, static_cast<u32>(fft_.batch), 1},
                     width * lanes, tail * lanes);
    const auto points = static_cast<u32>(fft_.token_points()), rows = static_cast<u32>(fft_.tokens);
    const u32 part_rows = static_cast<u32>(plan_.padded(fft_.spectrum_rows()));
    // The columns and then, in the same buffers, the real and the imaginary part of their spectra.
    const auto buffer = [&](u32 of_rows) { return task.buffer(u64{width} * lanes, of_rows); };
    const std::array<TileBuffer, 2> columns{buffer(std::max(points, 2 * part_rows)),
                                            buffer(std::max(points, 2 * part_rows))};
    const std::array<TileBuffer, 2> transformed{buffer(points), buffer(points)};
    std::array<TileBuffer, 2> input = columns;
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
    op.points = points;
    op.along_rows = true;
    op.ortho = false;
    op.scale = scales_of(fft_).tokens;
    op.rows = in_every_tile(points);
    op.columns = KernelResult::Extent{u64{width} * lanes, u64{half_panels()} * lanes, 0};
    op.groups = width;
    op.tail_groups = tail;
    add_fft(task, plan_.kernels(), op, input[0], input[1], columns[0], columns[1], transformed[0], transformed[1]);
    separate(task, transformed, parts(task, spectrum, columns, part_rows, width, tail), *op.columns, width, tail);
    return task;
  }

  /// The panels of a strip of each half that cost least; 0: no strip fits.
  template <class Spectrum>
  [[nodiscard]] u32 best_width(const Spectrum& spectrum) const {
    const auto best = plan_.best_strip(half_panels(), [&](u32 width) { return make(width, spectrum); });
    return best ? best->choice : 0;
  }

 private:
  using Parts = std::array<TileBuffer, 4>;  // in the order of the separation's registers

  [[nodiscard]] u32 half_panels() const { return static_cast<u32>(fft_.hidden / plan_.target().lanes / 2); }
  /// The place from the first column of a half of the panels on.
  [[nodiscard]] MatrixPlace of_half(MatrixPlace place, std::size_t half) const {
    place.address += half * half_panels() * plan_.target().vector_bytes();
    return place;
  }
  [[nodiscard]] TileStrides strides(const MatrixPlace& place, u32 width, u64 rows) const {
    return {i64{width} * plan_.target().vector_bytes(), static_cast<i64>(rows * place.pitch), 0};
  }

  [[nodiscard]] Parts parts(TaskBuilder& task, const SpectrumPlaces& spectrum, const std::array<TileBuffer, 2>& columns,
                            u32 part_rows, u32 width, u32 tail) const {
    Parts result;
    for (std::size_t i = 0; i < 4; ++i) {
      result[i] = columns[i / 2];
      if (i % 2 == 1) result[i].offset += part_rows * result[i].layout.row_bytes();
      const MatrixPlace& place = i % 2 == 0 ? spectrum.re : spectrum.im;
      task.store_strip(of_half(place, i / 2), result[i], static_cast<u32>(fft_.spectrum_rows()), width, tail,
                       strides(place, width, fft_.spectrum_rows()));
    }
    return result;
  }
  [[nodiscard]] Parts parts(TaskBuilder& task, const ResidentSpectrum& spectrum, const std::array<TileBuffer, 2>&, u32,
                            u32 width, u32) const {
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

  void separate(TaskBuilder& task, const std::array<TileBuffer, 2>& transformed, const Parts& results,
                const KernelResult::Extent& columns, u32 width, u32 tail) const {
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
};

/// A part of the half spectrum's rows. The first `mirrored` of them also make a mirrored row of the result each.
struct RowRange {
  u64 first = 0, count = 0, mirrored = 0;
};

/// Transforms rows of the half spectrum; lanes run over rows. Row i is row half - i of the result, and with its columns
/// mirrored it is row half + i.
class RowTask {
 public:
  RowTask(const TaskPlanner& plan, const RealFft& fft, const MatrixPlace& mixed)
      : plan_(plan), fft_(fft), mixed_(mixed) {}

  /// One range if the rows that are mirrored fill all tiles but the last one, otherwise two: a DMA transfer can be
  /// shorter in the last tile alone.
  [[nodiscard]] std::vector<RowRange> ranges() const {
    const u64 rows = fft_.spectrum_rows(), mirrored = fft_.tokens - fft_.token_points() / 2;
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

  template <class Spectrum>
  [[nodiscard]] TaskBuilder make(const RowRange& range, const Spectrum& spectrum, const Tiling& tiling) const {
    const u64 points = fft_.hidden_points(), hidden = fft_.hidden, half = fft_.token_points() / 2;
    TaskBuilder task(plan_.target(), fft_.along_hidden, fft_.layer, tiling.tiles, tiling.rows, tiling.tail_rows);
    const Planes planes = load(task, range, spectrum, tiling);
    const TileBuffer result = task.buffer(points);

    FftOperator op;
    op.name = fft_.along_hidden;
    op.points = points;
    op.ortho = false;
    op.scale = scales_of(fft_).hidden;
    op.real_output = true;
    op.groups = task.groups();
    op.tail_groups = task.tail_groups();
    add_fft(task, plan_.kernels(), op, planes.re, planes.im, planes.re, planes.im, result, result);

    const auto strides = [&](i64 direction) {
      return TileStrides{direction * static_cast<i64>(mixed_.pitch) * tiling.rows,
                         static_cast<i64>(mixed_.pitch * fft_.tokens), 0};
    };
    if (range.mirrored > 0) {
      // The planes are not needed any more.
      const TileBuffer mirror = planes.re.resident ? task.buffer(hidden) : planes.re;
      const u64 before = u64{tiling.rows} * (tiling.tiles[0] - 1);
      const auto tail = static_cast<u32>(range.mirrored - std::min(range.mirrored, before));
      add_mirror(task, result, mirror, {tiling.rows, range.mirrored, 0});
      MatrixPlace rising = mixed_;
      rising.address += (half + range.first) * mixed_.pitch;
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
};

template <class Spectrum>
std::optional<Tasks> tasks_of(const TaskPlanner& plan, const RealFft& fft, const Spectrum& spectrum, const Shape& shape,
                              const FftInput& x, const MatrixPlace& mixed) {
  try {
    Tasks tasks;
    const ColumnTask columns(plan, fft, x);
    const u32 width = plan.once(plan.decisions().strips, shape, [&] { return columns.best_width(spectrum); });
    if (width == 0) return std::nullopt;
    tasks.push_back(columns.make(width, spectrum));
    const RowTask rows(plan, fft, mixed);
    for (const RowRange& range : rows.ranges()) {
      Shape of_range = shape;
      of_range.add(range.first, range.count, range.mirrored);
      tasks.push_back(
          plan.best_task(range.count, {static_cast<u32>(fft.batch), 1}, of_range, rows.maker(range, spectrum)));
    }
    return tasks;
  } catch (const CompileError&) {
    return std::nullopt;
  }
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
  return tasks_of(plan, fft, spectrum, shape, x, mixed);
}

}  // namespace

u64 RealFft::token_points() const { return std::max<u64>(2, next_power_of_two(tokens)); }
u64 RealFft::hidden_points() const { return std::max<u64>(2, next_power_of_two(hidden)); }

bool has_real_form(const CompilerTarget& target, const RealFft& fft) {
  return target.fft != FftChoice::complex && target.column_access && fft.hidden % (2 * u64{target.lanes}) == 0 &&
         fft.tokens >= 3;
}

u16 real_fft_scale(const RealFft& fft) { return scales_of(fft).sum; }

std::optional<Tasks> real_fft(const TaskPlanner& plan, DramPlan& dram, const RealFft& fft, const FftInput& x,
                              const MatrixPlace& mixed) {
  const u64 rows = fft.batch * fft.spectrum_rows();
  const SpectrumPlaces spectrum{dram.matrix(rows, fft.hidden), dram.matrix(rows, fft.hidden)};
  return tasks_of(plan, fft, spectrum, shape_of("real_fft", fft, x, mixed), x, mixed);
}

std::optional<Tasks> resident_real_fft(const TaskPlanner& plan, const RealFft& fft, const FftInput& x,
                                       const MatrixPlace& mixed) {
  if (fft.batch > 1) return std::nullopt;
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

}  // namespace bvp
