// SPDX-License-Identifier: Apache-2.0
#include "platform/network/normal_butterfly.h"

#include <cmath>

#include "platform/network/half.h"

namespace bvp {

namespace {

/// A row of a pair's matrix, with what is owed by its columns.
struct Row {
  double lower, upper;
  [[nodiscard]] bool swaps() const { return std::fabs(upper) > std::fabs(lower); }
  [[nodiscard]] double large() const { return swaps() ? upper : lower; }
  [[nodiscard]] double small() const { return swaps() ? lower : upper; }
  [[nodiscard]] bool payable_later() const {
    const double size = std::fabs(large());
    // The second comparison is false for NaN.
    return std::isfinite(small()) &&
           (size == 0 || (size >= NormalButterfly::least_owed && size <= NormalButterfly::most_owed));
  }
  [[nodiscard]] u16 ratio() const {
    const u16 size = large() == 0 ? u16{0} : to_half(small() / large());
    return static_cast<u16>(size | (swaps() ? NormalButterfly::swap_bit : 0));
  }
};

}  // namespace

NormalButterfly::NormalButterfly(const u16* twiddle, u64 stacks, unsigned log_n, double owed_by_input)
    : stacks_(stacks), points_(u64{1} << log_n), pairs_(points_ / 2), pays_(log_n, false), words_(log_n) {
  if (twiddle == nullptr && log_n > 0) return;
  owed_.assign(stacks_ * points_, owed_by_input);
  std::vector<Row> rows(stacks_ * pairs_ * 2);
  for (unsigned factor = 0; factor < factors(); ++factor) {
    const u64 stride = u64{1} << factor;
    const auto lower_point = [&](u64 pair) { return pair / stride * 2 * stride + pair % stride; };
    for (u64 stack = 0; stack < stacks_; ++stack) {
      for (u64 pair = 0; pair < pairs_; ++pair) {
        const u16* const t = twiddle + ((stack * factors() + factor) * pairs_ + pair) * 4;
        const double* const owed = &owed_[stack * points_ + lower_point(pair)];
        for (unsigned row = 0; row < 2; ++row) {
          Row& to = rows[(stack * pairs_ + pair) * 2 + row];
          to = {static_cast<double>(from_half(t[2 * row])) * owed[0],
                static_cast<double>(from_half(t[2 * row + 1])) * owed[stride]};
          if (!to.payable_later()) pays_[factor] = true;
        }
      }
    }
    std::vector<u16>& words = words_[factor];
    words.reserve(rows.size() * (pays_[factor] ? 2 : 1));
    for (u64 i = 0; i < rows.size(); ++i) {
      const Row& row = rows[i];
      double& owed = owed_[i / points_ * points_ + lower_point(i / 2 % pairs_) + i % 2 * stride];
      if (pays_[factor]) {
        words.push_back(to_half(row.lower));
        words.push_back(to_half(row.upper));
        owed = 1;
      } else {
        words.push_back(row.ratio());
        owed = row.large();
      }
    }
  }
}

}  // namespace bvp
