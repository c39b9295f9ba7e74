// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/kernels/product_kernel.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "platform/compiler/cost/cost.h"
#include "platform/compiler/kernels/activation.h"
#include "platform/compiler/kernels/segment_builder.h"
#include "platform/compiler/kernels/streams.h"
#include "platform/network/half.h"

namespace bvp {

namespace {

/// Constants in the scratchpad, by index.
enum Constant : u16 {
  constant_factor,
  constant_of_argument,  // of an activation (activation_constants)
  constant_half,
  constant_rest,
  constant_power_low,
  constant_power_high,
  constant_residual  // only where there is a factor of the residual
};

/// How the outputs are divided into blocks and among the PEs.
struct Division {
  u32 outputs = 1;  // of an instance
  u32 panels = 1, blocks = 1;
  u32 by_group = 1, by_panel = 1, by_block = 1;  // PEs along each
  u64 instances = 0;                             // of the busiest PE
};

Division divide(const CompilerTarget& target, u32 outputs, u32 of_instance, u32 groups) {
  Division division;
  division.outputs = of_instance;
  division.panels = (outputs + target.lanes - 1) / target.lanes;
  division.blocks = (std::min(outputs, target.lanes) + of_instance - 1) / of_instance;
  division.instances = std::numeric_limits<u64>::max();
  const u32 pes = target.usable_pes();
  for (u32 g = pes; g >= 1; g /= 2) {
    for (u32 p = pes / g; p >= 1; p /= 2) {
      const u32 b = pes / g / p;
      const u64 work = u64{(groups + g - 1) / g} * ((division.panels + p - 1) / p) * ((division.blocks + b - 1) / b);
      if (work >= division.instances) continue;
      division.instances = work;
      division.by_group = g;
      division.by_panel = p;
      division.by_block = b;
    }
  }
  return division;
}

/// The number of outputs of an instance: as many as accumulators allow, within one panel, and a power of two, so that a
/// panel consists of whole blocks.
u32 largest_block(const CompilerTarget& target, u32 outputs) {
  return CompilerTarget::floor_power_of_two(
      std::min({outputs, target.lanes, 16u, std::max(1u, target.accumulators / 2)}));
}

class ProductBuilder {
 public:
  /// @param block  outputs of an instance, at most
  ProductBuilder(const CompilerTarget& target, const ProductSpec& spec, u32 groups, u32 block)
      : lanes_(target.lanes),
        spec_(spec),
        builder_(target, target.usable_rows(), target.usable_columns()),
        chunks_(spec.terms / target.lanes),
        tail_(spec.terms % target.lanes),
        chunk_(chunks_ > 0 ? target.lanes : tail_),
        has_constants_(spec.scale == ProductSpec::Scale::constant || spec.activation.has_value() ||
                       spec.row_power > 0 || has_residual_factor()),
        outputs_(block) {
    fit_block(target);
    division_ = divide(target, spec.outputs, outputs_, groups);
  }

  [[nodiscard]] u32 block() const { return outputs_; }
  /// Outputs (each of one lane group) of the busiest PE.
  [[nodiscard]] u64 share() const { return division_.instances * outputs_; }
  /// Cycles in which a bank serves the busiest PE and the PEs that load the same lane groups of x, one after the other.
  [[nodiscard]] u64 bank_cycles() const {
    return division_.instances * spec_.terms * division_.by_panel * division_.by_block;
  }

  ProductKernel build() {
    share_out();
    allocate();
    add_constants();
    SegmentBuilder clear(builder_, Unit::cal, 3, 0, {outputs_});
    clear.azero(clear.at(accumulators(), {1}));
    const u16 zero = clear.finish();
    const u16 start = spec_.resume ? add_earlier_sums(zero) : zero;
    if (chunks_ > 0) add_terms(4, lanes_, start);
    if (tail_ > 0) add_terms(3, tail_, start);
    if (spec_.suspend) {
      leave_sums(zero);
    } else {
      add_epilogue(zero);
    }
    result_.kernel = builder_.finish();
    result_.counts = {division_.panels, division_.blocks, std::max(1u, chunks_)};
    result_.outputs_per_instance = outputs_;
    result_.shared_by = {division_.by_group, division_.by_panel, division_.by_block};
    return std::move(result_);
  }

