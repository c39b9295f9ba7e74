// SPDX-License-Identifier: Apache-2.0
// The two-dimensional FFT of real rows, of which the real part is kept: half of the transforms of the complex form. See
// docs/how_it_works.md, "The real two-dimensional FFT".
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "platform/compiler/ir/dram_plan.h"
#include "platform/compiler/ir/scratchpad_map.h"
#include "platform/compiler/passes/tile.h"

namespace bvp {

struct RealFft {
  std::string along_tokens, along_hidden;  // names of the two transforms
  u32 layer = 0;
  u64 tokens = 0, hidden = 0, batch = 1;
  bool ortho = true;

  [[nodiscard]] u64 token_points() const;
  [[nodiscard]] u64 hidden_points() const;
  /// Rows of the half spectrum along the tokens.
  [[nodiscard]] u64 spectrum_rows() const { return token_points() / 2 + 1; }
};

/// Whether the real form can be used for these sizes on this machine, if its tasks fit: the columns are an even number
/// of panels, there are at least four points along the tokens, and the scratchpad can be accessed by column.
[[nodiscard]] bool has_real_form(const CompilerTarget& target, const RealFft& fft);

/// The rows that are transformed: in DRAM, or in the scratchpad behind both halves. A resident matrix has at least
/// token_points() rows, of which those from `tokens` on are overwritten with zeros; several batch elements have no such
/// rows.
using FftInput = std::variant<MatrixPlace, ResidentMatrix>;

/// mixed * real_fft_scale() = real part of the two-dimensional transform of x, zero-padded to powers of two; nullopt:
/// the tasks do not fit the machine. The half spectrum along the tokens goes through DRAM.
[[nodiscard]] std::optional<Tasks> real_fft(const TaskPlanner& plan, DramPlan& dram, const RealFft& fft,
                                            const FftInput& x, const MatrixPlace& mixed);
[[nodiscard]] u16 real_fft_scale(const RealFft& fft);

/// The same with a half spectrum that stays in the scratchpad; nullopt: there is no room for it, or there are several
/// batch elements.
[[nodiscard]] std::optional<Tasks> resident_real_fft(const TaskPlanner& plan, const RealFft& fft, const FftInput& x,
                                                     const MatrixPlace& mixed);

}  // namespace bvp
