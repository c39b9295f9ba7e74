// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/kernels/sum_kernels.h"

#include <algorithm>
#include <optional>

#include "platform/compiler/kernels/segment_builder.h"
#include "platform/compiler/kernels/streams.h"

namespace bvp {

namespace {

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
  const auto memory = [&](unsigned launch_register) { return row_chunk_stream(launch_register, spec.layout, rows); };
  const u16 load_x = add_load(builder, 3, 0, {rows}, {x, {1}}, {memory(add_register::x), {row}});
  const u16 load_y = add_load(builder, 3, 0, {rows}, {y, {1}}, {memory(add_register::y), {row}});
  SegmentBuilder sum(builder, Unit::cal, 3, 1, {rows});
  const auto sum_y = sum.at(y, {1}), sum_x = sum.at(x, {1});
  sum.add(sum_y, sum_y, sum_x);
  const u16 add = sum.finish();
  const u16 store = add_store(builder, 3, 2, {rows}, {y, {1}}, {memory(add_register::y), {row}});
  builder.data(load_x, add);
  builder.data(load_y, add);
  builder.data(add, store);
  builder.space(add, load_x, depth);
  builder.space(store, load_y, depth);
  result.kernel = builder.finish();
  return result;
}

// This function is long because it lists the segments of a kernel in the order of their data.
SumKernel make_row_sum_kernel(const CompilerTarget& target, const RowSumSpec& spec) {
  KernelBuilder builder(target, target.usable_rows(), target.usable_columns());
  const u32 width = spec.join ? 2 : 1;  // vectors of a term
  const bool rounds = spec.join ? !spec.suspend : spec.round;
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
  const u16 constants = add_load(builder, 0, 0, {}, {stream_at(static_cast<i32>(constant_slot)), {}},
                                 {row_stream(row_sum_register::constants), {}});

  const u32 x_slots = builder.allocate_vectors(depth * terms * width);
  const Stream sum = rotating(builder.allocate_accumulators(depth), 2, depth, 1);
  const Stream y = rotating(builder.allocate_vectors(depth * results), 2, depth, results);
  const auto row = static_cast<i32>(spec.x.row_bytes());
  SegmentBuilder clear(builder, Unit::cal, 2, 1);
  clear.azero(clear.at(sum));
  const u16 zero = clear.finish();

  Stream result_memory = row_stream(row_sum_register::y);
  result_memory.instance_stride[0] = static_cast<i32>(spec.y.row_bytes() * results);
  result_memory.instance_stride[1] = static_cast<i32>(spec.y.panel_bytes());
  const auto result_stride = static_cast<i32>(spec.y.row_bytes());
  u16 start = zero;
  if (spec.resume) {
    const Stream halves = rotating(builder.allocate_vectors(depth * 2), 2, depth, 2);
    const u16 load_halves = add_load(builder, 2, 1, {results}, {halves, {1}}, {result_memory, {result_stride}});
    SegmentBuilder join(builder, Unit::cal, 2, 1);
    const auto total = join.at(sum), low = join.at(halves);
    join.ajoin(total, low, low + 1);
    start = join.finish();
    builder.data(load_halves, start);
    builder.space(start, load_halves, depth);
    builder.data(zero, start);
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
    const u16 load = add_load(builder, scope, 1, {count * width}, {slots, {1}}, {memory, {row}});

    SegmentBuilder sum_up(builder, Unit::cal, scope, 2, {count});
    const auto total = sum_up.at(sum), term = sum_up.at(slots, {static_cast<i32>(width)});
    if (spec.join) {
      sum_up.ajoin(total, term, term + 1);
    } else {
      sum_up.amacs(total, term, sum_up.at(factor));
    }
    const u16 add = sum_up.finish();
    builder.data(load, add);
    builder.space(add, load, rotation);
    builder.data(start, add);
    if (last) {
      // The tail uses the buffers of the chunks, after the last chunk and before the chunks of the next instance.
      builder.space(*last, load);
      builder.data(*last, add);
      builder.space(add, *first_load, 1);
    }
    last = add;
    first_load = load;
  };
  add_terms(3, terms);
  if (tail > 0) add_terms(2, tail);

  SegmentBuilder leave(builder, Unit::cal, 2, 3);
  const auto left = leave.at(y), total = leave.at(sum);
  if (rounds && spec.join) {
    leave.amuls(left, total, leave.at(factor));
  } else if (rounds) {
    leave.around(left, total);
  } else {
    leave.alow(left, total);
    leave.ahigh(left + 1, total);
  }
  const u16 finish = leave.finish();
  // The factor is last used at the end of the sum, in the instance's last segment.
  builder.data(constants, spec.join ? finish : zero);
  builder.space(finish, constants, 1);
  builder.data(*last, finish);
  builder.space(finish, zero, depth);
  const u16 store = add_store(builder, 2, 3, {results}, {y, {1}}, {result_memory, {result_stride}});
  builder.data(finish, store);
  builder.space(store, finish, depth);
  result.kernel = builder.finish();
  return result;
}

}  // namespace bvp
