// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/kernels/merge_kernel.h"

#include <algorithm>

#include "platform/compiler/kernels/streams.h"

namespace bvp {

MergeKernel make_merge_kernel(const CompilerTarget& target, const MergeSpec& spec, u32 groups) {
  constexpr EdgeKind data = EdgeKind::data;
  constexpr EdgeKind space = EdgeKind::space;
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
    return builder.add(Unit::load, 1, 0, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}}, {slots, memory, {}, {}},
                       {trips(blocks, {1, block_bytes, 0, 0})});
  };
  const u16 load_m = load_column(softmax_column::maximum, m), load_l = load_column(softmax_column::sum, l);
  const u16 first = builder.add(Unit::cal, 1, 1, {{Opcode::max, {0, 0}, {1, 0}, {1, 0}, {}}}, {maximum, m, {}, {}}, {});
  const u16 search = builder.add(Unit::cal, 1, 1, {{Opcode::max, {0, 0}, {1, 0}, {0, 0}, {}}}, {maximum, m, {}, {}},
                                 {trips(blocks, {0, 1, 0, 0})});
  const u16 weigh = builder.add(Unit::cal, 1, 2,
                                {{Opcode::sub, {0, 0}, {0, 0}, {1, 0}, {}},
                                 {Opcode::exp, {0, 0}, {0, 0}, {}, {}},
                                 {Opcode::mul, {0, 0}, {0, 0}, {2, 0}, {}}},
                                {m, maximum, l, {}}, {trips(blocks, {1, 0, 1, 0})});
  const u16 zero = builder.add(Unit::cal, 1, 2, {{Opcode::azero, {0, 0}, {}, {}, {}}}, {total, {}, {}, {}}, {});
  const u16 sum = builder.add(Unit::cal, 1, 3, {{Opcode::aadd, {0, 0}, {1, 0}, {}, {}}}, {total, m, {}, {}},
                              {trips(blocks, {0, 1, 0, 0})});
  const u16 invert =
      builder.add(Unit::cal, 1, 3, {{Opcode::around, {0, 0}, {1, 0}, {}, {}}, {Opcode::rcp, {0, 0}, {0, 0}, {}, {}}},
                  {inverse, total, {}, {}}, {});
  builder.edge(load_m, first, data);
  builder.edge(first, search, data);
  builder.edge(search, weigh, data);
  builder.edge(load_l, weigh, data);
  builder.edge(weigh, sum, data);
  builder.edge(zero, sum, data);
  builder.edge(sum, invert, data);
  builder.edge(weigh, load_l, space, depth);
  builder.edge(weigh, first, space, depth);
  builder.edge(invert, zero, space, depth);

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
  const u16 load = builder.add(
      Unit::load, 3, 1, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}}, {o, memory(merge_register::partial), {}, {}},
      {trips(features, {1, walk.step, 0, 0}), trips(blocks, {static_cast<i32>(features), block_bytes, 0, 0})});
  const u16 clear = builder.add(Unit::cal, 3, 4, {{Opcode::azero, {0, 0}, {}, {}, {}}}, {sums, {}, {}, {}},
                                {trips(features, {1, 0, 0, 0})});
  const u16 add = builder.add(Unit::cal, 3, 4, {{Opcode::amac, {0, 0}, {1, 0}, {2, 0}, {}}}, {sums, o, m, {}},
                              {trips(features, {1, 1, 0, 0}), trips(blocks, {0, static_cast<i32>(features), 1, 0})});
  const u16 scale = builder.add(Unit::cal, 3, 4, {{Opcode::amul, {0, 0}, {1, 0}, {2, 0}, {}}}, {y, sums, inverse, {}},
                                {trips(features, {1, 1, 0, 0})});
  const u16 store = builder.add(Unit::store, 3, 5, {{Opcode::st, {1, 0}, {0, 0}, {}, {}}},
                                {y, memory(merge_register::output), {}, {}}, {trips(features, {1, walk.step, 0, 0})});
  builder.edge(load, add, data);
  builder.edge(add, load, space, depth);
  builder.edge(clear, add, data);
  builder.edge(invert, add, data);
  builder.edge(add, scale, data);
  builder.edge(scale, clear, space, depth);
  builder.edge(scale, store, data);
  builder.edge(store, scale, space, depth);
  builder.edge(scale, invert, space, depth);
  builder.edge(scale, load_m, space, depth);
  result.kernel = builder.finish();
  return result;
}

}  // namespace bvp
