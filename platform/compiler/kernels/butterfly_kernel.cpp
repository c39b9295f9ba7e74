// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/kernels/butterfly_kernel.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "models/transport/vector_access.h"
#include "platform/compiler/kernels/activation.h"
#include "platform/compiler/kernels/butterfly_operands.h"
#include "platform/compiler/kernels/butterfly_shape.h"
#include "platform/compiler/kernels/kernel_builder.h"
#include "platform/network/half.h"
#include "platform/network/network.h"

namespace bvp {

namespace {

using Streams = std::array<Stream, streams_per_segment>;

i32 bit_of(u32 value, unsigned bit) { return static_cast<i32>(value >> bit & 1); }

/// Writes the segments of a stage.
class StageWriter {
 public:
  StageWriter(const CompilerTarget& target, const ButterflyStage& stage, const StageShape& shape,
              const OperandPlan& operands, const ButterflyWeights& weights, KernelBuilder& builder)
      : target_(target), stage_(stage), shape_(shape), operands_(operands), weights_(weights), builder_(builder) {
    make_groups();
  }

  void write() {
    const u16 weights = add_weight_load(), constants = add_constant_load(), load = add_data_load();
    Chain chain{load, {}, {}, {}};
    unsigned tag = 1;
    add_prologue(chain, tag);
    for (unsigned layer = 0; layer < shape_.layers(); ++layer) {
      if (layer < shape_.plan.first_exchange) {
        append(chain, add_layer(layer, tag++), true);
      } else {
        exchange_and_add_layer(chain, layer, tag++);
      }
    }
    builder_.edge(weights, chain.uses_weights.front(), EdgeKind::data);
    ++tag;
    for (const u16 segment : add_epilogue(tag)) append(chain, segment, true);
    builder_.edge(constants, *chain.first_cal, EdgeKind::data);
    // The constants and resident weights are overwritten by the next launch that loads them.
    builder_.edge(chain.previous, constants, EdgeKind::space, 1);
    builder_.edge(chain.uses_weights.back(), weights, EdgeKind::space, operands_.resident ? 1 : operands_.weight_depth);
    if (stage_.residual) {
      for (const u16 residual : add_residual_loads()) {
        builder_.edge(residual, residual_user_, EdgeKind::data);
        builder_.edge(chain.previous, residual, EdgeKind::space, operands_.residuals);
      }
    }
    store(chain, load, tag + 1);
  }

 private:
  /// The segments so far of those that wait for one another.
  struct Chain {
    u16 previous = 0;
    std::optional<u16> first_cal;
    std::vector<u16> uses_weights;
    std::vector<u16> flows;
  };

  void append(Chain& chain, u16 segment, bool uses_weights) {
    builder_.edge(chain.previous, segment, EdgeKind::data);
    if (!chain.first_cal) chain.first_cal = segment;
    chain.previous = segment;
    if (uses_weights) chain.uses_weights.push_back(segment);
  }

  /// Scales the input and makes the imaginary plane of a real one, where the stage has that to do.
  void add_prologue(Chain& chain, unsigned tag) {
    const bool makes_plane = stage_.complex && stage_.real_input;
    if (!stage_.scale && !makes_plane) return;
    u32 zero = 0;
    u16 clear = 0;
    if (makes_plane) {
      zero = builder_.allocate_accumulators(1);
      clear = builder_.add(Unit::cal, 0, 0, {{Opcode::azero, {0, 0}, {}, {}, {}}},
                           {stream_at(static_cast<i32>(zero)), {}, {}, {}}, {});
    }
    append(chain, add_scale(tag, zero), false);
    if (makes_plane) builder_.edge(clear, chain.previous, EdgeKind::data);
  }

  void exchange_and_add_layer(Chain& chain, unsigned layer, unsigned tag) {
    const unsigned exchange = layer - shape_.plan.first_exchange;
    const unsigned mask = 1u << shape_.exchange_pe_bit(exchange);
    const u16 flow = add_flow(exchange, tag);
    builder_.edge(chain.previous, flow, EdgeKind::data);
    // The layer before has read at the peer what the vectors overwrite, and the layer behind overwrites here what has
    // been sent; in place neither does.
    if (stage_.normal) builder_.edge(chain.previous, flow, EdgeKind::space, 0, mask);
    append(chain, add_layer(layer, tag + 1), true);
    builder_.edge(flow, chain.previous, EdgeKind::data, 0, mask);
    if (stage_.normal) builder_.edge(flow, chain.previous, EdgeKind::data);
    if (!stage_.normal && !chain.flows.empty()) builder_.edge(chain.flows.back(), flow, EdgeKind::space, 0, mask);
    chain.flows.push_back(flow);
  }

