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

constexpr EdgeKind data = EdgeKind::data;
constexpr EdgeKind space = EdgeKind::space;

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

Instruction mean() { return {Opcode::ascale, {0, 0}, {0, 0}, {1, 0}, {1, 1}}; }

std::vector<Instruction> deviation() {
  return {{Opcode::ajoin, {0, 0}, {1, 0}, {1, 1}, {}},
          {Opcode::arsqrt, {0, 0}, {0, 0}, {}, {}},
          {Opcode::ascale, {0, 0}, {0, 0}, {2, 2}, {2, 3}}};
}

std::vector<Instruction> scale(u32 span) {
  return {{Opcode::asub, {0, 0}, {1, 0}, {0, 0}, {}},
          {Opcode::amul, {0, 0}, {2, 0}, {0, 0}, {}},
          {Opcode::fmass, {0, 0}, {0, 0}, {3, 0}, {3, static_cast<u16>(span)}}};
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

Instruction rounded_total(Operand total, Operand sum, Operand scalar, unsigned power) {
  if (power == 0) return {Opcode::around, total, sum, {}, {}};
  return {Opcode::amuls, total, sum, scalar, {}};
}

RowKernel make_layer_norm_kernel(const CompilerTarget& target, const LayerNormSpec& spec, u32 groups) {
  const u32 lanes = target.lanes;
  RowPasses passes(target, spec.layout, spec.columns, groups, layer_norm_register::input);
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

  const Loop over_parts = trips(parts, {1, 0, 0, 0});
  const u16 zero_sum =
      builder.add(Unit::cal, 1, 0, {{Opcode::azero, {0, 0}, {}, {}, {}}}, {sum, {}, {}, {}}, {over_parts});
  const auto summing =
      passes.add(1, {{{{Opcode::aadd, {1, 0}, {0, 0}, {}, {}}}, {Stream{}, sum, {}, {}}, 1}}, depth, {}, {});
  passes.order(zero_sum, summing, {});
  const u16 sum_done = passes.add_total(2, sum, summing.last.back());
  const u16 make_mean = builder.add(Unit::cal, 1, 2, {layer_norm_code::mean()}, {sum, scalar, {}, {}}, {});
  builder.edge(sum_done, make_mean, data);

  const u16 zero_squares =
      builder.add(Unit::cal, 1, 3, {{Opcode::azero, {0, 0}, {}, {}, {}}}, {squares, {}, {}, {}}, {over_parts});
  const auto squaring = passes.add(4,
                                   {{{{Opcode::asub, {0, 0}, {1, 0}, {0, 0}, {}}}, {Stream{}, mean, {}, {}}, {}},
                                    {{{Opcode::amac, {2, 0}, {0, 0}, {0, 0}, {}}}, {Stream{}, {}, squares, {}}, 2}},
                                   depth, {}, {});
  passes.order(zero_squares, squaring, {});
  passes.order(make_mean, squaring, {});
  const u16 squares_done = passes.add_total(5, squares, squaring.last.back());
  const u16 make_deviation =
      builder.add(Unit::cal, 1, 5, layer_norm_code::deviation(), {squares, offset, scalar, {}}, {});
  builder.edge(squares_done, make_deviation, data);

  const auto scaling = passes.add(6, {{layer_norm_code::scale(span), {Stream{}, mean, deviation, {}}, {}}}, depth,
                                  RowPasses::Scalars{layer_norm_register::weights, scalars_at, scalar_vectors},
                                  layer_norm_register::output);
  passes.order(make_deviation, scaling, {});

  builder.edge(constants, make_mean, data);
  const u16 last = scaling.last.back();
  builder.edge(last, zero_sum, space, sets);
  builder.edge(last, zero_squares, space, sets);
  builder.edge(last, constants, space, 1);
  result.kernel = builder.finish();
  return result;
}

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

  const u16 start = builder.add(Unit::load, 1, 0, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}},
                                {maxima, row_stream(softmax_register::weights), {}, {}}, {trips(parts, {1, 0, 0, 0})});
  const auto searching =
      passes.add(1, {{{{Opcode::max, {1, 0}, {0, 0}, {1, 0}, {}}}, {Stream{}, maxima, {}, {}}, 1}}, depth, {}, {});
  passes.order(start, searching, {});
  const u16 maximum_found = passes.add_maximum(2, maxima, searching.last.back());

  const u16 zero_sum = builder.add(Unit::cal, 1, 2, {{Opcode::azero, {0, 0}, {}, {}, {}}}, {sum, {}, {}, {}},
                                   {trips(parts, {1, 0, 0, 0})});
  const auto summing = passes.add(3,
                                  {{{{Opcode::sub, {0, 0}, {0, 0}, {1, 0}, {}}, {Opcode::exp, {0, 0}, {0, 0}, {}, {}}},
                                    {Stream{}, maxima, {}, {}},
                                    {}},
                                   {{{Opcode::aadd, {2, 0}, {0, 0}, {}, {}}}, {Stream{}, {}, sum, {}}, 2}},
                                  depth, {}, softmax_register::scores);
  passes.order(zero_sum, summing, {});
  builder.edge(maximum_found, zero_sum, data);
  const u16 sum_done = passes.add_total(4, sum, summing.last.back());
  const Stream scalar = stream_at(spec.power > 0 ? static_cast<i32>(builder.allocate_vectors(1) * lanes) : 0);
  const u16 invert = builder.add(
      Unit::cal, 1, 4, {rounded_total({2, 0}, {1, 0}, {3, 0}, spec.power), {Opcode::rcp, {0, 0}, {2, 0}, {}, {}}},
      {reciprocal, sum, total, scalar}, {});
  builder.edge(sum_done, invert, data);
  if (spec.power > 0) {
    const u16 constants = builder.add(
        Unit::load, 0, 0, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}},
        {stream_at(scalar.base / static_cast<i32>(lanes)),
         row_stream(softmax_register::weights, static_cast<i32>(softmax_constant::power_vector * lanes * 2)),
         {},
         {}},
        {});
    builder.edge(constants, invert, data);
    builder.edge(invert, constants, space, 1);
  }
  // All PEs that share the rows have these values; all of them store them.
  const auto add_store = [&](u32 column, const Stream& value) {
    Stream memory = column_stream(softmax_register::reciprocal, spec.reciprocal_layout);
    const VectorWalk walk = spec.reciprocal_layout.by_column();
    memory.base += static_cast<i32>(column / lanes) * walk.panel + static_cast<i32>(column % lanes) * walk.step;
    const u16 store =
        builder.add(Unit::store, 1, 4, {{Opcode::st, {1, 0}, {0, 0}, {}, {}}}, {value, memory, {}, {}}, {});
    builder.edge(invert, store, data);
    builder.edge(store, invert, space, rows_in_flight);
    return store;
  };
  add_store(softmax_column::reciprocal, reciprocal);
  if (spec.for_merge) {
    add_store(softmax_column::sum, total);
    builder.edge(add_store(softmax_column::maximum, maxima), start, space, rows_in_flight);
  }
  builder.edge(invert, zero_sum, space, sets);
  builder.edge(summing.last.back(), start, space, rows_in_flight);
  result.kernel = builder.finish();
  return result;
}

}  // namespace bvp
