// SPDX-License-Identifier: Apache-2.0
// Where the scalars of a butterfly kernel lie in the scratchpad. The kernel follows from the order alone, so that
// kernels of equal layers are one kernel; the values are put in order when the network is laid out.
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "platform/compiler/kernels/butterfly_stage.h"

namespace bvp {

/// The scalars of the pair of points whose lower one has this index: real {w00, w01, w10, w11} or in normal form the
/// ratios {lower row, upper row, -, -}, complex {re, im, -, -} or by ratios {ratio, large, -, -}.
using PairWeights = std::function<std::array<u16, 4>(u32 stack, unsigned layer, u32 index)>;
/// The bias or the scale of an output point. The point has the number that its index had before the stage, because the
/// bits return to their places.
using PointScalar = std::function<u16(u32 stack, u32 index)>;

/// The pairs of a layer in the order in which the Cal segment processes them, as loops over pair positions.
struct PairLoops {
  unsigned position = 0;  // local position that the layer combines
  // The other local positions, innermost first; the first `inner` of them are trip level 0.
  std::vector<unsigned> order;
  unsigned inner = 0;
};

/// @param local  the layer combines two local positions: layer < plan.first_exchange
[[nodiscard]] PairLoops pair_loops(const BitPlan& plan, unsigned local_bits, unsigned layer_bit, bool local);

class ButterflyWeights {
 public:
  ButterflyWeights() = default;
  /// @param plan         its windows without the launch bits
  /// @param launch_bits  window bits that number the launches
  ButterflyWeights(const ButterflyStage& stage, BitPlan plan, Bits launch_bits, unsigned local_bits, u32 pes,
                   u32 lanes);

  /// The words for the scratchpad, whole vectors: for each launch, weight set and PE one block; behind those of a
  /// launch its constants.
  /// @param bias   is called only where the stage has a bias
  /// @param scale  is called only where the stage has a bias and is in normal form
  [[nodiscard]] std::vector<u16> words(const PairWeights& weights, const PointScalar& bias,
                                       const PointScalar& scale = {}) const;
  [[nodiscard]] std::size_t word_count() const { return launches() * launch_words(); }

  // In a block, in scalars.
  [[nodiscard]] u32 layer_offset(unsigned layer) const { return layer_offset_[layer]; }
  [[nodiscard]] u32 bias_offset() const { return bias_offset_; }
  [[nodiscard]] u32 scale_offset() const { return scale_offset_; }
  [[nodiscard]] u32 block_vectors() const { return block_vectors_; }
  /// The place of the constants, in bytes from the first block of a launch on.
  [[nodiscard]] u32 constants_at() const { return static_cast<u32>(blocks_of_launch() * block_words() * 2); }
  [[nodiscard]] u32 constant_vectors() const;
  /// The index of the residual's factor among the constants, where there is one.
  static constexpr u16 residual_constant = 4;
  /// Bytes from the first word on.
  [[nodiscard]] u32 launch_at(u32 launch) const { return static_cast<u32>(launch * launch_words() * 2); }

  // The index bits at the local positions and of the PE once the stage is done: exchanges swap the group bit with a PE
  // bit.
  [[nodiscard]] const Bits& local_end() const { return local_end_; }
  [[nodiscard]] const Bits& pe_end() const { return pe_end_; }

 private:
  /// Identifies the scalars of a block.
  struct Block {
    u32 pe = 0, window = 0, stack = 0, launch = 0;
  };
  [[nodiscard]] u32 index_at(u32 local, const Block& block, const Bits& local_now, const Bits& pe_now) const;
  [[nodiscard]] std::vector<u16> words_of(const Block& block, const PairWeights& weights, const PointScalar& bias,
                                          const PointScalar& scale) const;
  [[nodiscard]] std::vector<u16> constants() const;
  [[nodiscard]] bool is_local(unsigned layer) const { return layer < plan_.first_exchange; }
  void swap_group_bit(unsigned layer, Bits& local_now, Bits& pe_now) const;
  [[nodiscard]] std::size_t launches() const { return std::size_t{1} << launch_bits_.size(); }
  [[nodiscard]] std::size_t blocks_of_launch() const { return std::size_t{stack_count_} * pes_ << plan_.window.size(); }
  [[nodiscard]] std::size_t block_words() const { return std::size_t{block_vectors_} * lanes_; }
  [[nodiscard]] std::size_t launch_words() const {
    return blocks_of_launch() * block_words() + std::size_t{constant_vectors()} * lanes_;
  }

  bool bias_ = false, scale_ = false;
  u16 scale_value_ = 0;
  std::optional<ResidualFactor> residual_factor_;
  std::optional<Activation> activation_;
  std::vector<PairForm> forms_;  // of the layers
  Bits layer_bits_;
  u32 stack_count_ = 1;
  BitPlan plan_;
  Bits launch_bits_;
  unsigned local_bits_ = 1;
  u32 pes_ = 1, lanes_ = 1;
  std::vector<u32> layer_offset_;
  u32 bias_offset_ = 0, scale_offset_ = 0, block_vectors_ = 0;
  Bits local_end_, pe_end_;
};

}  // namespace bvp
