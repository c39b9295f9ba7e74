// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/passes/encoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <variant>

#include "platform/compiler/lowering/ends.h"
#include "platform/compiler/lowering/exact_fft.h"
#include "platform/compiler/lowering/products.h"
#include "platform/compiler/lowering/real_fft.h"
#include "platform/compiler/lowering/sparse_attention.h"
#include "platform/compiler/lowering/token_fft.h"
#include "platform/compiler/passes/fuse.h"
#include "platform/network/exact_transform.h"
#include "platform/network/half.h"

namespace bvp {

namespace {

RealFft real_fft_of(const Network& network) {
  RealFft result;
  result.tokens = network.tokens;
  result.hidden = network.hidden;
  result.batch = network.batch;
  result.ortho = network.fft_norm == FftNorm::ortho;
  if (has_exact_transforms(network)) result.exact = exact_scales(network, true);
  return result;
}

/// The layout of all tokens as they stay in the scratchpad: with the rows that the transform along them adds.
PanelLayout token_layout(const CompilerTarget& target, const Network& network) {
  const u64 rows = std::max(network.batch * network.tokens, real_fft_of(network).token_points());
  return {target.lanes, static_cast<u32>((rows + target.lanes - 1) / target.lanes * target.lanes)};
}

class Encoder {
 public:
  Encoder(const TaskPlanner& plan, DramPlan& dram, const Network& network, const TensorMap& parameters,
          const NormalForms& normal_forms)
      : plan_(plan),
        dram_(dram),
        network_(network),
        parameters_(parameters),
        normal_forms_(normal_forms),
        rows_(network.batch * network.tokens),
        program_(plan, dram, rows_, plan.target().fusion) {}

  EncoderPlan build() {
    if (plan_.target().token_bytes > 0) {
      tokens_ = ResidentMatrix{static_cast<u32>(2 * plan_.half_bytes()), token_layout(plan_.target(), network_),
                               network_.hidden};
    }
    result_.input = x_place_ = matrix(network_.hidden);
    if (has_embedding(network_)) add_embedding();
    if (network_.padding_mask) result_.mask = dram_.matrix(network_.batch, network_.tokens);
    choose_key_block();
    x_ = program_.load(x_place_);
    for (layer_ = 0; layer_ < network_.layers.size(); ++layer_) {
      program_.set_layer(layer_);
      add_layer(network_.layers[layer_]);
      result_.layer_outputs.push_back(x_place_);
    }
    result_.output = x_place_;
    if (has_final_norm(network_)) {
      if (!pre()) {
        // Two norms in a row are launches of one image, of which the second begins before the first has stored its
        // results. As a task of its own it waits.
        flush();
        x_ = program_.load(x_place_);
      }
      result_.output = matrix(network_.hidden);
      program_.store(norm("final_norm", x_), result_.output);
    }
    flush();
    if (network_.classes > 0) {
      Classifier ends = classifier(plan_, dram_, network_, parameters_, result_.output);
      result_.logits = ends.logits;
      add(std::move(ends.tasks));
    }
    return std::move(result_);
  }

 private:
  using Value = RowProgram::Value;

  [[nodiscard]] bool pre() const { return network_.norm == NormPlacement::pre; }
  [[nodiscard]] std::string name(const std::string& part) const { return fmt::format("layers.{}.{}", layer_, part); }
  [[nodiscard]] const Tensor& parameter(const std::string& tensor) const { return parameters_.at(tensor); }
  void add(Tasks tasks) {
    for (TaskBuilder& task : tasks) {
      if (plan_.goes_by_rows(task)) task.go_by_rows();
      dram_.place_constants(task);
    }
    append(result_.tasks, std::move(tasks));
  }
  void flush() { add(program_.flush()); }
  MatrixPlace matrix(u64 columns) { return dram_.matrix(rows_, columns); }

