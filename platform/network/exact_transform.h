// SPDX-License-Identifier: Apache-2.0
// Two-dimensional transforms of lengths that are no powers of two: what a network multiplies by, and where
// (docs/numerics.md, "Exact lengths").
#pragma once

#include <cmath>

#include "platform/network/network.h"

namespace bvp {

/// The largest power of two that divides n.
inline u64 power_of_two_in(u64 n) { return n & (~n + 1); }

/// Whether the network's transforms have exact lengths of which one is no power of two.
inline bool has_exact_transforms(const Network& network) {
  return network.fft_length == FftLength::exact && transforms_other_lengths(network);
}

/// Where the scale of a two-dimensional transform goes. The transforms are multiplied by powers of two, which round
/// nothing; what is left over goes into the sum with the residual: r(factor * transform + x) or, with `of_residual`,
/// r(factor * x + transform), which is smaller than what it stands for.
struct ExactScales {
  double hidden = 1, tokens = 1;
  double factor = 1;
  bool of_residual = false;
  /// What the epsilon of the layer norm behind the sum is multiplied by.
  double epsilon = 1;
};

/// @param tokens_first  the transform along the tokens comes first (the real form), otherwise that along hidden
inline ExactScales exact_scales(const Network& network, bool tokens_first) {
  const auto floor_log2 = [](u64 n) { return 63 - __builtin_clzll(n); };
  const int of_first = floor_log2(tokens_first ? network.tokens : network.hidden) / 2;
  const int all = (floor_log2(network.hidden) + floor_log2(network.tokens)) / 2;
  ExactScales scales;
  (tokens_first ? scales.tokens : scales.hidden) = std::ldexp(1.0, -of_first);
  (tokens_first ? scales.hidden : scales.tokens) = std::ldexp(1.0, of_first - all);
  const double taken = std::ldexp(1.0, all);
  if (network.fft_norm == FftNorm::ortho) {
    scales.factor = taken / std::sqrt(static_cast<double>(network.tokens) * static_cast<double>(network.hidden));
  } else if (network.norm == NormPlacement::post) {
    // A layer norm takes any scale: the sum stays a small multiple of what it is.
    scales.factor = 1 / taken;
    scales.of_residual = true;
    scales.epsilon = 1 / (taken * taken);
  } else {
    scales.factor = taken;
  }
  return scales;
}

}  // namespace bvp
