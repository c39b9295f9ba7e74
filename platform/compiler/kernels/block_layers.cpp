// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/kernels/block_layers.h"

#include <algorithm>

#include "platform/compiler/kernels/activation.h"
#include "platform/compiler/kernels/segment_builder.h"
#include "platform/compiler/kernels/streams.h"

namespace bvp {

namespace {

constexpr u32 nowhere = ~u32{0};
using Scalar = BlockLayersKernel::Scalar;

/// One instruction of the layers. Places count in chunks of vectors, scalars in chunks of scalars; `nowhere` as an
/// operand is a vector of zeros.
struct BlockStep {
  Opcode opcode;
  u32 d, a, b, scalar, c;
};

/// What is to be done for the points of a chunk, and where each block lies in the end.
class BlockProgram {
 public:
  explicit BlockProgram(const BlockLayersSpec& spec) : spec_(spec) {
    const u32 all = u32{1} << spec.layers;
    for (u32 block = 0; block < all; ++block) place_.push_back(block < spec.blocks ? next_++ : nowhere);
    for (unsigned layer = 0; layer < spec.layers; ++layer) {
      const u32 distance = u32{1} << layer;
      for (u32 lower = 0; lower < all; ++lower) {
        if ((lower & distance) == 0 && place_[lower] != nowhere) add_pair(layer, lower, lower + distance);
      }
    }
    for (u32 block = 0; block < spec.kept; ++block) {
      if (spec.normal) scalars_.push_back({Scalar::Kind::scale, 0, block, 0});
      scalars_.push_back({Scalar::Kind::bias, 0, block, 0});
    }
  }

  [[nodiscard]] const std::vector<BlockStep>& steps() const { return steps_; }
  [[nodiscard]] const std::vector<Scalar>& scalars() const { return scalars_; }
  [[nodiscard]] u32 place(u32 block) const { return place_[block]; }
  /// The places of the blocks; behind them the temporaries follow.
  [[nodiscard]] u32 places() const { return next_; }
  [[nodiscard]] static constexpr u32 temporaries() { return 2; }
  static constexpr u32 temporary = 1u << 16;  ///< the first of these as an operand

 private:
  /// Whether a result depends on the block behind the layer: the later layers leave their upper halves out.
  [[nodiscard]] bool is_read(unsigned layer, u32 block) const { return block % (u32{2} << layer) < spec_.kept; }

  u32 scalar(unsigned layer, u32 lower, unsigned which) {
    scalars_.push_back({Scalar::Kind::pair, layer, lower, which});
    return static_cast<u32>(scalars_.size() - 1);
  }
  u32 take_place() {
    if (free_.empty()) return next_++;
    const u32 place = free_.back();
    free_.pop_back();
    return place;
  }

  void add_pair(unsigned layer, u32 lower, u32 upper) {
    const u32 lo = place_[lower], hi = place_[upper];
    const bool ratios = spec_.form(layer) == PairForm::ratios;
    if (!is_read(layer, upper)) {
      if (ratios) {
        steps_.push_back({Opcode::fmar, lo, lo, hi, scalar(layer, lower, 0), 0});
      } else {
        steps_.push_back({Opcode::muls, temporary, lo, 0, scalar(layer, lower, 0), 0});
        steps_.push_back({Opcode::fmas, lo, hi, 0, scalar(layer, lower, 1), temporary});
      }
      if (hi != nowhere) free_.push_back(hi);
      place_[upper] = nowhere;
      return;
    }
    const u32 to = take_place();
    if (ratios) {
      // The second instruction reads both inputs, so that the first one leaves them.
      const u32 stays = hi != nowhere ? hi : lo;
      steps_.push_back({Opcode::fmar, to, lo, hi, scalar(layer, lower, 0), 0});
      steps_.push_back({Opcode::fmar, stays, lo, hi, scalar(layer, lower, 1), 0});
      if (hi != nowhere) free_.push_back(lo);
      place_[lower] = to;
      place_[upper] = stays;
      return;
    }
    steps_.push_back({Opcode::muls, temporary, lo, 0, scalar(layer, lower, 0), 0});
    steps_.push_back({Opcode::muls, temporary + 1, lo, 0, scalar(layer, lower, 2), 0});
    steps_.push_back({Opcode::fmas, lo, hi, 0, scalar(layer, lower, 1), temporary});
    steps_.push_back({Opcode::fmas, to, hi, 0, scalar(layer, lower, 3), temporary + 1});
    if (hi != nowhere) free_.push_back(hi);
    place_[upper] = to;
  }