 private:
  /// Vectors that an instance's buffers take, `depth` instances in flight.
  [[nodiscard]] u32 vectors(u32 outputs, u32 depth) const {
    const u32 of_outputs = 2 + (spec_.residual ? 1 : 0) + (spec_.resume ? 2 : 0) + (spec_.suspend ? 1 : 0);
    u32 buffers = of_outputs * outputs + chunk_;
    u32 fixed = (has_constants_ ? vectors_of(constant_count(), lanes_) : 0) + (has_bias() ? 2 : 0) +
                (spec_.scale == ProductSpec::Scale::row ? 2 : 0) + (needs_temporary(spec_.activation) ? outputs : 0);
    return depth * buffers + fixed;
  }
  [[nodiscard]] bool has_bias() const { return spec_.bias != ProductSpec::Bias::none; }
  /// For a result that is rounded at the end.
  [[nodiscard]] bool has_residual_factor() const {
    return spec_.residual && spec_.residual_factor.has_value() && !spec_.suspend;
  }
  [[nodiscard]] u32 constant_count() const { return has_residual_factor() ? constant_residual + 1 : constant_residual; }

  /// The largest block for which the operand memory is sufficient.
  void fit_block(const CompilerTarget& target) {
    depth_ = target.in_flight(2);
    while (vectors(outputs_, depth_) > target.operand_vectors) {
      if (outputs_ <= 4 && depth_ > 1) {
        depth_ = 1;
      } else if (outputs_ > 1) {
        outputs_ /= 2;
      } else {
        return;  // allocate() reports what is missing
      }
    }
  }

  void share_out() {
    const u32 by_group = division_.by_group, by_panel = division_.by_panel;
    builder_.distribute(
        0, [=](u32 pe) { return static_cast<i32>(pe % by_group); }, by_group);
    builder_.distribute(
        1, [=](u32 pe) { return static_cast<i32>(pe / by_group % by_panel); }, by_panel);
    builder_.distribute(
        2, [=](u32 pe) { return static_cast<i32>(pe / by_group / by_panel); }, division_.by_block);
  }

  void allocate() {
    x_slots_ = builder_.allocate_vectors(depth_ * chunk_);
    w_slots_ = builder_.allocate_vectors(depth_ * outputs_);
    y_slots_ = builder_.allocate_vectors(depth_ * outputs_ * (spec_.suspend ? 2 : 1));
    sums_ = builder_.allocate_accumulators(depth_ * outputs_);
  }

  [[nodiscard]] Stream accumulators() const { return rotating(sums_, 3, depth_, outputs_); }
  [[nodiscard]] Stream y() const { return rotating(y_slots_, 3, depth_, outputs_); }

  /// The addresses of the instance's outputs in the matrix at this register: y, or a matrix with the layout of y.
  [[nodiscard]] Stream output_memory(unsigned launch_register) const { return output_memory(launch_register, spec_.y); }
  /// The same for a matrix that goes like this.
  [[nodiscard]] Stream output_memory(unsigned launch_register, const VectorWalk& walk) const {
    Stream memory = walk_stream(launch_register, walk);
    memory.instance_stride[0] = walk.group;
    memory.instance_stride[1] = walk.panel;
    memory.instance_stride[2] = static_cast<i32>(outputs_) * walk.step;
    return memory;
  }

  void add_constants() {
    if (!has_constants_) return;
    const FloatHalves power = float_halves(std::ldexp(1.0, -static_cast<int>(spec_.row_power)));
    const auto [of_argument, half, rest] = activation_constants(spec_.activation);
    result_.constants = {spec_.factor, of_argument, half, rest, power.low, power.high};
    if (has_residual_factor()) result_.constants.push_back(spec_.residual_factor->value);
    const u32 count = vectors_of(result_.constants.size(), lanes_);
    pad_to_vector(result_.constants, lanes_);
    constant_slots_ = builder_.allocate_vectors(count);
    constants_ = add_load(builder_, 0, 0, {count}, {stream_at(static_cast<i32>(constant_slots_)), {1}},
                          {row_stream(product_register::constants), {static_cast<i32>(lanes_ * 2)}});
  }
  [[nodiscard]] Stream constants() const { return stream_at(static_cast<i32>(constant_slots_ * lanes_)); }

