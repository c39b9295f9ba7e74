// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/token_fft.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "platform/compiler/long_butterfly.h"
#include "platform/compiler/operators.h"
#include "platform/network/network.h"

namespace bvp {

namespace {

/// In passes over DRAM, for one batch element.
void add_long_token_fft(Plan& plan, const TokenFft& fft, u64 element, const MatrixPlace& re, const MatrixPlace& im,
                        const MatrixPlace& residual, const MatrixPlace& mixed) {
  const u64 points = next_power_of_two(fft.tokens);
  const bool padded = points != fft.tokens;
  const auto own = [&](MatrixPlace place) {
    place.address += element * fft.tokens * place.pitch;
    place.rows = fft.tokens;
    return place;
  };
  const auto input = [&](const MatrixPlace& place, bool zeros) {
    if (!padded) return own(place);
    const MatrixPlace whole = plan.matrix(points, place.columns);
    add_copy(plan, fft.name + ".pad", fft.layer, own(place), plan.padded(mixed.columns), whole, 0);
    if (zeros) add_zero_rows(plan, fft.name + ".pad", fft.layer, whole, fft.tokens, points);
    return whole;
  };
  LongButterfly butterfly = long_fft(fft.name, log2_of(points), fft.ortho);
  butterfly.layer = fft.layer;
  butterfly.along_rows = true;
  butterfly.others = plan.padded(mixed.columns);
  butterfly.real_output = true;
  LongButterflyPlaces places;
  places.input_re = input(re, true);
  places.input_im = input(im, true);
  places.residual = input(residual, false);
  places.output_re = places.output_im = padded ? plan.matrix(points, mixed.columns) : own(mixed);
  add_long_butterfly(plan, butterfly, places);
  if (!padded) return;
  MatrixPlace result = places.output_re;
  result.rows = fft.tokens;
  add_copy(plan, fft.name + ".cut", fft.layer, result, mixed.columns, own(mixed), 0);
}

}  // namespace

void add_token_fft(Plan& plan, const TokenFft& fft, const MatrixPlace& re, const MatrixPlace& im,
                   const MatrixPlace& residual, const MatrixPlace& mixed) {
  const CompilerTarget& target = plan.target();
  const u32 lanes = target.lanes;
  const auto panels = static_cast<u32>(plan.padded(mixed.columns) / lanes);
  const auto rows = static_cast<u32>(fft.tokens);
  const auto points = static_cast<u32>(std::max<u64>(2, next_power_of_two(fft.tokens)));

  // Strips of whole columns; lanes run over columns.
  const auto make_strip = [&](u32 width, bool measuring) {
    const u32 count = (panels + width - 1) / width, tail = panels - (count - 1) * width;
    TaskBuilder task(target, fft.name, fft.layer, {count, static_cast<u32>(fft.batch), 1}, width * lanes, tail * lanes,
                     measuring);
    const auto buffer = [&] { return task.buffer(u64{width} * lanes, points); };
    // The result takes the residual's place.
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
    op.ortho = fft.ortho && fft.tokens > 1;  // a transform of one point is padded to two, its scale stays 1
    op.real_output = true;
    op.residual = out;
    op.groups = width;
    op.tail_groups = tail;
    add_fft(task, target, op, in_re, in_im, in_re, in_im, out, out);
    task.store_strip(mixed, out, rows, width, tail, strides(mixed));
    return task;
  };
  u32 best_width = 0;
  u64 best_cycles = std::numeric_limits<u64>::max();
  for (u32 width = 1; width <= panels; ++width) {
    const TaskBuilder task = make_strip(width, true);
    if (!plan.fits(task)) break;
    const u64 cycles = plan.cycles(task);
    if (cycles >= best_cycles) continue;
    best_cycles = cycles;
    best_width = width;
  }
  if (best_width == 0) {
    for (u64 element = 0; element < fft.batch; ++element) add_long_token_fft(plan, fft, element, re, im, residual, mixed);
    return;
  }
  plan.add_task(make_strip(best_width, false));
}

}  // namespace bvp
