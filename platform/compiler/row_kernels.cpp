// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/row_kernels.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "platform/compiler/merge_kernel.h"
#include "platform/compiler/streams.h"
#include "platform/network/half.h"
#include "platform/network/network.h"

namespace bvp {

namespace {

constexpr EdgeKind data = EdgeKind::data;
constexpr EdgeKind space = EdgeKind::space;

/// Two exchanges of all PEs that share a lane group, in rounds of a round trip each.
u64 exchange_cycles(u32 sharing) {
  constexpr u64 round_trip = 30;
  return 2 * round_trip * log2_of(sharing);
}

/// The cheapest number of PEs that share the columns of a lane group. Each keeps two parts of the sums at least: a
/// single one waits for the adder at every column, and the PEs queue for the bank of their common tile.
u32 choose_sharing(const CompilerTarget& target, u32 columns, u32 groups, u32 ways) {
  const u32 pes = target.usable_pes();
  u32 best = 1;
  u64 best_cost = std::numeric_limits<u64>::max();
  for (u32 sharing = 1; sharing <= std::min(pes, std::max(1u, ways / 2)); sharing *= 2) {
    // A partial panel has to be shared out evenly too.
    if (columns % target.lanes % sharing != 0) break;
    const u32 by_group = pes / sharing;
    // Of a column two operations wait for earlier ones of the same part, some four do not.
    const u64 waiting = std::max<u64>(1, target.cal_latency * sharing / ways);
    const u64 of_group = columns / sharing * (4 + 2 * waiting) + exchange_cycles(sharing);
    const u64 cost = u64{(groups + by_group - 1) / by_group} * of_group;
    if (cost >= best_cost) continue;
    best_cost = cost;
    best = sharing;
  }
  return best;
}

/// Passes over the columns of a lane group of rows: a panel at a time (scope 2: instance levels 0 = lane group,
/// 1 = panel), then the columns of a last partial panel (scope 1). PEs that share a lane group take the columns c with
/// c mod sharing = their place.
class RowPasses {
 public:
  RowPasses(const CompilerTarget& target, const PanelLayout& layout, u32 columns, u32 groups, unsigned launch_register)
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

  KernelBuilder& builder() { return builder_; }
  /// Columns that a pass buffer holds; with fewer columns than a panel only the tail exists.
  [[nodiscard]] u32 span() const { return (panels_ > 0 ? lanes_ : tail_) / sharing_; }
  /// Columns of a block of scalars: those of all PEs.
  [[nodiscard]] u32 scalar_span() const { return panels_ > 0 ? lanes_ : tail_; }
  [[nodiscard]] u32 panels() const { return panels_; }
  [[nodiscard]] u32 sharing() const { return sharing_; }
  /// Buffers of a pass: as many as hide the way to the scratchpad, at least one.
  /// @param vectors  of one buffer of all passes  @param others  what else is still to be allocated
  [[nodiscard]] u32 choose_depth(u32 vectors, u32 others) const {
    const u32 free = builder_.free_vectors() - std::min(others, builder_.free_vectors());
    const u32 wanted = std::max(2u, 2 * lanes_ / span());
    return std::max(1u, std::min({builder_.target().in_flight(8), wanted, free / vectors}));
  }
  /// Parts of a sum that a PE has.
  [[nodiscard]] u32 parts() const { return ways_ / sharing_; }

  /// A load of whole vectors at the kernel's constants register, once per launch.
  u16 add_constants(unsigned launch_register, u32 slots, u32 vectors) {
    return builder_.add(Unit::load, 0, 0, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}},
                        {stream_at(static_cast<i32>(slots)), row_stream(launch_register), {}, {}},
                        {trips(vectors, {1, static_cast<i32>(lanes_ * 2), 0, 0})});
  }

  /// What is done to the columns of a buffer. Stream 0 is the buffer, stream 3 the scalars if there are any.
  struct Step {
    std::vector<Instruction> code;
    std::array<Stream, streams_per_segment> streams;
    std::optional<unsigned> parts_stream;  // advances over the parts of a sum
  };
  struct Scalars {
    unsigned launch_register = 0;
    i32 offset = 0;   // of the first panel's block
    u32 vectors = 0;  // of a block
  };
  struct Pass {
    std::vector<u16> first, last;  // Cal segments: of the panels, of the tail
  };