  u16 add_earlier_sums(u16 zero) {
    const Stream halves = rotating(builder_.allocate_vectors(depth_ * 2 * outputs_), 3, depth_, 2 * outputs_);
    SegmentBuilder load_halves(builder_, Unit::load, 3, 0, {outputs_});
    const auto low = load_halves.at(halves, {1});
    load_halves.ld(low, load_halves.at(output_memory(product_register::sums_low), {spec_.y.step}));
    load_halves.ld(low + outputs_, load_halves.at(output_memory(product_register::sums_high), {spec_.y.step}));
    const u16 load = load_halves.finish();

    SegmentBuilder join_halves(builder_, Unit::cal, 3, 1, {outputs_});
    const auto sum = join_halves.at(accumulators(), {1}), joined = join_halves.at(halves, {1});
    join_halves.ajoin(sum, joined, joined + outputs_);
    const u16 join = join_halves.finish();
    builder_.data(load, join);
    builder_.space(join, load, depth_);
    builder_.data(zero, join);
    return join;
  }

  void leave_sums(u16 zero) {
    const Stream halves = rotating(y_slots_, 3, depth_, 2 * outputs_);
    SegmentBuilder split_sums(builder_, Unit::cal, 3, 1, {outputs_});
    const auto half = split_sums.at(halves, {1}), sum = split_sums.at(accumulators(), {1});
    split_sums.alow(half, sum);
    split_sums.ahigh(half + outputs_, sum);
    const u16 split = split_sums.finish();

    SegmentBuilder store_halves(builder_, Unit::store, 3, 2, {outputs_});
    const auto low = store_halves.at(halves, {1});
    store_halves.st(store_halves.at(output_memory(product_register::sums_low), {spec_.y.step}), low);
    store_halves.st(store_halves.at(output_memory(product_register::sums_high), {spec_.y.step}), low + outputs_);
    const u16 store = store_halves.finish();
    builder_.data(*last_product_, split);
    builder_.space(split, zero, depth_);
    builder_.data(split, store);
    builder_.space(store, split, depth_);
  }

  /// The products of a chunk of terms (scope 4), or of the last, partial chunk (scope 3), after the segment `start`.
  void add_terms(unsigned scope, u32 terms, u16 start) {
    const u32 rotation = scope == 4 ? depth_ : 1;
    Stream x = walk_stream(product_register::x, spec_.x), w = walk_stream(product_register::w, spec_.w);
    x.instance_stride[0] = spec_.x.group;
    w.instance_stride[0] = spec_.w_of_group;
    w.instance_stride[1] = spec_.w.panel;
    w.instance_stride[2] = static_cast<i32>(outputs_) * spec_.w.step;
    if (scope == 4) {
      x.instance_stride[3] = spec_.x.panel;
      w.instance_stride[3] = spec_.w.group;
    } else {
      x.base += static_cast<i32>(chunks_) * spec_.x.panel;
      w.base += static_cast<i32>(chunks_) * spec_.w.group;
    }
    const Stream x_target = rotating(x_slots_, 4, rotation, chunk_);
    const u16 load_x = add_load(builder_, scope, 1, {terms}, {x_target, {1}}, {x, {spec_.x.step}});
    const u16 load_w =
        add_load(builder_, scope, 1, {outputs_}, {rotating(w_slots_, 4, rotation, outputs_), {1}}, {w, {spec_.w.step}});
    SegmentBuilder multiply(builder_, Unit::cal, scope, 2, {outputs_, terms});
    const auto sum = multiply.at(accumulators(), {1, 0}), term = multiply.at(x_target, {0, 1});
    const Stream weights = rotating(w_slots_ * lanes_, 4, rotation, outputs_ * lanes_);
    multiply.amacs(sum, term, multiply.at(weights, {static_cast<i32>(lanes_), 1}));
    const u16 product = multiply.finish();
    for (const u16 load : {load_x, load_w}) {
      builder_.data(load, product);
      builder_.space(product, load, rotation);
      // The tail uses the buffers of the chunks, after the last chunk and before the chunks of the next instance.
      if (last_product_) builder_.space(*last_product_, load);
    }
    for (const u16 load : main_loads_) builder_.space(product, load, 1);
    builder_.data(start, product);
    if (last_product_) builder_.data(*last_product_, product);
    last_product_ = product;
    main_loads_ = {load_x, load_w};
  }

