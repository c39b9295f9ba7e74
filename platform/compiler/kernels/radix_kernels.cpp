// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/kernels/radix_kernels.h"

#include <algorithm>

#include "platform/compiler/kernels/segment_builder.h"
#include "platform/compiler/kernels/streams.h"

namespace bvp {

namespace {

/// Scopes: for each position, and for each block of its results.
constexpr unsigned of_position = 3, of_block = 4;
enum Constant : u16 { constant_factor, constant_residual, constant_count };

/// Divides the PEs among three levels so that the busiest has the least to do. Of equal divisions the one that divides
/// the first levels most is taken: PEs that work on neighbouring vectors wait for the same bank.
std::array<u32, 3> share_out(KernelBuilder& builder, const std::array<u32, 3>& counts) {
  std::array<u32, 3> best{1, 1, 1};
  u64 least = ~u64{0};
  for (u32 first = builder.pes(); first >= 1; first /= 2) {
    for (u32 second = builder.pes() / first; second >= 1; second /= 2) {
      const std::array<u32, 3> by{first, second, builder.pes() / first / second};
      u64 work = 1;
      for (std::size_t i = 0; i < by.size(); ++i) work *= (counts[i] + by[i] - 1) / by[i];
      if (work >= least) continue;
      least = work;
      best = by;
    }
  }
  u32 step = 1;
  for (unsigned level = 0; level < best.size(); ++level) {
    builder.distribute(
        level, [step, by = best[level]](u32 pe) { return static_cast<i32>(pe / step % by); }, best[level]);
    step *= best[level];
  }
  return best;
}

class RadixBuilder {
 public:
  RadixBuilder(const CompilerTarget& target, const RadixSpec& spec, u32 groups)
      : spec_(spec),
        lanes_(target.lanes),
        terms_(spec.terms()),
        results_(spec.results()),
        builder_(target, target.usable_rows(), target.usable_columns()),
        depth_(target.in_flight(2)) {
    result_.counts = {std::max(1u, spec.points / lanes_), std::min(spec.points, lanes_), 1};
    fit(target, groups);
    result_.counts[1] /= at_once_;
    result_.counts[2] = results_ / block_;
    result_.shared_by = share_out(builder_, {groups, result_.counts[0], result_.counts[1]});
    result_.block = block_;
    result_.positions = spec.points;
    result_.blocks = result_.counts[2];
    result_.lanes = lanes_;
    result_.terms = terms_;
    result_.weight_vectors = weight_vectors();
  }

  RadixKernel build() {
    allocate();
    add_constants();
    const u16 sums = add_sums();
    const u16 rounded = add_rounding(sums);
    add_stores(rounded, spec_.residual ? add_residual(rounded) : rounded);
    result_.kernel = builder_.finish();
    return std::move(result_);
  }

 private:
  [[nodiscard]] bool has_constants() const { return spec_.factor || (spec_.residual && spec_.residual_factor); }
  [[nodiscard]] u32 weight_vectors() const { return vectors_of(std::size_t{block_} * terms_, lanes_); }
  [[nodiscard]] u32 vectors() const {
    const u32 slots = terms_ + results_ + (spec_.residual ? results_ : 0) + weight_vectors();
    return depth_ * at_once_ * slots + (has_constants() ? vectors_of(constant_count, lanes_) : 0);
  }

  /// As many results and positions at once as hide the latency of an addition, as far as operand memory and
  /// accumulators have room and all PEs have something to do; allocate() reports what is missing.
  void fit(const CompilerTarget& target, u32 groups) {
    constexpr u32 hides_latency = 16;
    const auto set_block = [&] {
      block_ = std::max(1u, std::min(results_, std::min(hides_latency, target.accumulators / depth_)));
      while (results_ % block_ != 0) --block_;
    };
    set_block();
    const u64 instances = u64{groups} * spec_.points;
    const auto fits_twice = [&] {
      const u32 more = 2 * at_once_;
      return more * block_ <= std::min(hides_latency, target.accumulators / depth_) && result_.counts[1] % more == 0 &&
             instances / more >= builder_.pes();
    };
    while (block_ == results_ && fits_twice()) at_once_ *= 2;
    while (vectors() > target.operand_vectors && (at_once_ > 1 || depth_ > 1 || block_ > 1)) {
      if (at_once_ > 1) {
        at_once_ /= 2;
      } else if (block_ > 1) {
        do --block_;
        while (results_ % block_ != 0);
      } else {
        depth_ = 1;
        set_block();
      }
    }
  }

