// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/kernels/butterfly_kernel.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "models/transport/vector_access.h"
#include "platform/compiler/kernels/activation.h"
#include "platform/compiler/kernels/kernel_builder.h"
#include "platform/network/half.h"
#include "platform/network/network.h"

namespace bvp {

namespace {

using Streams = std::array<Stream, streams_per_segment>;

i32 bit_of(u32 value, unsigned bit) { return static_cast<i32>(value >> bit & 1); }

constexpr std::size_t most_loops = 3;  // over windows and stacks; the last instance level counts lane groups

/// A run of bits that one instance level counts.
struct InstanceLoop {
  u32 count = 1;
  i32 input_stride = 0, output_stride = 0;
  u32 weight_sets = 1;  // weight sets per step
};

class StageBuilder {
 public:
  /// @param several_launches  a window that needs too many loops may become launches
  StageBuilder(const CompilerTarget& target, const ButterflyStage& stage, u32 groups, unsigned local_bits,
               unsigned pe_bits, bool several_launches, bool several_groups)
      : target_(target),
        stage_(stage),
        local_bits_(local_bits),
        pe_bits_(pe_bits),
        several_launches_(several_launches),
        plan_(plan_bits(stage, local_bits, pe_bits)),
        builder_(target, rows_of(target, pe_bits), columns_of(target, pe_bits)) {
    group_points_ = u32{1} << (local_bits - 1);
    planes_ = stage.complex ? 2 : 1;
    exchanges_ = static_cast<unsigned>(stage.layer_bits.size()) - plan_.first_exchange;
    if (several_groups) choose_multiplicity(groups);
  }

  /// Returns nullopt if the operand memory or the instance levels do not suffice.
  std::optional<ButterflyKernel> build() {
    if (!make_instance_loops()) return std::nullopt;
    lay_out_weights();
    if (!allocate()) return std::nullopt;
    make_groups();
    make_segments();
    result_.kernel = builder_.finish();
    result_.kernel.resident_words =
        static_cast<u32>(resident_ ? weight_vectors_ * weight_sets_ * target_.lanes / 4 : 0);
    result_.exchanges = exchanges_;
    result_.local_points = u32{1} << local_bits_;
    result_.groups_per_instance = multiplicity_;
    result_.weights_resident = resident_;
    return std::move(result_);
  }

 private:
  [[nodiscard]] unsigned layers() const { return static_cast<unsigned>(stage_.layer_bits.size()); }
  static u32 columns_of(const CompilerTarget& target, unsigned pe_bits) {
    return std::min(target.usable_columns(), u32{1} << pe_bits);
  }
  static u32 rows_of(const CompilerTarget& target, unsigned pe_bits) {
    return (u32{1} << pe_bits) / columns_of(target, pe_bits);
  }

  /// If the closed set is small, an instance takes several lane groups, so that there is enough work per segment.
  void choose_multiplicity(u32 groups) {
    // The number divides the lane groups of a full launch, so that no launch goes beyond the rows of a tile.
    const u32 wanted = local_bits_ >= 4 ? 1 : u32{1} << (4 - local_bits_);
    for (u32 candidate = wanted; candidate < 2 * wanted; ++candidate) {
      if (groups % candidate == 0) {
        multiplicity_ = candidate;
        return;
      }
    }
    multiplicity_ = wanted;
    while (groups % multiplicity_ != 0) --multiplicity_;
  }

  /// Returns false if there are more loops than instance levels.
  bool make_instance_loops() {
    const auto window_input = [&](unsigned bit) { return stage_.input_stride[bit]; };
    const auto window_output = [&](unsigned bit) { return stage_.output_stride[bit]; };
    const auto stack_input = [&](unsigned bit) { return stage_.input_stacked ? stage_.stack_stride[bit] : 0; };
    const auto stack_output = [&](unsigned bit) { return stage_.stack_stride[bit]; };
    std::vector<unsigned> stack_bits;
    for (unsigned bit = 0; (u32{1} << bit) < stage_.stacks; ++bit) stack_bits.push_back(bit);
    std::vector<Bits> windows = linear_runs(plan_.window, window_input, window_output);
    const std::vector<Bits> stacks = linear_runs(stack_bits, stack_input, stack_output);
    while (windows.size() + stacks.size() > most_loops) {
      if (!several_launches_ || windows.empty()) return false;
      const auto shortest = std::min_element(windows.begin(), windows.end(),
                                             [](const Bits& a, const Bits& b) { return a.size() < b.size(); });
      launch_bits_.insert(launch_bits_.end(), shortest->begin(), shortest->end());
      windows.erase(shortest);
    }
    plan_.window.clear();
    for (const Bits& run : windows) {
      plan_.window.insert(plan_.window.end(), run.begin(), run.end());
      add_instance_loop(u32{1} << run.size(), window_input(run.front()), window_output(run.front()));
    }
    for (const Bits& run : stacks) {
      const u32 count = std::min(u32{1} << run.size(), ((stage_.stacks - 1) >> run.front()) + 1);
      add_instance_loop(count, stack_input(run.front()), stack_output(run.front()));
    }
    loops_.resize(most_loops);
    std::reverse(loops_.begin(), loops_.end());
    for (std::size_t level = 0; level < most_loops; ++level) result_.counts[level] = loops_[level].count;
    return true;
  }

