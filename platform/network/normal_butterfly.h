// SPDX-License-Identifier: Apache-2.0
// The normal form of butterfly matrices (docs/numerics.md, "Butterflies in normal form"). It follows from the weights
// alone, so that the compiler and the fp16 reference get the same numbers from here.
#pragma once

#include <array>
#include <vector>

#include "models/base/types.h"

namespace bvp {

/// All stacks of one butterfly linear layer. A row a x + b y of a pair's 2 x 2 matrix is large (x' + ratio y'), where
/// |ratio| <= 1; `large` is owed to the columns of the next factor, and what is owed behind the last factor is a scale
/// of each output point. A factor behind which more or less would be owed than `most_owed` and `least_owed` say (0 is
/// fine) pays: its pairs are computed with all four weights, which contain what was owed, and nothing is owed behind
/// it.
class NormalButterfly {
 public:
  static constexpr double least_owed = 1.0 / 8192, most_owed = 256;
  /// Bit of a ratio: the input of the upper point is the large one.
  static constexpr u16 swap_bit = 0x4000;

  /// @param twiddle        [stacks, log_n, n/2, 2, 2]; nullptr: no factor pays, and there are no scalars
  /// @param owed_by_input  the inputs count so many times what they are
  NormalButterfly(const u16* twiddle, u64 stacks, unsigned log_n, double owed_by_input);

  [[nodiscard]] unsigned factors() const { return static_cast<unsigned>(pays_.size()); }
  [[nodiscard]] u64 stacks() const { return stacks_; }
  [[nodiscard]] bool pays(unsigned factor) const { return pays_[factor]; }

  /// The scalars of a factor's pair: those of the rows of the lower and the upper point, each a ratio (with swap_bit)
  /// and 0; of a factor that pays the pair's matrix, by rows.
  [[nodiscard]] std::array<u16, 4> pair(u64 stack, unsigned factor, u64 pair) const {
    const u16* const at = words_[factor].data() + (stack * pairs_ + pair) * (pays_[factor] ? 4 : 2);
    if (pays_[factor]) return {at[0], at[1], at[2], at[3]};
    return {at[0], at[1], 0, 0};
  }
  /// The scalars of a stack's factor, pair by pair: two of each, of a factor that pays four.
  [[nodiscard]] const u16* scalars(u64 stack, unsigned factor) const {
    return words_[factor].data() + stack * pairs_ * (pays_[factor] ? 4 : 2);
  }
  /// What an output point counts, before rounding.
  [[nodiscard]] double owed(u64 stack, u64 point) const { return owed_[stack * points_ + point]; }

 private:
  u64 stacks_, points_, pairs_;
  std::vector<bool> pays_;
  std::vector<std::vector<u16>> words_;  // [factor]
  std::vector<double> owed_;             // [stack][point]
};

/// A GELU behind a butterfly in normal form works on sqrt(1/2) of its argument and leaves sqrt(2) of its result: both
/// factors are owed, the first by the scale and the bias, the second by the next butterfly.
inline constexpr double gelu_owes = 0.70710678118654752440;

}  // namespace bvp
