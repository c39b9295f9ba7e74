// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/kernels/spectrum_kernels.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "platform/compiler/kernels/segment_builder.h"
#include "platform/compiler/kernels/streams.h"

namespace bvp {

namespace {

/// The two scopes of these kernels: segments that run for each iteration of level 1, and those that run once for each
/// iteration of level 0, which take the row or the panel that is its own mirror image.
constexpr unsigned each_chunk = 2, once = 1;

/// Divides the PEs among levels 0 and 1 so that the busiest PE has the least to do. Segments of scope `once` count as
/// one more iteration of level 1; all PEs that share an iteration of level 0 run them and store the same values.
std::array<u32, 2> share_out(KernelBuilder& builder, u32 groups, u32 chunks) {
  std::array<u32, 2> best{1, builder.pes()};
  u64 least = ~u64{0};
  for (u32 by_group = builder.pes(); by_group >= 1; by_group /= 2) {
    const u32 by_chunk = builder.pes() / by_group;
    const u64 work = u64{(groups + by_group - 1) / by_group} * (1 + (chunks + by_chunk - 1) / by_chunk);
    if (work >= least) continue;
    least = work;
    best = {by_group, by_chunk};
  }
  builder.distribute(
      0, [by = best[0]](u32 pe) { return static_cast<i32>(pe % by); }, best[0]);
  builder.distribute(
      1, [by = best[0]](u32 pe) { return static_cast<i32>(pe / by); }, best[1]);
  return best;
}

}  // namespace

// This function is long because it lists the segments of a kernel in the order of their data.
SpectrumKernel make_separation_kernel(const CompilerTarget& target, const SeparationSpec& spec, u32 groups) {
  KernelBuilder builder(target, target.usable_rows(), target.usable_columns());
  // Slots of a row; the differences overwrite p[u] and q[u].
  enum Slot : u32 { p_u, p_m, q_u, q_m, sum_p, sum_q, slots_of_row };
  const u32 half = spec.points / 2, depth = target.in_flight(2);
  u32 chunk = std::min(half, 16u);
  while (chunk > 1 && (half % chunk != 0 || slots_of_row * (depth * chunk + 1) > target.operand_vectors)) --chunk;
  SpectrumKernel result;
  result.counts = {half / chunk, 1, 1};
  result.shared_by = share_out(builder, groups, result.counts[0]);

  const auto in_row = static_cast<i32>(spec.input.row_bytes()), out_row = static_cast<i32>(spec.output.row_bytes());
  /// Rows u = first .. first + rows - 1 of each chunk; row m of the first one is `mirror`.
  const auto add_rows = [&](unsigned scope, u32 rows, u32 first, u32 mirror) {
    const bool chunks = scope == each_chunk;
    const u32 rotation = chunks ? depth : 1;
    const Stream slots =
        rotating(builder.allocate_vectors(rotation * slots_of_row * rows), scope, rotation, slots_of_row * rows);
    const auto at = [&](const SegmentOperand& first_slot, u32 slot) { return first_slot + slot * rows; };
    const auto memory = [&](unsigned launch_register, const PanelLayout& layout, u32 row, i32 step) {
      Stream stream = row_stream(launch_register, static_cast<i32>(row * layout.row_bytes()));
      stream.instance_stride[0] = static_cast<i32>(layout.panel_bytes());
      if (chunks) stream.instance_stride[1] = step * static_cast<i32>(rows);
      return stream;
    };
    const auto load = [&](unsigned launch_register, u32 u_slot, u32 m_slot) {
      SegmentBuilder segment(builder, Unit::load, scope, 0, {rows});
      const auto to = segment.at(slots, {1});
      segment.ld(at(to, u_slot), segment.at(memory(launch_register, spec.input, first, in_row), {in_row}));
      segment.ld(at(to, m_slot), segment.at(memory(launch_register, spec.input, mirror, -in_row), {-in_row}));
      return segment.finish();
    };
    const u16 load_p = load(separation_register::p, p_u, p_m), load_q = load(separation_register::q, q_u, q_m);
    SegmentBuilder separate(builder, Unit::cal, scope, 1, {rows});
    const auto row = separate.at(slots, {1});
    separate.add(at(row, sum_p), at(row, p_u), at(row, p_m));
    separate.add(at(row, sum_q), at(row, q_u), at(row, q_m));
    separate.sub(at(row, p_u), at(row, p_m), at(row, p_u));
    separate.sub(at(row, q_u), at(row, q_u), at(row, q_m));
    const u16 cal = separate.finish();
    builder.data(load_p, cal);
    builder.data(load_q, cal);
    const auto store = [&](unsigned re, u32 re_slot, unsigned im, u32 im_slot) {
      SegmentBuilder save(builder, Unit::store, scope, 2, {rows});
      const auto from = save.at(slots, {1});
      save.st(save.at(memory(re, spec.output, half - first, -out_row), {-out_row}), at(from, re_slot));
      save.st(save.at(memory(im, spec.output, half - first, -out_row), {-out_row}), at(from, im_slot));
      const u16 segment = save.finish();
      builder.data(cal, segment);
      builder.space(segment, load_p, rotation);
      builder.space(segment, load_q, rotation);
    };
    store(separation_register::x_re, sum_p, separation_register::x_im, q_u);
    store(separation_register::y_re, sum_q, separation_register::y_im, p_u);
  };
  add_rows(each_chunk, chunk, 1, spec.points - 1);
  add_rows(once, 1, 0, 0);
  result.kernel = builder.finish();
  return result;
}

SpectrumKernel make_mirror_kernel(const CompilerTarget& target, const MirrorSpec& spec, u32 groups) {
  KernelBuilder builder(target, target.usable_rows(), target.usable_columns());
  const u32 lanes = target.lanes, panels = spec.columns / lanes, all_panels = spec.points / lanes;
  SpectrumKernel result;
  result.counts = {panels - 1, 1, 1};
  result.shared_by = share_out(builder, groups, result.counts[0]);
  const u32 depth = (2 + 1) * lanes + 1 <= target.operand_vectors ? target.in_flight(2) : 1;
  const i32 x_step = spec.x.by_column().step, y_step = spec.y.by_column().step;

  /// Columns of panel `panel`, or with scope each_chunk of that panel and all behind it.
  const auto add_columns = [&](unsigned scope, u32 panel, bool first_column, u32 others,
                               const std::function<u32(u32 pe)>& first_other) {
    const bool all = scope == each_chunk;
    const u32 rotation = all ? depth : 1, vectors = (first_column ? 1 : 0) + others;
    const Stream slots = rotating(builder.allocate_vectors(rotation * vectors), scope, rotation, vectors);
    const auto memory = [&](unsigned launch_register, const PanelLayout& layout, u32 at, i32 direction) {
      Stream stream = column_stream(launch_register, layout);
      const auto bytes = static_cast<i32>(layout.panel_bytes());
      stream.base += static_cast<i32>(at) * bytes;
      if (all) stream.instance_stride[1] = direction * bytes;
      return stream;
    };
    std::vector<u16> loads, stores;
    const auto copy = [&](u32 slot, u32 count, const Stream& from, const Stream& to) {
      Stream at = slots;
      at.base += static_cast<i32>(slot);
      loads.push_back(add_load(builder, scope, 0, {count}, {at, {1}}, {from, {-x_step}}));
      stores.push_back(add_store(builder, scope, 1, {count}, {at, {1}}, {to, {y_step}}));
      builder.data(loads.back(), stores.back());
      builder.space(stores.back(), loads.back(), rotation);
    };
    // Column i > 0 of a panel takes column lanes - i of the panel that mirrors it. Column 0 takes column 0 of the panel
    // behind that one; the first column of all takes itself.
    if (first_column) {
      copy(0, 1, memory(mirror_register::x, spec.x, (all_panels - panel) % all_panels, -1),
           memory(mirror_register::y, spec.y, panel, 1));
    }
    if (others == 0) return;
    Stream from = memory(mirror_register::x, spec.x, all_panels - 1 - panel, -1);
    Stream to = memory(mirror_register::y, spec.y, panel, 1);
    builder.add_pe_value(from, [&](u32 pe) { return static_cast<i32>(lanes - first_other(pe)) * x_step; });
    builder.add_pe_value(to, [&](u32 pe) { return static_cast<i32>(first_other(pe)) * y_step; });
    copy(first_column ? 1 : 0, others, from, to);
  };
  add_columns(each_chunk, 1, true, lanes - 1, [](u32) { return 1; });
  // The columns of the first panel are divided among the PEs that share a lane group, because all of them would wait
  // for its bank. The last PEs may copy columns that others copy too. PEs without an iteration of level 1 run nothing.
  const u32 sharing = std::min(result.shared_by[1], panels - 1), by_group = result.shared_by[0];
  const u32 others = (lanes - 1 + sharing - 1) / sharing;
  add_columns(once, 0, true, others,
              [=](u32 pe) { return others == 0 ? 1 : std::min(1 + pe / by_group * others, lanes - others); });
  result.kernel = builder.finish();
  return result;
}

SpectrumKernel make_scaled_sum_kernel(const CompilerTarget& target, const ScaledSumSpec& spec, u32 groups) {
  KernelBuilder builder(target, target.usable_rows(), target.usable_columns());
  const u32 lanes = target.lanes, depth = target.in_flight(2);
  u32 rows = std::min(lanes, 16u);
  while (rows > 1 && 2 * depth * rows + 1 > target.operand_vectors) rows /= 2;
  SpectrumKernel result;
  result.counts = {spec.columns / lanes, lanes / rows, 1};
  result.shared_by = share_out(builder, groups, result.counts[0]);

  const u32 factor_slot = builder.allocate_vectors(1);
  const u16 constant = add_load(builder, 0, 0, {}, {stream_at(static_cast<i32>(factor_slot)), {}},
                                {row_stream(scaled_sum_register::constant), {}});
  constexpr unsigned each_row_chunk = 3;
  const Stream s = rotating(builder.allocate_vectors(depth * rows), each_row_chunk, depth, rows);
  const Stream x = rotating(builder.allocate_vectors(depth * rows), each_row_chunk, depth, rows);
  const auto row = static_cast<i32>(spec.s.row_bytes());  // of all three
  const u16 load_s = add_load(builder, each_row_chunk, 0, {rows}, {s, {1}},
                              {row_chunk_stream(scaled_sum_register::s, spec.s, rows), {row}});
  const u16 load_x = add_load(builder, each_row_chunk, 0, {rows}, {x, {1}},
                              {row_chunk_stream(scaled_sum_register::x, spec.x, rows), {row}});
  SegmentBuilder scale_and_add(builder, Unit::cal, each_row_chunk, 1, {rows});
  const auto sum_s = scale_and_add.at(s, {1}), sum_x = scale_and_add.at(x, {1});
  scale_and_add.fmas(sum_x, sum_s, scale_and_add.at(stream_at(static_cast<i32>(factor_slot * lanes))), sum_x);
  const u16 sum = scale_and_add.finish();
  const u16 store = add_store(builder, each_row_chunk, 2, {rows}, {x, {1}},
                              {row_chunk_stream(scaled_sum_register::y, spec.y, rows), {row}});
  builder.data(constant, sum);
  builder.data(load_s, sum);
  builder.data(load_x, sum);
  builder.data(sum, store);
  builder.space(sum, load_s, depth);
  builder.space(store, load_x, depth);
  builder.space(sum, constant, 1);
  result.kernel = builder.finish();
  return result;
}

}  // namespace bvp
