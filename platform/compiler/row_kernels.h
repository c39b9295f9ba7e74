// SPDX-License-Identifier: Apache-2.0
// Kernels whose lanes run over rows (tokens, queries) and whose PEs share out lane groups: layer
// normalisation, softmax, and matrix products with fp32 accumulation.
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "models/isa/kernel.h"
#include "platform/compiler/layout.h"
#include "platform/compiler/target.h"

namespace bvp {

struct RowKernel {
  Kernel kernel;
  std::vector<u16> weights;     // for the scratchpad, whole vectors
  std::array<u32, 3> counts{};  // of the instance levels 1..3
};

/// y = (x - mean) / sqrt(variance + epsilon) * weight + bias over `columns` columns.
/// Launch registers: input, output, weights. Launch counts: level 0 = lane groups of rows.
struct LayerNormSpec {
  u32 columns = 0;
  double epsilon = 1e-5;
  PanelLayout layout;  // of input and output
  std::function<u16(u32 column)> weight, bias;
};
namespace layer_norm_register {
inline constexpr unsigned input = 0, output = 1, weights = 2;
}
[[nodiscard]] RowKernel make_layer_norm_kernel(const CompilerTarget& target, const LayerNormSpec& spec);

/// In place over `columns` columns: x = exp(x - maximum of the row); reciprocal = 1 / sum of the row, one column.
/// Launch registers: scores, reciprocal (a panel: column 0 of it is written), weights.
/// Launch counts: level 0 = lane groups of rows.
struct SoftmaxSpec {
  u32 columns = 0;
  PanelLayout layout;  // of the scores
  PanelLayout reciprocal_layout;
};
namespace softmax_register {
inline constexpr unsigned scores = 0, reciprocal = 1, weights = 2;
}
[[nodiscard]] RowKernel make_softmax_kernel(const CompilerTarget& target, const SoftmaxSpec& spec);

/// y[row][j] = factor * sum over k < terms of x[row][k] * w(j, k), in fp32, rounded once at the end.
/// w(j, k) is row j, column k of the weight matrix, or with `transposed` row k, column j.
/// Launch registers: x, y, w, reciprocal, constants. Launch counts: level 0 = lane groups of rows.
struct ProductSpec {
  u32 terms = 0;
  u32 outputs = 0;
  bool transposed = false;
  PanelLayout x, y, w;
  bool row_factor = false;  // the factor is a column of its own, one value a row; otherwise `factor`
  PanelLayout row_factor_layout;
  u16 factor = 0;
};
namespace product_register {
inline constexpr unsigned x = 0, y = 1, w = 2, row_factor = 3, constants = 4;
}
struct ProductKernel {
  Kernel kernel;
  std::vector<u16> constants;
  std::array<u32, 3> counts{};  // of the instance levels 1..3
};
[[nodiscard]] ProductKernel make_product_kernel(const CompilerTarget& target, const ProductSpec& spec, u32 groups);

}  // namespace bvp