  /// The slots that a store has read are free for the data load of a later instance.
  void store(const Chain& chain, u16 load, unsigned tag) {
    for (const u16 store : add_stores(tag)) {
      builder_.edge(chain.previous, store, EdgeKind::data);
      builder_.edge(store, load, EdgeKind::space, operands_.contexts);
      if (stage_.normal) continue;
      if (!chain.flows.empty()) {
        builder_.edge(store, chain.flows.front(), EdgeKind::space, operands_.contexts, 1u << shape_.exchange_pe_bit(0));
      }
      for (const u16 flow : chain.flows) builder_.edge(flow, store, EdgeKind::data);
    }
  }

  [[nodiscard]] const Bits& local_end() const { return weights_.local_end(); }
  [[nodiscard]] const Bits& pe_end() const { return weights_.pe_end(); }

  /// The numbers of the three groups of slots: those that a PE uses for group bit 0, for group bit 1, and for the
  /// vectors that it receives or computes next.
  struct Groups {
    u32 zero = 0, one = 1, free = 2;
  };

  void make_groups() {
    std::vector<Groups> now(builder_.pes());
    for (unsigned layer = 0; layer < shape_.layers(); ++layer) {
      before_.push_back(now);
      for (u32 pe = 0; pe < builder_.pes() && layer >= shape_.plan.first_exchange; ++pe) {
        Groups& groups = now[pe];
        const bool keeps_zero = bit_of(pe, shape_.exchange_pe_bit(layer - shape_.plan.first_exchange)) == 0;
        std::swap(groups.free, keeps_zero ? groups.one : groups.zero);
      }
      during_.push_back(now);
      if (stage_.form(layer) != PairForm::ratios) continue;
      for (Groups& groups : now) {
        groups = shape_.within_groups(stage_, layer) ? Groups{groups.free, groups.zero, groups.one}
                                                     : Groups{groups.free, groups.one, groups.zero};
      }
    }
    end_ = now;
  }

  [[nodiscard]] i32 group_slot(u32 group) const { return static_cast<i32>(group * shape_.group_points); }

  /// A stream over the data slots of the instance's context. Slots: lane-group copies are outermost in a plane.
  [[nodiscard]] Stream data_stream() const {
    Stream stream = stream_at(static_cast<i32>(operands_.data));
    if (operands_.contexts > 1) {
      stream.rotation_scope = 4;
      stream.rotation_depth = static_cast<u8>(operands_.contexts);
      stream.rotation_stride = static_cast<i32>(operands_.context_vectors);
    }
    return stream;
  }
  [[nodiscard]] i32 copy_stride() const { return static_cast<i32>(operands_.plane_vectors / shape_.multiplicity); }

  [[nodiscard]] Stream weight_stream(u32 scalar_offset) const {
    Stream stream = stream_at(static_cast<i32>(operands_.weights * target_.lanes + scalar_offset));
    const auto set = static_cast<i32>(operands_.weight_vectors * target_.lanes);
    if (operands_.resident) {
      for (std::size_t level = 0; level < 3; ++level) {
        if (shape_.loops[level].count > 1)
          stream.instance_stride[level] = set * static_cast<i32>(shape_.loops[level].weight_sets);
      }
    } else if (operands_.weight_depth > 1) {
      stream.rotation_scope = static_cast<u8>(weight_scope());
      stream.rotation_depth = static_cast<u8>(operands_.weight_depth);
      stream.rotation_stride = set;
    }
    return stream;
  }
  [[nodiscard]] Stream constant_stream() const {
    return stream_at(static_cast<i32>(operands_.constants * target_.lanes));
  }

