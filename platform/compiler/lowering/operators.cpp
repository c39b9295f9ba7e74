// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/lowering/operators.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "platform/compiler/kernels/row_passes.h"
#include "platform/network/half.h"

namespace bvp {

namespace {

std::string describe(const ButterflyKernel& kernel, const ButterflyStage& stage) {
  const auto in_pairs = std::count(stage.pays.begin(), stage.pays.end(), true);
  return fmt::format(
      "{} of {} points, {} layers{}{}: {} local points x {} PEs, {} exchanges, {} lane groups/instance, weights {}{}",
      "stage", u64{1} << stage.index_bits, stage.layer_bits.size(), stage.normal ? " in normal form" : "",
      in_pairs > 0 ? fmt::format(" ({} with all weights)", in_pairs) : "", kernel.local_points,
      kernel.kernel.pe_rows * kernel.kernel.pe_columns, kernel.exchanges, kernel.groups_per_instance,
      kernel.weights_resident ? "resident" : "per window",
      kernel.launches.size() > 1 ? fmt::format(", {} launches", kernel.launches.size()) : "");
}

/// The amount that a launch adds to a register.
u32 offset_of(const ButterflyKernel::Launch& launch, unsigned number) {
  switch (number) {
    case butterfly_register::input:
    case butterfly_register::input_imaginary:
      return launch.input;
    case butterfly_register::weights:
      return launch.weights;
    default:
      return launch.output;
  }
}

}  // namespace

void add_butterfly_launches(TaskBuilder& task, const KernelLibrary::Butterfly& kernel, const std::string& name,
                            const ButterflyStage& stage, u32 groups, u32 tail_groups,
                            std::vector<LaunchStep::Register> registers, const WeightPlace& weights,
                            const std::vector<KernelResult>& results) {
  LaunchStep step;
  step.name = name;
  step.mapping = describe(*kernel, stage);
  const u32 per_instance = kernel->groups_per_instance;
  step.counts = {kernel->counts[0], kernel->counts[1], kernel->counts[2], (groups + per_instance - 1) / per_instance};
  step.row_level = 3;
  step.tail_count = (tail_groups + per_instance - 1) / per_instance;
  step.own_weights = !weights.in_weight_area;
  registers.push_back({butterfly_register::weights, weights.offset, weights.in_weight_area});
  step.kernel = kernel_of(kernel);
  for (const ButterflyKernel::Launch& launch : kernel->launches) {
    // The result is complete only after all launches.
    if (&launch == &kernel->launches.back()) step.results = results;
    step.registers = registers;
    for (LaunchStep::Register& reg : step.registers) reg.offset += offset_of(launch, reg.number);
    task.add_launch(step);
  }
}

LinearShape::LinearShape(u64 inputs_, u64 outputs_, u32 lanes, unsigned layers)
    : points(std::max<u64>(2, next_power_of_two(inputs_))),
      stacks((outputs_ + points - 1) / points),
      inputs(inputs_),
      outputs(outputs_),
      block_layers(layers),
      blocks((inputs_ + block_points() - 1) / block_points()),
      kept(u64{1} << layers) {
  if (points < lanes && stacks * points > lanes) {
    const u64 of_panel = lanes / points;
    stacks = (stacks + of_panel - 1) / of_panel * of_panel;
  }
  // As many as whoever reads the outputs takes as inputs of a butterfly.
  if (stacks == 1) kept = std::max<u64>(1, next_power_of_two(outputs) / block_points());
}

std::array<u16, 4> twiddle_of(const LinearOperator& op, const LinearShape& shape, u32 stack, unsigned layer,
                              u32 index) {
  const u64 n = shape.points, bits = log2_of(n);
  if (stack * n >= shape.outputs) return {};
  const u64 stride = u64{1} << layer, pair = index / (2 * stride) * stride + index % stride;
  // Points that are cut off become 0, because readers of the buffer need zeros as padding.
  const bool cuts = layer + 1 == bits;
  const bool no_lower = cuts && stack * n + index >= shape.outputs;
  const bool no_upper = cuts && stack * n + index + stride >= shape.outputs;
  std::array<u16, 4> weights{};
  if (op.normal != nullptr) {
    weights = op.normal->pair(stack + op.first_stack, layer, pair);
    if (!op.normal->pays(layer)) {
      if (no_lower) weights[0] = 0;
      if (no_upper) weights[1] = 0;
      return weights;
    }
  } else {
    const u16* t = &op.twiddle->data[((u64{stack + op.first_stack} * bits + layer) * (n / 2) + pair) * 4];
    weights = {t[0], t[1], t[2], t[3]};
  }
  if (no_lower) weights[0] = weights[1] = 0;
  if (no_upper) weights[2] = weights[3] = 0;
  return weights;
}

namespace {

/// What the results of a layer in normal form count more than themselves.
double owed_by_results(const LinearOperator& op) { return op.activation == Activation::gelu ? gelu_owes : 1; }

}  // namespace

std::vector<bool> LinearOperator::paying_layers(unsigned first, unsigned count) const {
  std::vector<bool> paying;
  for (unsigned layer = first; normal != nullptr && layer < first + count; ++layer) {
    paying.push_back(normal->pays(layer));
  }
  return paying;
}

u16 bias_of(const LinearOperator& op, const LinearShape& shape, u32 stack, u32 index) {
  const u64 point = stack * shape.points + index;
  if (point >= shape.outputs) return 0;
  const u16 bias = op.bias->data[op.first_stack * shape.points + point];
  if (op.normal == nullptr) return bias;
  return to_half(static_cast<double>(from_half(bias)) * owed_by_results(op));
}

u16 scale_of(const LinearOperator& op, const LinearShape& shape, u32 stack, u32 index) {
  if (stack * shape.points + index >= shape.outputs) return 0;
  return to_half(op.normal->owed(stack + op.first_stack, index) * owed_by_results(op));
}

std::array<u16, 4> fft_factor(unsigned index_bits, unsigned layer, u32 index, bool ratios) {
  u32 position = 0;
  for (unsigned lower = 0; lower < layer; ++lower) position |= (index >> (index_bits - 1 - lower) & 1) << lower;
  const double angle = 2.0 * M_PI * position / static_cast<double>(u64{2} << layer);
  const double re = std::cos(angle), im = -std::sin(angle);
  if (!ratios) return {to_half(re), to_half(im), 0, 0};
  // Equal magnitudes may differ in the last bits of a double.
  const bool swaps = std::abs(im) > (1 + 1e-9) * std::abs(re);
  const u16 ratio = to_half(swaps ? re / im : im / re);
  return {static_cast<u16>(ratio | (swaps ? NormalButterfly::swap_bit : 0)), to_half(swaps ? im : re), 0, 0};
}

u16 fft_scale(u64 points) { return to_half(1.0 / std::sqrt(static_cast<double>(points))); }

namespace {

/// The stages of a layer. With block layers the blocks of all stacks are stacks to the others.
class LinearStages {
 public:
  LinearStages(const KernelLibrary& kernels, const LinearOperator& op, const TileBuffer& input,
               const TileBuffer& output)
      : kernels_(kernels),
        op_(op),
        shape_(op.shape(kernels.target().lanes)),
        input_(input),
        output_(output),
        bits_(log2_of(shape_.block_points())) {}

