// SPDX-License-Identifier: Apache-2.0
// The two-dimensional FFT of real rows, of which the real part is kept: half of the transforms of the complex form. See
// docs/how_it_works.md, "The real two-dimensional FFT".
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "platform/compiler/ir/dram_plan.h"
#include "platform/compiler/ir/scratchpad_map.h"
#include "platform/compiler/kernels/residual_factor.h"
#include "platform/compiler/lowering/radix.h"
#include "platform/compiler/passes/tile.h"
#include "platform/network/exact_transform.h"

namespace bvp {

struct RealFft {
  std::string along_tokens, along_hidden;  // names of the two transforms
  u32 layer = 0;
  u64 tokens = 0, hidden = 0, batch = 1;
  bool ortho = true;
  std::optional<ExactScales> exact;  // of exact lengths of which one is no power of two; absent: zero-padded lengths

  [[nodiscard]] u64 token_points() const;
  [[nodiscard]] u64 hidden_points() const;
  /// Rows of the half spectrum along the tokens.
  [[nodiscard]] u64 spectrum_rows() const { return token_points() / 2 + 1; }
};

/// Why the real form cannot be used for these sizes on this machine, whether its tasks fit or not; empty: it can.
[[nodiscard]] std::string no_real_form_because(const CompilerTarget& target, const RealFft& fft);

/// Whether two columns can be transformed along the tokens as one: otherwise the transform is a product.
[[nodiscard]] bool has_packed_columns(const CompilerTarget& target, const RealFft& fft);

/// The rows that are transformed: in DRAM, or in the scratchpad behind both halves. A resident matrix has at least
/// token_points() rows, of which those from `tokens` on are overwritten with zeros; several batch elements have no such
/// rows.
using FftInput = std::variant<MatrixPlace, ResidentMatrix>;

/// The real part of the two-dimensional transform of x, up to the factors in the sum with the residual. The half
/// spectrum along the tokens stays in the scratchpad if it fits and that costs less, otherwise it goes through DRAM.
/// @param points  of the transforms along the tokens, as in ExactTasks; absent: those that cost less
/// @throws CompileError  the tasks do not fit the machine
[[nodiscard]] ExactTasks real_fft(const TaskPlanner& plan, const ExactMemory& memory, const RealFft& fft,
                                  const FftInput& x, const MatrixPlace& mixed, const std::optional<u64>& points);
/// The sum with the residual.
[[nodiscard]] ResidualFactor real_fft_sum(const RealFft& fft);

}  // namespace bvp