  /// A stream over scratchpad addresses of the points, at the PE's offset.
  [[nodiscard]] Stream memory_stream(unsigned launch_register, bool output, const std::vector<unsigned>& pe_now) {
    const auto& stride = output ? stage_.output_stride : stage_.input_stride;
    Stream stream;
    stream.base = stage_.column_access ? static_cast<i32>(VectorAccess::column_flag) : 0;
    stream.launch_register = static_cast<u8>(launch_register + 1);
    builder_.add_pe_value(stream, [&](u32 pe) {
      i32 offset = 0;
      for (unsigned i = 0; i < pe_now.size(); ++i) offset += bit_of(pe, i) * stride[pe_now[i]];
      return offset;
    });
    for (std::size_t level = 0; level < 3; ++level) {
      if (shape_.loops[level].count > 1) {
        stream.instance_stride[level] = output ? shape_.loops[level].output_stride : shape_.loops[level].input_stride;
      }
    }
    stream.instance_stride[3] =
        (output ? stage_.output_group_stride : stage_.input_group_stride) * static_cast<i32>(shape_.multiplicity);
    return stream;
  }

  /// A stream over a group of slots.
  Stream group_stream(const std::vector<Groups>& groups, u32 Groups::*group) {
    Stream stream = data_stream();
    builder_.add_pe_value(stream, [&](u32 pe) { return group_slot(groups[pe].*group); });
    return stream;
  }

  /// The distance of two slots that differ in the bit at a local position.
  [[nodiscard]] i32 slot_distance(unsigned position, const Groups& groups) const {
    return position + 1 < shape_.local_bits ? static_cast<i32>(1u << position)
                                            : group_slot(groups.one) - group_slot(groups.zero);
  }

  u16 add_layer(unsigned layer, unsigned tag) {
    if (stage_.form(layer) != PairForm::ratios) return add_layer_in_place(layer, tag);
    return shape_.within_groups(stage_, layer) ? add_layer_within_groups(layer, tag)
                                               : add_layer_across_groups(layer, tag);
  }

  /// Both points of a pair lie in one group: the pairs of group 0 go to the free one, then those of group 1 to the
  /// place of group 0. The two outputs of a pair are the innermost trips, so that both have been computed before an
  /// output of group 1 takes the place of their inputs. Streams: 0 lower points, 1 upper points, 2 ratios, 3 outputs.
  u16 add_layer_within_groups(unsigned layer, unsigned tag) {
    const PairLoops loops = shape_.pair_loops(stage_, layer);
    const Groups groups = during_[layer].front();  // the same on all PEs before the first exchange
    const i32 partner = static_cast<i32>(1u << loops.position);
    Streams streams{group_stream(during_[layer], &Groups::zero), group_stream(during_[layer], &Groups::zero),
                    weight_stream(weights_.layer_offset(layer)), group_stream(during_[layer], &Groups::free)};
    streams[1].base += partner;
    std::vector<Loop> trips{{2, {0, 0, 1, partner}}};
    i32 ratio = 2;
    for (const unsigned position : loops.order) {
      const i32 from = slot_distance(position, groups);
      const i32 to = position + 1 < shape_.local_bits ? from : group_slot(groups.zero) - group_slot(groups.free);
      trips.push_back({2, {from, from, ratio, to}});
      ratio *= 2;
    }
    trips.push_back({shape_.multiplicity, {copy_stride(), copy_stride(), 0, copy_stride()}});
    return builder_.add(Unit::cal, 4, tag, {{Opcode::fmar, {3, 0}, {0, 0}, {1, 0}, {2, 0}}}, streams, trips);
  }

  /// The points of a pair lie in the two groups: lower outputs go to the free group, upper ones stay in theirs.
  /// Streams: as in add_layer_within_groups.
  u16 add_layer_across_groups(unsigned layer, unsigned tag) {
    const PairLoops loops = shape_.pair_loops(stage_, layer);
    const Streams streams{group_stream(during_[layer], &Groups::zero), group_stream(during_[layer], &Groups::one),
                          weight_stream(weights_.layer_offset(layer)), group_stream(during_[layer], &Groups::free)};
    const u32 inner = u32{1} << loops.inner;
    const Loop copies{shape_.multiplicity, {copy_stride(), copy_stride(), 0, copy_stride()}};
    std::vector<Loop> trips;
    if (inner > 1) {
      const i32 slot = static_cast<i32>(1u << loops.order[0]);
      trips.push_back({inner, {slot, slot, 2, slot}});
    } else if (shape_.multiplicity > 1) {
      trips.push_back(copies);
    }
    auto ratio = static_cast<i32>(2 * inner);
    for (unsigned i = loops.inner; i < loops.order.size(); ++i) {
      const i32 slot = static_cast<i32>(1u << loops.order[i]);
      trips.push_back({2, {slot, slot, ratio, slot}});
      ratio *= 2;
    }
    if (inner > 1 || shape_.multiplicity == 1) trips.push_back(copies);
    return builder_.add(
        Unit::cal, 4, tag,
        {{Opcode::fmar, {3, 0}, {0, 0}, {1, 0}, {2, 0}}, {Opcode::fmar, {1, 0}, {0, 0}, {1, 0}, {2, 1}}}, streams,
        trips);
  }

