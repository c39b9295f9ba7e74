// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/row_kernels.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "models/isa/vector_access.h"
#include "platform/compiler/kernel_builder.h"
#include "platform/network/half.h"
#include "platform/network/network.h"

namespace bvp {

namespace {

constexpr EdgeKind data = EdgeKind::data;
constexpr EdgeKind space = EdgeKind::space;

/// A stream of column-wise accesses, lane groups of rows at instance level 0.
Stream column_stream(unsigned launch_register, const PanelLayout& layout) {
  Stream stream = stream_at(static_cast<i32>(VectorAccess::column_flag));
  stream.launch_register = static_cast<u8>(launch_register + 1);
  stream.instance_stride[0] = static_cast<i32>(layout.group_bytes());
  return stream;
}

Stream weight_memory(unsigned launch_register, i32 offset = 0) {
  Stream stream = stream_at(offset);
  stream.launch_register = static_cast<u8>(launch_register + 1);
  return stream;
}

Stream rotating(u32 base, unsigned scope, u32 depth, u32 span) {
  Stream stream = stream_at(static_cast<i32>(base));
  if (depth > 1) {
    stream.rotation_scope = static_cast<u8>(scope);
    stream.rotation_depth = static_cast<u8>(depth);
    stream.rotation_stride = static_cast<i32>(span);
  }
  return stream;
}

Loop trips(u32 count, std::array<i32, streams_per_segment> stride) { return {count, stride}; }

/// Passes over the columns of a lane group of rows: a panel at a time (scope 2: instance levels 0 = lane group,
/// 1 = panel), then the columns of a last partial panel (scope 1).
class RowPasses {
 public:
  RowPasses(const CompilerTarget& target, const PanelLayout& layout, u32 columns, unsigned launch_register)
      : lanes_(target.lanes),
        layout_(layout),
        launch_register_(launch_register),
        builder_(target, target.usable_rows(), target.usable_columns()),
        panels_(columns / target.lanes),
        tail_(columns % target.lanes) {
    const u32 pes = builder_.pes();
    builder_.distribute(
        0, [](u32 pe) { return static_cast<i32>(pe); }, pes);
  }

  KernelBuilder& builder() { return builder_; }
  /// Columns of the pass buffers; with fewer columns than a panel only the tail exists.
  [[nodiscard]] u32 span() const { return panels_ > 0 ? lanes_ : tail_; }
  [[nodiscard]] u32 panels() const { return panels_; }
  [[nodiscard]] u32 tail() const { return tail_; }

  /// A load of whole vectors at the kernel's constants register, once per launch.
  u16 add_constants(unsigned launch_register, u32 slots, u32 vectors) {
    return builder_.add(Unit::load, 0, 0, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}},
                        {stream_at(static_cast<i32>(slots)), weight_memory(launch_register), {}, {}},
                        {trips(vectors, {1, static_cast<i32>(lanes_ * 2), 0, 0})});
  }

  struct Pass {
    std::vector<u16> cals;     // main, tail
    std::vector<u16> scalars;  // loads of per-column scalars
  };
  struct Scalars {
    unsigned launch_register = 0;
    i32 offset = 0;   // of the first panel's block
    u32 vectors = 0;  // of a block
  };