  /// What makes the first layer's input of token ids or patches.
  void add_embedding() {
    const bool more = network_.embedding_norm || network_.embedding_projection;
    const MatrixPlace sums = more ? matrix(network_.hidden) : result_.input;
    if (network_.vocabulary > 0) {
      Embedding ends = embedding(plan_, dram_, network_, parameters_, sums);
      result_.tokens = ends.tokens;
      add(std::move(ends.tasks));
    } else {
      result_.patches = matrix(network_.patch_values);
      add(patch_embedding(plan_, dram_, network_, parameters_, result_.patches, sums));
    }
    if (!more) return;
    program_.set_layer(layer_none);
    MatrixPlace x = sums;
    if (network_.embedding_norm) {
      x = network_.embedding_projection ? matrix(network_.hidden) : result_.input;
      program_.store(norm("embedding.norm", program_.load(sums)), x);
      flush();
    }
    if (!network_.embedding_projection) return;
    DenseLayer projection = dense("embedding.projection");
    projection.layer = layer_none;
    add(dense_layer(plan_, dram_, projection, x, result_.input));
  }

  /// @param share  x is that share of what is to be normalised, and so is what epsilon is added to
  Value norm(const std::string& which, Value x, double share = 1) {
    return program_.norm(which, parameter(which + ".weight"), parameter(which + ".bias"), network_.epsilon * share, x);
  }

  /// Stands for a value in tasks that are not part of a row program; flushes the program.
  MatrixPlace to_dram(Value value, u64 columns) {
    const MatrixPlace place = matrix(columns);
    program_.store(value, place);
    flush();
    return place;
  }

  /// @param owed_by_input  in normal form, the inputs count so many times what they are
  [[nodiscard]] LinearOperator butterfly(const std::string& linear, u64 inputs, u64 outputs,
                                         double owed_by_input = 1) const {
    LinearOperator op;
    op.name = linear;
    op.twiddle = &parameter(linear + ".twiddle");
    op.bias = &parameter(linear + ".bias");
    op.inputs = inputs;
    op.outputs = outputs;
    if (plan_.target().normalised) op.normal = normal_forms_.of(*op.twiddle, owed_by_input);
    return op;
  }

  [[nodiscard]] DenseLayer dense(const std::string& linear) const {
    DenseLayer result;
    result.name = linear;
    result.layer = layer_;
    result.weight = &parameter(linear + ".weight");
    result.bias = &parameter(linear + ".bias");
    return result;
  }

  void add_layer(const EncoderLayer& layer) {
    const Value n = pre() ? norm(name("norm1"), x_) : x_;
    // h: the mixed tokens with their residual.
    Value h = layer.mixing == Mixing::fft2d ? add_fft(n) : add_attention(n, layer);
    const bool exact = layer.mixing == Mixing::fft2d && has_exact_transforms(network_);
    if (!pre()) h = norm(name("norm1"), h, exact ? exact_scales(network_, false).epsilon : 1);
    const Value y = layer.ffn == LinearKind::dense ? add_dense_ffn(h) : add_butterfly_ffn(h);
    x_ = pre() ? y : norm(name("norm2"), y);
    x_place_ = matrix(network_.hidden);
    program_.store(x_, x_place_);
    const std::size_t next = layer_ + std::size_t{1};
    x_stays_ = tokens_ && !pre() && next < network_.layers.size() && network_.layers[next].mixing == Mixing::fft2d;
    if (x_stays_) program_.keep(x_, *tokens_, 0);
  }

  /// The two-dimensional transform with the residual.
  Value add_fft(Value n) {
    const RealFft real = real_fft_of_layer();
    const MatrixPlace mixed = matrix(network_.hidden);
    Tasks tasks = mixing_tasks(n, real, mixed);
    program_.clear();
    add(std::move(tasks));
    const Value y = program_.load(mixed);
    // The complex form adds the residual itself.
    if (result_.fft != FftForm::real) return y;
    const Value x = x_stays_ ? program_.load(*tokens_) : program_.load(x_place_);
    const ResidualFactor factor = real_fft_sum(real);
    return program_.scaled_sum(name("fft_sum"), factor.value, factor.of_residual ? x : y, factor.of_residual ? y : x);
  }

