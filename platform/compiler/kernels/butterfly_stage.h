// SPDX-License-Identifier: Apache-2.0
// Stages of butterflies and their index bits: which layers a stage has, and where each bit lives while it runs. See
// docs/how_it_works.md, "The multilayer mapping".
#pragma once

#include <array>
#include <optional>
#include <tuple>
#include <vector>

#include "platform/compiler/kernels/residual_factor.h"
#include "platform/compiler/target.h"
#include "platform/network/network.h"

namespace bvp {

/// How the pairs of a layer are computed.
enum class PairForm {
  weights,  ///< real: two products and two fused multiply-adds, in place
  ratios,   ///< real, in normal form: two fused multiply-adds, of which one goes to another place
  complex,
  complex_ratios,  ///< of an FFT: six fused multiply-adds, in place
};
/// The scalars of a pair.
[[nodiscard]] constexpr u32 scalars_of(PairForm form) { return form == PairForm::weights ? 4 : 2; }

/// One stage over vectors of 2^index_bits points: what its kernel follows from. Strides are bytes in the scratchpad.
struct ButterflyStage {
  bool complex = false;
  bool ratios = false;  ///< complex: factors by ratios (fft_factor)
  /// Real points: layers in normal form (platform/network/normal_butterfly.h). Where there is a bias, it goes along
  /// with a scale, and a GELU takes sqrt(1/2) of its argument and leaves sqrt(2) of its result.
  bool normal = false;
  std::vector<bool> pays;  // normal: for each layer, whether it has all weights
  unsigned index_bits = 0;
  std::vector<unsigned> layer_bits;  // the index bit that each layer combines, in order
  /// Independent butterflies beside each other, innermost loop first: their number is the product of the counts.
  struct Stacks {
    u32 count = 1;
    i32 input_stride = 0;  // 0: all have the same input
    i32 output_stride = 0;
    [[nodiscard]] auto tied() const { return std::tie(count, input_stride, output_stride); }
    friend bool operator<(const Stacks& a, const Stacks& b) { return a.tied() < b.tied(); }
  };
  std::vector<Stacks> stacks;

  bool column_access = false;                    // lanes run over rows of the panel layout (columns of its tiles)
  std::vector<i32> input_stride, output_stride;  // per index bit; output: where that bit's value lies at the end
  i32 input_group_stride = 0, output_group_stride = 0;  // per lane group

  bool real_input = false;   // complex: the imaginary plane is 0 and not loaded
  bool real_output = false;  // complex: only the real plane is stored
  bool scale = false;        // multiply the inputs by scale_value first
  u16 scale_value = 0;
  std::optional<Activation> activation;
  bool bias = false;
  bool residual = false;
  std::optional<ResidualFactor> residual_factor;  // absent: the result and its residual are added as they are

  [[nodiscard]] PairForm form(unsigned layer) const {
    if (complex) return ratios ? PairForm::complex_ratios : PairForm::complex;
    return normal && !pays[layer] ? PairForm::ratios : PairForm::weights;
  }

  [[nodiscard]] auto tied() const {
    return std::tie(complex, ratios, normal, pays, index_bits, layer_bits, stacks, column_access, input_stride,
                    output_stride, input_group_stride, output_group_stride, real_input, real_output, scale, scale_value,
                    activation, bias, residual, residual_factor);
  }
  friend bool operator<(const ButterflyStage& a, const ButterflyStage& b) { return a.tied() < b.tied(); }
};

using Bits = std::vector<unsigned>;  ///< numbers of index bits

/// Divides bits into runs along which both strides double from bit to bit.
template <class Input, class Output>
std::vector<Bits> linear_runs(const Bits& bits, const Input& input, const Output& output) {
  std::vector<Bits> runs;
  for (const unsigned bit : bits) {
    if (!runs.empty() && input(bit) == 2 * input(runs.back().back()) && output(bit) == 2 * output(runs.back().back())) {
      runs.back().push_back(bit);
    } else {
      runs.push_back({bit});
    }
  }
  return runs;
}

/// The place of each index bit while the stage runs.
struct BitPlan {
  std::vector<unsigned> local;   // position -> index bit; the last position is the group bit
  std::vector<unsigned> pe;      // bit of the PE index -> index bit
  std::vector<unsigned> window;  // index bits over which instances run, lowest first
  unsigned first_exchange = 0;   // layers before this one are local
};

[[nodiscard]] BitPlan plan_bits(const ButterflyStage& stage, unsigned local_bits, unsigned pe_bits);

/// Bits of the index of the PEs that share a butterfly of 2^index_bits points.
[[nodiscard]] unsigned pe_bits_of(const CompilerTarget& target, unsigned index_bits);
/// The largest number of layers of a stage.
[[nodiscard]] unsigned stage_limit_bits(const CompilerTarget& target);

/// Reverses the order of the places of these index bits: the highest bit gets the lowest of their places, and so on.
/// Every stage of an FFT leaves its bits reversed like this, so that the last stage finds the bits of earlier stages in
/// the order in which it stores them.
void reverse_places(std::vector<unsigned>& place_of_bit, std::vector<unsigned> bits);

/// What decides how many layers of a butterfly the operand memory can hold.
struct LayerNeeds {
  bool complex = false;
  u32 pair_scalars = 4;   // of a layer, at most
  u32 point_scalars = 1;  // bias and scale
  [[nodiscard]] static LayerNeeds of_fft() { return {true, scalars_of(PairForm::complex), 1}; }
  /// @param pays  as in ButterflyStage, of all layers
  [[nodiscard]] static LayerNeeds of_real(bool normal, const std::vector<bool>& pays);
};

/// The number of layers of each stage, if `layers` layers are computed on vectors of 2^index_bits points.
[[nodiscard]] std::vector<unsigned> divide_into_stages(const CompilerTarget& target, unsigned index_bits,
                                                       const LayerNeeds& needs, unsigned layers);

}  // namespace bvp