  /// @param store  the buffer goes back to the scratchpad at this launch register (layout as the input's)
  Pass add(unsigned tag, const std::vector<Step>& steps, u32 depth, const std::optional<Scalars>& scalars,
           const std::optional<unsigned>& store) {
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
        // The tail's columns use the buffer of the panels: after the last panel, before those of the next rows.
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

  /// `before` must be done before a pass, the pass before `after`.
  void order(std::optional<u16> before, const Pass& pass, std::optional<u16> after) {
    for (std::size_t i = 0; i < pass.first.size(); ++i) {
      if (before) builder_.edge(*before, pass.first[i], data);
      if (after) builder_.edge(pass.last[i], *after, data);
    }
  }

  /// Adds up the parts of a sum over the PEs that share it: then part 0 of each has the total. Between `before` and the
  /// returned segment.
  u16 add_total(unsigned tag, const Stream& sum, u16 before) {
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

  /// The parts of a sum begin with what another launch has left at this register, behind `zero`.
  u16 add_earlier_sums(unsigned launch_register, const Stream& sum, u16 zero) {
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

  /// The parts of a sum are left there for another launch, behind `before`; returns the last segment that reads them.
  u16 leave_sums(unsigned tag, unsigned launch_register, const Stream& sum, u16 before) {
    const auto upper = static_cast<u16>(parts());
    const Stream halves = stream_at(static_cast<i32>(builder_.allocate_vectors(2 * parts())));
    const i32 next = static_cast<i32>(sharing_) * layout_.by_column().step;
    const u16 split = builder_.add(
        Unit::cal, 1, tag, {{Opcode::alow, {0, 0}, {1, 0}, {}, {}}, {Opcode::ahigh, {0, upper}, {1, 0}, {}, {}}},
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

  /// A column of a matrix with the layout of the rows, one value a row.
  [[nodiscard]] Stream column(unsigned launch_register, u32 index) const {
    Stream memory = column_stream(launch_register, layout_);
    const VectorWalk walk = layout_.by_column();
    memory.base += static_cast<i32>(index / lanes_) * walk.panel + static_cast<i32>(index % lanes_) * walk.step;
    return memory;
  }

  /// Likewise the maximum of parts that are vectors.
  u16 add_maximum(unsigned tag, const Stream& maxima, u16 before) {
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

 private:
  [[nodiscard]] i32 place(u32 pe) const { return static_cast<i32>(pe % sharing_); }

  /// Where this PE's parts of sums lie, from column `first` on.
  [[nodiscard]] Stream sums_memory(unsigned launch_register, u32 first) {
    Stream memory = column(launch_register, first);
    builder_.add_pe_value(memory, [&](u32 pe) { return static_cast<i32>(place(pe)) * layout_.by_column().step; });
    return memory;
  }

  /// Every PE sends `own` to its partner's `received`, which `join` uses up.
  void add_exchange(u16 before, u16 join, unsigned tag, u32 mask, const Stream& own, const Stream& received,
                    u32 vectors) {
    const u16 flow = builder_.add(Unit::flow, 1, tag, {{Opcode::send, {0, 0}, {1, 0}, {0, static_cast<u16>(mask)}, {}}},
                                  {received, own, {}, {}}, {trips(vectors, {1, 1, 0, 0})});
    builder_.edge(before, flow, data);
    builder_.edge(flow, join, data, 0, mask);
    builder_.edge(join, flow, space, 1, mask);
    // What is sent is overwritten by the join at the earliest.
    builder_.edge(flow, join, data);
    builder_.edge(flow, before, space, 1);
  }

  void add_step(std::vector<u16>& cals, const Step& step, const Stream& slots, const Stream* scalar, unsigned scope,
                unsigned tag, u32 columns) {
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
    // With a single part the rounds are the innermost loop.
    if (parts() == 1) {
      segment(0, {trips(columns, {1, 0, 0, 0})});
      return;
    }
    if (rounds > 0) segment(0, {over_parts(parts()), trips(rounds, {static_cast<i32>(parts()), 0, 0, 0})});
    if (rest > 0) segment(rounds * parts(), {over_parts(rest)});
  }

  const u32 lanes_, ways_, sharing_;
  const PanelLayout layout_;
  const unsigned launch_register_;
  KernelBuilder builder_;
  const u32 panels_, tail_;
};

}  // namespace

u32 sum_ways(const CompilerTarget& target) {
  return CompilerTarget::floor_power_of_two(std::min({16u, target.lanes, std::max(1u, target.accumulators / 2)}));
}

RowKernel make_layer_norm_kernel(const CompilerTarget& target, const LayerNormSpec& spec, u32 groups) {
  const u32 lanes = target.lanes;
  RowPasses passes(target, spec.layout, spec.columns, groups, layer_norm_register::input);
  KernelBuilder& builder = passes.builder();

  RowKernel result;
  result.sharing = passes.sharing();
  result.exchange_cycles = exchange_cycles(result.sharing);
  result.weights = {to_half(1.0 / spec.columns), to_half(spec.epsilon)};
  const u32 constant_vectors = vectors_of(result.weights.size(), lanes);
  pad_to_vector(result.weights, lanes);
  const auto scalars_at = static_cast<i32>(result.weights.size() * 2);
  const u32 span = passes.scalar_span();
  const std::vector<u16> scalars = row_part_scalars(target, spec.columns, spec.weight, spec.bias);
  result.weights.insert(result.weights.end(), scalars.begin(), scalars.end());
  result.counts = {std::max(1u, passes.panels()), 1, 1};

  const u32 constant_slots = builder.allocate_vectors(constant_vectors);
  const u16 constants = passes.add_constants(layer_norm_register::weights, constant_slots, constant_vectors);
  const Stream scalar = stream_at(static_cast<i32>(constant_slots * lanes));
  const u32 rows_in_flight = target.in_flight(2);
  const Stream mean = rotating(builder.allocate_vectors(rows_in_flight), 1, rows_in_flight, 1);
  const Stream deviation = rotating(builder.allocate_vectors(rows_in_flight), 1, rows_in_flight, 1);
  const u32 parts = passes.parts();
  const u32 sets = target.accumulators >= 4 * parts ? rows_in_flight : 1;
  const Stream sum = rotating(builder.allocate_accumulators(sets * parts), 1, sets, parts);
  const Stream squares = rotating(builder.allocate_accumulators(sets * parts), 1, sets, parts);
  const u32 scalar_vectors = vectors_of(2 * std::size_t{span}, lanes);
  const u32 totals = 2 * (parts > 1 ? parts : 0) + 8 * log2_of(passes.sharing());
  const u32 depth = passes.choose_depth(3 * passes.span() + scalar_vectors, totals);

  const Loop over_parts = trips(parts, {1, 0, 0, 0});
  const u16 zero_sum =
      builder.add(Unit::cal, 1, 0, {{Opcode::azero, {0, 0}, {}, {}, {}}}, {sum, {}, {}, {}}, {over_parts});
  const auto summing =
      passes.add(1, {{{{Opcode::aadd, {1, 0}, {0, 0}, {}, {}}}, {Stream{}, sum, {}, {}}, 1}}, depth, {}, {});
  passes.order(zero_sum, summing, {});
  const u16 sum_done = passes.add_total(2, sum, summing.last.back());
  const u16 make_mean =
      builder.add(Unit::cal, 1, 2, {{Opcode::amuls, {0, 0}, {1, 0}, {2, 0}, {}}}, {mean, sum, scalar, {}}, {});
  builder.edge(sum_done, make_mean, data);

  const u16 zero_squares =
      builder.add(Unit::cal, 1, 3, {{Opcode::azero, {0, 0}, {}, {}, {}}}, {squares, {}, {}, {}}, {over_parts});
  const auto squaring = passes.add(4,
                                   {{{{Opcode::sub, {0, 0}, {0, 0}, {1, 0}, {}}}, {Stream{}, mean, {}, {}}, {}},
                                    {{{Opcode::amac, {2, 0}, {0, 0}, {0, 0}, {}}}, {Stream{}, {}, squares, {}}, 2}},
                                   depth, {}, {});
  passes.order(zero_squares, squaring, {});
  passes.order(make_mean, squaring, {});
  const u16 squares_done = passes.add_total(5, squares, squaring.last.back());
  const u16 make_deviation = builder.add(Unit::cal, 1, 5,
                                         {{Opcode::amuls, {0, 0}, {1, 0}, {2, 0}, {}},
                                          {Opcode::adds, {0, 0}, {0, 0}, {2, 1}, {}},
                                          {Opcode::rsqrt, {0, 0}, {0, 0}, {}, {}}},
                                         {deviation, squares, scalar, {}}, {});
  builder.edge(squares_done, make_deviation, data);

  const auto scaling = passes.add(6,
                                  {{{{Opcode::sub, {0, 0}, {0, 0}, {1, 0}, {}},
                                     {Opcode::mul, {0, 0}, {0, 0}, {2, 0}, {}},
                                     {Opcode::fmass, {0, 0}, {0, 0}, {3, 0}, {3, static_cast<u16>(span)}}},
                                    {Stream{}, mean, deviation, {}},
                                    {}}},
                                  depth, RowPasses::Scalars{layer_norm_register::weights, scalars_at, scalar_vectors},
                                  layer_norm_register::output);
  passes.order(make_deviation, scaling, {});

  builder.edge(constants, make_mean, data);
  builder.edge(make_mean, zero_sum, space, sets);
  builder.edge(make_deviation, zero_squares, space, sets);
  const u16 last = scaling.last.back();
  builder.edge(last, make_mean, space, rows_in_flight);
  builder.edge(last, make_deviation, space, rows_in_flight);
  builder.edge(last, constants, space, 1);
  result.kernel = builder.finish();
  return result;
}

RowKernel make_softmax_kernel(const CompilerTarget& target, const SoftmaxSpec& spec, u32 groups) {
  const u32 lanes = target.lanes;
  RowPasses passes(target, spec.layout, spec.columns, groups, softmax_register::scores);
  KernelBuilder& builder = passes.builder();

  RowKernel result;
  result.sharing = passes.sharing();
  result.exchange_cycles = exchange_cycles(result.sharing);
  constexpr u16 minus_infinity = 0xfc00;
  result.weights.assign(lanes, minus_infinity);
  result.counts = {std::max(1u, passes.panels()), 1, 1};

  const u32 rows_in_flight = target.in_flight(2);
  const u32 parts = passes.parts();
  const Stream maxima = rotating(builder.allocate_vectors(rows_in_flight * parts), 1, rows_in_flight, parts);
  const Stream reciprocal = rotating(builder.allocate_vectors(rows_in_flight), 1, rows_in_flight, 1);
  const Stream total =
      spec.for_merge ? rotating(builder.allocate_vectors(rows_in_flight), 1, rows_in_flight, 1) : reciprocal;
  const u32 sets = target.accumulators >= 2 * parts ? rows_in_flight : 1;
  const Stream sum = rotating(builder.allocate_accumulators(sets * parts), 1, sets, parts);
  const u32 totals = (parts > 1 ? parts : 0) + 5 * log2_of(passes.sharing());
  const u32 depth = passes.choose_depth(2 * passes.span(), totals);

  const u16 start = builder.add(Unit::load, 1, 0, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}},
                                {maxima, row_stream(softmax_register::weights), {}, {}}, {trips(parts, {1, 0, 0, 0})});
  const auto searching =
      passes.add(1, {{{{Opcode::max, {1, 0}, {0, 0}, {1, 0}, {}}}, {Stream{}, maxima, {}, {}}, 1}}, depth, {}, {});
  passes.order(start, searching, {});
  const u16 maximum_found = passes.add_maximum(2, maxima, searching.last.back());

  const u16 zero_sum = builder.add(Unit::cal, 1, 2, {{Opcode::azero, {0, 0}, {}, {}, {}}}, {sum, {}, {}, {}},
                                   {trips(parts, {1, 0, 0, 0})});
  const auto summing = passes.add(3,
                                  {{{{Opcode::sub, {0, 0}, {0, 0}, {1, 0}, {}}, {Opcode::exp, {0, 0}, {0, 0}, {}, {}}},
                                    {Stream{}, maxima, {}, {}},
                                    {}},
                                   {{{Opcode::aadd, {2, 0}, {0, 0}, {}, {}}}, {Stream{}, {}, sum, {}}, 2}},
                                  depth, {}, softmax_register::scores);
  passes.order(zero_sum, summing, {});
  builder.edge(maximum_found, zero_sum, data);
  const u16 sum_done = passes.add_total(4, sum, summing.last.back());
  const u16 invert =
      builder.add(Unit::cal, 1, 4, {{Opcode::around, {2, 0}, {1, 0}, {}, {}}, {Opcode::rcp, {0, 0}, {2, 0}, {}, {}}},
                  {reciprocal, sum, total, {}}, {});
  builder.edge(sum_done, invert, data);
  // All PEs that share the rows have these values; all of them store them.
  const auto add_store = [&](u32 column, const Stream& value) {
    Stream memory = column_stream(softmax_register::reciprocal, spec.reciprocal_layout);
    const VectorWalk walk = spec.reciprocal_layout.by_column();
    memory.base += static_cast<i32>(column / lanes) * walk.panel + static_cast<i32>(column % lanes) * walk.step;
    const u16 store =
        builder.add(Unit::store, 1, 4, {{Opcode::st, {1, 0}, {0, 0}, {}, {}}}, {value, memory, {}, {}}, {});
    builder.edge(invert, store, data);
    builder.edge(store, invert, space, rows_in_flight);
    return store;
  };
  add_store(softmax_column::reciprocal, reciprocal);
  if (spec.for_merge) {
    add_store(softmax_column::sum, total);
    builder.edge(add_store(softmax_column::maximum, maxima), start, space, rows_in_flight);
  }
  builder.edge(invert, zero_sum, space, sets);
  builder.edge(summing.last.back(), start, space, rows_in_flight);
  result.kernel = builder.finish();
  return result;
}

namespace {

/// The steps of RowPartSpec.
class RowPartBuilder {
 public:
  RowPartBuilder(const CompilerTarget& target, const RowPartSpec& spec, u32 groups)
      : spec_(spec),
        lanes_(target.lanes),
        passes_(target, spec.layout, spec.columns, groups, row_part_register::input),
        builder_(passes_.builder()),
        rows_in_flight_(target.in_flight(2)) {
    result_.sharing = passes_.sharing();
    result_.counts = {std::max(1u, passes_.panels()), 1, 1};
  }

  RowKernel build() {
    switch (spec_.step) {
      case RowPartSpec::Step::sum:
        add_sum();
        break;
      case RowPartSpec::Step::squares:
        add_squares();
        break;
      case RowPartSpec::Step::scale:
        add_scale();
        break;
      case RowPartSpec::Step::maximum:
        add_maximum();
        break;
      case RowPartSpec::Step::exponent:
        add_exponent();
        break;
    }
    result_.kernel = builder_.finish();
    return std::move(result_);
  }

 private:
  /// Vectors that totals over parts and PEs take, at most.
  [[nodiscard]] u32 totals() const { return 2 * passes_.parts() * 2 + 4 * log2_of(passes_.sharing()); }

  [[nodiscard]] Stream row_vector() {
    return rotating(builder_.allocate_vectors(rows_in_flight_), 1, rows_in_flight_, 1);
  }

  /// Scalars in operand memory, there once per launch; the end of a sum reads them.
  struct Constants {
    u16 load = 0;
    Stream scalars;
  };
  Constants add_constants(const std::vector<u16>& values) {
    if (!spec_.last) return {};
    result_.weights = values;
    const u32 vectors = vectors_of(values.size(), lanes_);
    pad_to_vector(result_.weights, lanes_);
    const u32 slots = builder_.allocate_vectors(vectors);
    return {passes_.add_constants(row_part_register::constants, slots, vectors),
            stream_at(static_cast<i32>(slots * lanes_))};
  }

  /// The value of a statistic, a vector for each lane group.
  u16 load_statistic(u32 column, const Stream& slot) {
    return builder_.add(Unit::load, 1, 0, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}},
                        {slot, passes_.column(row_part_register::statistics, column), {}, {}}, {});
  }
  /// All PEs that share the rows have the value; all of them store it.
  void store_statistic(u32 column, const Stream& value, u16 made) {
    const u16 store = builder_.add(Unit::store, 1, 7, {{Opcode::st, {1, 0}, {0, 0}, {}, {}}},
                                   {value, passes_.column(row_part_register::statistics, column), {}, {}}, {});
    builder_.edge(made, store, data);
    builder_.edge(store, made, space, rows_in_flight_);
  }

  /// A sum over the part's columns with `steps`, whose accumulators are the stream `sum_`; `prepared` must be done
  /// before. Calls `finish` for the segment that makes the result of whole rows.
  template <class Finish>
  RowPasses::Pass add_summing(const std::vector<RowPasses::Step>& steps, u32 depth,
                              const std::optional<unsigned>& store, std::optional<u16> prepared, const Finish& finish) {
    const u16 zero = builder_.add(Unit::cal, 1, 0, {{Opcode::azero, {0, 0}, {}, {}, {}}}, {sum_, {}, {}, {}},
                                  {trips(passes_.parts(), {1, 0, 0, 0})});
    const u16 start = spec_.first ? zero : passes_.add_earlier_sums(row_part_register::sums, sum_, zero);
    const RowPasses::Pass pass = passes_.add(1, steps, depth, {}, store);
    passes_.order(start, pass, {});
    if (prepared) passes_.order(*prepared, pass, {});
    u16 end = 0;
    if (spec_.last) {
      result_.exchange_cycles = exchange_cycles(passes_.sharing()) / 2;
      end = finish(passes_.add_total(2, sum_, pass.last.back()));
    } else {
      end = passes_.leave_sums(2, row_part_register::sums, sum_, pass.last.back());
    }
    builder_.edge(end, zero, space, sum_sets_);
    return pass;
  }
  void allocate_sum() {
    const u32 parts = passes_.parts();
    sum_sets_ = builder_.target().accumulators >= 2 * parts ? rows_in_flight_ : 1;
    sum_ = rotating(builder_.allocate_accumulators(sum_sets_ * parts), 1, sum_sets_, parts);
  }

  void add_sum() {
    allocate_sum();
    const Constants constants = add_constants({to_half(1.0 / spec_.row_columns)});
    const Stream mean = row_vector();
    const u32 depth = passes_.choose_depth(passes_.span(), totals());
    add_summing({{{{Opcode::aadd, {1, 0}, {0, 0}, {}, {}}}, {Stream{}, sum_, {}, {}}, 1}}, depth, {}, {},
                [&](u16 total) {
                  const u16 make_mean = builder_.add(Unit::cal, 1, 2, {{Opcode::amuls, {0, 0}, {1, 0}, {2, 0}, {}}},
                                                     {mean, sum_, constants.scalars, {}}, {});
                  builder_.edge(total, make_mean, data);
                  use_constants(constants, make_mean);
                  store_statistic(norm_column::mean, mean, make_mean);
                  return make_mean;
                });
  }

  void add_squares() {
    allocate_sum();
    const Constants constants = add_constants({to_half(1.0 / spec_.row_columns), to_half(spec_.epsilon)});
    const Stream mean = row_vector(), deviation = row_vector();
    const u32 depth = passes_.choose_depth(passes_.span(), totals());
    const u16 load_mean = load_statistic(norm_column::mean, mean);
    const auto pass = add_summing({{{{Opcode::sub, {0, 0}, {0, 0}, {1, 0}, {}}}, {Stream{}, mean, {}, {}}, {}},
                                   {{{Opcode::amac, {2, 0}, {0, 0}, {0, 0}, {}}}, {Stream{}, {}, sum_, {}}, 2}},
                                  depth, {}, load_mean, [&](u16 total) {
                                    const u16 make_deviation =
                                        builder_.add(Unit::cal, 1, 2,
                                                     {{Opcode::amuls, {0, 0}, {1, 0}, {2, 0}, {}},
                                                      {Opcode::adds, {0, 0}, {0, 0}, {2, 1}, {}},
                                                      {Opcode::rsqrt, {0, 0}, {0, 0}, {}, {}}},
                                                     {deviation, sum_, constants.scalars, {}}, {});
                                    builder_.edge(total, make_deviation, data);
                                    use_constants(constants, make_deviation);
                                    store_statistic(norm_column::deviation, deviation, make_deviation);
                                    return make_deviation;
                                  });
    builder_.edge(pass.last.back(), load_mean, space, rows_in_flight_);
  }

  void add_scale() {
    const Stream mean = row_vector(), deviation = row_vector();
    const u32 span = passes_.scalar_span(), scalar_vectors = vectors_of(2 * std::size_t{span}, lanes_);
    const u32 depth = passes_.choose_depth(passes_.span() + scalar_vectors, 0);
    const u16 load_mean = load_statistic(norm_column::mean, mean);
    const u16 load_deviation = load_statistic(norm_column::deviation, deviation);
    const auto pass = passes_.add(1,
                                  {{{{Opcode::sub, {0, 0}, {0, 0}, {1, 0}, {}},
                                     {Opcode::mul, {0, 0}, {0, 0}, {2, 0}, {}},
                                     {Opcode::fmass, {0, 0}, {0, 0}, {3, 0}, {3, static_cast<u16>(span)}}},
                                    {Stream{}, mean, deviation, {}},
                                    {}}},
                                  depth, RowPasses::Scalars{row_part_register::scalars, 0, scalar_vectors},
                                  row_part_register::output);
    for (const u16 load : {load_mean, load_deviation}) {
      passes_.order(load, pass, {});
      builder_.edge(pass.last.back(), load, space, rows_in_flight_);
    }
  }

  void add_maximum() {
    const u32 parts = passes_.parts();
    const Stream maxima = rotating(builder_.allocate_vectors(rows_in_flight_ * parts), 1, rows_in_flight_, parts);
    const u32 depth = passes_.choose_depth(passes_.span(), log2_of(passes_.sharing()));
    constexpr u16 minus_infinity = 0xfc00;
    result_.weights.assign(lanes_, minus_infinity);
    const Stream before = spec_.first ? row_stream(row_part_register::constants)
                                      : passes_.column(row_part_register::statistics, softmax_column::maximum);
    const u16 start = builder_.add(Unit::load, 1, 0, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}}, {maxima, before, {}, {}},
                                   {trips(parts, {1, 0, 0, 0})});
    const auto pass =
        passes_.add(1, {{{{Opcode::max, {1, 0}, {0, 0}, {1, 0}, {}}}, {Stream{}, maxima, {}, {}}, 1}}, depth, {}, {});
    passes_.order(start, pass, {});
    result_.exchange_cycles = exchange_cycles(passes_.sharing()) / 2;
    const u16 found = passes_.add_maximum(2, maxima, pass.last.back());
    const u16 store =
        builder_.add(Unit::store, 1, 7, {{Opcode::st, {1, 0}, {0, 0}, {}, {}}},
                     {maxima, passes_.column(row_part_register::statistics, softmax_column::maximum), {}, {}}, {});
    builder_.edge(found, store, data);
    builder_.edge(store, start, space, rows_in_flight_);
  }

