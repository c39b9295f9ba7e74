// SPDX-License-Identifier: Apache-2.0
// The last layers of a butterfly, computed on whole blocks of points: blocks that are zero or that nobody reads are
// left out.
#pragma once

#include <array>
#include <optional>
#include <tuple>
#include <vector>

#include "models/isa/kernel.h"
#include "platform/compiler/kernels/butterfly_weights.h"
#include "platform/compiler/target.h"
#include "platform/network/network.h"
#include "platform/program/layout.h"

namespace bvp {

/// Each of the stacks has 2^layers blocks of `columns` points side by side; layer k works on blocks 2^k apart, on the
/// points with equal numbers. The blocks from `blocks` on are zero at first and are not read. The blocks before `kept`
/// take the results, each with scale and bias, activation or residual; the others are left with what they have.
/// Launch counts: levels 0 and 1 share out the points of a block, level 2 = stacks, level 3 = lane groups of rows.
struct BlockLayersSpec {
  unsigned layers = 1;
  bool normal = false;
  std::vector<bool> pays;  // normal: for each layer, whether it has all weights
  u32 stacks = 1;
  u32 blocks = 2;
  u32 kept = 1;
  u32 columns = 0;     // a power of two, whole panels
  PanelLayout layout;  // of the points and of the residual
  std::optional<Activation> activation;
  bool residual = false;  // not with an activation

  [[nodiscard]] PairForm form(unsigned layer) const {
    return normal && !pays[layer] ? PairForm::ratios : PairForm::weights;
  }

  [[nodiscard]] auto tied() const {
    return std::tie(layers, normal, pays, stacks, blocks, kept, columns, layout, activation, residual);
  }
  friend bool operator<(const BlockLayersSpec& a, const BlockLayersSpec& b) { return a.tied() < b.tied(); }
};
namespace block_register {
inline constexpr unsigned points = 0, residual = 1, weights = 2;
}
inline constexpr unsigned most_block_layers = 3;  ///< eight blocks: more need more code than a PE stores

struct BlockLayersKernel {
  Kernel kernel;
  BlockLayersSpec spec;
  std::array<u32, 3> counts{};  // of the instance levels 0..2
  u32 chunk = 1;                // points of a block that an instance takes
  u32 chunk_words = 0;          // the scalars of a chunk, whole vectors
  u32 lanes = 1;
  /// A scalar of each point of a chunk: of a layer's pair whose lower point lies in `block`, the one with the number
  /// `which`; or of the results of `block`.
  struct Scalar {
    enum class Kind { pair, bias, scale } kind = Kind::pair;
    unsigned layer = 0;
    u32 block = 0;
    unsigned which = 0;
  };
  std::vector<Scalar> scalars;  // in the order in which they lie

  /// The words for the scratchpad: a vector of zeros and the constants of the activation, then the scalars of each
  /// chunk.
  /// @param weights  layers count from the first of the kernel
  [[nodiscard]] std::vector<u16> words(const PairWeights& weights, const PointScalar& bias,
                                       const PointScalar& scale) const;
  [[nodiscard]] u32 constant_words() const;
  [[nodiscard]] std::size_t word_count() const {
    return constant_words() + std::size_t{spec.stacks} * (spec.columns / chunk) * chunk_words;
  }
};

/// @throws CompileError  the operand memory or the instruction store is too small
[[nodiscard]] BlockLayersKernel make_block_layers_kernel(const CompilerTarget& target, const BlockLayersSpec& spec);

}  // namespace bvp