  /// The two-dimensional transform, with what the program has collected before it. All transforms of a network are
  /// alike and have one form: the real one if the first of them fits in it.
  Tasks mixing_tasks(Value n, const RealFft& real, const MatrixPlace& mixed) {
    if (result_.fft == FftForm::none) {
      result_.not_real_because = no_real_form_because(plan_.target(), real);
      if (result_.not_real_because.empty() && plan_.may_pack()) {
        result_.not_real_because = "whole tiles do not fit the scratchpad";
      }
      if (result_.not_real_because.empty()) {
        try {
          Tasks tasks = real_form(n, real, mixed);
          result_.fft = FftForm::real;
          return tasks;
        } catch (const CompileError& error) {
          if (tokens_) throw;  // they can stay in the real form alone
          result_.not_real_because = error.what();
          result_.exact = {};
          constants_ = {};
        }
      }
    }
    if (result_.fft == FftForm::real) return real_form(n, real, mixed);
    Tasks tasks = real.exact ? exact_form(n, mixed) : complex_form(n, mixed);
    result_.fft = FftForm::complex;
    return tasks;
  }

  /// The complex form of a transform of which a length is no power of two, with what the program has collected before
  /// it.
  Tasks exact_form(Value n, const MatrixPlace& mixed) {
    ExactFft fft;
    fft.along_tokens = name("fft_tokens");
    fft.along_hidden = name("fft_hidden");
    fft.layer = layer_;
    fft.tokens = network_.tokens;
    fft.hidden = network_.hidden;
    fft.batch = network_.batch;
    fft.scales = exact_scales(network_, false);
    const ExactPlanes planes = ExactPlanes::in(dram_, rows_, std::max<u64>(2, network_.hidden));
    Tasks tasks = exact_tasks(fft, n, planes, mixed);
    result_.fft = FftForm::complex;
    if (auto resident = resident_exact_tasks(fft, n, planes, mixed)) {
      if (plan_.cost(*resident) < plan_.cost(tasks)) tasks = std::move(*resident);
    }
    return tasks;
  }

  /// Both transforms, with what the program has collected before them.
  Tasks exact_tasks(const ExactFft& fft, Value n, const ExactPlanes& planes, const MatrixPlace& mixed) {
    Tasks tasks = exact_hidden_tasks(fft, n, planes);
    append(tasks, exact_token_tasks(fft, planes, mixed));
    return tasks;
  }

  /// The same with planes that stay in the scratchpad between the transforms; nullopt if they do not fit, or if one of
  /// the transforms is a product, which goes through DRAM.
  std::optional<Tasks> resident_exact_tasks(const ExactFft& fft, Value n, const ExactPlanes& planes,
                                            const MatrixPlace& mixed) {
    const CompilerTarget& target = plan_.target();
    if (!target.residency || !target.column_access || plan_.may_pack() || network_.batch > 1) return std::nullopt;
    if (result_.exact.tokens == 1 || result_.exact.hidden == 1) return std::nullopt;
    const u64 token_points = power_of_two_in(fft.tokens) == fft.tokens ? std::max<u64>(2, fft.tokens) : fft.tokens;
    const PanelLayout layout{target.lanes, static_cast<u32>(plan_.padded(token_points))};
    ScratchpadMap map = plan_.map();
    const auto re = map.place(layout, planes.both.columns), im = map.place(layout, planes.both.columns);
    if (!re || !im) return std::nullopt;
    ExactPlanes staying = planes;
    staying.resident = ResidentPlanes{*re, *im, map.resident_bytes()};
    try {
      return exact_tasks(fft, n, staying, mixed);
    } catch (const CompileError&) {
      return std::nullopt;
    }
  }

  /// What is chosen for the first transform holds for all of them.
  [[nodiscard]] std::optional<u64> decided(u64 points) const {
    return result_.fft == FftForm::none ? std::optional<u64>() : std::optional<u64>(points);
  }

