// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/kernels/spectrum_kernels.h"

#include <algorithm>
#include <vector>

#include "platform/compiler/kernels/streams.h"

namespace bvp {

namespace {

constexpr EdgeKind data = EdgeKind::data;
constexpr EdgeKind space = EdgeKind::space;

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

SpectrumKernel make_separation_kernel(const CompilerTarget& target, const SeparationSpec& spec, u32 groups) {
  KernelBuilder builder(target, target.usable_rows(), target.usable_columns());
  // Slots of a row: p[u], p[m], q[u], q[m] and two sums; the differences overwrite p[u] and q[u].
  constexpr u32 slots_of_row = 6;
  const u32 half = spec.points / 2, depth = target.in_flight(2);
  u32 chunk = std::min(half, 16u);
  while (chunk > 1 && slots_of_row * (depth * chunk + 1) > target.operand_vectors) chunk /= 2;
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
    const auto slot = [&](u32 number) { return Operand{0, static_cast<u16>(number * rows)}; };
    const auto memory = [&](unsigned launch_register, const PanelLayout& layout, u32 at, i32 step) {
      Stream stream = row_stream(launch_register, static_cast<i32>(at * layout.row_bytes()));
      stream.instance_stride[0] = static_cast<i32>(layout.panel_bytes());
      if (chunks) stream.instance_stride[1] = step * static_cast<i32>(rows);
      return stream;
    };
    const auto load = [&](unsigned launch_register, u32 number) {
      return builder.add(Unit::load, scope, 0,
                         {{Opcode::ld, slot(number), {1, 0}, {}, {}}, {Opcode::ld, slot(number + 1), {2, 0}, {}, {}}},
                         {slots, memory(launch_register, spec.input, first, in_row),
                          memory(launch_register, spec.input, mirror, -in_row), {}},
                         {trips(rows, {1, in_row, -in_row, 0})});
    };
    const u16 load_p = load(separation_register::p, 0), load_q = load(separation_register::q, 2);
    const u16 cal = builder.add(Unit::cal, scope, 1,
                                {{Opcode::add, slot(4), slot(0), slot(1), {}},
                                 {Opcode::add, slot(5), slot(2), slot(3), {}},
                                 {Opcode::sub, slot(0), slot(1), slot(0), {}},
                                 {Opcode::sub, slot(2), slot(2), slot(3), {}}},
                                {slots, {}, {}, {}}, {trips(rows, {1, 0, 0, 0})});
    builder.edge(load_p, cal, data);
    builder.edge(load_q, cal, data);
    const auto store = [&](unsigned re, u32 re_slot, unsigned im, u32 im_slot) {
      const u16 segment = builder.add(
          Unit::store, scope, 2,
          {{Opcode::st, {1, 0}, slot(re_slot), {}, {}}, {Opcode::st, {2, 0}, slot(im_slot), {}, {}}},
          {slots, memory(re, spec.output, half - first, -out_row), memory(im, spec.output, half - first, -out_row), {}},
          {trips(rows, {1, -out_row, -out_row, 0})});
      builder.edge(cal, segment, data);
      builder.edge(segment, load_p, space, rotation);
      builder.edge(segment, load_q, space, rotation);
    };
    store(separation_register::x_re, 4, separation_register::x_im, 2);
    store(separation_register::y_re, 5, separation_register::y_im, 0);
  };
  add_rows(each_chunk, chunk, 1, spec.points - 1);
  add_rows(once, 1, 0, 0);
  result.kernel = builder.finish();
  return result;
}

SpectrumKernel make_spectrum_sum_kernel(const CompilerTarget& target, const SpectrumSumSpec& spec, u32 groups) {
  KernelBuilder builder(target, target.usable_rows(), target.usable_columns());
  const u32 lanes = target.lanes, panels = spec.columns / lanes, all_panels = spec.points / lanes;
  const u32 of_panel = 2 * lanes;  // slots: a panel of s, one of x
  const u32 of_first = spec.mirrored ? of_panel : 0;
  const u32 depth = 2 * of_panel + of_first < target.operand_vectors ? target.in_flight(2) : 1;
  SpectrumKernel result;
  result.counts = {spec.mirrored ? panels - 1 : panels, 1, 1};
  result.shared_by = share_out(builder, groups, result.counts[0]);

  const u32 factor_slot = builder.allocate_vectors(1);
  const Stream factor = stream_at(static_cast<i32>(factor_slot * lanes));
  const u16 constant =
      builder.add(Unit::load, 0, 0, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}},
                  {stream_at(static_cast<i32>(factor_slot)), row_stream(spectrum_sum_register::constant), {}, {}}, {});
  const i32 step = spec.layout.by_column().step, spectrum_step = spec.spectrum.by_column().step;

  /// Panel `first` of the result, or with scope each_chunk that panel and all behind it.
  const auto add_panels = [&](unsigned scope, u32 first) {
    const bool all = scope == each_chunk;
    const u32 rotation = all ? depth : 1;
    const Stream terms = rotating(builder.allocate_vectors(rotation * of_panel), scope, rotation, of_panel);
    // The sums overwrite the residuals.
    Stream sums = terms;
    sums.base += static_cast<i32>(lanes);
    const auto memory = [&](unsigned launch_register, const PanelLayout& layout, u32 panel, i32 direction) {
      Stream stream = column_stream(launch_register, layout);
      const auto bytes = static_cast<i32>(layout.panel_bytes());
      stream.base += static_cast<i32>(panel) * bytes;
      if (all) stream.instance_stride[1] = direction * bytes;
      return stream;
    };
    std::vector<u16> loads;
    const auto load = [&](const Stream& to, const Stream& from, u32 count, i32 slot_step, i32 memory_step) {
      loads.push_back(builder.add(Unit::load, scope, 0, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}}, {to, from, {}, {}},
                                  {trips(count, {slot_step, memory_step, 0, 0})}));
    };
    const auto spectrum = [&](u32 panel, i32 direction) {
      return memory(spectrum_sum_register::s, spec.spectrum, panel, direction);
    };
    load(sums, memory(spectrum_sum_register::x, spec.layout, first, 1), lanes, 1, step);
    if (spec.mirrored) {
      // Column i > 0 of a panel takes column lanes - i of the panel that mirrors it. Column 0 takes column 0 of the panel
      // behind that one; the first column of all takes itself.
      load(terms, spectrum((all_panels - first) % all_panels, -1), 1, 0, 0);
      if (lanes > 1) {
        Stream last = terms, from = spectrum(all_panels - 1 - first, -1);
        last.base += static_cast<i32>(lanes - 1);
        from.base += spectrum_step;
        load(last, from, lanes - 1, -1, spectrum_step);
      }
    } else {
      load(terms, spectrum(first, 1), lanes, 1, spectrum_step);
    }
    const u16 sum = builder.add(Unit::cal, scope, 1, {{Opcode::fmas, {1, 0}, {0, 0}, {2, 0}, {1, 0}}},
                                {terms, sums, factor, {}}, {trips(lanes, {1, 1, 0, 0})});
    const u16 store = builder.add(Unit::store, scope, 2, {{Opcode::st, {1, 0}, {0, 0}, {}, {}}},
                                  {sums, memory(spectrum_sum_register::y, spec.layout, first, 1), {}, {}},
                                  {trips(lanes, {1, step, 0, 0})});
    for (const u16 segment : loads) {
      builder.edge(segment, sum, data);
      builder.edge(store, segment, space, rotation);
    }
    builder.edge(sum, store, data);
    builder.edge(constant, sum, data);
    builder.edge(sum, constant, space, 1);
  };
  add_panels(each_chunk, spec.mirrored ? 1 : 0);
  if (spec.mirrored) add_panels(once, 0);
  result.kernel = builder.finish();
  return result;
}

}  // namespace bvp