  /// Adds the segments that turn the sums into y and store y in the scratchpad.
  void add_epilogue(u16 zero) {
    const u16 round = add_rounding();
    builder_.data(*last_product_, round);
    builder_.space(round, zero, depth_);
    u16 last = round;
    const auto chain = [&](u16 segment) {
      builder_.data(last, segment);
      last = segment;
    };
    if (spec_.activation) {
      chain(add_activation());
      builder_.data(*constants_, last);
    }
    if (has_constants_) builder_.space(last, *constants_, 1);
    if (spec_.residual) {
      const Stream slots = rotating(builder_.allocate_vectors(depth_ * outputs_), 3, depth_, outputs_);
      VectorWalk walk = spec_.y;
      if (spec_.shared_residual) {
        walk = *spec_.shared_residual;
        walk.group = 0;
      }
      const u16 load = add_load(builder_, 3, 2, {outputs_}, {slots, {1}},
                                {output_memory(product_register::residual, walk), {walk.step}});
      SegmentBuilder add_residual(builder_, Unit::cal, 3, 1, {outputs_});
      const auto result = add_residual.at(y(), {1}), x = add_residual.at(slots, {1});
      if (!has_residual_factor()) {
        add_residual.add(result, result, x);
      } else {
        const auto factor = add_residual.at(constants()) + constant_residual;
        add_scaled_residual(add_residual, result, x, factor, *spec_.residual_factor);
      }
      chain(add_residual.finish());
      if (has_residual_factor()) {
        builder_.data(*constants_, last);
        builder_.space(last, *constants_, 1);
      }
      builder_.data(load, last);
      builder_.space(last, load, depth_);
    }
    const u16 store =
        add_store(builder_, 3, 2, {outputs_}, {y(), {1}}, {output_memory(product_register::y), {spec_.y.step}});
    builder_.data(last, store);
    builder_.space(store, round, depth_);
  }

  /// y = r(sum), r(sum * factor), and the bias. The function is long because every kind of factor and of bias has a
  /// load of its own.
  u16 add_rounding() {
    // The loads of factors and biases come before the segment that uses them.
    std::optional<u16> factor, scaled, bias;
    const auto with_outputs = [&](const Stream& stream, i32 stride) { return Walk{stream, {stride}}; };
    std::optional<Walk> factors, biases;
    if (spec_.scale == ProductSpec::Scale::constant) {
      factor = constants_;
      factors = with_outputs(constants(), 0);
    } else if (spec_.scale == ProductSpec::Scale::row) {
      const Stream slot = rotating(builder_.allocate_vectors(2), 1, 2, 1);
      factor = add_load(builder_, 1, 0, {}, {slot, {}},
                        {column_stream(product_register::row_factor, spec_.row_factor_layout), {}});
      factors = with_outputs(slot, 0);
      if (spec_.row_power > 0) scaled = constants_;
    }
    const bool of_lane = spec_.bias == ProductSpec::Bias::of_lane;
    if (has_bias()) {
      // One vector for `lanes` outputs, or for a lane group.
      const unsigned scope = of_lane ? 1 : 2;
      const u32 slots = builder_.allocate_vectors(2);
      Stream memory = row_stream(product_register::bias);
      memory.instance_stride[scope - 1] = static_cast<i32>(lanes_ * 2);
      bias = add_load(builder_, scope, 0, {}, {rotating(slots, scope, 2, 1), {}}, {memory, {}});
      if (of_lane) {
        biases = with_outputs(rotating(slots, scope, 2, 1), 0);
      } else {
        Stream scalars = rotating(slots * lanes_, scope, 2, lanes_);
        scalars.instance_stride[2] = static_cast<i32>(outputs_);
        biases = with_outputs(scalars, 1);
      }
    }
    SegmentBuilder rounding(builder_, Unit::cal, 3, 1, {outputs_});
    const auto result = rounding.at(y(), {1}), sum = rounding.at(accumulators(), {1});
    switch (spec_.scale) {
      case ProductSpec::Scale::none:
        rounding.around(result, sum);
        break;
      case ProductSpec::Scale::constant:
        rounding.amuls(result, sum, rounding.at(*factors) + constant_factor);
        break;
      case ProductSpec::Scale::row: {
        const auto of_row = rounding.at(*factors);
        if (scaled) {
          const auto power = rounding.at(constants());
          rounding.ascale(sum, sum, power + constant_power_low, power + constant_power_high);
        }
        rounding.amul(result, sum, of_row);
        break;
      }
    }
    if (has_bias() && of_lane) rounding.add(result, result, rounding.at(*biases));
    if (has_bias() && !of_lane) rounding.adds(result, result, rounding.at(*biases));
    const u16 round = rounding.finish();
    if (factor) builder_.data(*factor, round);
    if (scaled) builder_.data(*scaled, round);
    if (factor && spec_.scale == ProductSpec::Scale::row) builder_.space(round, *factor, 2);
    if (bias) {
      builder_.data(*bias, round);
      builder_.space(round, *bias, 2);
    }
    return round;
  }