  void add_to(TaskBuilder& task) const {
    const std::vector<unsigned> counts = divide_into_stages(
        kernels_.target(), bits_, LayerNeeds::of_real(op_.normal != nullptr, op_.paying_layers(0, bits_)), bits_);
    unsigned first_layer = 0;
    for (std::size_t s = 0; s < counts.size(); ++s) {
      const bool last = s + 1 == counts.size() && !in_blocks();
      const std::string name = counts.size() == 1 && !in_blocks() ? op_.name : fmt::format("{}.stage{}", op_.name, s);
      add_stage(task, name, first_layer, counts[s], last);
      first_layer += counts[s];
    }
    if (in_blocks()) add_block_layers(task, fmt::format("{}.stage{}", op_.name, counts.size()));
  }

 private:
  [[nodiscard]] bool in_blocks() const { return shape_.block_layers > 0; }

  /// Butterflies of equal size beside each other, a loop for those of a panel and one for the panels, as their distance
  /// is not the same.
  [[nodiscard]] static std::vector<ButterflyStage::Stacks> beside(u64 count, unsigned bits, const PanelLayout& from,
                                                                  const PanelLayout& to, bool same_input) {
    std::vector<ButterflyStage::Stacks> result;
    const auto add = [&](u64 loop, unsigned bit) {
      const i32 input = same_input ? 0 : from.column_stride(bit);
      if (loop > 1) result.push_back({static_cast<u32>(loop), input, to.column_stride(bit)});
    };
    const unsigned panel_bits = std::max(bits, log2_of(to.lanes));
    const u64 of_panel = std::min<u64>(count, u64{1} << (panel_bits - bits));
    add(of_panel, bits);
    add(count / of_panel, panel_bits);
    return result;
  }