  void add_exponent() {
    allocate_sum();
    const Stream maximum = row_vector(), reciprocal = row_vector();
    const u32 depth = passes_.choose_depth(passes_.span(), totals());
    const u16 load_maximum = load_statistic(softmax_column::maximum, maximum);
    const auto pass = add_summing(
        {{{{Opcode::sub, {0, 0}, {0, 0}, {1, 0}, {}}, {Opcode::exp, {0, 0}, {0, 0}, {}, {}}},
          {Stream{}, maximum, {}, {}},
          {}},
         {{{Opcode::aadd, {2, 0}, {0, 0}, {}, {}}}, {Stream{}, {}, sum_, {}}, 2}},
        depth, row_part_register::output, load_maximum, [&](u16 total) {
          const u16 invert = builder_.add(
              Unit::cal, 1, 2, {{Opcode::around, {0, 0}, {1, 0}, {}, {}}, {Opcode::rcp, {0, 0}, {0, 0}, {}, {}}},
              {reciprocal, sum_, {}, {}}, {});
          builder_.edge(total, invert, data);
          store_statistic(softmax_column::reciprocal, reciprocal, invert);
          return invert;
        });
    builder_.edge(pass.last.back(), load_maximum, space, rows_in_flight_);
  }

  void use_constants(const Constants& constants, u16 reader) {
    builder_.edge(constants.load, reader, data);
    builder_.edge(reader, constants.load, space, 1);
  }

  const RowPartSpec& spec_;
  const u32 lanes_;
  RowPasses passes_;
  KernelBuilder& builder_;
  const u32 rows_in_flight_;
  RowKernel result_;
  Stream sum_;
  u32 sum_sets_ = 1;
};

}  // namespace

RowKernel make_row_part_kernel(const CompilerTarget& target, const RowPartSpec& spec, u32 groups) {
  return RowPartBuilder(target, spec, groups).build();
}

std::vector<u16> row_part_scalars(const CompilerTarget& target, u32 columns,
                                  const std::function<u16(u32 column)>& weight,
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
