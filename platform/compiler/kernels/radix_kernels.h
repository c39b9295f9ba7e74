// SPDX-License-Identifier: Apache-2.0
// Kernels of transforms whose lengths are no powers of two: the step that joins `parts` transforms of `points` points
// to one of their product, or takes it apart, and the interleaving of columns. See docs/how_it_works.md, "Exact
// lengths".
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <tuple>
#include <vector>

#include "models/isa/kernel.h"
#include "platform/compiler/kernels/residual_factor.h"
#include "platform/compiler/target.h"
#include "platform/program/layout.h"

namespace bvp {

/// For each position i < points, a product with a small matrix of its own: from the values x[j][i] of all parts j to
/// the values y[k][i] of all parts k, each a real and an imaginary number unless `real_input`, `real_output`. Sums are
/// fp32, over the parts in order, of each the real part first, and rounded once. A part's vectors lie one behind the
/// other, as the walk says; the parts follow each other.
struct RadixSpec {
  u32 points = 0;  // a power of two
  u32 parts = 0;   // two at least
  bool real_input = false, real_output = false;
  VectorWalk x, y;            // of columns: as many points as lanes at least
  std::optional<u16> factor;  // multiplies the sums
  bool residual = false;      // laid out as y; y may overwrite it
  std::optional<ResidualFactor> residual_factor;

  [[nodiscard]] u32 terms() const { return parts * (real_input ? 1 : 2); }
  [[nodiscard]] u32 results() const { return parts * (real_output ? 1 : 2); }
  [[nodiscard]] auto tied() const {
    return std::tie(points, parts, real_input, real_output, x, y, factor, residual, residual_factor);
  }
  friend bool operator<(const RadixSpec& a, const RadixSpec& b) { return a.tied() < b.tied(); }
};
namespace radix_register {
inline constexpr unsigned x_re = 0, x_im = 1, y_re = 2, y_im = 3, residual = 4, weights = 5, constants = 6;
}

struct RadixKernel {
  Kernel kernel;
  std::vector<u16> constants;      // for the scratchpad, whole vectors; may be empty
  std::array<u32, 3> counts{};     // of the instance levels 1..3
  std::array<u32, 3> shared_by{};  // PEs along lane groups, panels of positions, positions of a panel
  u32 block = 0;                   // results of which the sums are taken at a time
  u32 weight_vectors = 0;          // of a position and a block
  u32 positions = 0, blocks = 0, lanes = 0, terms = 0;

  [[nodiscard]] std::size_t word_count() const { return std::size_t{positions} * blocks * weight_vectors * lanes; }
  /// The words for the scratchpad. `weight` is that of a term in a result, at a position; terms and results are
  /// numbered by part, the imaginary one behind the real one.
  [[nodiscard]] std::vector<u16> words(const std::function<u16(u32 position, u32 result, u32 term)>& weight) const;
};

/// Launch counts: level 0 = lane groups.
/// @param groups  lane groups of a full launch
/// @throws CompileError  operand memory or accumulators are too small
[[nodiscard]] RadixKernel make_radix_kernel(const CompilerTarget& target, const RadixSpec& spec, u32 groups);

/// y[parts * i + k] = x[points * k + i]: columns of `parts` blocks, one of each in turn; or the other way round:
/// y[points * k + i] = x[parts * i + k]. Vectors are `lanes` rows of a column. y must not overlap x. Launch counts:
/// level 0 = lane groups of rows.
struct InterleaveSpec {
  u32 points = 0;  // whole panels
  u32 parts = 0;
  bool apart = false;  // the other way round
  PanelLayout x, y;

  [[nodiscard]] auto tied() const { return std::tie(points, parts, apart, x, y); }
  friend bool operator<(const InterleaveSpec& a, const InterleaveSpec& b) { return a.tied() < b.tied(); }
};
namespace interleave_register {
inline constexpr unsigned x = 0, y = 1;
}
struct InterleaveKernel {
  Kernel kernel;
  std::array<u32, 3> counts{};     // of the instance levels 1..3
  std::array<u32, 2> shared_by{};  // PEs along lane groups, panels
};
/// @param groups  lane groups of rows of a full launch
/// @throws CompileError  the operand memory is too small
[[nodiscard]] InterleaveKernel make_interleave_kernel(const CompilerTarget& target, const InterleaveSpec& spec,
                                                      u32 groups);

}  // namespace bvp
