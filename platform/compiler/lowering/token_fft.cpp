// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/lowering/token_fft.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

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
        butterfly_(long_fft(fft.name, log2_of(points_), is_scaled(fft))) {
    butterfly_.layer = fft.layer;
    butterfly_.along_rows = true;
    butterfly_.others = plan.padded(mixed.columns);
    butterfly_.real_output = true;
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

}  // namespace

Tasks token_fft(const TaskPlanner& plan, DramPlan& dram, const TokenFft& fft, const MatrixPlace& re,
                const MatrixPlace& im, const MatrixPlace& residual, const MatrixPlace& mixed) {
  const CompilerTarget& target = plan.target();
  const u32 lanes = target.lanes;
  const auto panels = static_cast<u32>(plan.padded(mixed.columns) / lanes);
  const auto rows = static_cast<u32>(fft.tokens);
  const auto points = static_cast<u32>(std::max<u64>(2, next_power_of_two(fft.tokens)));

  // Takes strips of whole columns; lanes run over columns.
  const auto make_strip = [&](u32 width) {
    const u32 count = (panels + width - 1) / width, tail = panels - (count - 1) * width;
    TaskBuilder task(target, fft.name, fft.layer, {count, static_cast<u32>(fft.batch), 1}, width * lanes, tail * lanes);
    const auto buffer = [&] { return task.buffer(u64{width} * lanes, points); };
    // The result overwrites the residual.
    const TileBuffer in_re = buffer(), in_im = buffer(), out = buffer();
    const auto strides = [&](const MatrixPlace& place) {
      return TileStrides{i64{width} * lanes * 2, static_cast<i64>(fft.tokens * place.pitch), 0};
    };
    task.load_strip(re, in_re, rows, width, tail, strides(re));
    task.load_strip(im, in_im, rows, width, tail, strides(im));
    task.load_strip(residual, out, rows, width, tail, strides(residual));
    task.zero_rows(in_re, rows, points);
    task.zero_rows(in_im, rows, points);
    FftOperator op;
    op.name = fft.name;
    op.points = points;
    op.along_rows = true;
    op.ortho = is_scaled(fft);
    op.real_output = true;
    op.residual = out;
    op.rows = in_every_tile(fft.tokens);
    op.columns = KernelResult::Extent{u64{width} * lanes, mixed.columns, 0};
    op.groups = width;
    op.tail_groups = tail;
    add_fft(task, plan.kernels(), op, in_re, in_im, in_re, in_im, out, out);
    task.store_strip(mixed, out, rows, width, tail, strides(mixed));
    return task;
  };
  LongTokenFft in_passes(plan, fft, re, im, residual, mixed);
  Shape shape("token_fft");
  shape.add(fft.tokens, fft.batch, is_scaled(fft), mixed.columns, re.pitch, im.pitch, residual.pitch, mixed.pitch);
  // The panels of a strip, or 0: the transform takes passes.
  const u32 best_width = plan.once(plan.decisions().strips, shape, [&] {
    u32 best = 0;
    u64 best_cost = std::numeric_limits<u64>::max();
    for (u32 width = 1; width <= panels; ++width) {
      const TaskBuilder task = make_strip(width);
      if (!plan.fits(task)) break;
      const u64 cost = plan.cost(task);
      if (cost >= best_cost) continue;
      best_cost = cost;
      best = width;
    }
    // Narrow strips make short DMA bursts, so passes with wider tiles may be better.
    return best == 0 || (best < panels && in_passes.expected_cost() < best_cost) ? 0 : best;
  });
  Tasks tasks;
  if (best_width > 0) {
    tasks.push_back(make_strip(best_width));
    return tasks;
  }
  for (u64 element = 0; element < fft.batch; ++element) append(tasks, in_passes.make(dram, element));
  return tasks;
}

}  // namespace bvp
