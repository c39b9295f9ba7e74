// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/kernels/row_passes.h"

#include <limits>

#include "platform/compiler/kernels/streams.h"
#include "platform/network/network.h"

namespace bvp {

namespace {

constexpr EdgeKind data = EdgeKind::data;
constexpr EdgeKind space = EdgeKind::space;

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
  return builder_.add(Unit::load, 0, 0, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}},
                      {stream_at(static_cast<i32>(slots)), row_stream(launch_register), {}, {}},
                      {trips(vectors, {1, static_cast<i32>(lanes_ * 2), 0, 0})});
}

RowPasses::Pass RowPasses::add(unsigned tag, const std::vector<Step>& steps, u32 depth,
                               const std::optional<Scalars>& scalars, const std::optional<unsigned>& store) {
  Pass pass;
  const u32 buffer = builder_.allocate_vectors(depth * span());
  const u32 scalar_slots = scalars ? builder_.allocate_vectors(depth * scalars->vectors) : 0;
  std::vector<u16> main_readers, main_loads;
  const auto part = [&](unsigned scope, u32 all_columns) {
    const u32 columns = all_columns / sharing_;
    const u32 rotation = scope == 2 ? depth : 1;
    const Stream slots = rotating(buffer, 2, rotation, span());
    const i32 step = layout_.by_column().step;
    const auto memory = [&](unsigned launch_register) {
      Stream stream = column_stream(launch_register, layout_);
      if (scope == 2) stream.instance_stride[1] = static_cast<i32>(layout_.panel_bytes());
      if (scope == 1) stream.base += static_cast<i32>(panels_ * layout_.panel_bytes());
      builder_.add_pe_value(stream, [&](u32 pe) { return place(pe) * step; });
      return stream;
    };
    const std::vector<Loop> moves{trips(columns, {1, static_cast<i32>(sharing_) * step, 0, 0})};
    std::vector<u16> loads{builder_.add(Unit::load, scope, tag, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}},
                                        {slots, memory(launch_register_), {}, {}}, moves)};
    Stream scalar;
    if (scalars) {
      const auto block = static_cast<i32>(scalars->vectors * lanes_ * 2);
      Stream source = row_stream(scalars->launch_register, scalars->offset);
      if (scope == 2) source.instance_stride[1] = block;
      if (scope == 1) source.base += static_cast<i32>(panels_) * block;
      loads.push_back(builder_.add(Unit::load, scope, tag, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}},
                                   {rotating(scalar_slots, 2, rotation, scalars->vectors), source, {}, {}},
                                   {trips(scalars->vectors, {1, static_cast<i32>(lanes_ * 2), 0, 0})}));
      scalar = rotating(scalar_slots * lanes_, 2, rotation, scalars->vectors * lanes_);
      builder_.add_pe_value(scalar, [&](u32 pe) { return place(pe); });
    }
    std::vector<u16> cals;
    for (const Step& step : steps) add_step(cals, step, slots, scalars ? &scalar : nullptr, scope, tag, columns);
    std::vector<u16> readers{cals.back()};
    if (store) {
      readers.push_back(builder_.add(Unit::store, scope, tag, {{Opcode::st, {1, 0}, {0, 0}, {}, {}}},
                                     {slots, memory(*store), {}, {}}, moves));
      builder_.edge(cals.back(), readers.back(), data);
    }
    for (const u16 load : loads) {
      builder_.edge(load, cals.front(), data);
      for (const u16 reader : readers) builder_.edge(reader, load, space, rotation);
      // The columns of the tail use the buffer of the panels, after the last panel and before the panels of the next
      // rows.
      for (const u16 reader : main_readers) builder_.edge(reader, load, space);
    }
    for (const u16 load : main_loads) {
      for (const u16 reader : readers) builder_.edge(reader, load, space, 1);
    }
    if (!pass.last.empty()) builder_.edge(pass.last.back(), cals.front(), data);
    pass.first.push_back(cals.front());
    pass.last.push_back(cals.back());
    main_readers = readers;
    main_loads = loads;
  };
  if (panels_ > 0) part(2, lanes_);
  if (tail_ > 0) part(1, tail_);
  return pass;
}

void RowPasses::order(std::optional<u16> before, const Pass& pass, std::optional<u16> after) {
  for (std::size_t i = 0; i < pass.first.size(); ++i) {
    if (before) builder_.edge(*before, pass.first[i], data);
    if (after) builder_.edge(pass.last[i], *after, data);
  }
}

u16 RowPasses::add_total(unsigned tag, const Stream& sum, u16 before) {
  u16 last = before;
  const auto chain = [&](u16 segment) {
    builder_.edge(last, segment, data);
    last = segment;
  };
  if (parts() > 1) {
    const auto half = static_cast<u16>(parts() / 2);
    const Stream halves = stream_at(static_cast<i32>(builder_.allocate_vectors(parts())));
    for (u32 count = half; count > 0; count /= 2) {
      Stream upper = sum;
      upper.base += static_cast<i32>(count);
      chain(builder_.add(Unit::cal, 1, tag,
                         {{Opcode::alow, {0, 0}, {2, 0}, {}, {}},
                          {Opcode::ahigh, {0, half}, {2, 0}, {}, {}},
                          {Opcode::ajoin, {1, 0}, {0, 0}, {0, half}, {}}},
                         {halves, sum, upper, {}}, {trips(count, {1, 1, 1, 0})}));
    }
  }
  for (u32 mask = sharing_ / 2; mask > 0; mask /= 2) {
    const Stream own = stream_at(static_cast<i32>(builder_.allocate_vectors(2)));
    const Stream received = stream_at(static_cast<i32>(builder_.allocate_vectors(2)));
    chain(builder_.add(Unit::cal, 1, tag,
                       {{Opcode::alow, {0, 0}, {2, 0}, {}, {}}, {Opcode::ahigh, {0, 1}, {2, 0}, {}, {}}},
                       {own, {}, sum, {}}, {}));
    const u16 join =
        builder_.add(Unit::cal, 1, tag, {{Opcode::ajoin, {1, 0}, {0, 0}, {0, 1}, {}}}, {received, sum, {}, {}}, {});
    add_exchange(last, join, tag, mask, own, received, 2);
    chain(join);
  }
  return last;
}

