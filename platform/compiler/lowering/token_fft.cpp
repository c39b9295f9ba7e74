// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/lowering/token_fft.h"

#include <fmt/format.h>

#include <algorithm>

#include "platform/compiler/lowering/long_butterfly.h"
#include "platform/compiler/lowering/operators.h"
#include "platform/network/network.h"

namespace bvp {

namespace {

/// A transform of one point is padded to two points; its scale stays 1.
bool is_scaled(const TokenFft& fft) { return fft.ortho && fft.tokens > 1; }

/// Computes the transform in passes over DRAM, for one batch element.
class LongTokenFft {
 public:
  LongTokenFft(const TaskPlanner& plan, const TokenFft& fft, const MatrixPlace& re, const MatrixPlace& im,
               const MatrixPlace& residual, const MatrixPlace& mixed)
      : plan_(plan),
        fft_(fft),
        re_(re),
        im_(im),
        residual_(residual),
        mixed_(mixed),
        points_(std::max<u64>(2, next_power_of_two(fft.tokens))),
        butterfly_(long_fft(plan.target(), fft.name, log2_of(points_), is_scaled(fft))) {
    butterfly_.layer = fft.layer;
    butterfly_.along_rows = true;
    butterfly_.others = plan.padded(mixed.columns);
    butterfly_.real_output = true;
    if (fft.scale) butterfly_.scale = fft.scale;
    butterfly_.residual_factor = fft.residual_factor;
  }

  [[nodiscard]] u64 expected_cost() {
    if (points_ < 4 && !plan_.may_pack()) return long_butterfly_impossible;
    LongButterflyPlaces places;
    places.input_re = re_;
    places.input_im = im_;
    places.residual = residual_;
    places.output_re = places.output_im = mixed_;
    const u64 cost = long_butterfly_cost(plan_, butterfly_, places);
    return cost > long_butterfly_impossible / fft_.batch ? long_butterfly_impossible : cost * fft_.batch;
  }

  [[nodiscard]] Tasks make(DramPlan& dram, u64 element) {
    Tasks tasks;
    const bool padded = points_ != fft_.tokens;
    LongButterflyPlaces places;
    places.input_re = input(tasks, dram, re_, element, true);
    places.input_im = input(tasks, dram, im_, element, true);
    places.residual = input(tasks, dram, residual_, element, false);
    places.output_re = padded ? dram.matrix(points_, mixed_.columns) : of_element(mixed_, element);
    places.output_im = places.output_re;
    append(tasks, long_butterfly(plan_, dram, butterfly_, places));
    if (!padded) return tasks;
    MatrixPlace result = places.output_re;
    result.rows = fft_.tokens;
    tasks.push_back(copy_task(plan_.target(), fft_.name + ".cut", fft_.layer, result, mixed_.columns,
                              of_element(mixed_, element), 0));
    return tasks;
  }

 private:
  [[nodiscard]] MatrixPlace of_element(MatrixPlace place, u64 element) const {
    place.address += element * fft_.tokens * place.pitch;
    place.rows = fft_.tokens;
    return place;
  }

  /// A matrix that has rows for all points.
  MatrixPlace input(Tasks& tasks, DramPlan& dram, const MatrixPlace& place, u64 element, bool zeros) const {
    const MatrixPlace own = of_element(place, element);
    if (points_ == fft_.tokens) return own;
    const MatrixPlace whole = dram.matrix(points_, place.columns);
    const std::string name = fft_.name + ".pad";
    tasks.push_back(copy_task(plan_.target(), name, fft_.layer, own, plan_.padded(mixed_.columns), whole, 0));
    if (zeros) tasks.push_back(zero_rows_task(plan_.target(), name, fft_.layer, whole, fft_.tokens, points_));
    return whole;
  }

  const TaskPlanner& plan_;
  const TokenFft& fft_;
  const MatrixPlace &re_, &im_, &residual_, &mixed_;
  const u64 points_;
  LongButterfly butterfly_;
};

/// The planes of a strip.
struct Planes {
  TileBuffer re, im;
};

/// A task over strips of whole columns; lanes run over columns.
class StripTask {
 public:
  StripTask(const TaskPlanner& plan, const TokenFft& fft, const MatrixPlace& residual, const MatrixPlace& mixed)
      : plan_(plan), fft_(fft), residual_(residual), mixed_(mixed) {}

  [[nodiscard]] u32 panels() const { return static_cast<u32>(plan_.padded(mixed_.columns) / plan_.target().lanes); }
  [[nodiscard]] u32 rows() const { return static_cast<u32>(fft_.tokens); }
  [[nodiscard]] u32 points() const { return static_cast<u32>(std::max<u64>(2, next_power_of_two(fft_.tokens))); }