  // Streams: 0 lower points, 1 upper points, 2 scalars, 3 temporaries.
  u16 add_layer_in_place(unsigned layer, unsigned tag) {
    const PairLoops loops = shape_.pair_loops(stage_, layer);
    const Groups groups = during_[layer].front();  // the same on all PEs before the first exchange
    const bool within = shape_.within_groups(stage_, layer);
    Streams streams{group_stream(during_[layer], &Groups::zero),
                    group_stream(during_[layer], within ? &Groups::zero : &Groups::one),
                    weight_stream(weights_.layer_offset(layer)), stream_at(static_cast<i32>(operands_.temporaries))};
    if (within) streams[1].base += static_cast<i32>(1u << loops.position);
    const u32 inner = u32{1} << loops.inner;
    const auto slot = [&](unsigned position) { return slot_distance(position, groups); };
    std::vector<Loop> trips;
    const Loop copies{shape_.multiplicity, {copy_stride(), copy_stride(), 0, 0}};
    if (inner > 1) {
      trips.push_back({inner, {slot(loops.order[0]), slot(loops.order[0]), 1, 1}});
    } else if (shape_.multiplicity > 1) {
      trips.push_back({shape_.multiplicity, {copy_stride(), copy_stride(), 0, 1}});
    }
    auto weight = static_cast<i32>(inner);
    for (unsigned i = loops.inner; i < loops.order.size(); ++i) {
      trips.push_back({2, {slot(loops.order[i]), slot(loops.order[i]), weight, 0}});
      weight *= 2;
    }
    if (inner > 1 || shape_.multiplicity == 1) trips.push_back(copies);
    const auto lo = [&](u32 offset) { return Operand{0, static_cast<u16>(offset)}; };
    const auto hi = [&](u32 offset) { return Operand{1, static_cast<u16>(offset)}; };
    const auto w = [&](u32 index) { return Operand{2, static_cast<u16>(index * shape_.group_points)}; };
    const auto t = [&](u32 index) { return Operand{3, static_cast<u16>(index * operands_.inner_limit)}; };
    std::vector<Instruction> code;
    const u32 im = operands_.plane_vectors;
    if (stage_.form(layer) == PairForm::complex_ratios) {
      code = {{Opcode::fnmar, t(0), hi(0), hi(im), w(0)}, {Opcode::fmar, t(1), hi(im), hi(0), w(0)},
              {Opcode::fnmas, hi(0), t(0), w(1), lo(0)},  {Opcode::fnmas, hi(im), t(1), w(1), lo(im)},
              {Opcode::fmas, lo(0), t(0), w(1), lo(0)},   {Opcode::fmas, lo(im), t(1), w(1), lo(im)}};
    } else if (stage_.complex) {
      code = {{Opcode::muls, t(0), hi(0), w(0), {}},     {Opcode::muls, t(1), hi(im), w(0), {}},
              {Opcode::fnmas, t(0), hi(im), w(1), t(0)}, {Opcode::fmas, t(1), hi(0), w(1), t(1)},
              {Opcode::sub, hi(0), lo(0), t(0), {}},     {Opcode::sub, hi(im), lo(im), t(1), {}},
              {Opcode::add, lo(0), lo(0), t(0), {}},     {Opcode::add, lo(im), lo(im), t(1), {}}};
    } else {
      code = {{Opcode::muls, t(0), lo(0), w(0), {}},
              {Opcode::muls, t(1), lo(0), w(1), {}},
              {Opcode::fmas, lo(0), hi(0), w(2), t(0)},
              {Opcode::fmas, hi(0), hi(0), w(3), t(1)}};
    }
    return builder_.add(Unit::cal, 4, tag, code, streams, trips);
  }

  /// Loops over all points of one group, `slots` in stream 0 of a segment with the given further strides.
  [[nodiscard]] std::vector<Loop> point_loops(
      const std::function<std::array<i32, streams_per_segment>(unsigned)>& of_bit,
      const std::array<i32, streams_per_segment>& of_copy) const {
    std::vector<Loop> loops;
    for (unsigned i = 0; i + 1 < shape_.local_bits; ++i) loops.push_back({2, of_bit(i)});
    if (shape_.multiplicity > 1) loops.push_back({shape_.multiplicity, of_copy});
    return loops;
  }