  void add_instance_loop(u32 count, i32 input_stride, i32 output_stride) {
    loops_.push_back({count, input_stride, output_stride, weight_sets_});
    weight_sets_ *= count;
  }

  [[nodiscard]] PairLoops pair_loops(unsigned layer) const {
    return bvp::pair_loops(plan_, local_bits_, stage_.layer_bits[layer], layer < plan_.first_exchange);
  }

  void lay_out_weights() {
    result_.weights = ButterflyWeights(stage_, plan_, launch_bits_, local_bits_, builder_.pes(), target_.lanes);
    weight_vectors_ = result_.weights.block_vectors();
    constant_vectors_ = result_.weights.constant_vectors();
    for (u32 launch = 0; launch < u32{1} << launch_bits_.size(); ++launch) add_launch(launch);
  }

  void add_launch(u32 number) {
    ButterflyKernel::Launch launch;
    for (std::size_t i = 0; i < launch_bits_.size(); ++i) {
      if ((number >> i & 1) == 0) continue;
      launch.input += static_cast<u32>(stage_.input_stride[launch_bits_[i]]);
      launch.output += static_cast<u32>(stage_.output_stride[launch_bits_[i]]);
    }
    launch.weights = result_.weights.launch_at(number);
    result_.launches.push_back(launch);
  }

  [[nodiscard]] const Bits& local_end() const { return result_.weights.local_end(); }
  [[nodiscard]] const Bits& pe_end() const { return result_.weights.pe_end(); }
  [[nodiscard]] unsigned exchange_pe_bit(unsigned exchange) const { return pe_bits_ - exchanges_ + exchange; }

  bool allocate() {
    const u32 groups = exchanges_ > 0 || stage_.normal ? 3 : 2;
    plane_vectors_ = groups * group_points_ * multiplicity_;
    context_vectors_ = plane_vectors_ * planes_;
    inner_limit_ = 1;
    bool products = false;  // some layer needs temporaries
    for (unsigned layer = 0; layer < layers(); ++layer) {
      inner_limit_ = std::max(inner_limit_, repeat_of(layer));
      products = products || stage_.form(layer) != PairForm::ratios;
    }
    const u32 of_trip = products ? 2 : (needs_temporary(stage_.activation) ? 1 : 0);
    const u32 temporaries = of_trip * inner_limit_;
    const u32 residual = stage_.residual ? 2 * group_points_ * multiplicity_ : 0;
    const u32 dropped = exchanges_ > 0 && !target_.exchange_by_half ? group_points_ * multiplicity_ * planes_ : 0;
    const u32 fixed = temporaries + constant_vectors_ + dropped;
    const u32 capacity = target_.operand_vectors;
    const auto fits = [&](u32 weights, u32 contexts, u32 residuals) {
      return u64{fixed} + weights + u64{contexts} * context_vectors_ + u64{residuals} * residual <= capacity;
    };
    const u32 wanted = std::max<u32>(1, std::min<u32>(2, target_.contexts));
    resident_ = target_.weight_residency;
    weight_depth_ = weight_sets_;
    if (!resident_ || !fits(weight_vectors_ * weight_sets_, wanted, 1)) {
      resident_ = false;
      weight_depth_ = fits(weight_vectors_ * 2, wanted, 1) ? 2 : 1;
    }
    const u32 weights = weight_vectors_ * weight_depth_;
    contexts_ = 0;
    while (contexts_ < target_.contexts && fits(weights, contexts_ + 1, 1)) ++contexts_;
    if (contexts_ == 0) return false;
    residuals_ = stage_.residual ? (fits(weights, contexts_, 2) ? 2 : 1) : 0;
    weights_at_ = builder_.allocate_vectors(weights);
    constants_vector_ = builder_.allocate_vectors(constant_vectors_);
    data_at_ = builder_.allocate_vectors(contexts_ * context_vectors_);
    temporaries_at_ = builder_.allocate_vectors(temporaries);
    dropped_at_ = builder_.allocate_vectors(dropped);
    residual_at_ = residuals_ > 0 ? builder_.allocate_vectors(residuals_ * residual) : 0;
    return true;
  }