  Tasks exact_hidden_tasks(const ExactFft& fft, Value n, const ExactPlanes& planes) {
    RowProgram before = program_;
    if (power_of_two_in(fft.hidden) == fft.hidden) {
      FftOperator op;
      op.name = fft.along_hidden;
      op.points = planes.both.columns;
      op.ortho = false;
      op.scale = to_half(fft.scales.hidden);
      op.real_input = true;
      op.columns = in_every_tile(fft.hidden);
      const auto [re, im] = before.fft(op, n);
      if (planes.resident) {
        before.keep(re, planes.resident->re, planes.resident->bytes);
        before.keep(im, planes.resident->im, planes.resident->bytes);
      } else {
        before.store(re, planes.re());
        before.store(im, planes.im());
      }
      return before.flush();
    }
    MatrixPlace input = x_place_;
    if (pre()) {
      input = matrix(fft.hidden);
      before.store(n, input);
    }
    Tasks tasks = before.flush();
    ExactTasks hidden = exact_along_hidden(plan_, dram_, constants_, fft, input, planes, decided(result_.exact.hidden));
    result_.exact.hidden = hidden.points;
    append(tasks, std::move(hidden.tasks));
    return tasks;
  }

  Tasks exact_token_tasks(const ExactFft& fft, const ExactPlanes& planes, const MatrixPlace& mixed) {
    if (power_of_two_in(fft.tokens) != fft.tokens) {
      ExactTasks tokens =
          exact_along_tokens(plan_, dram_, constants_, fft, planes, x_place_, mixed, decided(result_.exact.tokens));
      result_.exact.tokens = tokens.points;
      return std::move(tokens.tasks);
    }
    TokenFft along_tokens;
    along_tokens.name = fft.along_tokens;
    along_tokens.layer = layer_;
    along_tokens.tokens = fft.tokens;
    along_tokens.batch = fft.batch;
    along_tokens.ortho = false;
    along_tokens.scale = to_half(fft.scales.tokens);
    along_tokens.residual_factor = fft.residual_factor();
    if (!planes.resident) return token_fft(plan_, dram_, along_tokens, planes.re(), planes.im(), x_place_, mixed);
    return resident_token_fft(plan_, along_tokens, {planes.resident->re, planes.resident->im}, planes.resident->bytes,
                              x_place_, mixed);
  }

  [[nodiscard]] RealFft real_fft_of_layer() const {
    RealFft result = real_fft_of(network_);
    result.along_tokens = name("fft_tokens");
    result.along_hidden = name("fft_hidden");
    result.layer = layer_;
    return result;
  }

  /// The real form, with what the program has collected before it. @throws CompileError  it does not fit
  Tasks real_form(Value n, const RealFft& real, const MatrixPlace& mixed) {
    RowProgram before = program_;
    FftInput input = x_place_;
    std::optional<u64> token_points = decided(result_.exact.tokens);
    if (tokens_) token_points = power_of_two_in(real.tokens);
    if (tokens_ && (pre() || x_stays_)) {
      input = *tokens_;
      if (pre()) before.keep(n, *tokens_, 0);
      result_.tokens_stay = true;
    } else if (pre()) {
      input = matrix(network_.hidden);
      before.store(n, std::get<MatrixPlace>(input));
    }
    Tasks tasks = before.flush();
    ExactTasks transform = real_fft(plan_, {dram_, constants_}, real, input, mixed, token_points);
    append(tasks, std::move(transform.tasks));
    if (real.exact) {
      const u64 hidden_points = power_of_two_in(real.hidden);
      result_.exact = {transform.points, hidden_points == real.hidden ? 0 : hidden_points};
    }
    return tasks;
  }

