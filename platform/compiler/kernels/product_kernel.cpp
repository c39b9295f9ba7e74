// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/kernels/product_kernel.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "platform/compiler/cost/cost.h"
#include "platform/compiler/kernels/streams.h"
#include "platform/network/half.h"

namespace bvp {

namespace {

constexpr EdgeKind data = EdgeKind::data;
constexpr EdgeKind space = EdgeKind::space;

/// Constants in the scratchpad, by index.
enum Constant : u16 {
  constant_factor,
  constant_root_half,
  constant_half,
  constant_zero,
  constant_power_low,
  constant_power_high,
  constant_count
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
        has_constants_(spec.scale == ProductSpec::Scale::constant || spec.activation.has_value() || spec.row_power > 0),
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
    const u16 zero = builder_.add(Unit::cal, 3, 0, {{Opcode::azero, {0, 0}, {}, {}, {}}}, {accumulators(), {}, {}, {}},
                                  {trips(outputs_, {1, 0, 0, 0})});
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
    u32 fixed = (has_constants_ ? vectors_of(constant_count, lanes_) : 0) + (has_bias() ? 2 : 0) +
                (spec_.scale == ProductSpec::Scale::row ? 2 : 0) + (has_gelu() ? outputs : 0);
    return depth * buffers + fixed;
  }
  [[nodiscard]] bool has_bias() const { return spec_.bias != ProductSpec::Bias::none; }
  [[nodiscard]] bool has_gelu() const { return spec_.activation == Activation::gelu; }

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
  [[nodiscard]] Stream output_memory(unsigned launch_register) const {
    Stream memory = walk_stream(launch_register, spec_.y);
    memory.instance_stride[0] = spec_.y.group;
    memory.instance_stride[1] = spec_.y.panel;
    memory.instance_stride[2] = static_cast<i32>(outputs_) * spec_.y.step;
    return memory;
  }