  /// Trips of level 0 of a layer's Cal segment.
  [[nodiscard]] u32 repeat_of(unsigned layer) const {
    const u32 inner = u32{1} << pair_loops(layer).inner;
    return inner > 1 ? inner : (multiplicity_ > 1 ? multiplicity_ : 1);
  }

  /// The numbers of the three groups of slots: those that a PE uses for group bit 0, for group bit 1, and for the
  /// vectors that it receives or computes next.
  struct Groups {
    u32 zero = 0, one = 1, free = 2;
  };

  /// Whether the layer combines points of the same group.
  [[nodiscard]] bool within_groups(unsigned layer) const { return pair_loops(layer).position + 1 < local_bits_; }

  void make_groups() {
    std::vector<Groups> now(builder_.pes());
    for (unsigned layer = 0; layer < layers(); ++layer) {
      before_.push_back(now);
      for (u32 pe = 0; pe < builder_.pes() && layer >= plan_.first_exchange; ++pe) {
        Groups& groups = now[pe];
        const bool keeps_zero = bit_of(pe, exchange_pe_bit(layer - plan_.first_exchange)) == 0;
        std::swap(groups.free, keeps_zero ? groups.one : groups.zero);
      }
      during_.push_back(now);
      if (stage_.form(layer) != PairForm::ratios) continue;
      for (Groups& groups : now) {
        groups = within_groups(layer) ? Groups{groups.free, groups.zero, groups.one}
                                      : Groups{groups.free, groups.one, groups.zero};
      }
    }
    end_ = now;
  }

  [[nodiscard]] i32 group_slot(u32 group) const { return static_cast<i32>(group * group_points_); }

  /// A stream over the data slots of the instance's context. Slots: lane-group copies are outermost in a plane.
  [[nodiscard]] Stream data_stream() const {
    Stream stream = stream_at(static_cast<i32>(data_at_));
    if (contexts_ > 1) {
      stream.rotation_scope = 4;
      stream.rotation_depth = static_cast<u8>(contexts_);
      stream.rotation_stride = static_cast<i32>(context_vectors_);
    }
    return stream;
  }
  [[nodiscard]] i32 copy_stride() const { return static_cast<i32>(plane_vectors_ / multiplicity_); }

  [[nodiscard]] Stream weight_stream(u32 scalar_offset) const {
    Stream stream = stream_at(static_cast<i32>(weights_at_ * target_.lanes + scalar_offset));
    const auto set = static_cast<i32>(weight_vectors_ * target_.lanes);
    if (resident_) {
      for (std::size_t level = 0; level < 3; ++level) {
        if (loops_[level].count > 1) stream.instance_stride[level] = set * static_cast<i32>(loops_[level].weight_sets);
      }
    } else if (weight_depth_ > 1) {
      stream.rotation_scope = static_cast<u8>(weight_scope());
      stream.rotation_depth = static_cast<u8>(weight_depth_);
      stream.rotation_stride = set;
    }
    return stream;
  }
  [[nodiscard]] Stream constant_stream() const {
    return stream_at(static_cast<i32>(constants_vector_ * target_.lanes));
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
      if (loops_[level].count > 1) {
        stream.instance_stride[level] = output ? loops_[level].output_stride : loops_[level].input_stride;
      }
    }
    stream.instance_stride[3] =
        (output ? stage_.output_group_stride : stage_.input_group_stride) * static_cast<i32>(multiplicity_);
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
    return position + 1 < local_bits_ ? static_cast<i32>(1u << position)
                                      : group_slot(groups.one) - group_slot(groups.zero);
  }