  /// The complex form, with what the program has collected before it.
  Tasks complex_form(Value n, const MatrixPlace& mixed) {
    const u64 points = std::max<u64>(2, next_power_of_two(network_.hidden));
    FftOperator fft;
    fft.name = name("fft_hidden");
    fft.points = points;
    fft.ortho = network_.fft_norm == FftNorm::ortho;
    fft.real_input = true;
    fft.columns = in_every_tile(network_.hidden);
    RowProgram program = program_;
    const auto [re, im] = program.fft(fft, n);
    TokenFft along_tokens;
    along_tokens.name = name("fft_tokens");
    along_tokens.layer = layer_;
    along_tokens.tokens = network_.tokens;
    along_tokens.batch = network_.batch;
    along_tokens.ortho = fft.ortho;
    const MatrixPlace re_place = matrix(points), im_place = matrix(points);
    RowProgram through_dram = program;
    through_dram.store(re, re_place);
    through_dram.store(im, im_place);
    Tasks tasks = through_dram.flush();
    append(tasks, token_fft(plan_, dram_, along_tokens, re_place, im_place, x_place_, mixed));
    if (auto resident = resident_fft(program, along_tokens, {re, im}, points, mixed)) {
      if (plan_.cost(*resident) < plan_.cost(tasks)) tasks = std::move(*resident);
    }
    return tasks;
  }

  /// Both transforms with planes that stay in the scratchpad between them; nullopt if they do not fit.
  std::optional<Tasks> resident_fft(const RowProgram& program, const TokenFft& along_tokens,
                                    const std::array<Value, 2>& values, u64 points, const MatrixPlace& mixed) {
    const CompilerTarget& target = plan_.target();
    const u64 token_points = std::max<u64>(2, next_power_of_two(network_.tokens));
    // The rows beyond the tokens of a batch element must not be those of the next one.
    const bool apart = network_.batch == 1 || token_points == network_.tokens;
    if (!target.residency || !target.column_access || plan_.may_pack() || !apart) return std::nullopt;
    const PanelLayout layout{target.lanes,
                             static_cast<u32>(plan_.padded(std::max(rows_, network_.batch * token_points)))};
    ScratchpadMap map = plan_.map();
    const auto re = map.place(layout, points), im = map.place(layout, points);
    if (!re || !im) return std::nullopt;
    try {
      RowProgram staying = program;
      staying.keep(values[0], *re, map.resident_bytes());
      staying.keep(values[1], *im, map.resident_bytes());
      Tasks tasks = staying.flush();
      append(tasks, resident_token_fft(plan_, along_tokens, {*re, *im}, map.resident_bytes(), x_place_, mixed));
      return tasks;
    } catch (const CompileError&) {
      return std::nullopt;
    }
  }

  Value add_attention(Value n, const EncoderLayer& layer) {
    const bool is_dense = layer.projections == LinearKind::dense;
    const u64 hidden = network_.hidden;
    std::array<MatrixPlace, 3> projected;
    static constexpr std::array<const char*, 3> parts{"query", "key", "value"};
    if (is_dense) {
      MatrixPlace input = x_place_;
      if (pre()) {
        input = to_dram(n, hidden);
      } else {
        flush();
      }
      for (std::size_t i = 0; i < parts.size(); ++i) {
        projected[i] = matrix(hidden);
        add(dense_layer(plan_, dram_, dense(name("attention.") + parts[i]), input, projected[i]));
      }
    } else {
      for (std::size_t i = 0; i < parts.size(); ++i) {
        projected[i] = matrix(hidden);
        program_.store(program_.linear(butterfly(name("attention.") + parts[i], hidden, hidden), n), projected[i]);
      }
      flush();
    }
    const MatrixPlace mixed = matrix(hidden);
    const Attention core = attention(name("attention"));
    add(is_sparse(layer) ? add_sparse_attention(core, layer, projected, mixed)
                         : attention_core(plan_, dram_, core, projected[0], projected[1], projected[2], mixed));
    if (is_dense) {
      const MatrixPlace h = matrix(hidden);
      DenseLayer output = dense(name("attention.output"));
      output.residual = x_place_;
      add(dense_layer(plan_, dram_, output, mixed, h));
      return program_.load(h);
    }
    const Value residual = program_.load(x_place_);
    return program_.linear(butterfly(name("attention.output"), hidden, hidden), program_.load(mixed), residual);
  }

