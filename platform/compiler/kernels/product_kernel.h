// SPDX-License-Identifier: Apache-2.0
// Matrix products with fp32 accumulation. Lanes run over one dimension of the result, instances over the other; the PEs
// divide both dimensions among themselves.
#pragma once

#include <array>
#include <optional>
#include <tuple>
#include <vector>

#include "models/isa/kernel.h"
#include "platform/compiler/kernels/residual_factor.h"
#include "platform/compiler/target.h"
#include "platform/network/network.h"
#include "platform/program/layout.h"

namespace bvp {

/// y[i][j] = sum over k < terms of x[i][k] * w[j][k], in fp32, rounded once at the end; followed, if requested, by a
/// factor, a bias, an activation and a residual. Lanes run over i (rows of the activations, or the outputs of a dense
/// layer); j counts the `outputs`. The walks say where the values lie; nothing else depends on the layout.
struct ProductSpec {
  u32 terms = 0;
  u32 outputs = 0;
  VectorWalk x;  // vectors along i, one a term
  VectorWalk w;  // vectors along k, one an output
  VectorWalk y;  // vectors along i, one an output
  enum class Scale { none, constant, row } scale = Scale::none;
  u16 factor = 0;                 // Scale::constant
  PanelLayout row_factor_layout;  // Scale::row: the factor is a column of its own, one value for each i
  unsigned row_power = 0;         // Scale::row: sums are multiplied by 2^-row_power before that, in fp32
  enum class Bias { none, of_output, of_lane } bias = Bias::none;  // one value for each j or each i, in order
  std::optional<Activation> activation;
  bool residual = false;                          // added last; laid out as y, unless there is `shared_residual`
  std::optional<ResidualFactor> residual_factor;  // absent: y and the residual are added as they are
  // Several products side by side: each lane group has a w of its own, so many bytes behind that of the group before,
  // and all may have the same residual, which goes like this over one of them.
  i32 w_of_group = 0;
  std::optional<VectorWalk> shared_residual;
  // Terms in several launches: sums are laid out as two matrices like y, of the lower and the upper halves of their
  // bits.
  bool resume = false;   // the sums begin where an earlier launch has left them
  bool suspend = false;  // they are left for a later launch; nothing is rounded, y is not written

  [[nodiscard]] auto tied() const {
    return std::tie(terms, outputs, x, w, y, scale, factor, row_factor_layout, row_power, bias, activation, residual,
                    residual_factor, w_of_group, shared_residual, resume, suspend);
  }
  friend bool operator<(const ProductSpec& a, const ProductSpec& b) { return a.tied() < b.tied(); }
};

/// Launch registers. Those of what the spec leaves out are not read. Launch counts: level 0 = lane groups, level 1 =
/// `lanes` outputs each.
namespace product_register {
inline constexpr unsigned x = 0, y = 1, w = 2, row_factor = 3, constants = 4, bias = 5, residual = 6, sums_low = 7,
                          sums_high = 8;
}

struct ProductKernel {
  Kernel kernel;
  std::vector<u16> constants;      // for the scratchpad, whole vectors
  std::array<u32, 3> counts{};     // of the instance levels 1..3
  u32 outputs_per_instance = 0;    // of one PE
  std::array<u32, 3> shared_by{};  // PEs along lane groups, panels of outputs, blocks of outputs within a panel
};

/// @param groups  lane groups of a full launch
/// @throws CompileError  the operand memory is too small
[[nodiscard]] ProductKernel make_product_kernel(const CompilerTarget& target, const ProductSpec& spec, u32 groups);

}  // namespace bvp
