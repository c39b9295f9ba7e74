// SPDX-License-Identifier: Apache-2.0
// The last layers of a butterfly whose upper outputs nobody reads (output pruning).
#pragma once

#include <array>
#include <tuple>
#include <vector>

#include "models/isa/kernel.h"
#include "platform/compiler/kernels/butterfly_weights.h"
#include "platform/compiler/target.h"
#include "platform/program/layout.h"

namespace bvp {

/// The layers before have left 2^layers blocks of `columns` points side by side; layer k joins neighbours among the
/// 2^(layers - k) blocks that are left, and keeps the lower outputs. The blocks from `blocks` on are zero and are not
/// there. Block 0 takes the result: the point, its scale and bias, and the residual.
/// Launch counts: levels 0 and 1 share out the points, level 3 = lane groups of rows.
struct PrunedLayersSpec {
  unsigned layers = 1;
  bool normal = false;
  std::vector<bool> pays;  // normal: for each layer, whether it has all weights
  u32 blocks = 2;
  u32 columns = 0;     // a power of two, whole panels
  PanelLayout layout;  // of the points and of the residual
  bool residual = false;

  [[nodiscard]] PairForm form(unsigned layer) const {
    return normal && !pays[layer] ? PairForm::ratios : PairForm::weights;
  }
  /// Scalars of a pair whose lower output alone is computed.
  [[nodiscard]] u32 scalars(unsigned layer) const { return form(layer) == PairForm::ratios ? 1 : 2; }
  /// Pairs of a layer of which at least the lower block is there.
  [[nodiscard]] u32 pairs(unsigned layer) const { return (blocks + (u32{2} << layer) - 1) >> (layer + 1); }

  [[nodiscard]] auto tied() const { return std::tie(layers, normal, pays, blocks, columns, layout, residual); }
  friend bool operator<(const PrunedLayersSpec& a, const PrunedLayersSpec& b) { return a.tied() < b.tied(); }
};
namespace pruned_register {
inline constexpr unsigned points = 0, residual = 1, weights = 2;
}
inline constexpr unsigned most_pruned_layers = 3;  ///< with all weights, the code of 7 pairs fits the compact designs

struct PrunedLayersKernel {
  Kernel kernel;
  PrunedLayersSpec spec;
  std::array<u32, 3> counts{};  // of the instance levels 0..2
  u32 chunk = 1;                // points of an instance
  u32 block_words = 0;          // the scalars of a chunk, whole vectors
  u32 lanes = 1;

  /// The words for the scratchpad: a vector of zeros, then the scalars of each chunk.
  /// @param weights  of the pair whose lower point is `index`; layers count from the first of the kernel
  [[nodiscard]] std::vector<u16> words(const PairWeights& weights, const PointScalar& bias,
                                       const PointScalar& scale) const;
  [[nodiscard]] std::size_t word_count() const { return lanes + std::size_t{spec.columns / chunk} * block_words; }
};

/// @throws CompileError  the operand memory is too small
[[nodiscard]] PrunedLayersKernel make_pruned_layers_kernel(const CompilerTarget& target, const PrunedLayersSpec& spec);

}  // namespace bvp