  /// @param width   panels of a strip
  /// @param planes  gives the task the planes of its strips: (task, width, panels of the last strip)
  template <class MakePlanes>
  [[nodiscard]] TaskBuilder make(u32 width, const MakePlanes& planes) const {
    const u32 lanes = plan_.target().lanes;
    const u32 count = (panels() + width - 1) / width, tail = panels() - (count - 1) * width;
    TaskBuilder task(plan_.target(), fft_.name, fft_.layer, {count, static_cast<u32>(fft_.batch), 1}, width * lanes,
                     tail * lanes);
    const Planes in = planes(task, width, tail);
    // The result overwrites the residual.
    const TileBuffer out = task.buffer(u64{width} * lanes, points());
    task.load_strip(residual_, out, rows(), width, tail, strides(residual_, width));
    zero(task, in.re, width, tail);
    zero(task, in.im, width, tail);
    FftOperator op;
    op.name = fft_.name;
    op.points = points();
    op.along_rows = true;
    op.ortho = is_scaled(fft_);
    op.scale = fft_.scale;
    op.real_output = true;
    op.residual = out;
    op.residual_factor = fft_.residual_factor;
    op.rows = in_every_tile(fft_.tokens);
    op.columns = KernelResult::Extent{u64{width} * lanes, mixed_.columns, 0};
    op.groups = width;
    op.tail_groups = tail;
    add_fft(task, plan_.kernels(), op, in.re, in.im, in.re, in.im, out, out);
    task.store_strip(mixed_, out, rows(), width, tail, strides(mixed_, width));
    return task;
  }
  [[nodiscard]] TileStrides strides(const MatrixPlace& place, u32 width) const {
    return {i64{width} * plan_.target().vector_bytes(), static_cast<i64>(fft_.tokens * place.pitch), 0};
  }

  /// The width that costs least.
  template <class MakePlanes>
  [[nodiscard]] std::optional<Decision<u32>> best(const MakePlanes& planes) const {
    return plan_.best_strip(panels(), [&](u32 width) { return make(width, planes); });
  }
  [[nodiscard]] Shape shape(const char* kind) const {
    return Shape(kind).add(fft_.tokens, fft_.batch, is_scaled(fft_), mixed_.columns, residual_.pitch, mixed_.pitch);
  }

 private:
  /// Rows beyond the tokens are zeros.
  void zero(TaskBuilder& task, const TileBuffer& plane, u32 width, u32 tail) const {
    if (plane.resident) {
      task.zero_resident_rows(plane, rows(), points(), width, tail);
    } else {
      task.zero_rows(plane, rows(), points());
    }
  }

  const TaskPlanner& plan_;
  const TokenFft& fft_;
  const MatrixPlace &residual_, &mixed_;
};

}  // namespace

Tasks token_fft(const TaskPlanner& plan, DramPlan& dram, const TokenFft& fft, const MatrixPlace& re,
                const MatrixPlace& im, const MatrixPlace& residual, const MatrixPlace& mixed) {
  const StripTask strips(plan, fft, residual, mixed);
  const auto planes = [&](TaskBuilder& task, u32 width, u32 tail) {
    const auto buffer = [&] { return task.buffer(u64{width} * plan.target().lanes, strips.points()); };
    const TileBuffer in_re = buffer(), in_im = buffer();
    task.load_strip(re, in_re, strips.rows(), width, tail, strips.strides(re, width));
    task.load_strip(im, in_im, strips.rows(), width, tail, strips.strides(im, width));
    return Planes{in_re, in_im};
  };
  LongTokenFft in_passes(plan, fft, re, im, residual, mixed);
  // The panels of a strip, or 0: the transform takes passes.
  const Shape shape = strips.shape("token_fft").add(re.pitch, im.pitch);
  const u32 width = plan.once(plan.decisions().strips, shape, [&] {
    const auto best = strips.best(planes);
    // Narrow strips make short DMA bursts, so passes with wider tiles may be better.
    if (!best) return u32{0};
    const bool narrow = best->choice < strips.panels();
    return narrow && in_passes.expected_cost() < best->cost ? 0 : best->choice;
  });
  Tasks tasks;
  if (width > 0) {
    tasks.push_back(strips.make(width, planes));
    return tasks;
  }
  for (u64 element = 0; element < fft.batch; ++element) append(tasks, in_passes.make(dram, element));
  return tasks;
}

Tasks resident_token_fft(const TaskPlanner& plan, const TokenFft& fft, const std::array<ResidentMatrix, 2>& planes,
                         u64 resident_bytes, const MatrixPlace& residual, const MatrixPlace& mixed) {
  const StripTask strips(plan, fft, residual, mixed);
  const auto parts = [&](TaskBuilder& task, u32 width, u32) {
    task.set_resident_bytes(resident_bytes);
    const auto part = [&](const ResidentMatrix& matrix) {
      const PanelLayout& layout = matrix.layout;
      const TileStrides to_next{i64{width} * layout.panel_bytes(), static_cast<i64>(fft.tokens * layout.row_bytes()),
                                0};
      return TileBuffer{matrix.offset, width * layout.lanes, layout, true, to_next};
    };
    return Planes{part(planes[0]), part(planes[1])};
  };
  const Shape shape = strips.shape("resident_token_fft").add(resident_bytes, planes[0].offset, planes[1].offset);
  const u32 width = plan.once(plan.decisions().strips, shape, [&] {
    const auto best = strips.best(parts);
    return best ? best->choice : 0;
  });
  if (width == 0) throw plan.does_not_fit(strips.make(1, parts));
  Tasks tasks;
  tasks.push_back(strips.make(width, parts));
  return tasks;
}

}  // namespace bvp
