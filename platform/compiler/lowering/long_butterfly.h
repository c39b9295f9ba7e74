// SPDX-License-Identifier: Apache-2.0
// Butterflies and FFTs whose points do not fit a scratchpad half. They are computed in passes over the matrix in DRAM;
// each pass computes some of the layers on tiles that hold all points which differ only in the bits of those layers.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "platform/compiler/ir/dram_plan.h"
#include "platform/compiler/lowering/operators.h"
#include "platform/compiler/passes/tile.h"

namespace bvp {

/// Points along the columns of row-major matrices (lanes run over rows), or along the rows (lanes over columns).
struct LongButterfly {
  std::string name;
  u32 layer = 0;
  bool along_rows = false;
  unsigned index_bits = 0;
  u64 others = 0;  // rows, or columns if the points lie along the rows
  bool complex = false;
  std::vector<unsigned> layer_bits;  // the index bit that each layer combines, in order
  bool bit_reversed = false;         // the output's index has the bits of the input's in reverse
  bool normal = false;               // as in ButterflyStage
  std::vector<bool> pays;            // of all layers
  /// The scalars of the pair whose lower point is `index`.
  std::function<std::array<u16, 4>(unsigned layer, u32 index)> weights;
  std::optional<u16> scale;  // of the inputs
  bool real_input = false, real_output = false;
  std::function<u16(u32 index)> bias;          // may be empty
  std::function<u16(u32 index)> output_scale;  // normal, with a bias
  std::optional<Activation> activation;
  std::optional<ResidualFactor> residual_factor;
};

/// Matrices of 2^index_bits points; the imaginary ones are needed only for complex values. The input must not be
/// written.
struct LongButterflyPlaces {
  MatrixPlace input_re, input_im, output_re, output_im;
  std::optional<MatrixPlace> residual;  // laid out as the output
};

/// @throws CompileError  no division into passes fits
[[nodiscard]] Tasks long_butterfly(const TaskPlanner& plan, DramPlan& dram, const LongButterfly& butterfly,
                                   const LongButterflyPlaces& places);

/// The cost of the butterfly (TaskPlanner::cost).
inline constexpr u64 long_butterfly_impossible = ~u64{0};
[[nodiscard]] u64 long_butterfly_cost(const TaskPlanner& plan, const LongButterfly& butterfly,
                                      const LongButterflyPlaces& places);

/// An FFT without places and sizes: decimation in time, so layer k combines bit k of the position, which is bit
/// bits-1-k of the input's index.
[[nodiscard]] LongButterfly long_fft(const CompilerTarget& target, const std::string& name, unsigned index_bits,
                                     bool ortho);

/// A task that copies `columns` columns of all rows from DRAM to DRAM, and zeroes those up to `end`.
[[nodiscard]] TaskBuilder copy_task(const CompilerTarget& target, const std::string& name, u32 layer,
                                    const MatrixPlace& from, u64 columns, const MatrixPlace& to, u64 end);
/// A task that zeroes whole rows in DRAM.
[[nodiscard]] TaskBuilder zero_rows_task(const CompilerTarget& target, const std::string& name, u32 layer,
                                         const MatrixPlace& place, u64 first, u64 end);

}  // namespace bvp