  void allocate() {
    const auto slots = [&](u32 of_position_slots) {
      const u32 span = at_once_ * of_position_slots;
      return rotating(builder_.allocate_vectors(depth_ * span), of_position, depth_, span);
    };
    x_ = slots(terms_);
    y_ = slots(results_);
    if (spec_.residual) residual_ = slots(results_);
    weight_slots_ = builder_.allocate_vectors(depth_ * at_once_ * weight_vectors());
    sums_ = rotating(builder_.allocate_accumulators(depth_ * at_once_ * block_), of_block, depth_, at_once_ * block_);
  }

  void add_constants() {
    if (!has_constants()) return;
    result_.constants = {spec_.factor.value_or(0), spec_.residual_factor.value_or(ResidualFactor{}).value};
    pad_to_vector(result_.constants, lanes_);
    const u32 count = vectors_of(constant_count, lanes_);
    const u32 slots = builder_.allocate_vectors(count);
    constant_stream_ = stream_at(static_cast<i32>(slots * lanes_));
    constants_ = add_load(builder_, 0, 0, {count}, {stream_at(static_cast<i32>(slots)), {1}},
                          {row_stream(radix_register::constants), {static_cast<i32>(lanes_ * 2)}});
  }

  /// The vectors of all parts, for each of the positions.
  [[nodiscard]] Walk parts(unsigned launch_register, const VectorWalk& walk) const {
    Stream memory = walk_stream(launch_register, walk);
    memory.instance_stride[0] = walk.group;
    memory.instance_stride[1] = walk.panel;
    memory.instance_stride[2] = static_cast<i32>(at_once_) * walk.step;
    const bool panels = spec_.points >= lanes_;
    const u32 distance = panels ? spec_.points / lanes_ : spec_.points;
    return {memory, {static_cast<i32>(distance) * (panels ? walk.panel : walk.step), walk.step}};
  }
  /// The slots of all parts, for each of the positions: every second one, from `first` on, where there are two numbers
  /// of a part.
  [[nodiscard]] Walk of_parts(Stream slots, u32 first, u32 numbers) const {
    slots.base += static_cast<i32>(first);
    return {slots, {static_cast<i32>(numbers), static_cast<i32>(numbers * spec_.parts)}};
  }

  /// The sums of a block. Returns the segment that completes them.
  u16 add_sums() {
    std::vector<u16> loads;
    const u32 numbers = terms_ / spec_.parts;
    for (u32 i = 0; i < numbers; ++i) {
      loads.push_back(add_load(builder_, of_position, 0, {spec_.parts, at_once_}, of_parts(x_, i, numbers),
                               parts(i == 0 ? radix_register::x_re : radix_register::x_im, spec_.x)));
    }
    const u32 vectors = at_once_ * weight_vectors();
    const auto vector_bytes = static_cast<i32>(lanes_ * 2);
    Stream weights = row_stream(radix_register::weights);
    weights.instance_stride[3] = static_cast<i32>(vectors) * vector_bytes;
    weights.instance_stride[2] = static_cast<i32>(result_.counts[2]) * weights.instance_stride[3];
    weights.instance_stride[1] = static_cast<i32>(result_.counts[1]) * weights.instance_stride[2];
    loads.push_back(add_load(builder_, of_block, 0, {vectors},
                             {rotating(weight_slots_, of_block, depth_, vectors), {1}}, {weights, {vector_bytes}}));
    SegmentBuilder clear(builder_, Unit::cal, of_block, 0, {at_once_ * block_});
    clear.azero(clear.at(sums_, {1}));
    zero_ = clear.finish();
    SegmentBuilder multiply(builder_, Unit::cal, of_block, 1, {block_, at_once_, terms_});
    const auto terms = static_cast<i32>(terms_), of_weights = static_cast<i32>(weight_vectors() * lanes_);
    const auto sum = multiply.at(sums_, {1, static_cast<i32>(block_), 0}), term = multiply.at(x_, {0, terms, 1});
    const Stream scalars = rotating(weight_slots_ * lanes_, of_block, depth_, vectors * lanes_);
    multiply.amacs(sum, term, multiply.at(scalars, {terms, of_weights, 1}));
    const u16 product = multiply.finish();
    builder_.data(zero_, product);
    for (const u16 load : loads) {
      builder_.data(load, product);
      builder_.space(product, load, depth_);
    }
    return product;
  }

  u16 add_rounding(u16 sums) {
    Stream results = y_;
    results.instance_stride[3] = static_cast<i32>(block_);
    SegmentBuilder rounding(builder_, Unit::cal, of_block, 2, {at_once_ * block_});
    const auto result = rounding.at(results, {1}), sum = rounding.at(sums_, {1});
    if (spec_.factor) {
      rounding.amuls(result, sum, rounding.at(constant_stream_) + constant_factor);
    } else {
      rounding.around(result, sum);
    }
    const u16 round = rounding.finish();
    builder_.data(sums, round);
    builder_.space(round, zero_, depth_);
    if (spec_.factor) use_constants(round);
    return round;
  }

