// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/kernels/sum_kernels.h"

#include <algorithm>
#include <optional>

#include "platform/compiler/kernels/streams.h"

namespace bvp {

namespace {

constexpr EdgeKind data = EdgeKind::data;
constexpr EdgeKind space = EdgeKind::space;

/// Divides the PEs among the levels: level 0 first, the remaining PEs over level 1, and so on; the last level takes all
/// that remain.
void share_out(KernelBuilder& builder, const std::vector<u32>& counts) {
  u32 taken = 1;
  for (unsigned level = 0; level < counts.size(); ++level) {
    const u32 left = builder.pes() / taken;
    const u32 by =
        level + 1 == counts.size() ? left : std::min(left, CompilerTarget::floor_power_of_two(counts[level]));
    builder.distribute(
        level, [=](u32 pe) { return static_cast<i32>(pe / taken % by); }, by);
    taken *= by;
  }
}

}  // namespace

SumKernel make_add_kernel(const CompilerTarget& target, const AddSpec& spec, u32 groups) {
  KernelBuilder builder(target, target.usable_rows(), target.usable_columns());
  const u32 lanes = target.lanes, depth = target.in_flight(2);
  const u32 of_group = std::min(lanes, spec.layout.rows);
  u32 rows = std::min(of_group, 16u);
  while (rows > 1 && 2 * depth * rows > target.operand_vectors) rows /= 2;
  SumKernel result;
  result.counts = {spec.layout.panels(spec.columns), of_group / rows, 1};
  share_out(builder, {groups, result.counts[0], result.counts[1]});

  const Stream x = rotating(builder.allocate_vectors(depth * rows), 3, depth, rows);
  const Stream y = rotating(builder.allocate_vectors(depth * rows), 3, depth, rows);
  const auto row = static_cast<i32>(spec.layout.row_bytes());
  const auto memory = [&](unsigned launch_register) {
    Stream stream = row_stream(launch_register);
    stream.instance_stride = {static_cast<i32>(spec.layout.group_bytes()), static_cast<i32>(spec.layout.panel_bytes()),
                              row * static_cast<i32>(rows), 0};
    return stream;
  };
  const auto load = [&](const Stream& slots, unsigned launch_register) {
    return builder.add(Unit::load, 3, 0, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}},
                       {slots, memory(launch_register), {}, {}}, {trips(rows, {1, row, 0, 0})});
  };
  const u16 load_x = load(x, add_register::x), load_y = load(y, add_register::y);
  const u16 add = builder.add(Unit::cal, 3, 1, {{Opcode::add, {0, 0}, {0, 0}, {1, 0}, {}}}, {y, x, {}, {}},
                              {trips(rows, {1, 1, 0, 0})});
  const u16 store = builder.add(Unit::store, 3, 2, {{Opcode::st, {1, 0}, {0, 0}, {}, {}}},
                                {y, memory(add_register::y), {}, {}}, {trips(rows, {1, row, 0, 0})});
  builder.edge(load_x, add, data);
  builder.edge(load_y, add, data);
  builder.edge(add, store, data);
  builder.edge(add, load_x, space, depth);
  builder.edge(store, load_y, space, depth);
  result.kernel = builder.finish();
  return result;
}

