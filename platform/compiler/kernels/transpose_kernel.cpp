// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/kernels/transpose_kernel.h"

#include <algorithm>

#include "platform/compiler/kernels/segment_builder.h"
#include "platform/compiler/kernels/streams.h"
#include "platform/network/network.h"

namespace bvp {

namespace {

/// Smallest number of rows of an instance where tiles are smaller: enough to hide the latency of a layer, and few
/// events per tile.
constexpr u32 rows_per_instance = 32;

}  // namespace

std::vector<unsigned> transpose_passes(const CompilerTarget& target) {
  const unsigned layers = log2_of(target.lanes);
  // Each row has two places, in two instances at a time. A layer takes two instructions, load and store one each.
  const unsigned fitting =
      log2_of(CompilerTarget::floor_power_of_two(target.operand_vectors / 2 / target.in_flight(2)));
  const unsigned most = std::min(fitting, (target.instruction_store - 2) / 2);
  const unsigned passes = layers == 0 ? 0 : (layers + most - 1) / most;
  std::vector<unsigned> bits;
  for (unsigned left = passes, rest = layers; left > 0; --left) {
    bits.push_back((rest + left - 1) / left);
    rest -= bits.back();
  }
  return bits;
}

// This function is long because it lists the segments of a kernel in the order of their data.
TransposeKernel make_transpose_kernel(const CompilerTarget& target, const TransposeSpec& spec, u32 groups) {
  KernelBuilder builder(target, target.usable_rows(), target.usable_columns());
  const unsigned layers = log2_of(target.lanes);
  const u32 of_tile = u32{1} << spec.bits;
  TransposeKernel result;
  u32& tiles = result.tiles_per_instance;
  const auto most = target.operand_vectors / 2 / target.in_flight(2);
  while (spec.panels % (2 * tiles) == 0 && 2 * tiles * of_tile <= std::min(rows_per_instance, most)) tiles *= 2;
  const u32 rows = tiles * of_tile;
  result.counts = {spec.panels / tiles, u32{1} << spec.first_bit, u32{1} << (layers - spec.first_bit - spec.bits)};

  // Chooses the division in which the busiest PE has the least to do.
  u64 least = ~u64{0};
  for (u32 by_group = builder.pes(); by_group >= 1; by_group /= 2) {
    const u32 by_panel = builder.pes() / by_group;
    const u64 work = u64{(groups + by_group - 1) / by_group} * ((result.counts[0] + by_panel - 1) / by_panel);
    if (work >= least) continue;
    least = work;
    result.shared_by = {by_group, by_panel};
  }
  const auto [by_group, by_panel] = result.shared_by;
  builder.distribute(
      0, [by = by_group](u32 pe) { return static_cast<i32>(pe % by); }, by_group);
  builder.distribute(
      1, [by = by_group](u32 pe) { return static_cast<i32>(pe / by); }, by_panel);

  const u32 depth = std::min(target.in_flight(target.contexts), target.operand_vectors / (2 * rows));
  const u32 slots = builder.allocate_vectors(depth * 2 * rows);
  // The layers alternately read one half of an instance's slots and write the other.
  const auto half = [&](unsigned layer) { return rotating(slots + layer % 2 * rows, 4, depth, 2 * rows); };
  const auto row = static_cast<i32>(spec.layout.row_bytes()), panel = static_cast<i32>(spec.layout.panel_bytes());
  Stream memory = row_stream(transpose_register::matrix);
  memory.instance_stride = {static_cast<i32>(spec.layout.group_bytes()), panel * static_cast<i32>(tiles), row,
                            row << (spec.first_bit + spec.bits)};
  const std::vector<u32> moves{of_tile, tiles};
  const std::vector<i32> slot_strides{1, static_cast<i32>(of_tile)}, memory_strides{row << spec.first_bit, panel};
  const u16 load = add_load(builder, 4, 0, moves, {half(0), slot_strides}, {memory, memory_strides});
  u16 last = load;
  for (unsigned layer = 0; layer < spec.bits; ++layer) {
    const u32 upper = 1u << layer, distance = 1u << (spec.first_bit + layer);
    // Pairs within a block of 2 * upper rows, and the blocks; the order makes long runs of one instruction.
    std::vector<u32> pairs{upper, rows / (2 * upper)};
    std::vector<i32> strides{1, static_cast<i32>(2 * upper)};
    if (pairs[0] < pairs[1]) {
      std::swap(pairs[0], pairs[1]);
      std::swap(strides[0], strides[1]);
    }
    SegmentBuilder exchange(builder, Unit::cal, 4, layer + 1, pairs);
    const auto from = exchange.at(half(layer), strides), to = exchange.at(half(layer + 1), strides);
    exchange.tlow(to, from, from + upper, number(distance));
    exchange.thigh(to + upper, from, from + upper, number(distance));
    const u16 exchanged = exchange.finish();
    builder.data(last, exchanged);
    last = exchanged;
  }
  const u16 store =
      add_store(builder, 4, spec.bits + 1, moves, {half(spec.bits), slot_strides}, {memory, memory_strides});
  builder.data(last, store);
  builder.space(store, load, depth);
  result.kernel = builder.finish();
  return result;
}

}  // namespace bvp