  [[nodiscard]] std::vector<ButterflyStage::Stacks> stacks_of(const PanelLayout& from, bool first) const {
    const PanelLayout& to = output_.layout;
    if (!in_blocks()) return beside(shape_.stacks, bits_, from, to, first);
    std::vector<ButterflyStage::Stacks> result = beside(shape_.blocks, bits_, from, to, false);
    for (const auto& stacks : beside(shape_.stacks, log2_of(shape_.points), from, to, first)) result.push_back(stacks);
    return result;
  }

  [[nodiscard]] ButterflyStage stage_of(unsigned first_layer, unsigned layers) const {
    const TileBuffer& source = first_layer == 0 ? input_ : output_;
    ButterflyStage stage;
    stage.index_bits = bits_;
    for (unsigned k = 0; k < layers; ++k) stage.layer_bits.push_back(first_layer + k);
    stage.normal = op_.normal != nullptr;
    stage.pays = op_.paying_layers(first_layer, layers);
    stage.stacks = stacks_of(source.layout, first_layer == 0);
    stage.column_access = source.layout.by_column().column_access;
    for (unsigned bit = 0; bit < bits_; ++bit) {
      stage.input_stride.push_back(source.layout.column_stride(bit));
      stage.output_stride.push_back(output_.layout.column_stride(bit));
    }
    stage.input_group_stride = static_cast<i32>(source.layout.group_bytes());
    stage.output_group_stride = static_cast<i32>(output_.layout.group_bytes());
    return stage;
  }

  void add_stage(TaskBuilder& task, const std::string& name, unsigned first_layer, unsigned layers, bool last) const {
    ButterflyStage stage = stage_of(first_layer, layers);
    std::vector<LaunchStep::Register> registers{
        {butterfly_register::input, first_layer == 0 ? input_.offset : output_.offset, false},
        {butterfly_register::output, output_.offset, false}};
    if (last) {
      stage.bias = true;
      stage.activation = op_.activation;
      if (op_.residual) {
        stage.residual = true;
        registers.push_back({butterfly_register::residual, op_.residual->offset, false});
      }
    }
    const auto kernel = named(op_.name, [&] { return kernels_.butterfly(stage, task.groups()); });
    const u32 weights = task.add_weights(kernel->weights.word_count(), [=, op = op_, shape = shape_] {
      return kernel->weights.words(
          [&](u32 stack, unsigned layer, u32 index) {
            if (shape.block_layers == 0) return twiddle_of(op, shape, stack, first_layer + layer, index);
            const auto blocks = static_cast<u32>(shape.blocks), points = static_cast<u32>(shape.block_points());
            return twiddle_of(op, shape, stack / blocks, first_layer + layer, stack % blocks * points + index);
          },
          [&](u32 stack, u32 index) { return bias_of(op, shape, stack, index); },
          [&](u32 stack, u32 index) { return scale_of(op, shape, stack, index); });
    });
    add_butterfly_launches(
        task, kernel, name, stage, task.groups(), task.tail_groups(), std::move(registers), {weights},
        last ? std::vector<KernelResult>{task.result(output_, op_.outputs)} : std::vector<KernelResult>{});
  }

