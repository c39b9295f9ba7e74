// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <variant>

#include "platform/compiler/lowering/exact_fft.h"
#include "platform/compiler/lowering/real_fft.h"
#include "platform/compiler/lowering/token_fft.h"
#include "platform/compiler/passes/mixing_lowering.h"
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

/// The two-dimensional transform with the residual.
class Fft2dLowering final : public MixingLowering {
 public:
  using Value = EncoderDraft::Value;

  explicit Fft2dLowering(EncoderDraft& draft) : draft_(draft) {}

  MixedTokens lower(Value n) override {
    const RealFft real = real_fft_of_layer();
    const MatrixPlace mixed = draft_.matrix(draft_.network.hidden);
    Tasks tasks = mixing_tasks(n, real, mixed);
    draft_.program.clear();
    draft_.add(std::move(tasks));
    const Value y = draft_.program.load(mixed);
    // The complex form adds the residual itself.
    const double share = has_exact_transforms(draft_.network) ? exact_scales(draft_.network, false).epsilon : 1;
    if (draft_.result.fft != FftForm::real) return {y, share};
    const Value x = draft_.x_stays ? draft_.program.load(*draft_.tokens) : draft_.program.load(draft_.x_place);
    const ResidualFactor factor = real_fft_sum(real);
    return {draft_.program.scaled_sum(draft_.name("fft_sum"), factor.value, factor.of_residual ? x : y,
                                      factor.of_residual ? y : x),
            share};
  }

 private:
  /// The two-dimensional transform, with what the program has collected before it. All transforms of a network are
  /// alike and have one form: the real one if the first of them fits in it.
  Tasks mixing_tasks(Value n, const RealFft& real, const MatrixPlace& mixed) {
    if (draft_.result.fft == FftForm::none) {
      draft_.result.not_real_because = no_real_form_because(draft_.plan.target(), real);
      if (draft_.result.not_real_because.empty() && draft_.plan.may_pack()) {
        draft_.result.not_real_because = "whole tiles do not fit the scratchpad";
      }
      if (draft_.result.not_real_because.empty()) {
        try {
          Tasks tasks = real_form(n, real, mixed);
          draft_.result.fft = FftForm::real;
          return tasks;
        } catch (const CompileError& error) {
          if (draft_.tokens) throw;  // they can stay in the real form alone
          draft_.result.not_real_because = error.what();
          draft_.result.exact = {};
          constants_ = {};
        }
      }
    }
    if (draft_.result.fft == FftForm::real) return real_form(n, real, mixed);
    Tasks tasks = real.exact ? exact_form(n, mixed) : complex_form(n, mixed);
    draft_.result.fft = FftForm::complex;
    return tasks;
  }

