// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/kernels/row_passes.h"

#include <limits>

#include "platform/compiler/kernels/streams.h"
#include "platform/network/network.h"

namespace bvp {

namespace {

/// The cheapest number of PEs that share the columns of a lane group. Each PE has at least two parts of the sums,
/// because a single part would wait for the adder at every column, and because the PEs queue for the bank of their
/// common tile.
u32 choose_sharing(const CompilerTarget& target, u32 columns, u32 groups, u32 ways) {
  const u32 pes = target.usable_pes();
  u32 best = 1;
  u64 best_cost = std::numeric_limits<u64>::max();
  for (u32 sharing = 1; sharing <= std::min(pes, std::max(1u, ways / 2)); sharing *= 2) {
    // A partial panel has to be shared out evenly too.
    if (columns % target.lanes % sharing != 0) break;
    const u32 by_group = pes / sharing;
    // For each column, two operations wait for earlier operations on the same part, and about four do not.
    const u64 waiting = std::max<u64>(1, target.cal.latency(Timing::simple) * sharing / ways);
    const u64 of_group = columns / sharing * (4 + 2 * waiting) + row_exchange_cycles(sharing);
    const u64 cost = u64{(groups + by_group - 1) / by_group} * of_group;
    if (cost >= best_cost) continue;
    best_cost = cost;
    best = sharing;
  }
  return best;
}

}  // namespace

u32 sum_ways(const CompilerTarget& target) {
  // The sums of long rows take two vectors per part; they must leave most of a scratchpad half to other data.
  const auto vectors = static_cast<u32>(std::min<u64>(target.half_bytes() / target.vector_bytes(), 1024));
  return CompilerTarget::floor_power_of_two(
      std::min({16u, target.lanes, std::max(1u, target.accumulators / 2), std::max(1u, vectors / 8)}));
}

u64 row_exchange_cycles(u32 sharing) {
  // All PEs that share a lane group exchange twice, in rounds that take a round trip each.
  constexpr u64 round_trip = 30;
  return 2 * round_trip * log2_of(sharing);
}

RowPasses::RowPasses(const CompilerTarget& target, const PanelLayout& layout, u32 columns, u32 groups,
                     unsigned launch_register)
    : lanes_(target.lanes),
      ways_(sum_ways(target)),
      sharing_(choose_sharing(target, columns, groups, ways_)),
      layout_(layout),
      launch_register_(launch_register),
      builder_(target, target.usable_rows(), target.usable_columns()),
      panels_(columns / target.lanes),
      tail_(columns % target.lanes) {
  const u32 sharing = sharing_, by_group = builder_.pes() / sharing;
  builder_.distribute(
      0, [=](u32 pe) { return static_cast<i32>(pe / sharing); }, by_group);
}

u32 RowPasses::choose_depth(u32 vectors, u32 others) const {
  const u32 free = builder_.free_vectors() - std::min(others, builder_.free_vectors());
  const u32 wanted = std::max(2u, 2 * lanes_ / span());
  return std::max(1u, std::min({builder_.target().in_flight(8), wanted, free / vectors}));
}

u16 RowPasses::add_constants(unsigned launch_register, u32 slots, u32 vectors) {
  return add_load(builder_, 0, 0, {vectors}, {stream_at(static_cast<i32>(slots)), {1}},
                  {row_stream(launch_register), {static_cast<i32>(lanes_ * 2)}});
}

Stream RowPasses::part_memory(unsigned scope, unsigned launch_register, const PanelLayout& layout) {
  const i32 step = layout_.by_column().step;
  Stream stream = column_stream(launch_register, layout);
  if (scope == 2) stream.instance_stride[1] = static_cast<i32>(layout.panel_bytes());
  if (scope == 1) stream.base += static_cast<i32>(panels_ * layout.panel_bytes());
  builder_.add_pe_value(stream, [&](u32 pe) { return place(pe) * step; });
  return stream;
}

Stream RowPasses::add_scalar_load(const PassPlan& plan, unsigned scope, std::vector<u16>& loads) {
  const u32 vectors = plan.scalars->vectors, rotation = scope == 2 ? plan.depth : 1;
  const auto block = static_cast<i32>(vectors * lanes_ * 2);
  Stream source = row_stream(plan.scalars->launch_register, plan.scalars->offset);
  if (scope == 2) source.instance_stride[1] = block;
  if (scope == 1) source.base += static_cast<i32>(panels_) * block;
  loads.push_back(add_load(builder_, scope, plan.tag, {vectors},
                           {rotating(plan.scalar_slots, 2, rotation, vectors), {1}},
                           {source, {static_cast<i32>(lanes_ * 2)}}));
  Stream scalar = rotating(plan.scalar_slots * lanes_, 2, rotation, vectors * lanes_);
  builder_.add_pe_value(scalar, [&](u32 pe) { return place(pe); });
  return scalar;
}

RowPasses::PassPart RowPasses::add_part(const PassPlan& plan, unsigned scope, u32 all_columns, const PassPart& panels) {
  const u32 columns = all_columns / sharing_, rotation = scope == 2 ? plan.depth : 1;
  const Stream slots = rotating(plan.buffer, 2, rotation, span());
  const i32 next = static_cast<i32>(sharing_) * layout_.by_column().step;
  PassPart part;
  part.loads = {add_load(builder_, scope, plan.tag, {columns}, {slots, {1}},
                         {part_memory(scope, launch_register_, layout_), {next}})};
  Stream scalar;
  if (plan.scalars) scalar = add_scalar_load(plan, scope, part.loads);
  for (const Step& step : plan.steps) {
    add_step(part.cals, step, slots, plan.scalars ? &scalar : nullptr, scope, plan.tag, columns);
  }
  part.readers = {part.cals.back()};
  if (plan.store) {
    part.readers.push_back(add_store(builder_, scope, plan.tag, {columns}, {slots, {1}},
                                     {part_memory(scope, plan.store->launch_register, plan.store->layout), {next}}));
    builder_.data(part.cals.back(), part.readers.back());
  }
  for (const u16 load : part.loads) {
    builder_.data(load, part.cals.front());
    for (const u16 reader : part.readers) builder_.space(reader, load, rotation);
    // The columns of the tail use the buffer of the panels, after the last panel and before the panels of the next
    // rows.
    for (const u16 reader : panels.readers) builder_.space(reader, load);
  }
  for (const u16 load : panels.loads) {
    for (const u16 reader : part.readers) builder_.space(reader, load, 1);
  }
  if (!panels.cals.empty()) builder_.data(panels.cals.back(), part.cals.front());
  return part;
}

RowPasses::Pass RowPasses::add(unsigned tag, const std::vector<Step>& steps, u32 depth,
                               const std::optional<Scalars>& scalars, const std::optional<Destination>& store) {
  PassPlan plan{tag, depth, steps, scalars, store};
  plan.buffer = builder_.allocate_vectors(depth * span());
  plan.scalar_slots = scalars ? builder_.allocate_vectors(depth * scalars->vectors) : 0;
  Pass pass;
  PassPart panels;
  const auto append = [&](const PassPart& part) {
    pass.first.push_back(part.cals.front());
    pass.last.push_back(part.cals.back());
  };
  if (panels_ > 0) append(panels = add_part(plan, 2, lanes_, {}));
  if (tail_ > 0) append(add_part(plan, 1, tail_, panels));
  return pass;
}

void RowPasses::order(std::optional<u16> before, const Pass& pass, std::optional<u16> after) {
  for (std::size_t i = 0; i < pass.first.size(); ++i) {
    if (before) builder_.data(*before, pass.first[i]);
    if (after) builder_.data(pass.last[i], *after);
  }
}

u16 RowPasses::add_total(unsigned tag, const Stream& sum, u16 before) {
  u16 last = before;
  const auto chain = [&](u16 segment) {
    builder_.data(last, segment);
    last = segment;
  };
  if (parts() > 1) {
    const u32 half = parts() / 2;
    const Stream all = halves(half);
    for (u32 count = half; count > 0; count /= 2) {
      Stream upper = sum;
      upper.base += static_cast<i32>(count);
      SegmentBuilder join(builder_, Unit::cal, 1, tag, {count});
      const auto low = join.at(all, {1}), to = join.at(sum, {1}), from = join.at(upper, {1});
      join.alow(low, from);
      join.ahigh(low + half, from);
      join.ajoin(to, low, low + half);
      chain(join.finish());
    }
  }
  for (u32 mask = sharing_ / 2; mask > 0; mask /= 2) {
    const Stream own = halves(1), received = halves(1);
    SegmentBuilder split(builder_, Unit::cal, 1, tag);
    const auto low = split.at(own), split_sum = split.at(sum);
    split.alow(low, split_sum);
    split.ahigh(low + 1, split_sum);
    chain(split.finish());

    SegmentBuilder join(builder_, Unit::cal, 1, tag);
    const auto other = join.at(received);
    join.ajoin(join.at(sum), other, other + 1);
    const u16 joined = join.finish();
    add_exchange(last, joined, tag, mask, own, received, 2);
    chain(joined);
  }
  return last;
}

u16 RowPasses::add_earlier_sums(unsigned launch_register, const Stream& sum, u16 zero) {
  const Stream earlier = halves(parts());
  const i32 next = static_cast<i32>(sharing_) * layout_.by_column().step;
  SegmentBuilder load_halves(builder_, Unit::load, 1, 0, {parts()});
  const auto low = load_halves.at(earlier, {1});
  load_halves.ld(low, load_halves.at(sums_memory(launch_register, 0), {next}));
  load_halves.ld(low + parts(), load_halves.at(sums_memory(launch_register, ways_), {next}));
  const u16 load = load_halves.finish();

  SegmentBuilder join_halves(builder_, Unit::cal, 1, 0, {parts()});
  const auto part = join_halves.at(sum, {1}), half = join_halves.at(earlier, {1});
  join_halves.ajoin(part, half, half + parts());
  const u16 join = join_halves.finish();
  builder_.data(load, join);
  builder_.space(join, load, 1);
  builder_.data(zero, join);
  return join;
}

u16 RowPasses::leave_sums(unsigned tag, unsigned launch_register, const Stream& sum, u16 before) {
  const Stream left = halves(parts());
  const i32 next = static_cast<i32>(sharing_) * layout_.by_column().step;
  SegmentBuilder split_sums(builder_, Unit::cal, 1, tag, {parts()});
  const auto half = split_sums.at(left, {1}), part = split_sums.at(sum, {1});
  split_sums.alow(half, part);
  split_sums.ahigh(half + parts(), part);
  const u16 split = split_sums.finish();

  SegmentBuilder store_halves(builder_, Unit::store, 1, tag, {parts()});
  const auto low = store_halves.at(left, {1});
  store_halves.st(store_halves.at(sums_memory(launch_register, 0), {next}), low);
  store_halves.st(store_halves.at(sums_memory(launch_register, ways_), {next}), low + parts());
  const u16 store = store_halves.finish();
  builder_.data(before, split);
  builder_.data(split, store);
  builder_.space(store, split, 1);
  return split;
}

Stream RowPasses::column(unsigned launch_register, u32 index) const {
  Stream memory = column_stream(launch_register, layout_);
  const VectorWalk walk = layout_.by_column();
  memory.base += static_cast<i32>(index / lanes_) * walk.panel + static_cast<i32>(index % lanes_) * walk.step;
  return memory;
}

u16 RowPasses::add_maximum(unsigned tag, const Stream& maxima, u16 before) {
  u16 last = before;
  const auto chain = [&](u16 segment) {
    builder_.data(last, segment);
    last = segment;
  };
  for (u32 count = parts() / 2; count > 0; count /= 2) {
    Stream upper = maxima;
    upper.base += static_cast<i32>(count);
    SegmentBuilder compare(builder_, Unit::cal, 1, tag, {count});
    const auto from = compare.at(upper, {1}), to = compare.at(maxima, {1});
    compare.max(to, from, to);
    chain(compare.finish());
  }
  for (u32 mask = sharing_ / 2; mask > 0; mask /= 2) {
    const Stream received = stream_at(static_cast<i32>(builder_.allocate_vectors(1)));
    SegmentBuilder compare(builder_, Unit::cal, 1, tag);
    const auto other = compare.at(received), to = compare.at(maxima);
    compare.max(to, other, to);
    const u16 join = compare.finish();
    add_exchange(last, join, tag, mask, maxima, received, 1);
    chain(join);
  }
  return last;
}

Stream RowPasses::sums_memory(unsigned launch_register, u32 first) {
  Stream memory = column(launch_register, first);
  builder_.add_pe_value(memory, [&](u32 pe) { return static_cast<i32>(place(pe)) * layout_.by_column().step; });
  return memory;
}

void RowPasses::add_exchange(u16 before, u16 join, unsigned tag, u32 mask, const Stream& own, const Stream& received,
                             u32 vectors) {
  SegmentBuilder exchange(builder_, Unit::flow, 1, tag, {vectors});
  const auto to = exchange.at(received, {1});
  exchange.send(to, exchange.at(own, {1}), number(mask));
  const u16 flow = exchange.finish();
  builder_.data(before, flow);
  builder_.edge(flow, join, EdgeKind::data, 0, mask);
  builder_.edge(join, flow, EdgeKind::space, 1, mask);
  // The vectors that are sent are overwritten by the join at the earliest.
  builder_.data(flow, join);
  builder_.space(flow, before, 1);
}

void RowPasses::add_step(std::vector<u16>& cals, const Step& step, const Stream& slots, const Stream* scalar,
                         unsigned scope, unsigned tag, u32 columns) {
  // Loops: over the parts if the step has any and there are several, then over the rounds through them.
  const auto add_segment = [&](u32 first, const std::vector<u32>& trips, const std::vector<i32>& strides) {
    SegmentBuilder segment(builder_, Unit::cal, scope, tag, trips);
    Stream columns_from = slots;
    columns_from.base += static_cast<i32>(first);
    StepOperands operands;
    operands.column = segment.at(columns_from, strides);
    operands.scalar = [&] { return segment.at(*scalar, {static_cast<i32>(sharing_)}); };
    operands.part = [&](const Stream& sums) { return segment.at(sums, {parts() == 1 ? 0 : 1}); };
    step.code(segment, operands);
    const u16 cal = segment.finish();
    if (!cals.empty()) builder_.data(cals.back(), cal);
    cals.push_back(cal);
  };
  if (!step.by_parts || parts() == 1) {
    add_segment(0, {columns}, {1});
    return;
  }
  const u32 rounds = columns / parts(), rest = columns % parts();
  if (rounds > 0) add_segment(0, {parts(), rounds}, {1, static_cast<i32>(parts())});
  if (rest > 0) add_segment(rounds * parts(), {rest}, {1});
}

Stream RowPasses::halves(u32 sums) { return stream_at(static_cast<i32>(builder_.allocate_vectors(2 * sums))); }

RowPasses::Step sum_columns(const Stream& sum) {
  return {[=](SegmentBuilder& segment, const RowPasses::StepOperands& operands) {
            segment.aadd(operands.part(sum), operands.column);
          },
          true};
}

std::vector<RowPasses::Step> sum_squares(const Stream& mean, const Stream& squares) {
  const auto subtract = [=](SegmentBuilder& segment, const RowPasses::StepOperands& operands) {
    segment.asub(operands.column, segment.at(mean), operands.column);
  };
  const auto square = [=](SegmentBuilder& segment, const RowPasses::StepOperands& operands) {
    segment.amac(operands.part(squares), operands.column, operands.column);
  };
  return {{subtract, false}, {square, true}};
}

RowPasses::Step scale_columns(const Stream& mean, const Stream& deviation, u32 span) {
  return {[=](SegmentBuilder& segment, const RowPasses::StepOperands& operands) {
            segment.asub(operands.column, segment.at(mean), operands.column);
            segment.amul(operands.column, segment.at(deviation), operands.column);
            const auto weight = operands.scalar();
            segment.fmass(operands.column, operands.column, weight, weight + span);
          },
          false};
}

RowPasses::Step find_maxima(const Stream& maxima) {
  return {[=](SegmentBuilder& segment, const RowPasses::StepOperands& operands) {
            const auto largest = operands.part(maxima);
            segment.max(largest, operands.column, largest);
          },
          true};
}

std::vector<RowPasses::Step> sum_exponentials(const Stream& maximum, const Stream& sum) {
  const auto exponentiate = [=](SegmentBuilder& segment, const RowPasses::StepOperands& operands) {
    segment.sub(operands.column, operands.column, segment.at(maximum));
    segment.exp(operands.column, operands.column);
  };
  const auto add_up = [=](SegmentBuilder& segment, const RowPasses::StepOperands& operands) {
    segment.aadd(operands.part(sum), operands.column);
  };
  return {{exponentiate, false}, {add_up, true}};
}

std::size_t row_scalar_words(const CompilerTarget& target, u32 columns) {
  const u32 lanes = target.lanes, span = std::min(columns, lanes);
  return std::size_t{(columns + lanes - 1) / lanes} * vectors_of(std::size_t{2} * span, lanes) * lanes;
}

std::vector<u16> row_scalars(const CompilerTarget& target, u32 columns, const std::function<u16(u32 column)>& weight,
                             const std::function<u16(u32 column)>& bias) {
  const u32 lanes = target.lanes, span = std::min(columns, lanes);
  std::vector<u16> scalars;
  for (u32 first = 0; first < columns; first += lanes) {
    for (const auto& value : {weight, bias}) {
      for (u32 i = 0; i < span; ++i) scalars.push_back(first + i < columns ? value(first + i) : u16{0});
    }
    pad_to_vector(scalars, lanes);
  }
  return scalars;
}

}  // namespace bvp