  /// `code` runs over the columns at trip level 0; stream 0 is the buffer, stream 3 the scalars if there are any.
  /// @param store   the buffer goes back to the scratchpad at this launch register (layout as the input's)
  Pass add(unsigned tag, const std::vector<Instruction>& code, std::array<Stream, streams_per_segment> streams,
           u32 depth, const std::optional<Scalars>& scalars, const std::optional<unsigned>& store) {
    Pass pass;
    const u32 buffer = builder_.allocate_vectors(depth * span());
    const u32 scalar_slots = scalars ? builder_.allocate_vectors(depth * scalars->vectors) : 0;
    std::vector<u16> main_readers, main_loads;
    const auto part = [&](unsigned scope, u32 columns) {
      const u32 rotation = scope == 2 ? depth : 1;
      const Stream slots = rotating(buffer, 2, rotation, span());
      const auto memory = [&](unsigned launch_register) {
        Stream stream = column_stream(launch_register, layout_);
        if (scope == 2) stream.instance_stride[1] = static_cast<i32>(layout_.panel_bytes());
        if (scope == 1) stream.base += static_cast<i32>(panels_ * layout_.panel_bytes());
        return stream;
      };
      const std::vector<Loop> moves{trips(columns, {1, 2, 0, 0})};
      std::vector<u16> loads{builder_.add(Unit::load, scope, tag, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}},
                                          {slots, memory(launch_register_), {}, {}}, moves)};
      streams[0] = slots;
      std::vector<Loop> loops{trips(columns, {1, 0, 0, scalars ? 1 : 0})};
      if (scalars) {
        const auto block = static_cast<i32>(scalars->vectors * lanes_ * 2);
        Stream source = weight_memory(scalars->launch_register, scalars->offset);
        if (scope == 2) source.instance_stride[1] = block;
        if (scope == 1) source.base += static_cast<i32>(panels_) * block;
        loads.push_back(builder_.add(Unit::load, scope, tag, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}},
                                     {rotating(scalar_slots, 2, rotation, scalars->vectors), source, {}, {}},
                                     {trips(scalars->vectors, {1, static_cast<i32>(lanes_ * 2), 0, 0})}));
        pass.scalars.push_back(loads.back());
        streams[3] = rotating(scalar_slots * lanes_, 2, rotation, scalars->vectors * lanes_);
      }
      const u16 cal = builder_.add(Unit::cal, scope, tag, code, streams, loops);
      std::vector<u16> readers{cal};
      if (store) {
        readers.push_back(builder_.add(Unit::store, scope, tag, {{Opcode::st, {1, 0}, {0, 0}, {}, {}}},
                                       {slots, memory(*store), {}, {}}, moves));
        builder_.edge(cal, readers.back(), data);
      }
      for (const u16 load : loads) {
        builder_.edge(load, cal, data);
        for (const u16 reader : readers) builder_.edge(reader, load, space, rotation);
        // The tail's columns use the buffer of the panels: after the last panel, before those of the next rows.
        for (const u16 reader : main_readers) builder_.edge(reader, load, space);
      }
      for (const u16 load : main_loads) {
        for (const u16 reader : readers) builder_.edge(reader, load, space, 1);
      }
      if (!pass.cals.empty()) builder_.edge(pass.cals.back(), cal, data);
      pass.cals.push_back(cal);
      main_readers = readers;
      main_loads = loads;
    };
    if (panels_ > 0) part(2, lanes_);
    if (tail_ > 0) part(1, tail_);
    return pass;
  }

  /// `before` must be done before a pass, the pass before `after`.
  void order(std::optional<u16> before, const Pass& pass, std::optional<u16> after) {
    for (const u16 cal : pass.cals) {
      if (before) builder_.edge(*before, cal, data);
      if (after) builder_.edge(cal, *after, data);
    }
  }

 private:
  const u32 lanes_;
  const PanelLayout layout_;
  const unsigned launch_register_;
  KernelBuilder builder_;
  const u32 panels_, tail_;
};

void pad_to_vector(std::vector<u16>& words, u32 lanes) { words.resize((words.size() + lanes - 1) / lanes * lanes); }

u32 vectors_of(std::size_t words, u32 lanes) { return static_cast<u32>((words + lanes - 1) / lanes); }

}  // namespace