  /// The complex form of a transform of which a length is no power of two, with what the program has collected before
  /// it.
  Tasks exact_form(Value n, const MatrixPlace& mixed) {
    ExactFft fft;
    fft.along_tokens = draft_.name("fft_tokens");
    fft.along_hidden = draft_.name("fft_hidden");
    fft.layer = draft_.layer;
    fft.tokens = draft_.network.tokens;
    fft.hidden = draft_.network.hidden;
    fft.batch = draft_.network.batch;
    fft.scales = exact_scales(draft_.network, false);
    const ExactPlanes planes = ExactPlanes::in(draft_.dram, draft_.rows(), std::max<u64>(2, draft_.network.hidden));
    Tasks tasks = exact_tasks(fft, n, planes, mixed);
    draft_.result.fft = FftForm::complex;
    if (auto resident = resident_exact_tasks(fft, n, planes, mixed)) {
      if (draft_.plan.cost(*resident) < draft_.plan.cost(tasks)) tasks = std::move(*resident);
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
    const CompilerTarget& target = draft_.plan.target();
    if (!target.residency || !target.column_access || draft_.plan.may_pack() || draft_.network.batch > 1)
      return std::nullopt;
    if (draft_.result.exact.tokens == 1 || draft_.result.exact.hidden == 1) return std::nullopt;
    const u64 token_points = power_of_two_in(fft.tokens) == fft.tokens ? std::max<u64>(2, fft.tokens) : fft.tokens;
    const PanelLayout layout{target.lanes, static_cast<u32>(draft_.plan.padded(token_points))};
    ScratchpadMap map = draft_.plan.map();
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
  [[nodiscard]] std::optional<u64> decided(u64 ExactPoints::*transform) const {
    if (const auto& fixed = draft_.plan.target().fixed) return fixed->exact.*transform;
    const u64 points = draft_.result.exact.*transform;
    return draft_.result.fft == FftForm::none ? std::optional<u64>() : std::optional<u64>(points);
  }

  Tasks exact_hidden_tasks(const ExactFft& fft, Value n, const ExactPlanes& planes) {
    RowProgram before = draft_.program;
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
    MatrixPlace input = draft_.x_place;
    if (draft_.pre()) {
      input = draft_.matrix(fft.hidden);
      before.store(n, input);
    }
    Tasks tasks = before.flush();
    ExactTasks hidden =
        exact_along_hidden(draft_.plan, draft_.dram, constants_, fft, input, planes, decided(&ExactPoints::hidden));
    draft_.result.exact.hidden = hidden.points;
    append(tasks, std::move(hidden.tasks));
    return tasks;
  }

  Tasks exact_token_tasks(const ExactFft& fft, const ExactPlanes& planes, const MatrixPlace& mixed) {
    if (power_of_two_in(fft.tokens) != fft.tokens) {
      ExactTasks tokens = exact_along_tokens(draft_.plan, draft_.dram, constants_, fft, planes, draft_.x_place, mixed,
                                             decided(&ExactPoints::tokens));
      draft_.result.exact.tokens = tokens.points;
      return std::move(tokens.tasks);
    }
    TokenFft along_tokens;
    along_tokens.name = fft.along_tokens;
    along_tokens.layer = draft_.layer;
    along_tokens.tokens = fft.tokens;
    along_tokens.batch = fft.batch;
    along_tokens.ortho = false;
    along_tokens.scale = to_half(fft.scales.tokens);
    along_tokens.residual_factor = fft.residual_factor();
    if (!planes.resident)
      return token_fft(draft_.plan, draft_.dram, along_tokens, planes.re(), planes.im(), draft_.x_place, mixed);
    return resident_token_fft(draft_.plan, along_tokens, {planes.resident->re, planes.resident->im},
                              planes.resident->bytes, draft_.x_place, mixed);
  }

  [[nodiscard]] RealFft real_fft_of_layer() const {
    RealFft result = real_fft_of(draft_.network);
    result.along_tokens = draft_.name("fft_tokens");
    result.along_hidden = draft_.name("fft_hidden");
    result.layer = draft_.layer;
    return result;
  }

  /// The real form, with what the program has collected before it. @throws CompileError  it does not fit
  Tasks real_form(Value n, const RealFft& real, const MatrixPlace& mixed) {
    RowProgram before = draft_.program;
    FftInput input = draft_.x_place;
    std::optional<u64> token_points = decided(&ExactPoints::tokens);
    if (draft_.tokens) token_points = power_of_two_in(real.tokens);
    if (draft_.tokens && (draft_.pre() || draft_.x_stays)) {
      input = *draft_.tokens;
      if (draft_.pre()) before.keep(n, *draft_.tokens, 0);
      draft_.result.tokens_stay = true;
    } else if (draft_.pre()) {
      input = draft_.matrix(draft_.network.hidden);
      before.store(n, std::get<MatrixPlace>(input));
    }
    Tasks tasks = before.flush();
    ExactTasks transform = real_fft(draft_.plan, {draft_.dram, constants_}, real, input, mixed, token_points);
    append(tasks, std::move(transform.tasks));
    if (real.exact) {
      const u64 hidden_points = power_of_two_in(real.hidden);
      draft_.result.exact = {transform.points, hidden_points == real.hidden ? 0 : hidden_points};
    }
    return tasks;
  }

  /// The complex form, with what the program has collected before it.
  Tasks complex_form(Value n, const MatrixPlace& mixed) {
    const u64 points = std::max<u64>(2, next_power_of_two(draft_.network.hidden));
    FftOperator fft;
    fft.name = draft_.name("fft_hidden");
    fft.points = points;
    fft.ortho = draft_.network.fft_norm == FftNorm::ortho;
    fft.real_input = true;
    fft.columns = in_every_tile(draft_.network.hidden);
    RowProgram program = draft_.program;
    const auto [re, im] = program.fft(fft, n);
    TokenFft along_tokens;
    along_tokens.name = draft_.name("fft_tokens");
    along_tokens.layer = draft_.layer;
    along_tokens.tokens = draft_.network.tokens;
    along_tokens.batch = draft_.network.batch;
    along_tokens.ortho = fft.ortho;
    const MatrixPlace re_place = draft_.matrix(points), im_place = draft_.matrix(points);
    RowProgram through_dram = program;
    through_dram.store(re, re_place);
    through_dram.store(im, im_place);
    Tasks tasks = through_dram.flush();
    append(tasks, token_fft(draft_.plan, draft_.dram, along_tokens, re_place, im_place, draft_.x_place, mixed));
    if (auto resident = resident_fft(program, along_tokens, {re, im}, points, mixed)) {
      if (draft_.plan.cost(*resident) < draft_.plan.cost(tasks)) tasks = std::move(*resident);
    }
    return tasks;
  }

  /// Both transforms with planes that stay in the scratchpad between them; nullopt if they do not fit.
  std::optional<Tasks> resident_fft(const RowProgram& program, const TokenFft& along_tokens,
                                    const std::array<Value, 2>& values, u64 points, const MatrixPlace& mixed) {
    const CompilerTarget& target = draft_.plan.target();
    const u64 token_points = std::max<u64>(2, next_power_of_two(draft_.network.tokens));
    // The rows beyond the tokens of a batch element must not be those of the next one.
    const bool apart = draft_.network.batch == 1 || token_points == draft_.network.tokens;
    if (!target.residency || !target.column_access || draft_.plan.may_pack() || !apart) return std::nullopt;
    const PanelLayout layout{
        target.lanes,
        static_cast<u32>(draft_.plan.padded(std::max(draft_.rows(), draft_.network.batch * token_points)))};
    ScratchpadMap map = draft_.plan.map();
    const auto re = map.place(layout, points), im = map.place(layout, points);
    if (!re || !im) return std::nullopt;
    try {
      RowProgram staying = program;
      staying.keep(values[0], *re, map.resident_bytes());
      staying.keep(values[1], *im, map.resident_bytes());
      Tasks tasks = staying.flush();
      append(tasks,
             resident_token_fft(draft_.plan, along_tokens, {*re, *im}, map.resident_bytes(), draft_.x_place, mixed));
      return tasks;
    } catch (const CompileError&) {
      return std::nullopt;
    }
  }

  EncoderDraft& draft_;
  ExactConstants constants_;
};

bool tokens_may_stay(const CompilerTarget& target, const Network& network) {
  const RealFft real = real_fft_of(network);
  const bool apart = network.batch == 1 || real.token_points() == network.tokens;
  return apart && no_real_form_because(target, real).empty() && has_packed_columns(target, real);
}

}  // namespace

namespace lowerings {

MixingLoweringEntry fft2d() {
  return {[](EncoderDraft& draft) -> std::unique_ptr<MixingLowering> { return std::make_unique<Fft2dLowering>(draft); },
          token_layout, tokens_may_stay};
}

}  // namespace lowerings

}  // namespace bvp
