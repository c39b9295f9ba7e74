// SPDX-License-Identifier: Apache-2.0
// Operators of an encoder layer as launches of a task.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "platform/compiler/ir/task_builder.h"
#include "platform/compiler/kernels/kernel_library.h"
#include "platform/compiler/kernels/merge_kernel.h"
#include "platform/compiler/kernels/product_kernel.h"
#include "platform/compiler/kernels/residual_factor.h"
#include "platform/compiler/kernels/row_kernels.h"
#include "platform/network/network.h"
#include "platform/network/normal_butterfly.h"
#include "platform/network/tensors.h"

namespace bvp {

/// Columns that a butterfly linear layer reads (zero beyond the inputs) and writes.
struct LinearShape {
  u64 points = 0;  // next power of two of the inputs
  /// Number of stacks, which is raised to fill a panel: if several stacks share a panel of `lanes` columns and one
  /// panel is not enough, zeros follow the outputs up to a whole panel.
  u64 stacks = 0;
  u64 inputs = 0, outputs = 0;
  /// The last layers that are computed block by block (BlockLayersSpec). The layers before them are butterflies of
  /// their own on the blocks of block_points() points; of those the first `blocks` have inputs, and of a single stack
  /// the first `kept` have outputs.
  unsigned block_layers = 0;
  u64 blocks = 1, kept = 1;

  LinearShape(u64 inputs, u64 outputs, u32 lanes, unsigned block_layers = 0);
  [[nodiscard]] u64 block_points() const { return points >> block_layers; }
  [[nodiscard]] u64 read() const { return blocks * block_points(); }
  [[nodiscard]] u64 written() const { return (stacks - 1) * points + kept * block_points(); }
  /// Columns that hold something until all is computed.
  [[nodiscard]] u64 worked() const { return std::max(written(), (stacks - 1) * points + read()); }
};

struct LinearOperator {
  std::string name;
  const Tensor* twiddle = nullptr;
  const Tensor* bias = nullptr;
  u64 inputs = 0, outputs = 0;
  u32 first_stack = 0;  // of the twiddle and the bias, where the operator is a part of a linear layer
  std::optional<Activation> activation;
  unsigned block_layers = 0;                      // LinearShape
  std::optional<TileBuffer> residual;             // same number of rows as the output buffer
  std::shared_ptr<const NormalButterfly> normal;  // the normal form of the twiddle; nullptr: it is computed in pairs