  u16 add_layer(unsigned layer, unsigned tag) {
    if (stage_.form(layer) != PairForm::ratios) return add_layer_in_place(layer, tag);
    return within_groups(layer) ? add_layer_within_groups(layer, tag) : add_layer_across_groups(layer, tag);
  }

  /// Both points of a pair lie in one group: the pairs of group 0 go to the free one, then those of group 1 to the
  /// place of group 0. The two outputs of a pair are the innermost trips, so that both have been computed before an
  /// output of group 1 takes the place of their inputs. Streams: 0 lower points, 1 upper points, 2 ratios, 3 outputs.
  u16 add_layer_within_groups(unsigned layer, unsigned tag) {
    const PairLoops loops = pair_loops(layer);
    const Groups groups = during_[layer].front();  // the same on all PEs before the first exchange
    const i32 partner = static_cast<i32>(1u << loops.position);
    Streams streams{group_stream(during_[layer], &Groups::zero), group_stream(during_[layer], &Groups::zero),
                    weight_stream(result_.weights.layer_offset(layer)), group_stream(during_[layer], &Groups::free)};
    streams[1].base += partner;
    std::vector<Loop> trips{{2, {0, 0, 1, partner}}};
    i32 ratio = 2;
    for (const unsigned position : loops.order) {
      const i32 from = slot_distance(position, groups);
      const i32 to = position + 1 < local_bits_ ? from : group_slot(groups.zero) - group_slot(groups.free);
      trips.push_back({2, {from, from, ratio, to}});
      ratio *= 2;
    }
    trips.push_back({multiplicity_, {copy_stride(), copy_stride(), 0, copy_stride()}});
    return builder_.add(Unit::cal, 4, tag, {{Opcode::fmar, {3, 0}, {0, 0}, {1, 0}, {2, 0}}}, streams, trips);
  }

  /// The points of a pair lie in the two groups: lower outputs go to the free group, upper ones stay in theirs.
  /// Streams: as in add_layer_within_groups.
  u16 add_layer_across_groups(unsigned layer, unsigned tag) {
    const PairLoops loops = pair_loops(layer);
    const Streams streams{group_stream(during_[layer], &Groups::zero), group_stream(during_[layer], &Groups::one),
                          weight_stream(result_.weights.layer_offset(layer)),
                          group_stream(during_[layer], &Groups::free)};
    const u32 inner = u32{1} << loops.inner;
    const Loop copies{multiplicity_, {copy_stride(), copy_stride(), 0, copy_stride()}};
    std::vector<Loop> trips;
    if (inner > 1) {
      const i32 slot = static_cast<i32>(1u << loops.order[0]);
      trips.push_back({inner, {slot, slot, 2, slot}});
    } else if (multiplicity_ > 1) {
      trips.push_back(copies);
    }
    auto ratio = static_cast<i32>(2 * inner);
    for (unsigned i = loops.inner; i < loops.order.size(); ++i) {
      const i32 slot = static_cast<i32>(1u << loops.order[i]);
      trips.push_back({2, {slot, slot, ratio, slot}});
      ratio *= 2;
    }
    if (inner > 1 || multiplicity_ == 1) trips.push_back(copies);
    return builder_.add(
        Unit::cal, 4, tag,
        {{Opcode::fmar, {3, 0}, {0, 0}, {1, 0}, {2, 0}}, {Opcode::fmar, {1, 0}, {0, 0}, {1, 0}, {2, 1}}}, streams,
        trips);
  }