RowKernel make_layer_norm_kernel(const CompilerTarget& target, const LayerNormSpec& spec) {
  const u32 lanes = target.lanes;
  RowPasses passes(target, spec.layout, spec.columns, layer_norm_register::input);
  KernelBuilder& builder = passes.builder();

  RowKernel result;
  result.weights = {to_half(1.0 / spec.columns), to_half(spec.epsilon)};
  const u32 constant_vectors = vectors_of(result.weights.size(), lanes);
  pad_to_vector(result.weights, lanes);
  const auto scalars_at = static_cast<i32>(result.weights.size() * 2);
  const u32 span = passes.span();
  for (u32 first = 0; first < spec.columns; first += lanes) {
    for (const auto& value : {spec.weight, spec.bias}) {
      for (u32 i = 0; i < span; ++i) result.weights.push_back(first + i < spec.columns ? value(first + i) : u16{0});
    }
    pad_to_vector(result.weights, lanes);
  }
  result.counts = {std::max(1u, passes.panels()), 1, 1};

  const u32 constant_slots = builder.allocate_vectors(constant_vectors);
  const u16 constants = passes.add_constants(layer_norm_register::weights, constant_slots, constant_vectors);
  const Stream scalar = stream_at(static_cast<i32>(constant_slots * lanes));
  constexpr u32 rows_in_flight = 2;
  const Stream mean = rotating(builder.allocate_vectors(rows_in_flight), 1, rows_in_flight, 1);
  const Stream deviation = rotating(builder.allocate_vectors(rows_in_flight), 1, rows_in_flight, 1);
  const Stream sum = rotating(builder.allocate_accumulators(rows_in_flight), 1, rows_in_flight, 1);
  const Stream squares = rotating(builder.allocate_accumulators(rows_in_flight), 1, rows_in_flight, 1);
  const u32 scalar_vectors = vectors_of(2 * std::size_t{span}, lanes);
  const u32 depth = builder.free_vectors() >= 2 * (3 * span + scalar_vectors) ? 2 : 1;

  const u16 zero_sum = builder.add(Unit::cal, 1, 0, {{Opcode::azero, {0, 0}, {}, {}, {}}}, {sum, {}, {}, {}}, {});
  const auto summing = passes.add(1, {{Opcode::aadd, {1, 0}, {0, 0}, {}, {}}}, {Stream{}, sum, {}, {}}, depth, {}, {});
  const u16 make_mean =
      builder.add(Unit::cal, 1, 2, {{Opcode::amuls, {0, 0}, {1, 0}, {2, 0}, {}}}, {mean, sum, scalar, {}}, {});
  passes.order(zero_sum, summing, make_mean);

  const u16 zero_squares =
      builder.add(Unit::cal, 1, 3, {{Opcode::azero, {0, 0}, {}, {}, {}}}, {squares, {}, {}, {}}, {});
  const auto squaring =
      passes.add(4, {{Opcode::sub, {0, 0}, {0, 0}, {1, 0}, {}}, {Opcode::amac, {2, 0}, {0, 0}, {0, 0}, {}}},
                 {Stream{}, mean, squares, {}}, depth, {}, {});
  const u16 make_deviation = builder.add(Unit::cal, 1, 5,
                                         {{Opcode::amuls, {0, 0}, {1, 0}, {2, 0}, {}},
                                          {Opcode::adds, {0, 0}, {0, 0}, {2, 1}, {}},
                                          {Opcode::rsqrt, {0, 0}, {0, 0}, {}, {}}},
                                         {deviation, squares, scalar, {}}, {});
  passes.order(zero_squares, squaring, make_deviation);
  passes.order(make_mean, squaring, {});

  const auto scaling = passes.add(6,
                                  {{Opcode::sub, {0, 0}, {0, 0}, {1, 0}, {}},
                                   {Opcode::mul, {0, 0}, {0, 0}, {2, 0}, {}},
                                   {Opcode::fmass, {0, 0}, {0, 0}, {3, 0}, {3, static_cast<u16>(span)}}},
                                  {Stream{}, mean, deviation, {}}, depth,
                                  RowPasses::Scalars{layer_norm_register::weights, scalars_at, scalar_vectors},
                                  layer_norm_register::output);
  passes.order(make_deviation, scaling, {});

  builder.edge(constants, make_mean, data);
  builder.edge(make_mean, zero_sum, space, rows_in_flight);
  builder.edge(make_deviation, zero_squares, space, rows_in_flight);
  const u16 last = scaling.cals.back();
  builder.edge(last, make_mean, space, rows_in_flight);
  builder.edge(last, make_deviation, space, rows_in_flight);
  builder.edge(last, constants, space, 1);
  result.kernel = builder.finish();
  return result;
}

RowKernel make_softmax_kernel(const CompilerTarget& target, const SoftmaxSpec& spec) {
  const u32 lanes = target.lanes;
  RowPasses passes(target, spec.layout, spec.columns, softmax_register::scores);
  KernelBuilder& builder = passes.builder();

  RowKernel result;
  constexpr u16 minus_infinity = 0xfc00;
  result.weights.assign(lanes, minus_infinity);
  result.counts = {std::max(1u, passes.panels()), 1, 1};

  constexpr u32 rows_in_flight = 2;
  const u32 maximum_slots = builder.allocate_vectors(rows_in_flight);
  const Stream maximum = rotating(maximum_slots, 1, rows_in_flight, 1);
  const Stream reciprocal = rotating(builder.allocate_vectors(rows_in_flight), 1, rows_in_flight, 1);
  const Stream sum = rotating(builder.allocate_accumulators(rows_in_flight), 1, rows_in_flight, 1);
  const u32 depth = builder.free_vectors() >= 4 * passes.span() ? 2 : 1;

  const u16 start = builder.add(Unit::load, 1, 0, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}},
                                {maximum, weight_memory(softmax_register::weights), {}, {}}, {});
  const auto searching =
      passes.add(1, {{Opcode::max, {1, 0}, {0, 0}, {1, 0}, {}}}, {Stream{}, maximum, {}, {}}, depth, {}, {});
  passes.order(start, searching, {});

  const u16 zero_sum = builder.add(Unit::cal, 1, 2, {{Opcode::azero, {0, 0}, {}, {}, {}}}, {sum, {}, {}, {}}, {});
  const auto summing = passes.add(3,
                                  {{Opcode::sub, {0, 0}, {0, 0}, {1, 0}, {}},
                                   {Opcode::exp, {0, 0}, {0, 0}, {}, {}},
                                   {Opcode::aadd, {2, 0}, {0, 0}, {}, {}}},
                                  {Stream{}, maximum, sum, {}}, depth, {}, softmax_register::scores);
  const u16 invert =
      builder.add(Unit::cal, 1, 4, {{Opcode::around, {0, 0}, {1, 0}, {}, {}}, {Opcode::rcp, {0, 0}, {0, 0}, {}, {}}},
                  {reciprocal, sum, {}, {}}, {});
  passes.order(zero_sum, summing, invert);
  builder.edge(searching.cals.back(), zero_sum, data);
  const u16 store =
      builder.add(Unit::store, 1, 4, {{Opcode::st, {1, 0}, {0, 0}, {}, {}}},
                  {reciprocal, column_stream(softmax_register::reciprocal, spec.reciprocal_layout), {}, {}}, {});
  builder.edge(invert, store, data);
  builder.edge(store, invert, space, rows_in_flight);
  builder.edge(invert, zero_sum, space, rows_in_flight);
  builder.edge(summing.cals.back(), start, space, rows_in_flight);
  result.kernel = builder.finish();
  return result;
}