  /// Like point_loops, but for a Cal segment: level 0 covers at most operands_.inner_limit points.
  [[nodiscard]] std::vector<Loop> cal_point_loops(i32 scalar_stride, i32 other_copy_stride) const {
    const u32 points = std::min(shape_.group_points, operands_.inner_limit);
    std::vector<Loop> loops;
    const auto other = other_copy_stride == 0 ? 0 : 1;
    if (points > 1) loops.push_back({points, {1, other, scalar_stride, 1}});
    if (shape_.group_points > points) {
      const auto p = static_cast<i32>(points);
      loops.push_back({shape_.group_points / points, {p, other * p, scalar_stride * p, 0}});
    }
    // If this loop becomes trip level 0, every copy needs a temporary of its own.
    if (shape_.multiplicity > 1)
      loops.push_back({shape_.multiplicity, {copy_stride(), other_copy_stride, 0, points > 1 ? 0 : 1}});
    return loops;
  }

  /// @param zero  an accumulator that holds 0
  u16 add_scale(unsigned tag, u32 zero) {
    Streams streams{data_stream(), {}, constant_stream(), {}};
    std::vector<Instruction> code;
    if (stage_.scale) {
      code.push_back({Opcode::muls, {0, 0}, {0, 0}, {2, 0}, {}});
      if (stage_.complex && !stage_.real_input) {
        const auto im = static_cast<u16>(operands_.plane_vectors);
        code.push_back({Opcode::muls, {0, im}, {0, im}, {2, 0}, {}});
      }
    }
    if (stage_.complex && stage_.real_input) {
      streams[1] = stream_at(static_cast<i32>(zero));
      code.push_back({Opcode::around, {0, static_cast<u16>(operands_.plane_vectors)}, {1, 0}, {}, {}});
    }
    std::vector<Loop> loops = cal_point_loops(0, 0);
    for (Loop& loop : loops) loop.stride[3] = 0;
    loops.push_back({2, {group_slot(1), 0, 0, 0}});
    return builder_.add(Unit::cal, 4, tag, code, streams, loops);
  }

  /// How often the weights are loaded: once per launch, once per window of points, or once per instance.
  [[nodiscard]] unsigned weight_scope() const {
    if (operands_.resident) return 0;
    return target_.weight_residency ? 3 : 4;
  }

  u16 add_weight_load() {
    const u32 sets = operands_.resident ? shape_.weight_sets : 1;
    const auto block = static_cast<i32>(operands_.weight_vectors * target_.vector_bytes());
    const auto set_bytes = block * static_cast<i32>(builder_.pes());
    Stream memory;
    memory.launch_register = butterfly_register::weights + 1;
    builder_.add_pe_value(memory, [&](u32 pe) { return static_cast<i32>(pe) * block; });
    Stream slots = stream_at(static_cast<i32>(operands_.weights));
    if (!operands_.resident) {
      for (std::size_t level = 0; level < 3; ++level) {
        if (shape_.loops[level].count > 1) {
          memory.instance_stride[level] = set_bytes * static_cast<i32>(shape_.loops[level].weight_sets);
        }
      }
      if (operands_.weight_depth > 1) {
        slots.rotation_scope = static_cast<u8>(weight_scope());
        slots.rotation_depth = static_cast<u8>(operands_.weight_depth);
        slots.rotation_stride = static_cast<i32>(operands_.weight_vectors);
      }
    }
    return builder_.add(Unit::load, weight_scope(), 0, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}}, {slots, memory, {}, {}},
                        {{operands_.weight_vectors, {1, static_cast<i32>(target_.vector_bytes()), 0, 0}},
                         {sets, {static_cast<i32>(operands_.weight_vectors), set_bytes, 0, 0}}});
  }

