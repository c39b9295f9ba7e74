// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/kernels/butterfly_shape.h"

#include <algorithm>

namespace bvp {
namespace {

/// If the closed set is small, an instance takes several lane groups, so that there is enough work per segment. The
/// number divides the lane groups of a full launch, so that no launch goes beyond the rows of a tile.
u32 groups_of_instance(u32 groups, unsigned local_bits) {
  const u32 wanted = local_bits >= 4 ? 1 : u32{1} << (4 - local_bits);
  for (u32 candidate = wanted; candidate < 2 * wanted; ++candidate) {
    if (groups % candidate == 0) return candidate;
  }
  u32 fewer = wanted;
  while (groups % fewer != 0) --fewer;
  return fewer;
}

void add_loop(StageShape& shape, u32 count, i32 input_stride, i32 output_stride) {
  shape.loops.push_back({count, input_stride, output_stride, shape.weight_sets});
  shape.weight_sets *= count;
}

/// Returns false if there are more loops than instance levels.
bool add_loops(StageShape& shape, const ButterflyStage& stage, bool several_launches) {
  const auto window_input = [&](unsigned bit) { return stage.input_stride[bit]; };
  const auto window_output = [&](unsigned bit) { return stage.output_stride[bit]; };
  std::vector<Bits> windows = linear_runs(shape.plan.window, window_input, window_output);
  while (windows.size() + stage.stacks.size() > most_loops) {
    if (!several_launches || windows.empty()) return false;
    const auto shortest = std::min_element(windows.begin(), windows.end(),
                                           [](const Bits& a, const Bits& b) { return a.size() < b.size(); });
    shape.launch_bits.insert(shape.launch_bits.end(), shortest->begin(), shortest->end());
    windows.erase(shortest);
  }
  shape.plan.window.clear();
  for (const Bits& run : windows) {
    shape.plan.window.insert(shape.plan.window.end(), run.begin(), run.end());
    add_loop(shape, u32{1} << run.size(), window_input(run.front()), window_output(run.front()));
  }
  for (const ButterflyStage::Stacks& stacks : stage.stacks) {
    add_loop(shape, stacks.count, stacks.input_stride, stacks.output_stride);
  }
  shape.loops.resize(most_loops);
  std::reverse(shape.loops.begin(), shape.loops.end());
  return true;
}

}  // namespace

std::optional<StageShape> shape_of(const ButterflyStage& stage, const ShapeWanted& wanted) {
  StageShape shape;
  shape.local_bits = wanted.local_bits;
  shape.pe_bits = wanted.pe_bits;
  shape.plan = plan_bits(stage, wanted.local_bits, wanted.pe_bits);
  shape.group_points = u32{1} << (wanted.local_bits - 1);
  shape.planes = stage.complex ? 2 : 1;
  shape.exchanges = static_cast<unsigned>(stage.layer_bits.size()) - shape.plan.first_exchange;
  if (wanted.several_groups) shape.multiplicity = groups_of_instance(wanted.groups, wanted.local_bits);
  if (!add_loops(shape, stage, wanted.several_launches)) return std::nullopt;
  return shape;
}

}  // namespace bvp
