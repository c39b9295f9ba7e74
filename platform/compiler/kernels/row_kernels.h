// SPDX-License-Identifier: Apache-2.0
// Kernels whose lanes run over rows (tokens, queries) and whose PEs divide lane groups and columns among themselves:
// layer normalisation and softmax. PEs that work on the same rows exchange their parts of sums and maxima.
#pragma once

#include <array>
#include <tuple>
#include <vector>

#include "models/isa/kernel.h"
#include "platform/compiler/kernels/segment_builder.h"
#include "platform/compiler/target.h"
#include "platform/program/layout.h"

namespace bvp {

struct RowKernel {
  Kernel kernel;
  std::vector<u16> weights;     // constants for the scratchpad, whole vectors
  std::array<u32, 3> counts{};  // of the instance levels 1..3
  u32 sharing = 1;              // PEs that share the columns of a lane group
  u64 exchange_cycles = 0;      // that a lane group waits for sums and maxima of other PEs, an estimate
};

/// y = (x - mean) / sqrt(variance + epsilon) * weight + bias over `columns` columns.
/// Launch registers: input, output, weights: RowKernel::weights, and behind them row_scalars (row_passes.h).
/// Launch counts: level 0 = lane groups of rows.
struct LayerNormSpec {
  u32 columns = 0;
  double epsilon = 1e-5;
  PanelLayout input, output;  // both transposed or none

  [[nodiscard]] auto tied() const { return std::tie(columns, epsilon, input, output); }
  friend bool operator<(const LayerNormSpec& a, const LayerNormSpec& b) { return a.tied() < b.tied(); }
};
namespace layer_norm_register {
inline constexpr unsigned input = 0, output = 1, weights = 2;
}
/// Mean and variance stay in fp32, and so do the values computed from them. With the sum q of the squared differences,
/// 1 / sqrt(variance + epsilon) = sqrt(columns) / sqrt(q + columns * epsilon).
[[nodiscard]] std::vector<u16> layer_norm_constants(u32 lanes, u32 columns, double epsilon);
/// They begin with scalars: the fp32 halves (lower, upper) of 1 / columns, then those of sqrt(columns). From this
/// vector on there are two with the halves of columns * epsilon in all lanes.
[[nodiscard]] u32 layer_norm_offset_vector(u32 lanes);
/// The arithmetic of a layer norm; each adds its instructions to a segment.
namespace layer_norm_code {
/// The sum becomes the mean. `scalars`: the first of the constants.
void mean(SegmentBuilder& segment, SegmentOperand sum, SegmentOperand scalars);
/// The sum of squares becomes the reciprocal of the deviation. `offset`: the first vector of columns * epsilon.
void deviation(SegmentBuilder& segment, SegmentOperand squares, SegmentOperand offset, SegmentOperand scalars);
}  // namespace layer_norm_code
[[nodiscard]] RowKernel make_layer_norm_kernel(const CompilerTarget& target, const LayerNormSpec& spec, u32 groups);

/// A row's sum of up to `keys` exponentials, each at most 1, and the reciprocal of that sum are normal fp16 numbers
/// once the sum is multiplied by 2^-power: 0 for up to 16,384 keys.
[[nodiscard]] unsigned softmax_power(u64 keys);
/// A vector of minus infinities, and where the power is not 0 one of 2^-power.
[[nodiscard]] std::vector<u16> softmax_constants(u32 lanes, unsigned power);
namespace softmax_constant {
inline constexpr u32 power_vector = 1;
}
/// Adds total = r(sum * 2^-power) to a segment. `scalar`, the stream of 2^-power, is not read where the power is 0.
void round_total(SegmentBuilder& segment, SegmentOperand total, SegmentOperand sum, const Stream& scalar,
                 unsigned power);

/// In place over `columns` columns: x = exp(x - maximum of the row); into columns of their own (softmax_column)
/// reciprocal = 1 / sum of the row and, for a later merge, maximum and sum; that sum is multiplied by 2^-power.
/// Launch registers: scores, reciprocal (the panel of those columns), weights.
/// Launch counts: level 0 = lane groups of rows.
struct SoftmaxSpec {
  u32 columns = 0;
  PanelLayout layout;  // of the scores
  PanelLayout reciprocal_layout;
  unsigned power = 0;  // softmax_power() of all keys
  bool for_merge = false;

  [[nodiscard]] auto tied() const { return std::tie(columns, layout, reciprocal_layout, power, for_merge); }
  friend bool operator<(const SoftmaxSpec& a, const SoftmaxSpec& b) { return a.tied() < b.tied(); }
};
namespace softmax_register {
inline constexpr unsigned scores = 0, reciprocal = 1, weights = 2;
}
[[nodiscard]] RowKernel make_softmax_kernel(const CompilerTarget& target, const SoftmaxSpec& spec, u32 groups);

}  // namespace bvp