ProductKernel make_product_kernel(const CompilerTarget& target, const ProductSpec& spec, u32 groups) {
  const u32 lanes = target.lanes;
  KernelBuilder builder(target, target.usable_rows(), target.usable_columns());
  const u32 chunks = spec.terms / lanes, tail = spec.terms % lanes;
  const u32 chunk = chunks > 0 ? lanes : tail;

  ProductKernel result;
  result.constants.assign(lanes, spec.factor);

  // A block of outputs per instance: as many as accumulators and operand memory allow, within one panel.
  const u32 panel_outputs = std::min(spec.outputs, lanes);
  u32 outputs = std::min({CompilerTarget::floor_power_of_two(panel_outputs), 16u, target.accumulators / 2});
  u32 depth = 2;
  while (depth * (2 * outputs + chunk) + 3 > target.operand_vectors) {
    if (outputs > 4) {
      outputs /= 2;
    } else if (depth > 1) {
      depth = 1;
    } else if (outputs > 1) {
      outputs /= 2;
    } else {
      break;  // allocate_vectors() below says what is missing
    }
  }
  const u32 panels = (spec.outputs + lanes - 1) / lanes, blocks = (panel_outputs + outputs - 1) / outputs;
  result.counts = {panels, blocks, std::max(1u, chunks)};

  // Share lane groups, panels and blocks out to the PEs so that the busiest one has the least to do.
  const u32 pes = builder.pes();
  u32 best_work = std::numeric_limits<u32>::max(), by_group = 1, by_panel = 1;
  for (u32 g = pes; g >= 1; g /= 2) {
    for (u32 p = pes / g; p >= 1; p /= 2) {
      const u32 b = pes / g / p;
      const u32 work = ((groups + g - 1) / g) * ((panels + p - 1) / p) * ((blocks + b - 1) / b);
      if (work < best_work) {
        best_work = work;
        by_group = g;
        by_panel = p;
      }
    }
  }
  builder.distribute(
      0, [=](u32 pe) { return static_cast<i32>(pe % by_group); }, by_group);
  builder.distribute(
      1, [=](u32 pe) { return static_cast<i32>(pe / by_group % by_panel); }, by_panel);
  builder.distribute(
      2, [=](u32 pe) { return static_cast<i32>(pe / by_group / by_panel); }, pes / by_group / by_panel);

  const u32 factor_slots = builder.allocate_vectors(spec.row_factor ? 2 : 1);
  const u32 x_slots = builder.allocate_vectors(depth * chunk);
  const u32 w_slots = builder.allocate_vectors(depth * outputs);
  const u32 y_slots = builder.allocate_vectors(depth * outputs);
  const u32 sets = depth;
  const u32 sums = builder.allocate_accumulators(sets * outputs);

  const Stream accumulators = rotating(sums, 3, sets, outputs);
  const u16 zero = builder.add(Unit::cal, 3, 0, {{Opcode::azero, {0, 0}, {}, {}, {}}}, {accumulators, {}, {}, {}},
                               {trips(outputs, {1, 0, 0, 0})});
  std::vector<u16> products;
  std::vector<u16> main_loads;
  const auto add = [&](unsigned scope, u32 terms) {
    const u32 rotation = scope == 4 ? depth : 1;
    Stream x = column_stream(product_register::x, spec.x);
    if (scope == 4) x.instance_stride[3] = static_cast<i32>(spec.x.panel_bytes());
    if (scope == 3) x.base += static_cast<i32>(chunks * spec.x.panel_bytes());
    const Stream x_target = rotating(x_slots, 4, rotation, chunk);
    const u16 load_x = builder.add(Unit::load, scope, 1, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}}, {x_target, x, {}, {}},
                                   {trips(terms, {1, 2, 0, 0})});
    Stream w;
    w.launch_register = product_register::w + 1;
    const auto rows = [&](u32 count) { return static_cast<i32>(count * spec.w.row_bytes()); };
    const auto panel = static_cast<i32>(spec.w.panel_bytes());
    i32 output_step = 0, chunk_step = 0;
    if (spec.transposed) {
      w.base = static_cast<i32>(VectorAccess::column_flag);
      output_step = 2;
      chunk_step = rows(lanes);
      w.instance_stride[1] = panel;
      w.instance_stride[2] = static_cast<i32>(outputs) * 2;
    } else {
      output_step = rows(1);
      chunk_step = panel;
      w.instance_stride[1] = rows(lanes);
      w.instance_stride[2] = rows(outputs);
    }
    if (scope == 4) w.instance_stride[3] = chunk_step;
    if (scope == 3) w.base += static_cast<i32>(chunks) * chunk_step;
    const u16 load_w =
        builder.add(Unit::load, scope, 1, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}},
                    {rotating(w_slots, 4, rotation, outputs), w, {}, {}}, {trips(outputs, {1, output_step, 0, 0})});
    const u16 product =
        builder.add(Unit::cal, scope, 1, {{Opcode::amacs, {0, 0}, {1, 0}, {2, 0}, {}}},
                    {accumulators, x_target, rotating(w_slots * lanes, 4, rotation, outputs * lanes), {}},
                    {trips(outputs, {1, 0, static_cast<i32>(lanes), 0}), trips(terms, {0, 1, 1, 0})});
    for (const u16 load : {load_x, load_w}) {
      builder.edge(load, product, data);
      builder.edge(product, load, space, rotation);
      // The tail uses the buffers of the chunks: after the last chunk, before those of the next instance.
      if (!products.empty()) builder.edge(products.back(), load, space);
    }
    for (const u16 load : main_loads) builder.edge(product, load, space, 1);
    builder.edge(zero, product, data);
    if (!products.empty()) builder.edge(products.back(), product, data);
    products.push_back(product);
    main_loads = {load_x, load_w};
  };
  if (chunks > 0) add(4, lanes);
  if (tail > 0) add(3, tail);

  const Stream y = rotating(y_slots, 3, depth, outputs);
  u16 factor = 0, round = 0;
  if (spec.row_factor) {
    const Stream slot = rotating(factor_slots, 1, 2, 1);
    factor = builder.add(Unit::load, 1, 0, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}},
                         {slot, column_stream(product_register::row_factor, spec.row_factor_layout), {}, {}}, {});
    round = builder.add(Unit::cal, 3, 2, {{Opcode::amul, {0, 0}, {1, 0}, {2, 0}, {}}}, {y, accumulators, slot, {}},
                        {trips(outputs, {1, 1, 0, 0})});
    builder.edge(round, factor, space, 2);
  } else {
    factor = builder.add(
        Unit::load, 0, 0, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}},
        {stream_at(static_cast<i32>(factor_slots)), weight_memory(product_register::constants), {}, {}}, {});
    round = builder.add(Unit::cal, 3, 2, {{Opcode::amuls, {0, 0}, {1, 0}, {2, 0}, {}}},
                        {y, accumulators, stream_at(static_cast<i32>(factor_slots * lanes)), {}},
                        {trips(outputs, {1, 1, 0, 0})});
    builder.edge(round, factor, space, 1);
  }
  builder.edge(factor, round, data);
  builder.edge(products.back(), round, data);
  builder.edge(round, zero, space, sets);
  Stream memory = column_stream(product_register::y, spec.y);
  memory.instance_stride[1] = static_cast<i32>(spec.y.panel_bytes());
  memory.instance_stride[2] = static_cast<i32>(outputs) * 2;
  const u16 store = builder.add(Unit::store, 3, 2, {{Opcode::st, {1, 0}, {0, 0}, {}, {}}}, {y, memory, {}, {}},
                                {trips(outputs, {1, 2, 0, 0})});
  builder.edge(round, store, data);
  builder.edge(store, round, space, depth);
  result.kernel = builder.finish();
  return result;
}

}  // namespace bvp
