// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/kernels/pruned_kernel.h"

#include <algorithm>

#include "platform/compiler/kernels/segment_builder.h"
#include "platform/compiler/kernels/streams.h"

namespace bvp {

namespace {

/// What an instance has where in the operand memory, in vectors.
struct PrunedOperands {
  u32 chunk = 8, depth = 1;
  u32 point_vectors = 0;   // the blocks, behind them the temporaries
  u32 weight_vectors = 0;  // scalars of a chunk
  u32 residual_vectors = 0;
  [[nodiscard]] u32 sum() const { return depth * (point_vectors + weight_vectors + residual_vectors) + 1; }
};

bool has_products(const PrunedLayersSpec& spec) {
  for (unsigned layer = 0; layer < spec.layers; ++layer) {
    if (spec.form(layer) == PairForm::weights) return true;
  }
  return false;
}

u32 scalars_of_point(const PrunedLayersSpec& spec) {
  u32 scalars = spec.normal ? 2 : 1;
  for (unsigned layer = 0; layer < spec.layers; ++layer) scalars += spec.pairs(layer) * spec.scalars(layer);
  return scalars;
}

PrunedOperands plan_pruned(const CompilerTarget& target, const PrunedLayersSpec& spec) {
  PrunedOperands plan;
  const auto counted = [&](u32 chunk, u32 depth) {
    plan.chunk = chunk;
    plan.depth = depth;
    plan.point_vectors = (spec.blocks + (has_products(spec) ? 1 : 0)) * chunk;
    plan.weight_vectors = vectors_of(std::size_t{scalars_of_point(spec)} * chunk, target.lanes);
    plan.residual_vectors = spec.residual ? chunk : 0;
    return plan.sum() <= target.operand_vectors;
  };
  for (u32 chunk = std::min(target.lanes, 8u); chunk > 1; chunk /= 2) {
    if (counted(chunk, target.in_flight(2))) return plan;
  }
  if (!counted(1, target.in_flight(2))) counted(1, 1);
  return plan;
}

/// PEs share out panels first, then the chunks of a panel, then lane groups.
void share_out(KernelBuilder& builder, u32 panels, u32 chunks) {
  const u32 by_panel = std::min(builder.pes(), CompilerTarget::floor_power_of_two(panels));
  const u32 by_chunk = std::min(builder.pes() / by_panel, chunks);
  builder.distribute(
      0, [=](u32 pe) { return static_cast<i32>(pe % by_panel); }, by_panel);
  builder.distribute(
      1, [=](u32 pe) { return static_cast<i32>(pe / by_panel % by_chunk); }, by_chunk);
  builder.distribute(
      3, [=](u32 pe) { return static_cast<i32>(pe / by_panel / by_chunk); }, builder.pes() / by_panel / by_chunk);
}

/// The pairs of all layers, for the points of a chunk; `points` has block 0, `zero` a vector of zeros.
/// @return the scalars that have been used
u32 add_pairs(SegmentBuilder& cal, const PrunedLayersSpec& spec, u32 chunk, const SegmentOperand& points,
              const SegmentOperand& scalars, const SegmentOperand& zero) {
  const SegmentOperand temporary = points + spec.blocks * chunk;
  u32 used = 0;
  for (unsigned layer = 0; layer < spec.layers; ++layer) {
    for (u32 pair = 0; pair < spec.pairs(layer); ++pair) {
      const u32 lower_block = pair << (layer + 1), upper_block = lower_block + (u32{1} << layer);
      const SegmentOperand lower = points + lower_block * chunk;
      const SegmentOperand upper = upper_block < spec.blocks ? points + upper_block * chunk : zero;
      const SegmentOperand first = scalars + used;
      if (spec.form(layer) == PairForm::ratios) {
        cal.fmar(lower, lower, upper, first);
      } else {
        cal.muls(temporary, lower, first);
        cal.fmas(lower, upper, first + chunk, temporary);
      }
      used += spec.scalars(layer) * chunk;
    }
  }
  return used;
}

}  // namespace

PrunedLayersKernel make_pruned_layers_kernel(const CompilerTarget& target, const PrunedLayersSpec& spec) {
  const PrunedOperands plan = plan_pruned(target, spec);
  const u32 chunk = plan.chunk, depth = plan.depth;
  KernelBuilder builder(target, target.usable_rows(), target.usable_columns());
  PrunedLayersKernel result;
  result.spec = spec;
  result.lanes = target.lanes;
  result.chunk = chunk;
  result.block_words = plan.weight_vectors * target.lanes;
  result.counts = {spec.layout.panels(spec.columns), target.lanes / chunk, 1};
  share_out(builder, result.counts[0], result.counts[1]);

  const VectorWalk walk = spec.layout.by_column();
  const auto memory = [&](unsigned launch_register) {
    Stream stream = walk_stream(launch_register, walk);
    stream.instance_stride = {walk.panel, static_cast<i32>(chunk) * walk.step, 0, walk.group};
    return stream;
  };
  const u32 first_weights = builder.allocate_vectors(depth * plan.weight_vectors);
  const Stream points = rotating(builder.allocate_vectors(depth * plan.point_vectors), 4, depth, plan.point_vectors);
  const Stream residual =
      rotating(builder.allocate_vectors(depth * plan.residual_vectors), 4, depth, plan.residual_vectors);
  const Stream zero = stream_at(static_cast<i32>(builder.allocate_vectors(1)));

  const auto vector_bytes = static_cast<i32>(target.vector_bytes());
  const i32 block_bytes = static_cast<i32>(plan.weight_vectors) * vector_bytes;
  const u16 load_zero = add_load(builder, 0, 0, {}, {zero, {}}, {row_stream(pruned_register::weights), {}});
  Stream weight_memory = row_stream(pruned_register::weights, vector_bytes);
  weight_memory.instance_stride = {static_cast<i32>(result.counts[1]) * block_bytes, block_bytes, 0, 0};
  const u16 load_weights =
      add_load(builder, 2, 0, {plan.weight_vectors}, {rotating(first_weights, 2, depth, plan.weight_vectors), {1}},
               {weight_memory, {vector_bytes}});
  const auto block_step = static_cast<i32>(spec.columns / target.lanes) * walk.panel;
  const u16 load = add_load(builder, 4, 1, {chunk, spec.blocks}, {points, {1, static_cast<i32>(chunk)}},
                            {memory(pruned_register::points), {walk.step, block_step}});

  SegmentBuilder cal(builder, Unit::cal, 4, 2, {chunk});
  const auto point = cal.at(points, {1});
  const auto scalar =
      cal.at(rotating(first_weights * target.lanes, 2, depth, plan.weight_vectors * target.lanes), {1});
  const u32 used = add_pairs(cal, spec, chunk, point, scalar, cal.at(zero));
  if (spec.normal) {
    cal.fmass(point, point, scalar + (used + chunk), scalar + used);
  } else {
    cal.adds(point, point, scalar + used);
  }
  if (spec.residual) cal.add(point, point, cal.at(residual, {1}));
  const u16 join = cal.finish();
  const u16 store = add_store(builder, 4, 3, {chunk}, {points, {1}}, {memory(pruned_register::points), {walk.step}});

  builder.data(load_zero, join);
  builder.space(join, load_zero, 1);
  builder.data(load_weights, join);
  builder.space(join, load_weights, depth);
  builder.data(load, join);
  builder.data(join, store);
  builder.space(store, load, depth);
  if (spec.residual) {
    const u16 load_residual =
        add_load(builder, 4, 1, {chunk}, {residual, {1}}, {memory(pruned_register::residual), {walk.step}});
    builder.data(load_residual, join);
    builder.space(join, load_residual, depth);
  }
  result.kernel = builder.finish();
  return result;
}

std::vector<u16> PrunedLayersKernel::words(const PairWeights& weights, const PointScalar& bias,
                                           const PointScalar& scale) const {
  std::vector<u16> result(lanes, 0);
  result.reserve(word_count());
  for (u32 first = 0; first < spec.columns; first += chunk) {
    const auto of_chunk = [&](const auto& scalar_of) {
      for (u32 point = first; point < first + chunk; ++point) result.push_back(scalar_of(point));
    };
    for (unsigned layer = 0; layer < spec.layers; ++layer) {
      for (u32 pair = 0; pair < spec.pairs(layer); ++pair) {
        const u32 lower = (pair << (layer + 1)) * spec.columns;
        for (u32 scalar = 0; scalar < spec.scalars(layer); ++scalar) {
          of_chunk([&](u32 point) { return weights(0, layer, lower + point)[scalar]; });
        }
      }
    }
    of_chunk([&](u32 point) { return bias(0, point); });
    if (spec.normal) of_chunk([&](u32 point) { return scale(0, point); });
    pad_to_vector(result, lanes);
  }
  return result;
}

}  // namespace bvp