  void add_constants() {
    if (!has_constants_) return;
    const FloatHalves power = float_halves(std::ldexp(1.0, -static_cast<int>(spec_.row_power)));
    result_.constants = {spec_.factor, to_half(0.70710678F), to_half(0.5F), to_half(0.0F), power.low, power.high};
    const u32 count = vectors_of(result_.constants.size(), lanes_);
    pad_to_vector(result_.constants, lanes_);
    constant_slots_ = builder_.allocate_vectors(count);
    constants_ =
        builder_.add(Unit::load, 0, 0, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}},
                     {stream_at(static_cast<i32>(constant_slots_)), row_stream(product_register::constants), {}, {}},
                     {trips(count, {1, static_cast<i32>(lanes_ * 2), 0, 0})});
  }
  [[nodiscard]] Stream constants() const { return stream_at(static_cast<i32>(constant_slots_ * lanes_)); }

  u16 add_earlier_sums(u16 zero) {
    const auto upper = static_cast<u16>(outputs_);
    const Stream halves = rotating(builder_.allocate_vectors(depth_ * 2 * outputs_), 3, depth_, 2 * outputs_);
    const u16 load = builder_.add(
        Unit::load, 3, 0, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}, {Opcode::ld, {0, upper}, {2, 0}, {}, {}}},
        {halves, output_memory(product_register::sums_low), output_memory(product_register::sums_high), {}},
        {trips(outputs_, {1, spec_.y.step, spec_.y.step, 0})});
    const u16 join = builder_.add(Unit::cal, 3, 1, {{Opcode::ajoin, {0, 0}, {1, 0}, {1, upper}, {}}},
                                  {accumulators(), halves, {}, {}}, {trips(outputs_, {1, 1, 0, 0})});
    builder_.edge(load, join, data);
    builder_.edge(join, load, space, depth_);
    builder_.edge(zero, join, data);
    return join;
  }

  void leave_sums(u16 zero) {
    const auto upper = static_cast<u16>(outputs_);
    const Stream halves = rotating(y_slots_, 3, depth_, 2 * outputs_);
    const u16 split = builder_.add(
        Unit::cal, 3, 1, {{Opcode::alow, {0, 0}, {1, 0}, {}, {}}, {Opcode::ahigh, {0, upper}, {1, 0}, {}, {}}},
        {halves, accumulators(), {}, {}}, {trips(outputs_, {1, 1, 0, 0})});
    const u16 store = builder_.add(
        Unit::store, 3, 2, {{Opcode::st, {1, 0}, {0, 0}, {}, {}}, {Opcode::st, {2, 0}, {0, upper}, {}, {}}},
        {halves, output_memory(product_register::sums_low), output_memory(product_register::sums_high), {}},
        {trips(outputs_, {1, spec_.y.step, spec_.y.step, 0})});
    builder_.edge(*last_product_, split, data);
    builder_.edge(split, zero, space, depth_);
    builder_.edge(split, store, data);
    builder_.edge(store, split, space, depth_);
  }

  /// The products of a chunk of terms (scope 4), or of the last, partial chunk (scope 3), after the segment `start`.
  void add_terms(unsigned scope, u32 terms, u16 start) {
    const u32 rotation = scope == 4 ? depth_ : 1;
    Stream x = walk_stream(product_register::x, spec_.x), w = walk_stream(product_register::w, spec_.w);
    x.instance_stride[0] = spec_.x.group;
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
    const u16 load_x = builder_.add(Unit::load, scope, 1, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}}, {x_target, x, {}, {}},
                                    {trips(terms, {1, spec_.x.step, 0, 0})});
    const u16 load_w = builder_.add(Unit::load, scope, 1, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}},
                                    {rotating(w_slots_, 4, rotation, outputs_), w, {}, {}},
                                    {trips(outputs_, {1, spec_.w.step, 0, 0})});
    const u16 product =
        builder_.add(Unit::cal, scope, 2, {{Opcode::amacs, {0, 0}, {1, 0}, {2, 0}, {}}},
                     {accumulators(), x_target, rotating(w_slots_ * lanes_, 4, rotation, outputs_ * lanes_), {}},
                     {trips(outputs_, {1, 0, static_cast<i32>(lanes_), 0}), trips(terms, {0, 1, 1, 0})});
    for (const u16 load : {load_x, load_w}) {
      builder_.edge(load, product, data);
      builder_.edge(product, load, space, rotation);
      // The tail uses the buffers of the chunks, after the last chunk and before the chunks of the next instance.
      if (last_product_) builder_.edge(*last_product_, load, space);
    }
    for (const u16 load : main_loads_) builder_.edge(product, load, space, 1);
    builder_.edge(start, product, data);
    if (last_product_) builder_.edge(*last_product_, product, data);
    last_product_ = product;
    main_loads_ = {load_x, load_w};
  }

  /// Adds the segments that turn the sums into y and store y in the scratchpad.
  void add_epilogue(u16 zero) {
    const u16 round = add_rounding();
    builder_.edge(*last_product_, round, data);
    builder_.edge(round, zero, space, depth_);
    u16 last = round;
    const auto chain = [&](u16 segment) {
      builder_.edge(last, segment, data);
      last = segment;
    };
    if (spec_.activation) {
      chain(add_activation());
      builder_.edge(*constants_, last, data);
    }
    if (has_constants_) builder_.edge(last, *constants_, space, 1);
    if (spec_.residual) {
      const Stream slots = rotating(builder_.allocate_vectors(depth_ * outputs_), 3, depth_, outputs_);
      const u16 load = builder_.add(Unit::load, 3, 2, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}},
                                    {slots, output_memory(product_register::residual), {}, {}},
                                    {trips(outputs_, {1, spec_.y.step, 0, 0})});
      chain(builder_.add(Unit::cal, 3, 1, {{Opcode::add, {0, 0}, {0, 0}, {1, 0}, {}}}, {y(), slots, {}, {}},
                         {trips(outputs_, {1, 1, 0, 0})}));
      builder_.edge(load, last, data);
      builder_.edge(last, load, space, depth_);
    }
    const u16 store =
        builder_.add(Unit::store, 3, 2, {{Opcode::st, {1, 0}, {0, 0}, {}, {}}},
                     {y(), output_memory(product_register::y), {}, {}}, {trips(outputs_, {1, spec_.y.step, 0, 0})});
    builder_.edge(last, store, data);
    builder_.edge(store, round, space, depth_);
  }

  /// y = r(sum), r(sum * factor), and the bias.
  u16 add_rounding() {
    std::vector<Instruction> code;
    std::array<Stream, streams_per_segment> streams{y(), accumulators(), {}, {}};
    std::optional<u16> factor, scaled, bias;
    Loop loop = trips(outputs_, {1, 1, 0, 0});
    switch (spec_.scale) {
      case ProductSpec::Scale::none:
        code.push_back({Opcode::around, {0, 0}, {1, 0}, {}, {}});
        break;
      case ProductSpec::Scale::constant:
        factor = constants_;
        streams[2] = constants();
        code.push_back({Opcode::amuls, {0, 0}, {1, 0}, {2, constant_factor}, {}});
        break;
      case ProductSpec::Scale::row: {
        const Stream slot = rotating(builder_.allocate_vectors(2), 1, 2, 1);
        factor = builder_.add(Unit::load, 1, 0, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}},
                              {slot, column_stream(product_register::row_factor, spec_.row_factor_layout), {}, {}}, {});
        streams[2] = slot;
        if (spec_.row_power > 0) {
          scaled = constants_;
          streams[3] = constants();
          code.push_back({Opcode::ascale, {1, 0}, {1, 0}, {3, constant_power_low}, {3, constant_power_high}});
        }
        code.push_back({Opcode::amul, {0, 0}, {1, 0}, {2, 0}, {}});
        break;
      }
    }
    if (has_bias()) {
      // One vector for `lanes` outputs, or for a lane group.
      const bool of_lane = spec_.bias == ProductSpec::Bias::of_lane;
      const unsigned scope = of_lane ? 1 : 2;
      const u32 slots = builder_.allocate_vectors(2);
      Stream memory = row_stream(product_register::bias);
      memory.instance_stride[scope - 1] = static_cast<i32>(lanes_ * 2);
      bias = builder_.add(Unit::load, scope, 0, {{Opcode::ld, {0, 0}, {1, 0}, {}, {}}},
                          {rotating(slots, scope, 2, 1), memory, {}, {}}, {});
      if (of_lane) {
        streams[3] = rotating(slots, scope, 2, 1);
      } else {
        streams[3] = rotating(slots * lanes_, scope, 2, lanes_);
        streams[3].instance_stride[2] = static_cast<i32>(outputs_);
        loop.stride[3] = 1;
      }
      code.push_back({of_lane ? Opcode::add : Opcode::adds, {0, 0}, {0, 0}, {3, 0}, {}});
    }
    const u16 round = builder_.add(Unit::cal, 3, 1, code, streams, {loop});
    if (factor) builder_.edge(*factor, round, data);
    if (scaled) builder_.edge(*scaled, round, data);
    if (factor && spec_.scale == ProductSpec::Scale::row) builder_.edge(round, *factor, space, 2);
    if (bias) {
      builder_.edge(*bias, round, data);
      builder_.edge(round, *bias, space, 2);
    }
    return round;
  }

  u16 add_activation() {
    if (!has_gelu()) {
      return builder_.add(Unit::cal, 3, 1, {{Opcode::maxs, {0, 0}, {0, 0}, {2, constant_zero}, {}}},
                          {y(), {}, constants(), {}}, {trips(outputs_, {1, 0, 0, 0})});
    }
    const Stream temporaries = stream_at(static_cast<i32>(builder_.allocate_vectors(outputs_)));
    const Operand x{0, 0}, t{3, 0};
    return builder_.add(Unit::cal, 3, 1,
                        {{Opcode::muls, t, x, {2, constant_root_half}, {}},
                         {Opcode::erf, t, t, {}, {}},
                         {Opcode::muls, x, x, {2, constant_half}, {}},
                         {Opcode::fma, x, x, t, x}},
                        {y(), {}, constants(), temporaries}, {trips(outputs_, {1, 0, 0, 1})});
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
    const u64 cycles = std::max(launch_cycles(target, kernel.kernel, {groups, counts[0], counts[1], counts[2]}),
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
