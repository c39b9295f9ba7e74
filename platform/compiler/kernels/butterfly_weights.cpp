// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/kernels/butterfly_weights.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "platform/compiler/kernels/activation.h"

namespace bvp {

namespace {

/// Puts the bits of `value`, in order, at the positions `places`.
u32 spread(u32 value, const Bits& places) {
  u32 result = 0;
  for (std::size_t i = 0; i < places.size(); ++i) result |= (value >> i & 1) << places[i];
  return result;
}

void pad(std::vector<u16>& words, u32 lanes) { words.resize((words.size() + lanes - 1) / lanes * lanes); }

}  // namespace

PairLoops pair_loops(const BitPlan& plan, unsigned local_bits, unsigned layer_bit, bool local) {
  PairLoops loops;
  loops.position = local_bits - 1;
  if (local) {
    loops.position =
        static_cast<unsigned>(std::find(plan.local.begin(), plan.local.end(), layer_bit) - plan.local.begin());
  }
  std::vector<unsigned> below, above;
  for (unsigned i = 0; i + 1 < local_bits; ++i) {
    if (i < loops.position) below.push_back(i);
    if (i > loops.position) above.push_back(i);
  }
  if (above.size() > below.size()) std::swap(above, below);
  loops.inner = std::min<unsigned>(static_cast<unsigned>(below.size()), 3);
  loops.order = below;
  loops.order.insert(loops.order.end(), above.begin(), above.end());
  if (local && loops.position != local_bits - 1) loops.order.push_back(local_bits - 1);
  if (loops.inner == 0 && !loops.order.empty()) loops.inner = 1;
  return loops;
}

ButterflyWeights::ButterflyWeights(const ButterflyStage& stage, BitPlan plan, Bits launch_bits, unsigned local_bits,
                                   u32 pes, u32 lanes)
    : bias_(stage.bias),
      scale_(stage.bias && stage.normal),
      scale_value_(stage.scale ? stage.scale_value : u16{0}),
      residual_factor_(stage.residual ? stage.residual_factor : std::nullopt),
      activation_(stage.activation),
      layer_bits_(stage.layer_bits),
      stack_count_(std::accumulate(stage.stacks.begin(), stage.stacks.end(), 1u,
                                   [](u32 product, const auto& stacks) { return product * stacks.count; })),
      plan_(std::move(plan)),
      launch_bits_(std::move(launch_bits)),
      local_bits_(local_bits),
      pes_(pes),
      lanes_(lanes),
      local_end_(plan_.local),
      pe_end_(plan_.pe) {
  const u32 pairs = u32{1} << (local_bits - 1);
  u32 offset = 0;
  for (unsigned layer = 0; layer < layer_bits_.size(); ++layer) {
    if (!is_local(layer)) swap_group_bit(layer, local_end_, pe_end_);
    layer_offset_.push_back(offset);
    forms_.push_back(stage.form(layer));
    offset += pairs * scalars_of(forms_.back());
  }
  bias_offset_ = offset;
  if (bias_) offset += u32{1} << local_bits;
  scale_offset_ = offset;
  if (scale_) offset += u32{1} << local_bits;
  block_vectors_ = (offset + lanes - 1) / lanes;
}

std::vector<u16> ButterflyWeights::constants() const {
  const auto [of_argument, half, rest] = activation_constants(activation_);
  std::vector<u16> result{scale_value_, of_argument, half, rest};
  if (residual_factor_) result.push_back(residual_factor_->value);
  return result;
}

u32 ButterflyWeights::constant_vectors() const { return static_cast<u32>((constants().size() + lanes_ - 1) / lanes_); }

void ButterflyWeights::swap_group_bit(unsigned layer, Bits& local_now, Bits& pe_now) const {
  const auto found = std::find(pe_now.begin(), pe_now.end(), layer_bits_[layer]);
  std::swap(*found, local_now.back());
}

/// The index of the point at the position `local` within a closed set on one PE, when the bits lie as in `pe_now` and
/// `local_now`.
u32 ButterflyWeights::index_at(u32 local, const Block& block, const Bits& local_now, const Bits& pe_now) const {
  return spread(local, local_now) | spread(block.pe, pe_now) | spread(block.window, plan_.window) |
         spread(block.launch, launch_bits_);
}

/// For each of the scalars of a pair one run over all pairs, so that all layers share code; the two ratios of a pair
/// follow each other.
std::vector<u16> ButterflyWeights::words_of(const Block& block, const PairWeights& weights, const PointScalar& bias,
                                            const PointScalar& scale) const {
  const u32 pairs = u32{1} << (local_bits_ - 1);
  Bits local_now = plan_.local, pe_now = plan_.pe;
  std::vector<u16> words(bias_offset_);
  for (unsigned layer = 0; layer < layer_bits_.size(); ++layer) {
    if (!is_local(layer)) swap_group_bit(layer, local_now, pe_now);
    const PairLoops loops = pair_loops(plan_, local_bits_, layer_bits_[layer], is_local(layer));
    for (u32 pair = 0; pair < pairs; ++pair) {
      const u32 local = spread(pair, loops.order);
      const auto of_pair = weights(block.stack, layer, index_at(local, block, local_now, pe_now));
      const PairForm form = forms_[layer];
      for (unsigned v = 0; v < scalars_of(form); ++v) {
        // Instruction order: w00 and w10 for the products, then w01 and w11 for the sums.
        static constexpr std::array<unsigned, 4> real_order{0, 2, 1, 3};
        const std::size_t place = form == PairForm::ratios ? 2 * pair + v : std::size_t{v} * pairs + pair;
        words[layer_offset_[layer] + place] = of_pair[form == PairForm::weights ? real_order[v] : v];
      }
    }
  }
  const auto add_points = [&](const PointScalar& of_point) {
    for (u32 local = 0; local < u32{1} << local_bits_; ++local) {
      words.push_back(of_point(block.stack, index_at(local, block, local_now, pe_now)));
    }
  };
  if (bias_) add_points(bias);
  if (scale_) add_points(scale);
  pad(words, lanes_);
  return words;
}

std::vector<u16> ButterflyWeights::words(const PairWeights& weights, const PointScalar& bias,
                                         const PointScalar& scale) const {
  std::vector<u16> result;
  result.reserve(word_count());
  std::vector<u16> behind = constants();
  pad(behind, lanes_);
  for (u32 launch = 0; launch < launches(); ++launch) {
    for (u32 stack = 0; stack < stack_count_; ++stack) {
      for (u32 window = 0; window < u32{1} << plan_.window.size(); ++window) {
        for (u32 pe = 0; pe < pes_; ++pe) {
          const std::vector<u16> block = words_of({pe, window, stack, launch}, weights, bias, scale);
          result.insert(result.end(), block.begin(), block.end());
        }
      }
    }
    result.insert(result.end(), behind.begin(), behind.end());
  }
  return result;
}

}  // namespace bvp