  const BlockLayersSpec& spec_;
  std::vector<u32> place_;  // [block]
  std::vector<u32> free_;
  u32 next_ = 0;
  std::vector<BlockStep> steps_;
  std::vector<Scalar> scalars_;
};

/// Counts of vectors.
struct BlockOperands {
  u32 chunk = 1, depth = 1;
  u32 points = 0, weights = 0, residuals = 0, constants = 0;
  [[nodiscard]] u32 sum() const { return depth * (points + weights + residuals) + constants; }
};

BlockOperands plan_operands(const CompilerTarget& target, const BlockLayersSpec& spec, const BlockProgram& program,
                            u32 constants) {
  BlockOperands plan;
  const auto fits = [&](u32 chunk, u32 depth) {
    plan = {chunk, depth, (program.places() + BlockProgram::temporaries()) * chunk, 0, 0, constants};
    plan.weights = vectors_of(program.scalars().size() * chunk, target.lanes);
    plan.residuals = spec.residual ? spec.kept * chunk : 0;
    return plan.sum() <= target.operand_vectors;
  };
  for (u32 chunk = std::min(target.lanes, 8u); chunk > 1; chunk /= 2) {
    if (fits(chunk, target.in_flight(2))) return plan;
  }
  if (!fits(1, target.in_flight(2))) (void)fits(1, 1);
  return plan;
}

/// PEs share out panels first, then the chunks of a panel, the stacks, and lane groups.
void share_out(KernelBuilder& builder, const std::array<u32, 3>& counts) {
  u32 taken = 1;
  for (unsigned level = 0; level < 4; ++level) {
    const u32 left = builder.pes() / taken;
    const u32 by = level == 3 ? left : std::min(left, CompilerTarget::floor_power_of_two(counts[level]));
    builder.distribute(
        level, [=](u32 pe) { return static_cast<i32>(pe / taken % by); }, by);
    taken *= by;
  }
}

/// Writes the segments of a kernel.
class BlockLayersWriter {
 public:
  BlockLayersWriter(const CompilerTarget& target, const BlockLayersSpec& spec, const BlockProgram& program,
                    const BlockOperands& plan, BlockLayersKernel& result)
      : target_(target),
        spec_(spec),
        program_(program),
        plan_(plan),
        result_(result),
        walk_(spec.layout.by_column()),
        builder_(target, target.usable_rows(), target.usable_columns()) {
    share_out(builder_, result.counts);
    weights_ = builder_.allocate_vectors(plan.depth * plan.weights);
    points_ = rotating(builder_.allocate_vectors(plan.depth * plan.points), 4, plan.depth, plan.points);
    residual_ = rotating(builder_.allocate_vectors(plan.depth * plan.residuals), 4, plan.depth, plan.residuals);
    constants_ = builder_.allocate_vectors(plan.constants);
  }

  Kernel write() {
    const u16 constants = add_load(builder_, 0, 0, {plan_.constants}, {stream_at(static_cast<i32>(constants_)), {1}},
                                   {row_stream(block_register::weights), {vector_bytes()}});
    const u16 weights = load_weights();
    const auto chunk = static_cast<i32>(plan_.chunk);
    const u16 load = add_load(builder_, 4, 1, {plan_.chunk, spec_.blocks}, {points_, {1, chunk}},
                              {memory(block_register::points, 0), {walk_.step, block_stride()}});
    const u16 compute = add_layers();
    const u16 last = spec_.activation ? add_activations(compute) : compute;
    builder_.data(constants, compute);
    builder_.space(last, constants, 1);
    builder_.data(weights, compute);
    builder_.space(compute, weights, plan_.depth);
    builder_.data(load, compute);
    for (u32 block = 0; block < spec_.kept; ++block) {
      Stream from = points_;
      from.base += static_cast<i32>(program_.place(block)) * chunk;
      const u16 store =
          add_store(builder_, 4, 4, {plan_.chunk}, {from, {1}}, {memory(block_register::points, block), {walk_.step}});
      builder_.data(last, store);
      builder_.space(store, load, plan_.depth);
    }
    if (spec_.residual) {
      const u16 residual = add_load(builder_, 4, 1, {plan_.chunk, spec_.kept}, {residual_, {1, chunk}},
                                    {memory(block_register::residual, 0), {walk_.step, block_stride()}});
      builder_.data(residual, compute);
      builder_.space(compute, residual, plan_.depth);
    }
    return builder_.finish();
  }

 private:
  [[nodiscard]] i32 vector_bytes() const { return static_cast<i32>(target_.vector_bytes()); }
  [[nodiscard]] i32 block_stride() const { return static_cast<i32>(spec_.columns / target_.lanes) * walk_.panel; }

  [[nodiscard]] Stream memory(unsigned launch_register, u32 block) const {
    Stream stream = walk_stream(launch_register, walk_);
    stream.base += static_cast<i32>(block) * block_stride();
    stream.instance_stride = {walk_.panel, static_cast<i32>(plan_.chunk) * walk_.step, block_stride() << spec_.layers,
                              walk_.group};
    return stream;
  }

  u16 load_weights() {
    const i32 chunk_bytes = static_cast<i32>(plan_.weights) * vector_bytes();
    Stream from = row_stream(block_register::weights, static_cast<i32>(plan_.constants) * vector_bytes());
    from.instance_stride = {static_cast<i32>(result_.counts[1]) * chunk_bytes, chunk_bytes,
                            static_cast<i32>(result_.counts[0] * result_.counts[1]) * chunk_bytes, 0};
    return add_load(builder_, 3, 0, {plan_.weights}, {rotating(weights_, 3, plan_.depth, plan_.weights), {1}},
                    {from, {vector_bytes()}});
  }