  u16 add_constant_load() {
    Stream memory = stream_at(static_cast<i32>(weights_.constants_at()));
    memory.launch_register = butterfly_register::weights + 1;
    return builder_.add(Unit::load, 0, 0, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}},
                        {stream_at(static_cast<i32>(operands_.constants)), memory, {}, {}},
                        {{operands_.constant_vectors, {1, static_cast<i32>(target_.vector_bytes()), 0, 0}}});
  }

  u16 add_data_load() {
    const bool planes = stage_.complex && !stage_.real_input;
    Streams streams{data_stream(), memory_stream(butterfly_register::input, false, shape_.plan.pe), {}, {}};
    std::vector<Instruction> code{{Opcode::ld, {0, 0}, {1, 0}, {}, {}}};
    if (planes) {
      streams[2] = memory_stream(butterfly_register::input_imaginary, false, shape_.plan.pe);
      code.push_back({Opcode::ld, {0, static_cast<u16>(operands_.plane_vectors)}, {2, 0}, {}, {}});
    }
    std::vector<Loop> loops = point_loops(
        [&](unsigned i) {
          const i32 bytes = stage_.input_stride[shape_.plan.local[i]];
          return std::array<i32, 4>{static_cast<i32>(1u << i), bytes, planes ? bytes : 0, 0};
        },
        {copy_stride(), stage_.input_group_stride, planes ? stage_.input_group_stride : 0, 0});
    const i32 bytes = stage_.input_stride[shape_.plan.local.back()];
    loops.push_back({2, {group_slot(1), bytes, planes ? bytes : 0, 0}});
    return builder_.add(Unit::load, 4, 1, code, streams, loops);
  }

  u16 add_flow(unsigned exchange, unsigned tag) {
    const auto mask = static_cast<u16>(1u << shape_.exchange_pe_bit(exchange));
    const auto& before = before_[shape_.plan.first_exchange + exchange];
    const auto& after = during_[shape_.plan.first_exchange + exchange];
    Streams streams{group_stream(before, &Groups::free), group_stream(after, &Groups::free), {}, {}};
    std::vector<Instruction> code{{Opcode::send, {0, 0}, {1, 0}, {0, mask}, {}}};
    if (!target_.exchange_by_half) {
      // The half that stays on this PE is sent too, to a place that nothing reads.
      streams[2] = stream_at(static_cast<i32>(operands_.dropped));
      streams[3] = data_stream();
      builder_.add_pe_value(streams[3], [&](u32 pe) {
        return group_slot(before[pe].free == after[pe].zero ? after[pe].one : after[pe].zero);
      });
      code.push_back({Opcode::send, {2, 0}, {3, 0}, {0, mask}, {}});
    }
    const i32 all = target_.exchange_by_half ? 0 : 1;
    const auto plane = static_cast<i32>(operands_.plane_vectors), points = static_cast<i32>(shape_.group_points);
    return builder_.add(
        Unit::flow, 4, tag, code, streams,
        {{shape_.group_points, {1, 1, all, all}},
         {shape_.multiplicity, {copy_stride(), copy_stride(), all * points, all * copy_stride()}},
         {shape_.planes, {plane, plane, all * points * static_cast<i32>(shape_.multiplicity), all * plane}}});
  }

  /// Streams over the two groups of points in their places at the end of the stage.
  Stream end_stream(unsigned half) { return group_stream(end_, half == 0 ? &Groups::zero : &Groups::one); }

  std::vector<u16> add_epilogue(unsigned tag) {
    std::vector<u16> segments;
    for (unsigned half = 0; half < 2; ++half) {
      if (stage_.bias && stage_.normal) {
        const u32 first = half * shape_.group_points;
        std::vector<Loop> loops = without(cal_point_loops(1, 0), 3);
        for (Loop& loop : loops) loop.stride[1] = loop.stride[2];
        segments.push_back(builder_.add(Unit::cal, 4, tag, {{Opcode::fmass, {0, 0}, {0, 0}, {1, 0}, {2, 0}}},
                                        {end_stream(half),
                                         weight_stream(weights_.scale_offset() + first),
                                         weight_stream(weights_.bias_offset() + first),
                                         {}},
                                        loops));
      } else if (stage_.bias) {
        segments.push_back(
            builder_.add(Unit::cal, 4, tag, {{Opcode::adds, {0, 0}, {0, 0}, {2, 0}, {}}},
                         {end_stream(half), {}, weight_stream(weights_.bias_offset() + half * shape_.group_points), {}},
                         without(cal_point_loops(1, 0), 3)));
      }
      if (stage_.activation) segments.push_back(add_activation(half, tag));
    }
    if (stage_.residual) {
      const Stream factor = stage_.residual_factor ? constant_stream() : Stream{};
      for (unsigned half = 0; half < 2; ++half) {
        segments.push_back(builder_.add(Unit::cal, 4, tag, {sum_with_residual()},
                                        {end_stream(half), residual_stream(half), factor, {}},
                                        without(cal_point_loops(0, static_cast<i32>(2 * shape_.group_points)), 3)));
        if (half == 0) residual_user_ = segments.back();
      }
    }
    return segments;
  }

  /// Of the points of one group. Stream 0 has their values, stream 2 the constants, stream 3 the temporaries.
  u16 add_activation(unsigned half, unsigned tag) {
    const std::vector<Instruction> code = activation_code(*stage_.activation, stage_.normal, {0, 0}, {3, 0}, {2, 1});
    if (!needs_temporary(stage_.activation)) {
      return builder_.add(Unit::cal, 4, tag, code, {end_stream(half), {}, constant_stream(), {}},
                          without(cal_point_loops(0, 0), 3));
    }
    return builder_.add(Unit::cal, 4, tag, code,
                        {end_stream(half), {}, constant_stream(), stream_at(static_cast<i32>(operands_.temporaries))},
                        cal_point_loops(0, 0));
  }

  static std::vector<Loop> without(std::vector<Loop> loops, std::size_t stream) {
    for (Loop& loop : loops) loop.stride[stream] = 0;
    return loops;
  }

  /// Stream 0 has the result, stream 1 the residual, stream 2 the constants.
  [[nodiscard]] Instruction sum_with_residual() const {
    if (!stage_.residual_factor) return {Opcode::add, {0, 0}, {0, 0}, {1, 0}, {}};
    const Operand result{0, 0}, residual{1, 0}, factor{2, ButterflyWeights::residual_constant};
    if (stage_.residual_factor->of_residual) return {Opcode::fmas, result, residual, factor, result};
    return {Opcode::fmas, result, result, factor, residual};
  }

  [[nodiscard]] Stream residual_stream(unsigned half) const {
    Stream stream = stream_at(static_cast<i32>(operands_.residual + half * shape_.group_points));
    if (operands_.residuals > 1) {
      stream.rotation_scope = 4;
      stream.rotation_depth = static_cast<u8>(operands_.residuals);
      stream.rotation_stride = static_cast<i32>(2 * shape_.group_points * shape_.multiplicity);
    }
    return stream;
  }

  std::vector<u16> add_residual_loads() {
    // The group bit is the outermost loop, or two segments where all others take one each.
    const bool apart = stage_.complex && shape_.local_bits > trip_levels;
    std::vector<Loop> loops = point_loops(
        [&](unsigned i) {
          return std::array<i32, 4>{static_cast<i32>(1u << i), stage_.output_stride[local_end()[i]], 0, 0};
        },
        {static_cast<i32>(2 * shape_.group_points), stage_.output_group_stride, 0, 0});
    const i32 other_half = stage_.output_stride[local_end().back()];
    if (!apart) loops.push_back({2, {static_cast<i32>(shape_.group_points), other_half, 0, 0}});
    std::vector<u16> loads;
    for (unsigned half = 0; half < (apart ? 2u : 1u); ++half) {
      Streams streams{residual_stream(half), memory_stream(butterfly_register::residual, true, pe_end()), {}, {}};
      if (half == 1) streams[1].base += other_half;
      loads.push_back(builder_.add(Unit::load, 4, 2, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}}, streams, loops));
    }
    return loads;
  }

  std::vector<u16> add_stores(unsigned tag) {
    std::vector<u16> stores;
    const unsigned planes = stage_.complex && !stage_.real_output ? 2 : 1;
    for (unsigned half = 0; half < 2; ++half) {
      Streams streams{memory_stream(butterfly_register::output, true, pe_end()), end_stream(half), {}, {}};
      const i32 offset = half == 0 ? 0 : stage_.output_stride[local_end().back()];
      streams[0].base += offset;
      std::vector<Instruction> code{{Opcode::st, {0, 0}, {1, 0}, {}, {}}};
      if (planes == 2) {
        streams[2] = memory_stream(butterfly_register::output_imaginary, true, pe_end());
        streams[2].base += offset;
        code.push_back({Opcode::st, {2, 0}, {1, static_cast<u16>(operands_.plane_vectors)}, {}, {}});
      }
      stores.push_back(builder_.add(
          Unit::store, 4, tag, code, streams,
          point_loops(
              [&](unsigned i) {
                const i32 bytes = stage_.output_stride[local_end()[i]];
                return std::array<i32, 4>{bytes, static_cast<i32>(1u << i), planes == 2 ? bytes : 0, 0};
              },
              {stage_.output_group_stride, copy_stride(), planes == 2 ? stage_.output_group_stride : 0, 0})));
    }
    return stores;
  }

  const CompilerTarget& target_;
  const ButterflyStage& stage_;
  const StageShape& shape_;
  const OperandPlan& operands_;
  const ButterflyWeights& weights_;
  KernelBuilder& builder_;
  // [layer][PE]: before the layer and its exchange, and while it is computed
  std::vector<std::vector<Groups>> before_, during_;
  std::vector<Groups> end_;  // [PE]
  u16 residual_user_ = 0;
};