  Tasks add_sparse_attention(const Attention& core, const EncoderLayer& layer,
                             const std::array<MatrixPlace, 3>& projected, const MatrixPlace& mixed) {
    SparseTasks sparse = sparse_attention(plan_, dram_, core, layer, {projected[0], projected[1], projected[2], mixed});
    result_.query_blocks.resize(network_.layers.size());
    result_.query_blocks[layer_] = sparse.query_block;
    return std::move(sparse.tasks);
  }

  [[nodiscard]] Attention attention(const std::string& label) const {
    Attention result;
    result.name = label;
    result.layer = layer_;
    result.tokens = network_.tokens;
    result.batch = network_.batch;
    result.heads = network_.heads;
    result.width = network_.hidden / network_.heads;
    result.key_block = result_.key_block;
    if (network_.padding_mask) result.mask = result_.mask;
    return result;
  }

  /// All layers in which every token sees all of them use the same kind of attention.
  void choose_key_block() {
    if (has_mixing(network_, Mixing::attention))
      result_.key_block = bvp::choose_key_block(plan_, attention("attention"));
  }

  Value add_butterfly_ffn(Value h) {
    LinearOperator up = butterfly(name("ffn.up"), network_.hidden, network_.ffn);
    up.activation = network_.activation;
    const Value middle = program_.linear(up, pre() ? norm(name("norm2"), h) : h);
    const double owed = network_.activation == Activation::gelu ? gelu_owes : 1;
    return program_.linear(butterfly(name("ffn.down"), network_.ffn, network_.hidden, owed), middle, h);
  }

  Value add_dense_ffn(Value h) {
    const u64 hidden = network_.hidden;
    const MatrixPlace h_place = matrix(hidden), middle = matrix(network_.ffn), y = matrix(hidden);
    program_.store(h, h_place);
    MatrixPlace input = h_place;
    if (pre()) {
      input = to_dram(norm(name("norm2"), h), hidden);
    } else {
      flush();
    }
    DenseLayer up = dense(name("ffn.up"));
    up.activation = network_.activation;
    add(dense_layer(plan_, dram_, up, input, middle));
    DenseLayer down = dense(name("ffn.down"));
    down.residual = h_place;
    add(dense_layer(plan_, dram_, down, middle, y));
    return program_.load(y);
  }

  const TaskPlanner& plan_;
  DramPlan& dram_;
  const Network& network_;
  const TensorMap& parameters_;
  const NormalForms& normal_forms_;
  const u64 rows_;
  RowProgram program_;
  EncoderPlan result_;
  std::optional<ResidentMatrix> tokens_;  // where the inputs of transforms stay, if they do
  ExactConstants constants_;
  u32 layer_ = 0;
  Value x_ = 0;           // the tokens between layers
  MatrixPlace x_place_;   // the same in DRAM, once the program is flushed
  bool x_stays_ = false;  // and in the scratchpad
};

}  // namespace

u64 token_bytes_of(const CompilerTarget& target, const Network& network) {
  const RealFft real = real_fft_of(network);
  // The first layer's tokens come from outside, and those of a pre-norm layer are normalised before the transform.
  const auto first = network.layers.begin() + (network.norm == NormPlacement::pre || network.layers.empty() ? 0 : 1);
  const bool any =
      std::any_of(first, network.layers.end(), [](const EncoderLayer& layer) { return layer.mixing == Mixing::fft2d; });
  const bool apart = network.batch == 1 || real.token_points() == network.tokens;
  if (!any || !apart || !target.residency || !no_real_form_because(target, real).empty()) return 0;
  if (!has_packed_columns(target, real)) return 0;
  const u64 bytes = token_layout(target, network).bytes(network.hidden), unit = target.tile_bytes();
  return (bytes + unit - 1) / unit * unit;
}

EncoderPlan plan_encoder(const TaskPlanner& plan, DramPlan& dram, const Network& network, const TensorMap& parameters,
                         const NormalForms& normal_forms) {
  return Encoder(plan, dram, network, parameters, normal_forms).build();
}

}  // namespace bvp