  /// All layers, and the scale, the bias and the residual of what is kept.
  u16 add_layers() {
    const u32 chunk = plan_.chunk;
    SegmentBuilder cal(builder_, Unit::cal, 4, 2, {chunk});
    const auto point = cal.at(points_, {1});
    const auto scalars = cal.at(rotating(weights_ * target_.lanes, 3, plan_.depth, plan_.weights * target_.lanes), {1});
    const auto zero = cal.at(stream_at(static_cast<i32>(constants_)));
    const auto at = [&](u32 place) {
      if (place == nowhere) return zero;
      if (place >= BlockProgram::temporary) place = place - BlockProgram::temporary + program_.places();
      return point + place * chunk;
    };
    for (const BlockStep& step : program_.steps()) {
      const auto scalar = scalars + step.scalar * chunk;
      if (step.opcode == Opcode::fmar) {
        cal.fmar(at(step.d), at(step.a), at(step.b), scalar);
      } else if (step.opcode == Opcode::muls) {
        cal.muls(at(step.d), at(step.a), scalar);
      } else {
        cal.fmas(at(step.d), at(step.a), scalar, at(step.c));
      }
    }
    const u32 of_result = spec_.normal ? 2 : 1;
    const auto first = static_cast<u32>(program_.scalars().size()) - of_result * spec_.kept;
    for (u32 block = 0; block < spec_.kept; ++block) {
      const auto result = at(program_.place(block)), scalar = scalars + (first + of_result * block) * chunk;
      if (spec_.normal) {
        cal.fmass(result, result, scalar, scalar + chunk);
      } else {
        cal.adds(result, result, scalar);
      }
    }
    if (spec_.residual) {
      const auto residual = cal.at(residual_, {1});
      for (u32 block = 0; block < spec_.kept; ++block) {
        const auto result = at(program_.place(block));
        cal.add(result, result, residual + block * chunk);
      }
    }
    return cal.finish();
  }

  u16 add_activations(u16 compute) {
    SegmentBuilder cal(builder_, Unit::cal, 4, 3, {plan_.chunk});
    const auto point = cal.at(points_, {1});
    const auto constants = cal.at(stream_at(static_cast<i32>((constants_ + 1) * target_.lanes)));
    for (u32 block = 0; block < spec_.kept; ++block) {
      cal.insert(activation_code(*spec_.activation, spec_.normal, (point + program_.place(block) * plan_.chunk).field,
                                 (point + program_.places() * plan_.chunk).field, constants.field));
    }
    const u16 activate = cal.finish();
    builder_.data(compute, activate);
    return activate;
  }

  const CompilerTarget& target_;
  const BlockLayersSpec& spec_;
  const BlockProgram& program_;
  const BlockOperands plan_;
  const BlockLayersKernel& result_;
  const VectorWalk walk_;
  KernelBuilder builder_;
  u32 weights_ = 0, constants_ = 0;
  Stream points_, residual_;
};

}  // namespace

u32 BlockLayersKernel::constant_words() const {
  const std::size_t of_activation = spec.activation ? activation_constants(spec.activation).size() : 0;
  return (1 + vectors_of(of_activation, lanes)) * lanes;
}

BlockLayersKernel make_block_layers_kernel(const CompilerTarget& target, const BlockLayersSpec& spec) {
  const BlockProgram program(spec);
  BlockLayersKernel result;
  result.spec = spec;
  result.lanes = target.lanes;
  const u32 constants = result.constant_words() / target.lanes;
  const BlockOperands plan = plan_operands(target, spec, program, constants);
  result.chunk = plan.chunk;
  result.chunk_words = plan.weights * target.lanes;
  result.counts = {spec.layout.panels(spec.columns), target.lanes / plan.chunk, spec.stacks};
  result.scalars = program.scalars();
  result.kernel = BlockLayersWriter(target, spec, program, plan, result).write();
  return result;
}

std::vector<u16> BlockLayersKernel::words(const PairWeights& weights, const PointScalar& bias,
                                          const PointScalar& scale) const {
  std::vector<u16> result(lanes, 0);
  result.reserve(word_count());
  if (spec.activation) {
    for (const u16 constant : activation_constants(spec.activation)) result.push_back(constant);
    pad_to_vector(result, lanes);
  }
  const auto value = [&](const Scalar& scalar, u32 stack, u32 point) {
    const u32 index = scalar.block * spec.columns + point;
    if (scalar.kind == Scalar::Kind::bias) return bias(stack, index);
    if (scalar.kind == Scalar::Kind::scale) return scale(stack, index);
    return weights(stack, scalar.layer, index)[scalar.which];
  };
  for (u32 stack = 0; stack < spec.stacks; ++stack) {
    for (u32 first = 0; first < spec.columns; first += chunk) {
      for (const Scalar& scalar : scalars) {
        for (u32 point = first; point < first + chunk; ++point) result.push_back(value(scalar, stack, point));
      }
      pad_to_vector(result, lanes);
    }
  }
  return result;
}

}  // namespace bvp