  void add_block_layers(TaskBuilder& task, const std::string& name) const {
    BlockLayersSpec spec;
    spec.layers = shape_.block_layers;
    spec.normal = op_.normal != nullptr;
    spec.pays = op_.paying_layers(bits_, shape_.block_layers);
    spec.stacks = static_cast<u32>(shape_.stacks);
    spec.blocks = static_cast<u32>(shape_.blocks);
    spec.kept = static_cast<u32>(shape_.kept);
    spec.columns = static_cast<u32>(shape_.block_points());
    spec.layout = output_.layout;
    spec.activation = op_.activation;
    spec.residual = op_.residual.has_value();
    const auto kernel = named(op_.name, [&] { return kernels_.block_layers(spec); });
    LaunchStep step;
    step.name = name;
    step.mapping = fmt::format("last {} layers of {} points, {} of {} blocks to {}", spec.layers, shape_.points,
                               spec.blocks, 1u << spec.layers, spec.kept);
    step.counts = {kernel->counts[0], kernel->counts[1], kernel->counts[2], task.groups()};
    step.row_level = 3;
    step.tail_count = task.tail_groups();
    const u32 weights = task.add_weights(kernel->word_count(), [=, op = op_, shape = shape_, first_layer = bits_] {
      return kernel->words([&](u32 stack, unsigned layer,
                               u32 index) { return twiddle_of(op, shape, stack, first_layer + layer, index); },
                           [&](u32 stack, u32 index) { return bias_of(op, shape, stack, index); },
                           [&](u32 stack, u32 index) { return scale_of(op, shape, stack, index); });
    });
    step.registers = {{block_register::points, output_.offset, false}, {block_register::weights, weights, true}};
    if (op_.residual) step.registers.push_back({block_register::residual, op_.residual->offset, false});
    step.results = {task.result(output_, op_.outputs)};
    step.kernel = kernel_of(kernel);
    task.add_launch(std::move(step));
  }