u16 RowPasses::add_earlier_sums(unsigned launch_register, const Stream& sum, u16 zero) {
  const auto upper = static_cast<u16>(parts());
  const Stream halves = stream_at(static_cast<i32>(builder_.allocate_vectors(2 * parts())));
  const i32 next = static_cast<i32>(sharing_) * layout_.by_column().step;
  const u16 load =
      builder_.add(Unit::load, 1, 0, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}, {Opcode::ld, {0, upper}, {2, 0}, {}, {}}},
                   {halves, sums_memory(launch_register, 0), sums_memory(launch_register, ways_), {}},
                   {trips(parts(), {1, next, next, 0})});
  const u16 join = builder_.add(Unit::cal, 1, 0, {{Opcode::ajoin, {0, 0}, {1, 0}, {1, upper}, {}}},
                                {sum, halves, {}, {}}, {trips(parts(), {1, 1, 0, 0})});
  builder_.edge(load, join, data);
  builder_.edge(join, load, space, 1);
  builder_.edge(zero, join, data);
  return join;
}

u16 RowPasses::leave_sums(unsigned tag, unsigned launch_register, const Stream& sum, u16 before) {
  const auto upper = static_cast<u16>(parts());
  const Stream halves = stream_at(static_cast<i32>(builder_.allocate_vectors(2 * parts())));
  const i32 next = static_cast<i32>(sharing_) * layout_.by_column().step;
  const u16 split = builder_.add(Unit::cal, 1, tag,
                                 {{Opcode::alow, {0, 0}, {1, 0}, {}, {}}, {Opcode::ahigh, {0, upper}, {1, 0}, {}, {}}},
                                 {halves, sum, {}, {}}, {trips(parts(), {1, 1, 0, 0})});
  const u16 store = builder_.add(Unit::store, 1, tag,
                                 {{Opcode::st, {1, 0}, {0, 0}, {}, {}}, {Opcode::st, {2, 0}, {0, upper}, {}, {}}},
                                 {halves, sums_memory(launch_register, 0), sums_memory(launch_register, ways_), {}},
                                 {trips(parts(), {1, next, next, 0})});
  builder_.edge(before, split, data);
  builder_.edge(split, store, data);
  builder_.edge(store, split, space, 1);
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
    builder_.edge(last, segment, data);
    last = segment;
  };
  for (u32 count = parts() / 2; count > 0; count /= 2) {
    Stream upper = maxima;
    upper.base += static_cast<i32>(count);
    chain(builder_.add(Unit::cal, 1, tag, {{Opcode::max, {1, 0}, {0, 0}, {1, 0}, {}}}, {upper, maxima, {}, {}},
                       {trips(count, {1, 1, 0, 0})}));
  }
  for (u32 mask = sharing_ / 2; mask > 0; mask /= 2) {
    const Stream received = stream_at(static_cast<i32>(builder_.allocate_vectors(1)));
    const u16 join =
        builder_.add(Unit::cal, 1, tag, {{Opcode::max, {1, 0}, {0, 0}, {1, 0}, {}}}, {received, maxima, {}, {}}, {});
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
  const u16 flow = builder_.add(Unit::flow, 1, tag, {{Opcode::send, {0, 0}, {1, 0}, {0, static_cast<u16>(mask)}, {}}},
                                {received, own, {}, {}}, {trips(vectors, {1, 1, 0, 0})});
  builder_.edge(before, flow, data);
  builder_.edge(flow, join, data, 0, mask);
  builder_.edge(join, flow, space, 1, mask);
  // The vectors that are sent are overwritten by the join at the earliest.
  builder_.edge(flow, join, data);
  builder_.edge(flow, before, space, 1);
}

void RowPasses::add_step(std::vector<u16>& cals, const Step& step, const Stream& slots, const Stream* scalar,
                         unsigned scope, unsigned tag, u32 columns) {
  const auto segment = [&](u32 first, const std::vector<Loop>& loops) {
    auto streams = step.streams;
    streams[0] = slots;
    streams[0].base += static_cast<i32>(first);
    if (scalar != nullptr) streams[3] = *scalar;
    const u16 cal = builder_.add(Unit::cal, scope, tag, step.code, streams, loops);
    if (!cals.empty()) builder_.edge(cals.back(), cal, data);
    cals.push_back(cal);
  };
  if (!step.parts_stream) {
    segment(0, {trips(columns, {1, 0, 0, scalar != nullptr ? static_cast<i32>(sharing_) : 0})});
    return;
  }
  const u32 rounds = columns / parts(), rest = columns % parts();
  const auto over_parts = [&](u32 count) {
    Loop loop = trips(count, {1, 0, 0, 0});
    loop.stride[*step.parts_stream] = 1;
    return loop;
  };
  // If there is a single part, the rounds are the innermost loop.
  if (parts() == 1) {
    segment(0, {trips(columns, {1, 0, 0, 0})});
    return;
  }
  if (rounds > 0) segment(0, {over_parts(parts()), trips(rounds, {static_cast<i32>(parts()), 0, 0, 0})});
  if (rest > 0) segment(rounds * parts(), {over_parts(rest)});
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