  // Streams: 0 lower points, 1 upper points, 2 scalars, 3 temporaries.
  u16 add_layer_in_place(unsigned layer, unsigned tag) {
    const PairLoops loops = pair_loops(layer);
    const Groups groups = during_[layer].front();  // the same on all PEs before the first exchange
    const bool within = within_groups(layer);
    Streams streams{group_stream(during_[layer], &Groups::zero),
                    group_stream(during_[layer], within ? &Groups::zero : &Groups::one),
                    weight_stream(result_.weights.layer_offset(layer)), stream_at(static_cast<i32>(temporaries_at_))};
    if (within) streams[1].base += static_cast<i32>(1u << loops.position);
    const u32 inner = u32{1} << loops.inner;
    const auto slot = [&](unsigned position) { return slot_distance(position, groups); };
    std::vector<Loop> trips;
    const Loop copies{multiplicity_, {copy_stride(), copy_stride(), 0, 0}};
    if (inner > 1) {
      trips.push_back({inner, {slot(loops.order[0]), slot(loops.order[0]), 1, 1}});
    } else if (multiplicity_ > 1) {
      trips.push_back({multiplicity_, {copy_stride(), copy_stride(), 0, 1}});
    }
    auto weight = static_cast<i32>(inner);
    for (unsigned i = loops.inner; i < loops.order.size(); ++i) {
      trips.push_back({2, {slot(loops.order[i]), slot(loops.order[i]), weight, 0}});
      weight *= 2;
    }
    if (inner > 1 || multiplicity_ == 1) trips.push_back(copies);
    const auto lo = [&](u32 offset) { return Operand{0, static_cast<u16>(offset)}; };
    const auto hi = [&](u32 offset) { return Operand{1, static_cast<u16>(offset)}; };
    const auto w = [&](u32 index) { return Operand{2, static_cast<u16>(index * group_points_)}; };
    const auto t = [&](u32 index) { return Operand{3, static_cast<u16>(index * inner_limit_)}; };
    std::vector<Instruction> code;
    if (stage_.complex) {
      const u32 im = plane_vectors_;
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
    for (unsigned i = 0; i + 1 < local_bits_; ++i) loops.push_back({2, of_bit(i)});
    if (multiplicity_ > 1) loops.push_back({multiplicity_, of_copy});
    return loops;
  }

  /// Like point_loops, but for a Cal segment: level 0 covers at most inner_limit_ points.
  [[nodiscard]] std::vector<Loop> cal_point_loops(i32 scalar_stride, i32 other_copy_stride) const {
    const u32 points = std::min(group_points_, inner_limit_);
    std::vector<Loop> loops;
    const auto other = other_copy_stride == 0 ? 0 : 1;
    if (points > 1) loops.push_back({points, {1, other, scalar_stride, 1}});
    if (group_points_ > points) {
      const auto p = static_cast<i32>(points);
      loops.push_back({group_points_ / points, {p, other * p, scalar_stride * p, 0}});
    }
    // If this loop becomes trip level 0, every copy needs a temporary of its own.
    if (multiplicity_ > 1) loops.push_back({multiplicity_, {copy_stride(), other_copy_stride, 0, points > 1 ? 0 : 1}});
    return loops;
  }

  u16 add_prologue(unsigned tag) {
    Streams streams{data_stream(), {}, constant_stream(), {}};
    std::vector<Instruction> code;
    if (stage_.scale) {
      code.push_back({Opcode::muls, {0, 0}, {0, 0}, {2, 0}, {}});
      if (stage_.complex && !stage_.real_input) {
        const auto im = static_cast<u16>(plane_vectors_);
        code.push_back({Opcode::muls, {0, im}, {0, im}, {2, 0}, {}});
      }
    }
    if (stage_.complex && stage_.real_input) {
      streams[1] = stream_at(static_cast<i32>(zero_accumulator_));
      code.push_back({Opcode::around, {0, static_cast<u16>(plane_vectors_)}, {1, 0}, {}, {}});
    }
    std::vector<Loop> loops = cal_point_loops(0, 0);
    for (Loop& loop : loops) loop.stride[3] = 0;
    loops.push_back({2, {group_slot(1), 0, 0, 0}});
    return builder_.add(Unit::cal, 4, tag, code, streams, loops);
  }

  void make_segments() {
    const auto data = EdgeKind::data;
    const auto space = EdgeKind::space;

    const u16 weights = add_weight_load();
    const u16 constants = add_constant_load();
    const u16 load = add_data_load();

    unsigned tag = 1;
    u16 previous = load;
    std::vector<u16> uses_weights;
    std::optional<u16> first_cal;
    const auto chain = [&](u16 segment) {
      builder_.edge(previous, segment, data);
      if (!first_cal) first_cal = segment;
      previous = segment;
    };
    if (stage_.scale || (stage_.complex && stage_.real_input)) {
      u16 zero = 0;
      if (stage_.complex && stage_.real_input) {
        zero_accumulator_ = builder_.allocate_accumulators(1);
        zero = builder_.add(Unit::cal, 0, 0, {{Opcode::azero, {0, 0}, {}, {}, {}}},
                            {stream_at(static_cast<i32>(zero_accumulator_)), {}, {}, {}}, {});
      }
      chain(add_prologue(tag));
      if (stage_.complex && stage_.real_input) builder_.edge(zero, previous, data);
    }
    std::vector<u16> flows;
    for (unsigned layer = 0; layer < layers(); ++layer) {
      if (layer < plan_.first_exchange) {
        chain(add_layer(layer, tag++));
        uses_weights.push_back(previous);
        continue;
      }
      const unsigned exchange = layer - plan_.first_exchange;
      const unsigned mask = 1u << exchange_pe_bit(exchange);
      const u16 flow = add_flow(exchange, tag);
      builder_.edge(previous, flow, data);
      // The layer before has read at the peer what the vectors overwrite, and the layer behind overwrites here what has
      // been sent; in place neither does.
      if (stage_.normal) builder_.edge(previous, flow, space, 0, mask);
      chain(add_layer(layer, ++tag));
      uses_weights.push_back(previous);
      builder_.edge(flow, previous, data, 0, mask);
      if (stage_.normal) builder_.edge(flow, previous, data);
      if (!stage_.normal && !flows.empty()) builder_.edge(flows.back(), flow, space, 0, mask);
      flows.push_back(flow);
    }
    builder_.edge(weights, uses_weights.front(), data);
    ++tag;
    const std::vector<u16> epilogue = add_epilogue(tag);
    for (const u16 segment : epilogue) {
      chain(segment);
      uses_weights.push_back(segment);
    }
    builder_.edge(constants, *first_cal, data);
    // The constants and resident weights are overwritten by the next launch that loads them.
    builder_.edge(previous, constants, space, 1);
    builder_.edge(uses_weights.back(), weights, space, resident_ ? 1 : weight_depth_);
    if (stage_.residual) {
      for (const u16 residual : add_residual_loads()) {
        builder_.edge(residual, residual_user_, data);
        builder_.edge(previous, residual, space, residuals_);
      }
    }
    const std::vector<u16> stores = add_stores(tag + 1);
    for (const u16 store : stores) {
      builder_.edge(previous, store, data);
      builder_.edge(store, load, space, contexts_);
      if (stage_.normal) continue;
      if (!flows.empty()) {
        builder_.edge(store, flows.front(), space, contexts_, 1u << exchange_pe_bit(0));
      }
      for (const u16 flow : flows) builder_.edge(flow, store, data);
    }
  }

  /// How often the weights are loaded: once per launch, once per window of points, or once per instance.
  [[nodiscard]] unsigned weight_scope() const {
    if (resident_) return 0;
    return target_.weight_residency ? 3 : 4;
  }

  u16 add_weight_load() {
    const u32 sets = resident_ ? weight_sets_ : 1;
    const auto block = static_cast<i32>(weight_vectors_ * target_.vector_bytes());
    const auto set_bytes = block * static_cast<i32>(builder_.pes());
    Stream memory;
    memory.launch_register = butterfly_register::weights + 1;
    builder_.add_pe_value(memory, [&](u32 pe) { return static_cast<i32>(pe) * block; });
    Stream slots = stream_at(static_cast<i32>(weights_at_));
    if (!resident_) {
      for (std::size_t level = 0; level < 3; ++level) {
        if (loops_[level].count > 1) {
          memory.instance_stride[level] = set_bytes * static_cast<i32>(loops_[level].weight_sets);
        }
      }
      if (weight_depth_ > 1) {
        slots.rotation_scope = static_cast<u8>(weight_scope());
        slots.rotation_depth = static_cast<u8>(weight_depth_);
        slots.rotation_stride = static_cast<i32>(weight_vectors_);
      }
    }
    return builder_.add(Unit::load, weight_scope(), 0, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}}, {slots, memory, {}, {}},
                        {{weight_vectors_, {1, static_cast<i32>(target_.vector_bytes()), 0, 0}},
                         {sets, {static_cast<i32>(weight_vectors_), set_bytes, 0, 0}}});
  }

