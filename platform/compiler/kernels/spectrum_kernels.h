// SPDX-License-Identifier: Apache-2.0
// Kernels of the real two-dimensional FFT: the separation of the spectra of two real columns that were transformed as
// one complex column, a spectrum with the order of its columns reversed, and the sum with the residual. See
// docs/how_it_works.md, "The real two-dimensional FFT".
#pragma once

#include <array>
#include <tuple>

#include "models/isa/kernel.h"
#include "platform/compiler/target.h"
#include "platform/program/layout.h"

namespace bvp {

struct SpectrumKernel {
  Kernel kernel;
  std::array<u32, 3> counts{};     // of the instance levels 1..3
  std::array<u32, 2> shared_by{};  // PEs along level 0 and level 1
};

/// Z = p + iq is the transform, along the rows, of the complex columns x + iy. For the rows u = 0 .. points/2 (rounded
/// down), and with m = -u mod points, row points/2 - u of the outputs is
///   x_re = p[u] + p[m],  x_im = q[u] - q[m],  y_re = q[u] + q[m],  y_im = p[m] - p[u]:
/// twice the transforms of x and of y. Vectors are rows of a panel; each sum is rounded once.
/// Launch counts: level 0 = panels.
struct SeparationSpec {
  u32 points = 0;             // at least 3
  PanelLayout input, output;  // of both planes of Z; of the four results

  [[nodiscard]] auto tied() const { return std::tie(points, input, output); }
  friend bool operator<(const SeparationSpec& a, const SeparationSpec& b) { return a.tied() < b.tied(); }
};
namespace separation_register {
inline constexpr unsigned p = 0, q = 1, x_re = 2, x_im = 3, y_re = 4, y_im = 5;
}

/// @param groups  panels of a full launch
/// @throws CompileError  the operand memory is too small
[[nodiscard]] SpectrumKernel make_separation_kernel(const CompilerTarget& target, const SeparationSpec& spec,
                                                    u32 groups);

/// For the columns k < columns: y[k] = x[-k mod points]. Vectors are `lanes` rows of a column. y must not overlap x.
/// Launch counts: level 0 = lane groups of rows.
struct MirrorSpec {
  u32 points = 0;   // columns of x: whole panels
  u32 columns = 0;  // of y: whole panels, two at least
  PanelLayout x, y;

  [[nodiscard]] auto tied() const { return std::tie(points, columns, x, y); }
  friend bool operator<(const MirrorSpec& a, const MirrorSpec& b) { return a.tied() < b.tied(); }
};
namespace mirror_register {
inline constexpr unsigned x = 0, y = 1;
}

/// @param groups  lane groups of rows of a full launch
/// @throws CompileError  the operand memory is too small
[[nodiscard]] SpectrumKernel make_mirror_kernel(const CompilerTarget& target, const MirrorSpec& spec, u32 groups);

/// y = r(factor * s + x), value by value; the sum is taken in fp32. y may be x or s.
/// Launch registers: scaled_sum_register; the constant is one vector whose first scalar is the factor.
/// Launch counts: level 0 = lane groups of rows.
struct ScaledSumSpec {
  u32 columns = 0;  // whole panels
  PanelLayout s, x, y;

  [[nodiscard]] auto tied() const { return std::tie(columns, s, x, y); }
  friend bool operator<(const ScaledSumSpec& a, const ScaledSumSpec& b) { return a.tied() < b.tied(); }
};
namespace scaled_sum_register {
inline constexpr unsigned s = 0, x = 1, y = 2, constant = 3;
}

/// @param groups  lane groups of rows of a full launch
[[nodiscard]] SpectrumKernel make_scaled_sum_kernel(const CompilerTarget& target, const ScaledSumSpec& spec,
                                                    u32 groups);

}  // namespace bvp