  void use_constants(u16 segment) {
    builder_.data(*constants_, segment);
    builder_.space(segment, *constants_, 1);
  }

  u16 add_residual(u16 rounded) {
    const u16 load = add_load(builder_, of_position, 1, {spec_.parts, at_once_},
                              of_parts(residual_, 0, results_ / spec_.parts), parts(radix_register::residual, spec_.y));
    SegmentBuilder add(builder_, Unit::cal, of_position, 3, {at_once_ * results_});
    const auto y = add.at(y_, {1}), x = add.at(residual_, {1});
    if (!spec_.residual_factor) {
      add.add(y, y, x);
    } else {
      const auto factor = add.at(constant_stream_) + constant_residual;
      add_scaled_residual(add, y, x, factor, *spec_.residual_factor);
    }
    const u16 sum = add.finish();
    builder_.data(rounded, sum);
    builder_.data(load, sum);
    builder_.space(sum, load, depth_);
    if (spec_.residual_factor) use_constants(sum);
    return sum;
  }

  void add_stores(u16 rounded, u16 last) {
    const u32 numbers = results_ / spec_.parts;
    for (u32 i = 0; i < numbers; ++i) {
      const u16 store = add_store(builder_, of_position, 4, {spec_.parts, at_once_}, of_parts(y_, i, numbers),
                                  parts(i == 0 ? radix_register::y_re : radix_register::y_im, spec_.y));
      builder_.data(last, store);
      builder_.space(store, rounded, depth_);
    }
  }

  const RadixSpec& spec_;
  const u32 lanes_, terms_, results_;
  KernelBuilder builder_;
  RadixKernel result_;
  u32 depth_, block_ = 1, at_once_ = 1, weight_slots_ = 0;
  Stream x_, y_, residual_, sums_, constant_stream_;
  std::optional<u16> constants_;  // the segment that loads them
  u16 zero_ = 0;
};

}  // namespace

std::vector<u16> RadixKernel::words(const std::function<u16(u32 position, u32 result, u32 term)>& weight) const {
  std::vector<u16> all;
  all.reserve(word_count());
  for (u32 position = 0; position < positions; ++position) {
    for (u32 first = 0; first < blocks * block; first += block) {
      std::vector<u16> weights;
      for (u32 result = first; result < first + block; ++result) {
        for (u32 term = 0; term < terms; ++term) weights.push_back(weight(position, result, term));
      }
      pad_to_vector(weights, lanes);
      all.insert(all.end(), weights.begin(), weights.end());
    }
  }
  return all;
}

RadixKernel make_radix_kernel(const CompilerTarget& target, const RadixSpec& spec, u32 groups) {
  return RadixBuilder(target, spec, groups).build();
}

InterleaveKernel make_interleave_kernel(const CompilerTarget& target, const InterleaveSpec& spec, u32 groups) {
  KernelBuilder builder(target, target.usable_rows(), target.usable_columns());
  const u32 lanes = target.lanes, panels = spec.points / lanes, vectors = spec.parts * lanes;
  InterleaveKernel result;
  result.counts = {panels, 1, 1};
  const std::array<u32, 3> shared_by = share_out(builder, {groups, panels, 1});
  result.shared_by = {shared_by[0], shared_by[1]};
  // The columns of a panel of each block become as many neighbouring panels as there are blocks.
  constexpr unsigned of_panel = 2;
  const u32 depth = 2 * vectors <= target.operand_vectors ? target.in_flight(2) : 1;
  const Stream slots = rotating(builder.allocate_vectors(depth * vectors), of_panel, depth, vectors);
  struct Side {
    Walk slots, memory;
  };
  /// The columns that lie in turn, or in blocks: the operand memory turns their strides around.
  const auto side = [&](unsigned launch_register, const PanelLayout& layout, bool in_blocks) {
    const VectorWalk walk = layout.by_column();
    const auto all_parts = static_cast<i32>(spec.parts);
    Stream memory = column_stream(launch_register, layout);
    memory.instance_stride[1] = in_blocks ? walk.panel : all_parts * walk.panel;
    if (in_blocks) return Side{{slots, {all_parts, 1}}, {memory, {walk.step, static_cast<i32>(panels) * walk.panel}}};
    return Side{{slots, {1, static_cast<i32>(lanes)}}, {memory, {walk.step, walk.panel}}};
  };
  const Side from = side(interleave_register::x, spec.x, !spec.apart);
  const Side to = side(interleave_register::y, spec.y, spec.apart);
  const u16 load = add_load(builder, of_panel, 0, {lanes, spec.parts}, from.slots, from.memory);
  const u16 store = add_store(builder, of_panel, 1, {lanes, spec.parts}, to.slots, to.memory);
  builder.data(load, store);
  builder.space(store, load, depth);
  result.kernel = builder.finish();
  return result;
}

}  // namespace bvp
