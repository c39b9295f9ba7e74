// SPDX-License-Identifier: Apache-2.0
// Tasks around matrix products: dense linear layers and attention.
#pragma once

#include <optional>
#include <string>

#include "platform/compiler/ir/dram_plan.h"
#include "platform/compiler/kernels/residual_factor.h"
#include "platform/compiler/passes/tile.h"
#include "platform/network/network.h"
#include "platform/network/tensors.h"

namespace bvp {

struct DenseLayer {
  std::string name;
  u32 layer = 0;
  const Tensor* weight = nullptr;  // [outputs, inputs]
  const Tensor* bias = nullptr;
  std::optional<Activation> activation;
  std::optional<MatrixPlace> residual;
};

/// Tasks that compute output = input * weight^T + bias, then activation and residual: row tiles by output tiles.
[[nodiscard]] Tasks dense_layer(const TaskPlanner& plan, DramPlan& dram, const DenseLayer& dense,
                                const MatrixPlace& input, const MatrixPlace& output);

/// A product in which one matrix is a constant: what follows the sums.
struct ConstantProduct {
  std::string name;
  u32 layer = 0;
  std::optional<u16> factor;  // of the sums
  std::optional<MatrixPlace> residual;
  std::optional<ResidualFactor> residual_factor;
};
/// y = x * matrix for a symmetric matrix.
[[nodiscard]] Tasks times_constant(const TaskPlanner& plan, DramPlan& dram, const ConstantProduct& product,
                                   const MatrixPlace& x, const MatrixPlace& matrix, const MatrixPlace& y);
/// y = matrix * x for each of `batch` elements of x and y, which follow each other; with the residual of each element.
[[nodiscard]] Tasks constant_times(const TaskPlanner& plan, DramPlan& dram, const ConstantProduct& product,
                                   const MatrixPlace& matrix, const MatrixPlace& x, const MatrixPlace& y, u64 batch);

/// y = r(x * w^T * factor) for each head, whose parts lie at fixed distances.
struct HeadProduct {
  std::string name;
  u32 layer = 0;
  u32 heads = 1;
  MatrixPlace x, w, y;  // of the first head
  i64 x_head = 0, w_head = 0, y_head = 0;
  u16 factor = 0;
};
[[nodiscard]] Tasks head_products(const TaskPlanner& plan, DramPlan& dram, const HeadProduct& heads);

struct Attention {
  std::string name;
  u32 layer = 0;
  u64 tokens = 0, batch = 1, heads = 1, width = 0;  // width: of a head
  u64 key_block = 0;                                // keys whose scores are in the scratchpad at a time
  std::optional<MatrixPlace> mask;                  // added to the scores, a row for each batch element
};

/// The block of keys with the least expected cycles. Returns all keys if that is best, or if nothing fits.
[[nodiscard]] u64 choose_key_block(const TaskPlanner& plan, Attention attention);

/// Tasks for mixed = softmax(q k^T / sqrt(width)) v. With several blocks of keys, each gives a partial result with
/// the maximum and the sum of its scores, and a last task merges them (docs/numerics.md).
[[nodiscard]] Tasks attention_core(const TaskPlanner& plan, DramPlan& dram, const Attention& attention,
                                   const MatrixPlace& q, const MatrixPlace& k, const MatrixPlace& v,
                                   const MatrixPlace& mixed);

}  // namespace bvp
