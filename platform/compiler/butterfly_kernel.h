// SPDX-License-Identifier: Apache-2.0
// Kernels for butterflies: one stage of a BPMM or of an FFT, that is a run of layers that the array executes
// on closed sets without going back to the scratchpad. See docs/how_it_works.md, "The multilayer mapping".
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <vector>

#include "models/isa/kernel.h"
#include "platform/compiler/target.h"
#include "platform/network/network.h"

namespace bvp {

/// One stage over vectors of 2^index_bits points. Strides are bytes in the scratchpad.
struct ButterflyStage {
  bool complex = false;
  unsigned index_bits = 0;
  std::vector<unsigned> layer_bits;  // the index bit that each layer combines, in order
  u32 stacks = 1;                    // independent butterflies on the same input (BPMM)

  bool column_access = false;                    // lanes run over rows of the panel layout (columns of its tiles)
  std::vector<i32> input_stride, output_stride;  // per index bit; output: where that bit's value lies at the end
  std::vector<i32> stack_stride;                 // of the output, per bit of the stack's number
  bool input_stacked = false;                    // every stack has an input of its own, stack_stride apart
  i32 input_group_stride = 0, output_group_stride = 0;  // per lane group

  bool real_input = false;   // complex: the imaginary plane is 0 and not loaded
  bool real_output = false;  // complex: only the real plane is stored
  bool scale = false;        // multiply the inputs by scale_value first
  u16 scale_value = 0;
  std::optional<Activation> activation;
  bool bias = false;
  bool residual = false;

  /// Nothing: zeros, to learn sizes only. Weights of the pair whose lower point is `index`: real {w00, w01, w10, w11},
  /// complex {re, im, -, -}.
  std::function<std::array<u16, 4>(u32 stack, unsigned layer, u32 index)> weights;
  /// Bias of an output point (numbered by its index before the stage: the bits are in place).
  std::function<u16(u32 stack, u32 index)> bias_of;
};

/// Launch registers of a butterfly kernel.
namespace butterfly_register {
inline constexpr unsigned input = 0, input_imaginary = 1, output = 2, output_imaginary = 3, residual = 4, weights = 5;
}

struct ButterflyKernel {
  Kernel kernel;
  std::vector<u16> weights;     // for the scratchpad, whole vectors
  std::array<u32, 3> counts{};  // of the instance levels 0..2; level 3 counts groups of lane groups
  u32 groups_per_instance = 1;  // lane groups
  unsigned exchanges = 0;
  u32 local_points = 0;           // per PE
  bool weights_resident = false;  // loaded once per launch
};

/// @param groups  lane groups of rows of a full launch
/// Throws CompileError if the closed set does not fit the operand memory.
[[nodiscard]] ButterflyKernel make_butterfly_kernel(const CompilerTarget& target, const ButterflyStage& stage,
                                                    u32 groups);

/// Exchanges the places of these index bits: the highest gets the lowest place of theirs, and so on. Stages of an FFT
/// leave their bits like this, so that the last one finds those before it in the order in which it stores them.
void reverse_places(std::vector<unsigned>& place_of_bit, std::vector<unsigned> bits);

/// How many layers each stage has when `layers` layers are computed on vectors of 2^index_bits points.
[[nodiscard]] std::vector<unsigned> divide_into_stages(const CompilerTarget& target, unsigned index_bits, bool complex,
                                                       unsigned layers);

}  // namespace bvp