  u16 add_constant_load() {
    Stream memory = stream_at(static_cast<i32>(result_.weights.constants_at()));
    memory.launch_register = butterfly_register::weights + 1;
    return builder_.add(Unit::load, 0, 0, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}},
                        {stream_at(static_cast<i32>(constants_vector_)), memory, {}, {}},
                        {{constant_vectors_, {1, static_cast<i32>(target_.vector_bytes()), 0, 0}}});
  }

  u16 add_data_load() {
    const bool planes = stage_.complex && !stage_.real_input;
    Streams streams{data_stream(), memory_stream(butterfly_register::input, false, plan_.pe), {}, {}};
    std::vector<Instruction> code{{Opcode::ld, {0, 0}, {1, 0}, {}, {}}};
    if (planes) {
      streams[2] = memory_stream(butterfly_register::input_imaginary, false, plan_.pe);
      code.push_back({Opcode::ld, {0, static_cast<u16>(plane_vectors_)}, {2, 0}, {}, {}});
    }
    std::vector<Loop> loops = point_loops(
        [&](unsigned i) {
          const i32 bytes = stage_.input_stride[plan_.local[i]];
          return std::array<i32, 4>{static_cast<i32>(1u << i), bytes, planes ? bytes : 0, 0};
        },
        {copy_stride(), stage_.input_group_stride, planes ? stage_.input_group_stride : 0, 0});
    const i32 bytes = stage_.input_stride[plan_.local.back()];
    loops.push_back({2, {group_slot(1), bytes, planes ? bytes : 0, 0}});
    return builder_.add(Unit::load, 4, 1, code, streams, loops);
  }

  u16 add_flow(unsigned exchange, unsigned tag) {
    const auto mask = static_cast<u16>(1u << exchange_pe_bit(exchange));
    const auto& before = before_[plan_.first_exchange + exchange];
    const auto& after = during_[plan_.first_exchange + exchange];
    Streams streams{group_stream(before, &Groups::free), group_stream(after, &Groups::free), {}, {}};
    std::vector<Instruction> code{{Opcode::send, {0, 0}, {1, 0}, {0, mask}, {}}};
    if (!target_.exchange_by_half) {
      // The half that stays on this PE is sent too, to a place that nothing reads.
      streams[2] = stream_at(static_cast<i32>(dropped_at_));
      streams[3] = data_stream();
      builder_.add_pe_value(streams[3], [&](u32 pe) {
        return group_slot(before[pe].free == after[pe].zero ? after[pe].one : after[pe].zero);
      });
      code.push_back({Opcode::send, {2, 0}, {3, 0}, {0, mask}, {}});
    }
    const i32 all = target_.exchange_by_half ? 0 : 1;
    const auto plane = static_cast<i32>(plane_vectors_), points = static_cast<i32>(group_points_);
    return builder_.add(Unit::flow, 4, tag, code, streams,
                        {{group_points_, {1, 1, all, all}},
                         {multiplicity_, {copy_stride(), copy_stride(), all * points, all * copy_stride()}},
                         {planes_, {plane, plane, all * points * static_cast<i32>(multiplicity_), all * plane}}});
  }

  /// Streams over the two groups of points in their places at the end of the stage.
  Stream end_stream(unsigned half) { return group_stream(end_, half == 0 ? &Groups::zero : &Groups::one); }

  std::vector<u16> add_epilogue(unsigned tag) {
    std::vector<u16> segments;
    for (unsigned half = 0; half < 2; ++half) {
      if (stage_.bias && stage_.normal) {
        const u32 first = half * group_points_;
        std::vector<Loop> loops = without(cal_point_loops(1, 0), 3);
        for (Loop& loop : loops) loop.stride[1] = loop.stride[2];
        segments.push_back(builder_.add(Unit::cal, 4, tag, {{Opcode::fmass, {0, 0}, {0, 0}, {1, 0}, {2, 0}}},
                                        {end_stream(half),
                                         weight_stream(result_.weights.scale_offset() + first),
                                         weight_stream(result_.weights.bias_offset() + first),
                                         {}},
                                        loops));
      } else if (stage_.bias) {
        segments.push_back(builder_.add(
            Unit::cal, 4, tag, {{Opcode::adds, {0, 0}, {0, 0}, {2, 0}, {}}},
            {end_stream(half), {}, weight_stream(result_.weights.bias_offset() + half * group_points_), {}},
            without(cal_point_loops(1, 0), 3)));
      }
      if (stage_.activation) segments.push_back(add_activation(half, tag));
    }
    if (stage_.residual) {
      const Stream factor = stage_.residual_factor ? constant_stream() : Stream{};
      for (unsigned half = 0; half < 2; ++half) {
        segments.push_back(builder_.add(Unit::cal, 4, tag, {sum_with_residual()},
                                        {end_stream(half), residual_stream(half), factor, {}},
                                        without(cal_point_loops(0, static_cast<i32>(2 * group_points_)), 3)));
        if (half == 0) residual_user_ = segments.back();
      }
    }
    return segments;
  }

  /// Of the points of one group. Stream 0 has their values, stream 2 the constants, stream 3 the temporaries.
  u16 add_activation(unsigned half, unsigned tag) {
    if (!needs_temporary(stage_.activation)) {
      return builder_.add(Unit::cal, 4, tag, activation_code(), {end_stream(half), {}, constant_stream(), {}},
                          without(cal_point_loops(0, 0), 3));
    }
    return builder_.add(Unit::cal, 4, tag, activation_code(),
                        {end_stream(half), {}, constant_stream(), stream_at(static_cast<i32>(temporaries_at_))},
                        cal_point_loops(0, 0));
  }

  /// The constants 1, 2 and 3 are those of activation_constants().
  [[nodiscard]] std::vector<Instruction> activation_code() const {
    const Operand x{0, 0}, t{3, 0};
    const std::array<Instruction, 2> halves{{{Opcode::muls, x, x, {2, 2}, {}}, {Opcode::fma, x, x, t, x}}};
    switch (*stage_.activation) {
      case Activation::relu:
        return {{Opcode::maxs, x, x, {2, 3}, {}}};
      case Activation::tanh:
        return {{Opcode::tanh, x, x, {}, {}}};
      case Activation::gelu_tanh:
        return {{Opcode::mul, t, x, x, {}},
                {Opcode::fmass, t, t, {2, 3}, {2, 1}},
                {Opcode::mul, t, t, x, {}},
                {Opcode::tanh, t, t, {}, {}},
                halves[0],
                halves[1]};
      case Activation::gelu:
        break;
    }
    if (stage_.normal) return {{Opcode::erf, t, x, {}, {}}, halves[1]};
    return {{Opcode::muls, t, x, {2, 1}, {}}, {Opcode::erf, t, t, {}, {}}, halves[0], halves[1]};
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
    Stream stream = stream_at(static_cast<i32>(residual_at_ + half * group_points_));
    if (residuals_ > 1) {
      stream.rotation_scope = 4;
      stream.rotation_depth = static_cast<u8>(residuals_);
      stream.rotation_stride = static_cast<i32>(2 * group_points_ * multiplicity_);
    }
    return stream;
  }

  std::vector<u16> add_residual_loads() {
    // The group bit is the outermost loop, or two segments where all others take one each.
    const bool apart = stage_.complex && local_bits_ > trip_levels;
    std::vector<Loop> loops = point_loops(
        [&](unsigned i) {
          return std::array<i32, 4>{static_cast<i32>(1u << i), stage_.output_stride[local_end()[i]], 0, 0};
        },
        {static_cast<i32>(2 * group_points_), stage_.output_group_stride, 0, 0});
    const i32 other_half = stage_.output_stride[local_end().back()];
    if (!apart) loops.push_back({2, {static_cast<i32>(group_points_), other_half, 0, 0}});
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
        code.push_back({Opcode::st, {2, 0}, {1, static_cast<u16>(plane_vectors_)}, {}, {}});
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
  const unsigned local_bits_, pe_bits_;
  const bool several_launches_;
  BitPlan plan_;
  Bits launch_bits_;  // window bits that number the launches
  KernelBuilder builder_;
  ButterflyKernel result_;

  u32 group_points_ = 1;  // points of one group: half of the local ones
  u32 planes_ = 1;
  unsigned exchanges_ = 0;
  u32 multiplicity_ = 1;
  std::vector<InstanceLoop> loops_;  // levels 0..2
  u32 weight_sets_ = 1, weight_vectors_ = 0, weight_depth_ = 1;
  bool resident_ = true;
  u32 constant_vectors_ = 0, constants_vector_ = 0;
  u32 plane_vectors_ = 0, context_vectors_ = 0, contexts_ = 0, residuals_ = 0, inner_limit_ = 1;
  u32 weights_at_ = 0, data_at_ = 0, temporaries_at_ = 0, residual_at_ = 0, dropped_at_ = 0;
  u32 zero_accumulator_ = 0;
  // [layer][PE]: before the layer and its exchange, and while it is computed
  std::vector<std::vector<Groups>> before_, during_;
  std::vector<Groups> end_;  // [PE]
  u16 residual_user_ = 0;
};

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
          auto kernel = StageBuilder(target, stage, groups, local, pe_bits, several_launches, several_groups).build();
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
