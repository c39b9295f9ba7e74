// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/kernels/row_kernels.h"

#include <algorithm>
#include <cmath>

#include "platform/compiler/kernels/merge_kernel.h"
#include "platform/compiler/kernels/row_passes.h"
#include "platform/compiler/kernels/streams.h"
#include "platform/network/half.h"
#include "platform/network/network.h"

namespace bvp {

namespace {

/// Adds a segment that clears the parts of a sum; returns its number.
u16 add_clear(KernelBuilder& builder, unsigned tag, const Stream& sum, u32 parts) {
  SegmentBuilder clear(builder, Unit::cal, 1, tag, {parts});
  clear.azero(clear.at(sum, {1}));
  return clear.finish();
}

}  // namespace

std::vector<u16> layer_norm_constants(u32 lanes, u32 columns, double epsilon) {
  const FloatHalves share = float_halves(1.0 / columns), root = float_halves(std::sqrt(static_cast<double>(columns)));
  std::vector<u16> words{share.low, share.high, root.low, root.high};
  pad_to_vector(words, lanes);
  const FloatHalves offset = float_halves(columns * epsilon);
  words.insert(words.end(), lanes, offset.low);
  words.insert(words.end(), lanes, offset.high);
  return words;
}

u32 layer_norm_offset_vector(u32 lanes) {
  constexpr std::size_t scalars = 4;
  return vectors_of(scalars, lanes);
}

namespace layer_norm_code {

void mean(SegmentBuilder& segment, SegmentOperand sum, SegmentOperand scalars) {
  segment.ascale(sum, sum, scalars, scalars + 1);
}

void deviation(SegmentBuilder& segment, SegmentOperand squares, SegmentOperand offset, SegmentOperand scalars) {
  segment.ajoin(squares, offset, offset + 1);
  segment.arsqrt(squares, squares);
  segment.ascale(squares, squares, scalars + 2, scalars + 3);
}

}  // namespace layer_norm_code

unsigned softmax_power(u64 keys) {
  unsigned power = 0;
  while ((keys >> power) > (u64{1} << 14)) ++power;
  return power;
}

std::vector<u16> softmax_constants(u32 lanes, unsigned power) {
  constexpr u16 minus_infinity = 0xfc00;
  std::vector<u16> words(lanes, minus_infinity);
  if (power > 0) words.resize(std::size_t{2} * lanes, to_half(std::ldexp(1.0, -static_cast<int>(power))));
  return words;
}

void round_total(SegmentBuilder& segment, SegmentOperand total, SegmentOperand sum, const Stream& scalar,
                 unsigned power) {
  if (power == 0) {
    segment.around(total, sum);
  } else {
    segment.amuls(total, sum, segment.at(scalar));
  }
}

namespace {

/// The sum of a row becomes its mean.
u16 add_mean(KernelBuilder& builder, const Stream& sum, const Stream& scalars) {
  SegmentBuilder segment(builder, Unit::cal, 1, 2);
  const auto of = segment.at(sum);
  layer_norm_code::mean(segment, of, segment.at(scalars));
  return segment.finish();
}

/// The squares of a row become the reciprocal of its deviation.
u16 add_deviation(KernelBuilder& builder, const Stream& squares, const Stream& offset, const Stream& scalars) {
  SegmentBuilder segment(builder, Unit::cal, 1, 5);
  const auto of = segment.at(squares), offset_vector = segment.at(offset);
  layer_norm_code::deviation(segment, of, offset_vector, segment.at(scalars));
  return segment.finish();
}

}  // namespace

RowKernel make_layer_norm_kernel(const CompilerTarget& target, const LayerNormSpec& spec, u32 groups) {
  const u32 lanes = target.lanes;
  RowPasses passes(target, spec.input, spec.columns, groups, layer_norm_register::input);
  KernelBuilder& builder = passes.builder();

  RowKernel result;
  result.sharing = passes.sharing();
  result.exchange_cycles = row_exchange_cycles(result.sharing);
  result.weights = layer_norm_constants(lanes, spec.columns, spec.epsilon);
  const auto constant_vectors = static_cast<u32>(result.weights.size() / lanes);
  const auto scalars_at = static_cast<i32>(result.weights.size() * 2);
  const u32 span = passes.scalar_span();
  result.counts = {std::max(1u, passes.panels()), 1, 1};

  const u32 constant_slots = builder.allocate_vectors(constant_vectors);
  const u16 constants = passes.add_constants(layer_norm_register::weights, constant_slots, constant_vectors);
  const Stream scalar = stream_at(static_cast<i32>(constant_slots * lanes));
  const Stream offset = stream_at(static_cast<i32>(constant_slots + layer_norm_offset_vector(lanes)));
  const u32 parts = passes.parts();
  const u32 sets = target.accumulators >= 4 * parts ? target.in_flight(2) : 1;
  const Stream sum = rotating(builder.allocate_accumulators(sets * parts), 1, sets, parts);
  const Stream squares = rotating(builder.allocate_accumulators(sets * parts), 1, sets, parts);
  // Part 0 of a sum becomes the row's mean, part 0 of the squares the reciprocal of its deviation; both stay in fp32.
  const Stream &mean = sum, &deviation = squares;
  const u32 scalar_vectors = vectors_of(2 * std::size_t{span}, lanes);
  const u32 totals = 2 * (parts > 1 ? parts : 0) + 8 * log2_of(passes.sharing());
  const u32 depth = passes.choose_depth(3 * passes.span() + scalar_vectors, totals);

  const u16 zero_sum = add_clear(builder, 0, sum, parts);
  const auto summing = passes.add(1, {sum_columns(sum)}, depth, {}, {});
  passes.order(zero_sum, summing, {});
  const u16 sum_done = passes.add_total(2, sum, summing.last.back());
  const u16 make_mean = add_mean(builder, sum, scalar);
  builder.data(sum_done, make_mean);

  const u16 zero_squares = add_clear(builder, 3, squares, parts);
  const auto squaring = passes.add(4, sum_squares(mean, squares), depth, {}, {});
  passes.order(zero_squares, squaring, {});
  passes.order(make_mean, squaring, {});
  const u16 squares_done = passes.add_total(5, squares, squaring.last.back());
  const u16 make_deviation = add_deviation(builder, squares, offset, scalar);
  builder.data(squares_done, make_deviation);

  const auto scaling = passes.add(6, {scale_columns(mean, deviation, span)}, depth,
                                  RowPasses::Scalars{layer_norm_register::weights, scalars_at, scalar_vectors},
                                  RowPasses::Destination{layer_norm_register::output, spec.output});
  passes.order(make_deviation, scaling, {});

  builder.data(constants, make_mean);
  const u16 last = scaling.last.back();
  builder.space(last, zero_sum, sets);
  builder.space(last, zero_squares, sets);
  builder.space(last, constants, 1);
  result.kernel = builder.finish();
  return result;
}

namespace {

struct SoftmaxSums {
  const Stream &sum, &total, &reciprocal;
};

/// The sum of a row becomes its total in fp16 and the reciprocal of that. @param sum_done  the segment that ends the
/// sum
u16 add_inverse(KernelBuilder& builder, const SoftmaxSpec& spec, u32 lanes, const SoftmaxSums& sums, u16 sum_done) {
  const Stream scalar = stream_at(spec.power > 0 ? static_cast<i32>(builder.allocate_vectors(1) * lanes) : 0);
  SegmentBuilder segment(builder, Unit::cal, 1, 4);
  const auto reciprocal = segment.at(sums.reciprocal), exponentials = segment.at(sums.sum);
  const auto rounded = segment.at(sums.total);
  round_total(segment, rounded, exponentials, scalar, spec.power);
  segment.rcp(reciprocal, rounded);
  const u16 invert = segment.finish();
  builder.data(sum_done, invert);
  if (spec.power == 0) return invert;
  const Stream slot = stream_at(scalar.base / static_cast<i32>(lanes));
  const auto power_at = static_cast<i32>(softmax_constant::power_vector * lanes * 2);
  const u16 constants = add_load(builder, 0, 0, {}, {slot, {}}, {row_stream(softmax_register::weights, power_at), {}});
  builder.data(constants, invert);
  builder.space(invert, constants, 1);
  return invert;
}

/// Where a value of each row goes that a later kernel needs.
Stream softmax_column_stream(const SoftmaxSpec& spec, u32 column, u32 lanes) {
  Stream memory = column_stream(softmax_register::reciprocal, spec.reciprocal_layout);
  const VectorWalk walk = spec.reciprocal_layout.by_column();
  memory.base += static_cast<i32>(column / lanes) * walk.panel + static_cast<i32>(column % lanes) * walk.step;
  return memory;
}

}  // namespace

RowKernel make_softmax_kernel(const CompilerTarget& target, const SoftmaxSpec& spec, u32 groups) {
  const u32 lanes = target.lanes;
  RowPasses passes(target, spec.layout, spec.columns, groups, softmax_register::scores);
  KernelBuilder& builder = passes.builder();

  RowKernel result;
  result.sharing = passes.sharing();
  result.exchange_cycles = row_exchange_cycles(result.sharing);
  result.weights = softmax_constants(lanes, spec.power);
  result.counts = {std::max(1u, passes.panels()), 1, 1};

  const u32 rows_in_flight = target.in_flight(2);
  const u32 parts = passes.parts();
  const Stream maxima = rotating(builder.allocate_vectors(rows_in_flight * parts), 1, rows_in_flight, parts);
  const Stream reciprocal = rotating(builder.allocate_vectors(rows_in_flight), 1, rows_in_flight, 1);
  const Stream total =
      spec.for_merge ? rotating(builder.allocate_vectors(rows_in_flight), 1, rows_in_flight, 1) : reciprocal;
  const u32 sets = target.accumulators >= 2 * parts ? rows_in_flight : 1;
  const Stream sum = rotating(builder.allocate_accumulators(sets * parts), 1, sets, parts);
  const u32 totals = (parts > 1 ? parts : 0) + 5 * log2_of(passes.sharing());
  const u32 depth = passes.choose_depth(2 * passes.span(), totals);

  const u16 start = add_load(builder, 1, 0, {parts}, {maxima, {1}}, {row_stream(softmax_register::weights), {}});
  const auto searching = passes.add(1, {find_maxima(maxima)}, depth, {}, {});
  passes.order(start, searching, {});
  const u16 maximum_found = passes.add_maximum(2, maxima, searching.last.back());

  const u16 zero_sum = add_clear(builder, 2, sum, parts);
  const auto summing =
      passes.add(3, sum_exponentials(maxima, sum), depth, {}, passes.like_input(softmax_register::scores));
  passes.order(zero_sum, summing, {});
  builder.data(maximum_found, zero_sum);
  const u16 sum_done = passes.add_total(4, sum, summing.last.back());
  const u16 invert = add_inverse(builder, spec, lanes, {sum, total, reciprocal}, sum_done);
  // All PEs that share the rows have these values; all of them store them.
  const auto store_column = [&](u32 column, const Stream& value) {
    const u16 store = add_store(builder, 1, 4, {}, {value, {}}, {softmax_column_stream(spec, column, lanes), {}});
    builder.data(invert, store);
    builder.space(store, invert, rows_in_flight);
    return store;
  };
  store_column(softmax_column::reciprocal, reciprocal);
  if (spec.for_merge) {
    store_column(softmax_column::sum, total);
    builder.space(store_column(softmax_column::maximum, maxima), start, rows_in_flight);
  }
  builder.space(invert, zero_sum, sets);
  builder.space(summing.last.back(), start, rows_in_flight);
  result.kernel = builder.finish();
  return result;
}

}  // namespace bvp