  const KernelLibrary& kernels_;
  const LinearOperator& op_;
  const LinearShape shape_;
  const TileBuffer &input_, &output_;
  const unsigned bits_;  // of the points of a block
};

}  // namespace

void add_butterfly_linear(TaskBuilder& task, const KernelLibrary& kernels, const LinearOperator& op,
                          const TileBuffer& input, const TileBuffer& output) {
  LinearStages(kernels, op, input, output).add_to(task);
}

namespace {

std::vector<KernelResult> results_of(const TaskBuilder& task, const FftOperator& op, const TileBuffer& re,
                                     const TileBuffer& im) {
  std::vector<KernelResult> results;
  for (const TileBuffer* plane : {&re, &im}) {
    if (plane == &im && op.real_output) continue;
    results.push_back({plane->offset, plane->layout, op.rows.value_or(task.row_extent()),
                       op.columns.value_or(in_every_tile(op.points))});
    if (!plane->resident) continue;
    results.back().launch_register = plane == &re ? butterfly_register::output : butterfly_register::output_imaginary;
  }
  return results;
}

/// A stage but for its layers and strides along the transform.
ButterflyStage fft_stage(const FftOperator& op, bool first, bool last, const PanelLayout& from, const PanelLayout& to) {
  const auto walk = [&](const PanelLayout& layout) { return op.along_rows ? layout.by_row() : layout.by_column(); };
  ButterflyStage stage;
  stage.complex = true;
  stage.index_bits = log2_of(op.points);
  stage.column_access = walk(from).column_access;
  stage.input_group_stride = walk(from).group;
  stage.output_group_stride = walk(to).group;
  stage.real_input = first && op.real_input;
  stage.real_output = last && op.real_output;
  stage.scale = first && (op.scale || op.ortho);
  stage.scale_value = op.scale.value_or(fft_scale(op.points));
  stage.residual = last && op.residual.has_value();
  if (stage.residual) stage.residual_factor = op.residual_factor;
  return stage;
}

void go_to_next_part(std::vector<LaunchStep::Register>& registers, const FftOperator::Parts& parts, bool last_stage) {
  for (LaunchStep::Register& reg : registers) {
    const bool of_output =
        last_stage && (reg.number == butterfly_register::output || reg.number == butterfly_register::output_imaginary);
    reg.offset += of_output ? parts.output : parts.input;
  }
}

}  // namespace

void add_fft(TaskBuilder& task, const KernelLibrary& kernels, const FftOperator& op, const TileBuffer& input_re,
             const TileBuffer& input_im, const TileBuffer& work_re, const TileBuffer& work_im,
             const TileBuffer& output_re, const TileBuffer& output_im) {
  const CompilerTarget& target = kernels.target();
  const unsigned bits = log2_of(op.points);
  const std::vector<unsigned> stages = divide_into_stages(target, bits, LayerNeeds::of_fft(), bits);
  std::vector<unsigned> place(bits);
  std::iota(place.begin(), place.end(), 0u);
  unsigned first_layer = 0;
  for (std::size_t s = 0; s < stages.size(); ++s) {
    const bool first = s == 0, last = s + 1 == stages.size();
    const TileBuffer& from_re = first ? input_re : work_re;
    const TileBuffer& from_im = first ? input_im : work_im;
    const TileBuffer& to_re = last ? output_re : work_re;
    const TileBuffer& to_im = last ? output_im : work_im;
    const FftOperator::Parts parts = op.parts.value_or(FftOperator::Parts{});
    ButterflyStage stage = fft_stage(op, first, last, from_re.layout, to_re.layout);
    stage.ratios = target.twiddle_ratios;
    const auto stride = [&](const TileBuffer& buffer, unsigned bit) {
      const i32 of_neighbours = op.along_rows ? buffer.layout.row_stride(bit) : buffer.layout.column_stride(bit);
      const bool is_output = last && &buffer == &to_re;
      return is_output ? of_neighbours : of_neighbours * static_cast<i32>(parts.step);
    };
    // Decimation in time: layer k combines bit k of the position, which is bit bits-1-k of the input's index.
    for (unsigned k = 0; k < stages[s]; ++k) stage.layer_bits.push_back(bits - 1 - first_layer - k);
    for (unsigned bit = 0; bit < bits; ++bit) stage.input_stride.push_back(stride(from_re, place[bit]));
    if (!last) reverse_places(place, stage.layer_bits);
    for (unsigned bit = 0; bit < bits; ++bit) {
      stage.output_stride.push_back(stride(to_re, last ? bits - 1 - bit : place[bit]));
    }
    std::vector<LaunchStep::Register> registers{LaunchStep::Register::of(butterfly_register::input, from_re),
                                                LaunchStep::Register::of(butterfly_register::output, to_re)};
    if (!stage.real_input) registers.push_back(LaunchStep::Register::of(butterfly_register::input_imaginary, from_im));
    if (!stage.real_output) registers.push_back(LaunchStep::Register::of(butterfly_register::output_imaginary, to_im));
    if (stage.residual) registers.push_back({butterfly_register::residual, op.residual->offset, false});
    // The result of one stage is the input of the next one.
    std::vector<KernelResult> results;
    if (last && !op.parts) results = results_of(task, op, output_re, output_im);
    const auto kernel = named(op.name, [&] { return kernels.butterfly(stage, op.groups); });
    // Instances of the last strip may go beyond it: in a resident matrix that is another matrix, or beyond all memory.
    const bool goes_beyond = op.along_rows && op.tail_groups % kernel->groups_per_instance != 0;
    if (goes_beyond && (from_re.resident || to_re.resident)) task.refuse();
    const u32 weights = task.add_weights(kernel->weights.word_count(), [=] {
      return kernel->weights.words(
          [&](u32, unsigned layer, u32 index) { return fft_factor(bits, first_layer + layer, index, stage.ratios); },
          {});
    });
    for (u32 part = 0; part < parts.count; ++part) {
      add_butterfly_launches(task, kernel, stages.size() == 1 ? op.name : fmt::format("{}.stage{}", op.name, s), stage,
                             op.groups, op.tail_groups, registers, {weights}, results);
      go_to_next_part(registers, parts, last);
    }
    first_layer += stages[s];
  }
}

void add_layer_norm(TaskBuilder& task, const KernelLibrary& kernels, const std::string& name, const Tensor& weight,
                    const Tensor& bias, double epsilon, const TileBuffer& input, const TileBuffer& output) {
  LayerNormSpec spec;
  spec.columns = static_cast<u32>(weight.shape.back());
  spec.epsilon = epsilon;
  spec.input = input.layout;
  spec.output = output.layout;
  const auto kernel = named(name, [&] { return kernels.layer_norm(spec, task.groups()); });
  const CompilerTarget& target = kernels.target();
  const std::size_t words = kernel->weights.size() + row_scalar_words(target, spec.columns);
  const u32 weights = task.add_weights(words, [=, &target, &weight, &bias] {
    std::vector<u16> all = kernel->weights;
    const std::vector<u16> scalars = row_scalars(
        target, spec.columns, [&](u32 column) { return weight.data[column]; },
        [&](u32 column) { return bias.data[column]; });
    all.insert(all.end(), scalars.begin(), scalars.end());
    return all;
  });
  LaunchStep step;
  step.name = name;
  step.mapping = fmt::format("{} PEs a lane group of tokens, three passes over the columns", kernel->sharing);
  step.exchange_cycles = kernel->exchange_cycles;
  step.counts = {task.groups(), kernel->counts[0], kernel->counts[1], kernel->counts[2]};
  step.tail_count = task.tail_groups();
  step.registers = {LaunchStep::Register::of(layer_norm_register::input, input),
                    LaunchStep::Register::of(layer_norm_register::output, output),
                    {layer_norm_register::weights, weights, true}};
  step.results = {task.result(output, spec.columns)};
  if (output.resident) step.results.back().launch_register = layer_norm_register::output;
  step.kernel = kernel_of(kernel);
  task.add_launch(std::move(step));
}

void add_scaled_sum(TaskBuilder& task, const KernelLibrary& kernels, const std::string& name, u64 columns, u16 factor,
                    const TileBuffer& s, const TileBuffer& x, const TileBuffer& output) {
  ScaledSumSpec spec;
  spec.columns = static_cast<u32>(columns);
  spec.s = s.layout;
  spec.x = x.layout;
  spec.y = output.layout;
  const auto kernel = named(name, [&] { return kernels.scaled_sum(spec, task.groups()); });
  std::vector<u16> constant(kernels.target().lanes, 0);
  constant[0] = factor;
  LaunchStep step;
  step.name = name;
  step.mapping = fmt::format("PEs {} x {} (lane groups, panels)", kernel->shared_by[0], kernel->shared_by[1]);
  step.counts = {task.groups(), kernel->counts[0], kernel->counts[1], kernel->counts[2]};
  step.tail_count = task.tail_groups();
  step.registers = {LaunchStep::Register::of(scaled_sum_register::s, s),
                    LaunchStep::Register::of(scaled_sum_register::x, x),
                    LaunchStep::Register::of(scaled_sum_register::y, output),
                    {scaled_sum_register::constant, task.add_weights(constant), true}};
  step.results = {task.result(output, columns)};
  step.kernel = kernel_of(kernel);
  task.add_launch(std::move(step));
}

namespace {

/// @param groups  lane groups of a full tile
LaunchStep product_launch(TaskBuilder& task, const KernelLibrary& kernels, const std::string& name,
                          const ProductSpec& spec, u32 groups, std::vector<LaunchStep::Register> registers) {
  const auto kernel = named(name, [&] { return kernels.product(spec, groups); });
  LaunchStep step;
  step.name = name;
  step.mapping = fmt::format("{} terms, {} outputs: {} outputs an instance, PEs {} x {} x {} (rows, panels, outputs)",
                             spec.terms, spec.outputs, kernel->outputs_per_instance, kernel->shared_by[0],
                             kernel->shared_by[1], kernel->shared_by[2]);
  step.counts = {groups, kernel->counts[0], kernel->counts[1], kernel->counts[2]};
  step.registers = std::move(registers);
  if (!kernel->constants.empty()) {
    step.registers.push_back({product_register::constants, task.add_weights(kernel->constants), true});
  }
  step.kernel = kernel_of(kernel);
  return step;
}

/// Lanes run over the tile's rows.
void add_product_launch(TaskBuilder& task, const KernelLibrary& kernels, const std::string& name,
                        const ProductSpec& spec, std::vector<LaunchStep::Register> registers,
                        std::vector<KernelResult> results) {
  LaunchStep step = product_launch(task, kernels, name, spec, task.groups(), std::move(registers));
  step.tail_count = task.tail_groups();
  step.results = std::move(results);
  task.add_launch(std::move(step));
}

/// A result that has the tile's rows; none where not all of them have a meaning.
std::vector<KernelResult> results_of(const TaskBuilder& task, const TileBuffer& buffer, u64 columns,
                                     const std::optional<HeadStack>& stack) {
  if (stack && !stack->whole) return {};
  return {task.result(buffer, columns)};
}

/// Scores of a tile's queries; the parameters are those of add_attention.
void add_scores(TaskBuilder& task, const KernelLibrary& kernels, const std::string& name, u64 keys, u64 width,
                const TileBuffer& q, const TileBuffer& k, const std::optional<TileBuffer>& mask,
                const TileBuffer& scores, const std::optional<WeightPlace>& pattern,
                const std::optional<HeadStack>& stack) {
  ProductSpec product;
  product.terms = static_cast<u32>(width);
  product.outputs = static_cast<u32>(keys);
  product.x = q.layout.by_column();
  product.w = k.layout.by_row();
  if (stack) product.w_of_group = static_cast<i32>(stack->keys * k.layout.row_bytes());
  product.y = scores.layout.by_column();
  product.scale = ProductSpec::Scale::constant;
  product.factor = attention_factor(width);
  std::vector<LaunchStep::Register> registers{{product_register::x, q.offset, false},
                                              {product_register::y, scores.offset, false},
                                              {product_register::w, k.offset, false}};
  if (mask) {
    product.bias = ProductSpec::Bias::of_output;
    registers.push_back({product_register::bias, mask->offset, false});
  }
  std::vector<KernelResult> score_results = results_of(task, scores, keys, stack);
  if (pattern) {
    product.residual = true;
    if (stack) product.shared_residual = PanelLayout{scores.layout.lanes, scores.layout.lanes}.by_column();
    registers.push_back({product_register::residual, pattern->offset, pattern->in_weight_area});
    // Scores of -infinity are meant. A score that is NaN or +infinity makes the sum of its row NaN.
    score_results.clear();
  }
  add_product_launch(task, kernels, name, product, std::move(registers), std::move(score_results));
}

}  // namespace

void add_scores(TaskBuilder& task, const KernelLibrary& kernels, const std::string& name, u64 keys, u64 width,
                const TileBuffer& q, const TileBuffer& k, const TileBuffer& scores, const HeadStack& stack) {
  add_scores(task, kernels, name, keys, width, q, k, {}, scores, {}, stack);
}

u16 attention_factor(u64 width) { return to_half(1.0 / std::sqrt(static_cast<double>(width))); }

void add_attention(TaskBuilder& task, const KernelLibrary& kernels, const std::string& name, u64 keys, u64 width,
                   unsigned power, const TileBuffer& q, const TileBuffer& k, const TileBuffer& v,
                   const std::optional<TileBuffer>& mask, const TileBuffer& scores, const TileBuffer& statistics,
                   bool for_merge, const TileBuffer& output, const std::optional<WeightPlace>& pattern,
                   const std::optional<HeadStack>& stack) {
  add_scores(task, kernels, name + ".scores", keys, width, q, k, mask, scores, pattern, stack);

  SoftmaxSpec softmax;
  softmax.columns = static_cast<u32>(keys);
  softmax.layout = scores.layout;
  softmax.reciprocal_layout = statistics.layout;
  softmax.power = power;
  softmax.for_merge = for_merge;
  const auto kernel = named(name, [&] { return kernels.softmax(softmax, task.groups()); });
  LaunchStep step;
  step.name = name + ".softmax";
  step.mapping = fmt::format("{} PEs a lane group of queries, two passes over the keys", kernel->sharing);
  step.exchange_cycles = kernel->exchange_cycles;
  step.counts = {task.groups(), kernel->counts[0], kernel->counts[1], kernel->counts[2]};
  step.tail_count = task.tail_groups();
  step.registers = {{softmax_register::scores, scores.offset, false},
                    {softmax_register::reciprocal, statistics.offset, false},
                    {softmax_register::weights, task.add_weights(kernel->weights), true}};
  // An exponential that is NaN makes the sum NaN.
  step.results = results_of(task, statistics, for_merge ? u64{softmax_column::count} : 1, stack);
  step.kernel = kernel_of(kernel);
  task.add_launch(std::move(step));

  ProductSpec product;
  product.terms = static_cast<u32>(keys);
  product.outputs = static_cast<u32>(width);
  product.x = scores.layout.by_column();
  product.w = v.layout.by_column();
  if (stack) product.w_of_group = static_cast<i32>(stack->keys * v.layout.row_bytes());
  product.y = output.layout.by_column();
  product.scale = ProductSpec::Scale::row;
  product.row_factor_layout = statistics.layout;
  product.row_power = power;
  add_product_launch(task, kernels, name + ".values", product,
                     {{product_register::x, scores.offset, false},
                      {product_register::y, output.offset, false},
                      {product_register::w, v.offset, false},
                      {product_register::row_factor, statistics.offset, false}},
                     results_of(task, output, width, stack));
}

void add_merge(TaskBuilder& task, const KernelLibrary& kernels, const std::string& name, u32 blocks, u64 width,
               const TileBuffer& partial, const TileBuffer& output) {
  MergeSpec spec;
  spec.blocks = blocks;
  spec.width = static_cast<u32>(width);
  spec.layout = output.layout;
  const auto kernel = named(name, [&] { return kernels.merge(spec, task.groups()); });
  LaunchStep step;
  step.name = name;
  step.mapping = fmt::format("partial results of {} blocks of keys", blocks);
  step.counts = {task.groups(), kernel->counts[0], kernel->counts[1], kernel->counts[2]};
  step.tail_count = task.tail_groups();
  step.registers = {{merge_register::partial, partial.offset, false}, {merge_register::output, output.offset, false}};
  step.results = {task.result(output, width)};
  step.kernel = kernel_of(kernel);
  task.add_launch(std::move(step));
}

void add_dense(TaskBuilder& task, const KernelLibrary& kernels, const DenseOperator& op, const TileBuffer& input,
               const TileBuffer& weight, const TileBuffer& output) {
  ProductSpec product;
  product.terms = static_cast<u32>(op.inputs);
  if (op.over_outputs) {
    product.outputs = task.rows();
    product.x = op.transposed ? weight.layout.by_row() : weight.layout.by_column();
    product.w = input.layout.by_row();
    product.y = output.layout.by_row();
  } else {
    product.outputs = static_cast<u32>(op.outputs);
    product.x = input.layout.by_column();
    product.w = op.transposed ? weight.layout.by_column() : weight.layout.by_row();
    product.y = output.layout.by_column();
  }
  product.resume = op.sums && op.sums->resume;
  product.suspend = op.sums && op.sums->suspend;
  product.activation = op.activation;
  product.residual = op.residual.has_value();
  product.residual_factor = op.residual_factor;
  std::vector<LaunchStep::Register> registers{
      {op.over_outputs ? product_register::w : product_register::x, input.offset, false},
      {product_register::y, output.offset, false},
      {op.over_outputs ? product_register::x : product_register::w, weight.offset, false}};
  if (op.factor) {
    product.scale = ProductSpec::Scale::constant;
    product.factor = *op.factor;
  }
  if (op.row_factor) {
    product.scale = ProductSpec::Scale::row;
    product.row_factor_layout = op.row_factor->layout;
    product.row_power = op.row_power;
    registers.push_back({product_register::row_factor, op.row_factor->offset, false});
  }
  if (op.bias && !product.suspend) {
    product.bias = op.over_outputs ? ProductSpec::Bias::of_lane : ProductSpec::Bias::of_output;
  }
  if (op.bias) registers.push_back({product_register::bias, op.bias->offset, false});
  if (op.residual) registers.push_back({product_register::residual, op.residual->offset, false});
  if (op.sums) {
    registers.push_back({product_register::sums_low, op.sums->low.offset, false});
    registers.push_back({product_register::sums_high, op.sums->high.offset, false});
  }
  std::vector<KernelResult> results;
  if (!product.suspend) {
    results.push_back(
        {output.offset, output.layout, task.row_extent(), op.result_columns.value_or(in_every_tile(op.outputs))});
  }
  if (!op.over_outputs) {
    add_product_launch(task, kernels, op.name, product, std::move(registers), std::move(results));
    return;
  }
  const u32 groups = output.layout.panels(op.outputs);
  LaunchStep step = product_launch(task, kernels, op.name, product, groups, std::move(registers));
  step.row_level = 1;
  step.tail_count = task.tail_groups();
  step.results = std::move(results);
  task.add_launch(std::move(step));
}

}  // namespace bvp
