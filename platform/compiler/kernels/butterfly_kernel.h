// SPDX-License-Identifier: Apache-2.0
// Kernels for butterflies. A kernel is one stage of a BPMM or of an FFT: a run of layers that the array computes on
// closed sets without returning to the scratchpad. See docs/how_it_works.md, "The multilayer mapping".
#pragma once

#include <array>
#include <vector>

#include "models/isa/kernel.h"
#include "platform/compiler/kernels/butterfly_stage.h"
#include "platform/compiler/kernels/butterfly_weights.h"
#include "platform/compiler/target.h"

namespace bvp {

/// Launch registers of a butterfly kernel.
namespace butterfly_register {
inline constexpr unsigned input = 0, input_imaginary = 1, output = 2, output_imaginary = 3, residual = 4, weights = 5;
}

struct ButterflyKernel {
  Kernel kernel;
  ButterflyWeights weights;     // for the scratchpad
  std::array<u32, 3> counts{};  // of the instance levels 0..2; level 3 counts groups of lane groups
  /// Bytes to add to the registers of input, output and weights in each launch. There is one launch, unless the windows
  /// need more loops than there are instance levels.
  struct Launch {
    u32 input = 0, output = 0, weights = 0;
  };
  std::vector<Launch> launches;
  u32 groups_per_instance = 1;  // lane groups
  unsigned exchanges = 0;
  u32 local_points = 0;           // per PE
  bool weights_resident = false;  // loaded once per launch
};

/// @param groups  lane groups of rows of a full launch
/// Throws CompileError if the closed set does not fit the operand memory.
[[nodiscard]] ButterflyKernel make_butterfly_kernel(const CompilerTarget& target, const ButterflyStage& stage,
                                                    u32 groups);

}  // namespace bvp