SumKernel make_row_sum_kernel(const CompilerTarget& target, const RowSumSpec& spec) {
  KernelBuilder builder(target, target.usable_rows(), target.usable_columns());
  const u32 width = spec.join ? 2 : 1;  // vectors of a term
  const bool rounds = spec.join && !spec.suspend;
  const u32 results = rounds ? 1 : 2;  // vectors of a sum
  const u32 depth = target.in_flight(2);
  u32 terms = std::min(16u, CompilerTarget::floor_power_of_two(spec.rows));  // of a chunk
  while (terms > 1 && depth * (terms * width + results + (spec.resume ? 2 : 0)) + 1 > target.operand_vectors)
    terms /= 2;
  const u32 chunks = spec.rows / terms, tail = spec.rows % terms;
  SumKernel result;
  result.counts = {spec.x.panels(spec.columns), chunks, 1};
  share_out(builder, {spec.blocks, result.counts[0]});

  result.constants = {spec.factor};
  pad_to_vector(result.constants, target.lanes);
  const u32 constant_slot = builder.allocate_vectors(1);
  const Stream factor = stream_at(static_cast<i32>(constant_slot * target.lanes));
  const u16 constants =
      builder.add(Unit::load, 0, 0, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}},
                  {stream_at(static_cast<i32>(constant_slot)), row_stream(row_sum_register::constants), {}, {}}, {});

  const u32 x_slots = builder.allocate_vectors(depth * terms * width);
  const Stream sum = rotating(builder.allocate_accumulators(depth), 2, depth, 1);
  const Stream y = rotating(builder.allocate_vectors(depth * results), 2, depth, results);
  const auto row = static_cast<i32>(spec.x.row_bytes());
  const u16 zero = builder.add(Unit::cal, 2, 1, {{Opcode::azero, {0, 0}, {}, {}, {}}}, {sum, {}, {}, {}}, {});

  Stream result_memory = row_stream(row_sum_register::y);
  result_memory.instance_stride[0] = static_cast<i32>(spec.y.row_bytes() * results);
  result_memory.instance_stride[1] = static_cast<i32>(spec.y.panel_bytes());
  const std::vector<Loop> over_results{trips(results, {1, static_cast<i32>(spec.y.row_bytes()), 0, 0})};
  u16 start = zero;
  if (spec.resume) {
    const Stream halves = rotating(builder.allocate_vectors(depth * 2), 2, depth, 2);
    const u16 load = builder.add(Unit::load, 2, 1, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}},
                                 {halves, result_memory, {}, {}}, over_results);
    start = builder.add(Unit::cal, 2, 1, {{Opcode::ajoin, {0, 0}, {1, 0}, {1, 1}, {}}}, {sum, halves, {}, {}}, {});
    builder.edge(load, start, data);
    builder.edge(start, load, space, depth);
    builder.edge(zero, start, data);
  }

  std::optional<u16> last, first_load;
  const auto add_terms = [&](unsigned scope, u32 count) {
    const u32 rotation = scope == 3 ? depth : 1;
    const Stream slots = rotating(x_slots, 3, rotation, terms * width);
    Stream memory = row_stream(row_sum_register::x);
    memory.instance_stride[0] = row * static_cast<i32>(spec.rows * width);
    memory.instance_stride[1] = static_cast<i32>(spec.x.panel_bytes());
    if (scope == 3) memory.instance_stride[2] = row * static_cast<i32>(terms * width);
    if (scope == 2) memory.base += row * static_cast<i32>(chunks * terms * width);
    const u16 load = builder.add(Unit::load, scope, 1, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}}, {slots, memory, {}, {}},
                                 {trips(count * width, {1, row, 0, 0})});
    const Instruction join{Opcode::ajoin, {0, 0}, {1, 0}, {1, 1}, {}};
    const Instruction accumulate{Opcode::amacs, {0, 0}, {1, 0}, {2, 0}, {}};
    const u16 add = builder.add(Unit::cal, scope, 2, {spec.join ? join : accumulate},
                                {sum, slots, spec.join ? Stream{} : factor, {}},
                                {trips(count, {0, static_cast<i32>(width), 0, 0})});
    builder.edge(load, add, data);
    builder.edge(add, load, space, rotation);
    builder.edge(start, add, data);
    if (last) {
      // The tail uses the buffers of the chunks, after the last chunk and before the chunks of the next instance.
      builder.edge(*last, load, space);
      builder.edge(*last, add, data);
      builder.edge(add, *first_load, space, 1);
    }
    last = add;
    first_load = load;
  };
  add_terms(3, terms);
  if (tail > 0) add_terms(2, tail);

  const std::vector<Instruction> leave{{Opcode::alow, {0, 0}, {1, 0}, {}, {}}, {Opcode::ahigh, {0, 1}, {1, 0}, {}, {}}};
  const std::vector<Instruction> round{{Opcode::amuls, {0, 0}, {1, 0}, {2, 0}, {}}};
  const u16 finish = builder.add(Unit::cal, 2, 3, rounds ? round : leave, {y, sum, rounds ? factor : Stream{}, {}}, {});
  // The factor is last used at the end of the sum, in the instance's last segment.
  builder.edge(constants, spec.join ? finish : zero, data);
  builder.edge(finish, constants, space, 1);
  builder.edge(*last, finish, data);
  builder.edge(finish, zero, space, depth);
  const u16 store =
      builder.add(Unit::store, 2, 3, {{Opcode::st, {1, 0}, {0, 0}, {}, {}}}, {y, result_memory, {}, {}}, over_results);
  builder.edge(finish, store, data);
  builder.edge(store, finish, space, depth);
  result.kernel = builder.finish();
  return result;
}

}  // namespace bvp
