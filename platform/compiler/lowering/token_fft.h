// SPDX-License-Identifier: Apache-2.0
// The part of the two-dimensional FFT that runs along the tokens.
#pragma once

#include <string>

#include "platform/compiler/passes/plan.h"

namespace bvp {

struct TokenFft {
  std::string name;
  u32 layer = 0;
  u64 tokens = 0, batch = 1;
  bool ortho = true;
};

/// mixed = real part of the transform of (re, im) along the tokens, zero-padded to a power of two, plus `residual`.
void add_token_fft(Plan& plan, const TokenFft& fft, const MatrixPlace& re, const MatrixPlace& im,
                   const MatrixPlace& residual, const MatrixPlace& mixed);

}  // namespace bvp