u32 columns_of(const CompilerTarget& target, unsigned pe_bits) {
  return std::min(target.usable_columns(), u32{1} << pe_bits);
}

ButterflyKernel::Launch launch_of(const ButterflyStage& stage, const StageShape& shape, const ButterflyWeights& weights,
                                  u32 number) {
  ButterflyKernel::Launch launch;
  for (std::size_t i = 0; i < shape.launch_bits.size(); ++i) {
    if ((number >> i & 1) == 0) continue;
    launch.input += static_cast<u32>(stage.input_stride[shape.launch_bits[i]]);
    launch.output += static_cast<u32>(stage.output_stride[shape.launch_bits[i]]);
  }
  launch.weights = weights.launch_at(number);
  return launch;
}

/// Returns nullopt if the operand memory or the instance levels do not suffice.
std::optional<ButterflyKernel> make_kernel(const CompilerTarget& target, const ButterflyStage& stage,
                                           const ShapeWanted& wanted) {
  const std::optional<StageShape> shape = shape_of(stage, wanted);
  if (!shape) return std::nullopt;
  const u32 columns = columns_of(target, wanted.pe_bits);
  KernelBuilder builder(target, (u32{1} << wanted.pe_bits) / columns, columns);
  ButterflyKernel result;
  result.weights =
      ButterflyWeights(stage, shape->plan, shape->launch_bits, shape->local_bits, builder.pes(), target.lanes);
  const std::optional<OperandPlan> operands = plan_operands(target, stage, *shape, result.weights, builder);
  if (!operands) return std::nullopt;
  StageWriter(target, stage, *shape, *operands, result.weights, builder).write();
  result.kernel = builder.finish();
  const u32 resident = operands->resident ? operands->weight_vectors * shape->weight_sets : 0;
  result.kernel.resident_words = resident * target.lanes / 4;
  for (std::size_t level = 0; level < most_loops; ++level) result.counts[level] = shape->loops[level].count;
  for (u32 launch = 0; launch < u32{1} << shape->launch_bits.size(); ++launch) {
    result.launches.push_back(launch_of(stage, *shape, result.weights, launch));
  }
  result.exchanges = shape->exchanges;
  result.local_points = u32{1} << shape->local_bits;
  result.groups_per_instance = shape->multiplicity;
  result.weights_resident = operands->resident;
  return result;
}

}  // namespace

