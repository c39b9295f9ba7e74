// SPDX-License-Identifier: Apache-2.0
// Tasks around matrix products: dense linear layers and attention.
#pragma once

#include <optional>
#include <string>

#include "platform/compiler/passes/plan.h"
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

/// A task that computes output = input * weight^T + bias, then activation and residual: row tiles by output tiles.
void add_dense_layer(Plan& plan, const DenseLayer& dense, const MatrixPlace& input, const MatrixPlace& output);

struct Attention {
  std::string name;
  u32 layer = 0;
  u64 tokens = 0, batch = 1, heads = 1, width = 0;  // width: of a head
  u64 key_block = 0;                                // keys whose scores are in the scratchpad at a time
};

/// The block of keys with the least expected cycles. Returns all keys if that is best, or if nothing fits.
[[nodiscard]] u64 choose_key_block(Plan& plan, Attention attention);

/// Tasks for mixed = softmax(q k^T / sqrt(width)) v. With several blocks of keys, each gives a partial result with
/// the maximum and the sum of its scores, and a last task merges them (docs/numerics.md).
void add_attention_core(Plan& plan, const Attention& attention, const MatrixPlace& q, const MatrixPlace& k,
                        const MatrixPlace& v, const MatrixPlace& mixed);

}  // namespace bvp