  [[nodiscard]] LinearShape shape(u32 lanes) const { return {inputs, outputs, lanes, block_layers}; }
  /// For each of `count` layers from `first` on: whether it has all weights. Empty if in pairs.
  [[nodiscard]] std::vector<bool> paying_layers(unsigned first, unsigned count) const;
};

/// Scalars of the pair whose lower point is `index` (PairWeights), and bias and scale of a point: zeros for points that
/// are cut off.
[[nodiscard]] std::array<u16, 4> twiddle_of(const LinearOperator& op, const LinearShape& shape, u32 stack,
                                            unsigned layer, u32 index);
[[nodiscard]] u16 bias_of(const LinearOperator& op, const LinearShape& shape, u32 stack, u32 index);
[[nodiscard]] u16 scale_of(const LinearOperator& op, const LinearShape& shape, u32 stack, u32 index);
/// The factor of an FFT's pair: `layer` counts from the first, `index` is that of the input. {re, im, 0, 0}, or with
/// `ratios` {ratio, large, 0, 0}: large is the one of re and im whose magnitude is larger (re if they are equal), ratio
/// the other one over it, with NormalButterfly::swap_bit where large is im.
[[nodiscard]] std::array<u16, 4> fft_factor(unsigned index_bits, unsigned layer, u32 index, bool ratios);
[[nodiscard]] u16 fft_scale(u64 points);

/// Adds the launches of a butterfly kernel.
/// @param weights  their place, and whether that is in the weight area
/// @param results  what all launches together leave and no later launch changes
struct WeightPlace {
  u32 offset = 0;
  bool in_weight_area = true;
};
void add_butterfly_launches(TaskBuilder& task, const KernelLibrary::Butterfly& kernel, const std::string& name,
                            const ButterflyStage& stage, u32 groups, u32 tail_groups,
                            std::vector<LaunchStep::Register> registers, const WeightPlace& weights,
                            const std::vector<KernelResult>& results);

/// BPMM on the rows of a tile; `input` may be `output`.
void add_butterfly_linear(TaskBuilder& task, const KernelLibrary& kernels, const LinearOperator& op,
                          const TileBuffer& input, const TileBuffer& output);

struct FftOperator {
  std::string name;
  u64 points = 0;           // power of two
  bool along_rows = false;  // true: along the rows (tokens), lanes over the columns
  bool ortho = true;
  std::optional<u16> scale;  // what the inputs are multiplied by; absent: fft_scale() where `ortho`, otherwise 1
  bool real_input = false;
  bool real_output = false;
  std::optional<TileBuffer> residual;
  std::optional<ResidualFactor> residual_factor;
  std::optional<KernelResult::Extent> rows, columns;  // of the result, that mean something; absent: the tile's, all
  u32 groups = 0, tail_groups = 0;                    // lane groups of the other dimension
  /// Several transforms in the same buffers: bytes from one to the next in the input and the work buffers, and in the
  /// output. What they leave goes to another kernel, and is seen in what that one makes of it.
  struct Parts {
    u32 count = 1;
    u32 input = 0, output = 0;
    u32 step = 1;  // along the rows: from one input point to the next, in rows
  };
  std::optional<Parts> parts;
};
/// `work_re` and `work_im` hold the intermediate planes of an FFT of several stages (they may be the input, if that
/// is complex); the output must not be the input of the last stage. Imaginary buffers are ignored where real.
void add_fft(TaskBuilder& task, const KernelLibrary& kernels, const FftOperator& op, const TileBuffer& input_re,
             const TileBuffer& input_im, const TileBuffer& work_re, const TileBuffer& work_im,
             const TileBuffer& output_re, const TileBuffer& output_im);

void add_layer_norm(TaskBuilder& task, const KernelLibrary& kernels, const std::string& name, const Tensor& weight,
                    const Tensor& bias, double epsilon, const TileBuffer& input, const TileBuffer& output);

/// output = r(factor * s + x) for the rows of a tile; the output may be s or x.
void add_scaled_sum(TaskBuilder& task, const KernelLibrary& kernels, const std::string& name, u64 columns, u16 factor,
                    const TileBuffer& s, const TileBuffer& x, const TileBuffer& output);

/// Heads of a tile that lie one below the other.
struct HeadStack {
  u32 keys = 0;        // rows from the keys of one head to those of the next, and of the values: a multiple of `lanes`
  bool whole = false;  // every row of a lane group is a query
};
/// output = softmax(q k^T / sqrt(width)) v for the rows of a tile and one head.
/// @param power  softmax_power() of all keys
/// @param statistics  three columns (softmax_column); `for_merge`: all of them are written
/// @param mask  a value for each key, in order from the buffer's first byte on, which is added to the scores
/// @param stack    several heads, one below the other: each lane group of rows has keys and values of its own
/// @param pattern  a value for each score, laid out as the scores, which is added to them after that: 0, or -infinity
///                 for a key that the query does not see; in a stack, those of one lane group, which all have
void add_attention(TaskBuilder& task, const KernelLibrary& kernels, const std::string& name, u64 keys, u64 width,
                   unsigned power, const TileBuffer& q, const TileBuffer& k, const TileBuffer& v,
                   const std::optional<TileBuffer>& mask, const TileBuffer& scores, const TileBuffer& statistics,
                   bool for_merge, const TileBuffer& output, const std::optional<WeightPlace>& pattern = {},
                   const std::optional<HeadStack>& stack = {});
/// The first part of add_attention() alone: scores = q k^T / sqrt(width), for a stack of heads.
void add_scores(TaskBuilder& task, const KernelLibrary& kernels, const std::string& name, u64 keys, u64 width,
                const TileBuffer& q, const TileBuffer& k, const TileBuffer& scores, const HeadStack& stack);
/// Joins `blocks` partial results. Each of them is the panels of an output followed by its statistics.
void add_merge(TaskBuilder& task, const KernelLibrary& kernels, const std::string& name, u32 blocks, u64 width,
               const TileBuffer& partial, const TileBuffer& output);

/// 1 / sqrt(width), by which scores are multiplied.
[[nodiscard]] u16 attention_factor(u64 width);

struct DenseOperator {
  std::string name;
  u64 inputs = 0, outputs = 0;
  bool transposed = false;    // the weight has a row for each input
  bool over_outputs = false;  // lanes run over outputs, not rows: nothing but a weight that is not
                              // transposed is taken by column; `row_factor` is not set then
  std::optional<KernelResult::Extent> result_columns;  // the columns that have a meaning; absent: all outputs
  std::optional<u16> factor;                           // multiplies all sums; absent if there are row factors
  std::optional<TileBuffer> row_factor;                // a factor for each row, in the buffer's first column
  unsigned row_power = 0;                              // as ProductSpec::row_power
  std::optional<TileBuffer> bias;  // a value for each output, in order from the buffer's first byte on
  std::optional<Activation> activation;
  std::optional<TileBuffer> residual;
  std::optional<ResidualFactor> residual_factor;
  /// Used if the inputs are divided among several tasks: each task but the first begins with sums, and each but the
  /// last leaves sums.
  struct Sums {
    TileBuffer low, high;
    bool resume = false, suspend = false;
  };
  std::optional<Sums> sums;
};
/// output = input * weight^T, followed by factor, bias, activation and residual. `weight` has a row for each output or,
/// with `transposed`, for each input. If sums are suspended, only the sums are written.
void add_dense(TaskBuilder& task, const KernelLibrary& kernels, const DenseOperator& op, const TileBuffer& input,
               const TileBuffer& weight, const TileBuffer& output);

}  // namespace bvp