ButterflyKernel make_butterfly_kernel(const CompilerTarget& target, const ButterflyStage& stage, u32 groups) {
  const unsigned pe_bits = pe_bits_of(target, stage.index_bits);
  const auto layers = static_cast<unsigned>(stage.layer_bits.size());
  const unsigned most_local = std::min(stage.index_bits, std::max(stage_limit_bits(target), pe_bits + 1)) - pe_bits;
  std::optional<MappingError> no_mapping;
  // A single launch whose instances have fewer points is better than several launches.
  for (const bool several_launches : {false, true}) {
    for (unsigned local = most_local; local >= 1 && local + pe_bits >= layers; --local) {
      for (const bool several_groups : {true, false}) {
        try {
          auto kernel = make_kernel(target, stage, {groups, local, pe_bits, several_launches, several_groups});
          if (kernel) return std::move(*kernel);
        } catch (const MappingError& error) {
          no_mapping = error;
        }
      }
    }
  }
  if (no_mapping) throw MappingError(*no_mapping);
  throw CompileError(
      fmt::format("the operand memory of {} vectors per PE is too small for a closed set of {} {} points on {} PEs "
                  "(raise soc.pe.operand_vectors{})",
                  target.operand_vectors, 1u << layers, stage.complex ? "complex" : "real", 1u << pe_bits,
                  target.stage_points != 0 && layers > pe_bits + 1 ? " or lower compiler.stage_points" : ""));
}

}  // namespace bvp
