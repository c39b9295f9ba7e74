// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/kernels/merge_kernel.h"

#include <algorithm>

#include "platform/compiler/kernels/segment_builder.h"
#include "platform/compiler/kernels/streams.h"

namespace bvp {

// This function is long because it lists the segments of a kernel in the order of their data.
MergeKernel make_merge_kernel(const CompilerTarget& target, const MergeSpec& spec, u32 groups) {
  const u32 blocks = spec.blocks, lanes = target.lanes;
  KernelBuilder builder(target, target.usable_rows(), target.usable_columns());
  const VectorWalk walk = spec.layout.by_column();
  const auto column = [&](u32 index) {
    return static_cast<i32>(index / lanes) * walk.panel + static_cast<i32>(index % lanes) * walk.step;
  };
  const u32 output_panels = spec.layout.panels(spec.width);
  const auto statistics = static_cast<i32>(output_panels * spec.layout.panel_bytes());
  const auto block_bytes = statistics + static_cast<i32>(spec.layout.bytes(softmax_column::count));

  // An instance takes as many features as operand memory and accumulators allow, within a panel.
  const u32 depth = target.operand_vectors >= 2 * (2 * blocks + 2) + 2 * (blocks + 1) ? target.in_flight(2) : 1;
  const u32 fixed = depth * (2 * blocks + 2);
  u32 features = CompilerTarget::floor_power_of_two(std::min({spec.width, lanes, 8u, target.accumulators / depth - 1}));
  while (features > 1 && fixed + depth * features * (blocks + 1) > target.operand_vectors) features /= 2;
  const u32 of_panel = std::min(spec.width, lanes);
  MergeKernel result;
  result.counts = {output_panels, (of_panel + features - 1) / features, 1};

  const u32 pes = builder.pes();
  const u32 by_group = std::min(pes, CompilerTarget::floor_power_of_two(std::max(1u, groups)));
  const u32 by_part = pes / by_group;
  builder.distribute(
      0, [=](u32 pe) { return static_cast<i32>(pe % by_group); }, by_group);
  builder.distribute(
      2, [=](u32 pe) { return static_cast<i32>(pe / by_group); }, by_part);

  const u32 m_slots = builder.allocate_vectors(depth * blocks), l_slots = builder.allocate_vectors(depth * blocks);
  const Stream m = rotating(m_slots, 1, depth, blocks), l = rotating(l_slots, 1, depth, blocks);
  const Stream maximum = rotating(builder.allocate_vectors(depth), 1, depth, 1);
  const Stream inverse = rotating(builder.allocate_vectors(depth), 1, depth, 1);
  const Stream total = rotating(builder.allocate_accumulators(depth), 1, depth, 1);

  // The weights of the blocks, computed once per lane group, overwrite the maxima.
  const auto load_column = [&](u32 index, const Stream& slots) {
    Stream memory = column_stream(merge_register::partial, spec.layout);
    memory.base += statistics + column(index);
    return add_load(builder, 1, 0, {blocks}, {slots, {1}}, {memory, {block_bytes}});
  };
  const u16 load_m = load_column(softmax_column::maximum, m), load_l = load_column(softmax_column::sum, l);

  SegmentBuilder begin(builder, Unit::cal, 1, 1);
  const auto first_maximum = begin.at(maximum), first_m = begin.at(m);
  begin.max(first_maximum, first_m, first_m);
  const u16 first = begin.finish();

  SegmentBuilder compare(builder, Unit::cal, 1, 1, {blocks});
  const auto largest = compare.at(maximum), candidate = compare.at(m, {1});
  compare.max(largest, candidate, largest);
  const u16 search = compare.finish();

  SegmentBuilder weigh_blocks(builder, Unit::cal, 1, 2, {blocks});
  const auto weight = weigh_blocks.at(m, {1}), of_all = weigh_blocks.at(maximum), of_block = weigh_blocks.at(l, {1});
  weigh_blocks.sub(weight, weight, of_all);
  weigh_blocks.exp(weight, weight);
  weigh_blocks.mul(weight, weight, of_block);
  const u16 weigh = weigh_blocks.finish();

  SegmentBuilder clear_total(builder, Unit::cal, 1, 2);
  clear_total.azero(clear_total.at(total));
  const u16 zero = clear_total.finish();

  SegmentBuilder sum_weights(builder, Unit::cal, 1, 3, {blocks});
  const auto sum_of_weights = sum_weights.at(total);
  sum_weights.aadd(sum_of_weights, sum_weights.at(m, {1}));
  const u16 sum = sum_weights.finish();

  SegmentBuilder invert_total(builder, Unit::cal, 1, 3);
  const auto inverted = invert_total.at(inverse);
  invert_total.around(inverted, invert_total.at(total));
  invert_total.rcp(inverted, inverted);
  const u16 invert = invert_total.finish();
  builder.data(load_m, first);
  builder.data(first, search);
  builder.data(search, weigh);
  builder.data(load_l, weigh);
  builder.data(weigh, sum);
  builder.data(zero, sum);
  builder.data(sum, invert);
  builder.space(weigh, load_l, depth);
  builder.space(weigh, first, depth);
  builder.space(invert, zero, depth);

  // Takes some features of all blocks at a time.
  const Stream o = rotating(builder.allocate_vectors(depth * features * blocks), 3, depth, features * blocks);
  const Stream y = rotating(builder.allocate_vectors(depth * features), 3, depth, features);
  const Stream sums = rotating(builder.allocate_accumulators(depth * features), 3, depth, features);
  const auto memory = [&](unsigned launch_register) {
    Stream stream = column_stream(launch_register, spec.layout);
    stream.instance_stride[1] = static_cast<i32>(spec.layout.panel_bytes());
    stream.instance_stride[2] = static_cast<i32>(features) * walk.step;
    return stream;
  };
  const auto feature_step = static_cast<i32>(features);
  const u16 load = add_load(builder, 3, 1, {features, blocks}, {o, {1, feature_step}},
                            {memory(merge_register::partial), {walk.step, block_bytes}});

  SegmentBuilder clear_sums(builder, Unit::cal, 3, 4, {features});
  clear_sums.azero(clear_sums.at(sums, {1}));
  const u16 clear = clear_sums.finish();

  SegmentBuilder add_blocks(builder, Unit::cal, 3, 4, {features, blocks});
  const auto added = add_blocks.at(sums, {1, 0}), part = add_blocks.at(o, {1, feature_step});
  add_blocks.amac(added, part, add_blocks.at(m, {0, 1}));
  const u16 add = add_blocks.finish();

  SegmentBuilder scale_sums(builder, Unit::cal, 3, 4, {features});
  const auto scaled = scale_sums.at(y, {1}), unscaled = scale_sums.at(sums, {1});
  scale_sums.amul(scaled, unscaled, scale_sums.at(inverse));
  const u16 scale = scale_sums.finish();

  const u16 store = add_store(builder, 3, 5, {features}, {y, {1}}, {memory(merge_register::output), {walk.step}});
  builder.data(load, add);
  builder.space(add, load, depth);
  builder.data(clear, add);
  builder.data(invert, add);
  builder.data(add, scale);
  builder.space(scale, clear, depth);
  builder.data(scale, store);
  builder.space(store, scale, depth);
  builder.space(scale, invert, depth);
  builder.space(scale, load_m, depth);
  result.kernel = builder.finish();
  return result;
}

}  // namespace bvp