  u16 add_activation() {
    SegmentBuilder activation(builder_, Unit::cal, 3, 1, {outputs_});
    const auto x = activation.at(y(), {1}), constant = activation.at(constants());
    if (spec_.activation == Activation::relu) {
      activation.maxs(x, x, constant + constant_rest);
      return activation.finish();
    }
    if (spec_.activation == Activation::tanh) {
      activation.tanh(x, x);
      return activation.finish();
    }
    const auto t = activation.at(stream_at(static_cast<i32>(builder_.allocate_vectors(outputs_))), {1});
    if (spec_.activation == Activation::gelu_tanh) {
      activation.mul(t, x, x);
      activation.fmass(t, t, constant + constant_rest, constant + constant_of_argument);
      activation.mul(t, t, x);
      activation.tanh(t, t);
    } else {
      activation.muls(t, x, constant + constant_of_argument);
      activation.erf(t, t);
    }
    activation.muls(x, x, constant + constant_half);
    activation.fma(x, x, t, x);
    return activation.finish();
  }

  const u32 lanes_;
  const ProductSpec& spec_;
  KernelBuilder builder_;
  ProductKernel result_;
  const u32 chunks_, tail_, chunk_;
  const bool has_constants_;
  u32 outputs_, depth_ = 2;
  Division division_;
  u32 x_slots_ = 0, w_slots_ = 0, y_slots_ = 0, sums_ = 0, constant_slots_ = 0;
  std::optional<u16> constants_;  // the segment that loads them
  std::optional<u16> last_product_;
  std::vector<u16> main_loads_;
};

}  // namespace

ProductKernel make_product_kernel(const CompilerTarget& target, const ProductSpec& spec, u32 groups) {
  std::optional<ProductKernel> best;
  u64 best_share = 0, best_cycles = 0;
  for (u32 block = largest_block(target, spec.outputs); block > 0; block /= 2) {
    ProductBuilder builder(target, spec, groups, block);
    block = builder.block();
    // A smaller block needs more loads and hides less latency, so it is chosen only for a more even division.
    if (best && builder.share() >= best_share) continue;
    const u64 share = builder.share();
    ProductKernel kernel = builder.build();
    const auto& counts = kernel.counts;
    const u64 cycles =
        std::max(launch_cycles(target, kernel_times(target, kernel.kernel), {groups, counts[0], counts[1], counts[2]}),
                 builder.bank_cycles());
    // Loads need energy, so the gain must be large enough.
    if (best && cycles * 16 > best_cycles * 15) continue;
    best = std::move(kernel);
    best_share = share;
    best_cycles = cycles;
  }
  return std::move(*best);
}

}  // namespace bvp
