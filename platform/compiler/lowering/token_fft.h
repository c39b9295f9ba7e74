// SPDX-License-Identifier: Apache-2.0
// The part of the two-dimensional FFT that runs along the tokens.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "platform/compiler/ir/dram_plan.h"
#include "platform/compiler/kernels/residual_factor.h"
#include "platform/compiler/passes/tile.h"

namespace bvp {

struct TokenFft {
  std::string name;
  u32 layer = 0;
  u64 tokens = 0, batch = 1;
  bool ortho = true;
  std::optional<u16> scale;  // what the inputs are multiplied by; absent: as `ortho` says
  std::optional<ResidualFactor> residual_factor;
};

/// mixed = real part of the transform of (re, im) along the tokens, zero-padded to a power of two, plus `residual`.
[[nodiscard]] Tasks token_fft(const TaskPlanner& plan, DramPlan& dram, const TokenFft& fft, const MatrixPlace& re,
                              const MatrixPlace& im, const MatrixPlace& residual, const MatrixPlace& mixed);

/// The tasks of the transform where its planes stay in the scratchpad; the transform overwrites them.
/// @param resident_bytes  of each half, kept for resident matrices
/// @throws ScratchpadError  not even a strip of one panel fits beside them
[[nodiscard]] Tasks resident_token_fft(const TaskPlanner& plan, const TokenFft& fft,
                                       const std::array<ResidentMatrix, 2>& planes, u64 resident_bytes,
                                       const MatrixPlace& residual, const MatrixPlace& mixed);

}  // namespace bvp
