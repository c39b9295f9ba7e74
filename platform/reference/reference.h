// SPDX-License-Identifier: Apache-2.0
// Computes natively on the host what the platform must compute, bit for bit: the same fp16 operations in the same
// order.
#pragma once

#include <map>
#include <vector>

#include "platform/network/network.h"
#include "platform/network/tensors.h"

namespace bvp {

/// Orders of operation that the machine's size decides (docs/numerics.md).
struct ReferenceOptions {
  u64 key_block = 0;        ///< keys that attention takes at a time, 0: all
  u64 sum_ways = 1;         ///< interleaved parts of the sums of layer norm and softmax: a power of two, at most 16
  bool normalised = false;  ///< butterflies are computed in normal form
  /// Two-dimensional transforms have the real form. Hidden is an even number then, unless the transform along the
  /// tokens is a product.
  bool real_fft = false;
  /// Transforms of exact lengths that are no powers of two: the points of the power-of-two transforms in them, which
  /// divide the length; 0: the largest power of two that does.
  u64 fft_token_points = 0;
  u64 fft_hidden_points = 0;
  /// Of each layer, the queries that attention with a window takes at a time; a layer that is not here: all.
  std::vector<u64> query_blocks = {};
  /// The factors of the FFT are taken apart into a ratio and the larger part.
  bool twiddle_ratios = false;
};

/// The blocks of keys that layers with topk have chosen, by layer: of each batch element, head and block of queries
/// `top_blocks` numbers, ascending.
using BlockChoices = std::map<u64, std::vector<u32>>;

/// @param parameters  named and shaped as parameter_specs() says
/// @param input       [batch, tokens, hidden]
/// @param mask        [batch, tokens]: what is added to the scores of each token (load_mask); empty: there is no mask
/// @param choices     receives what topk has chosen; may be null
/// @return "layers.I.output" of every encoder layer and "output", each [batch, tokens, hidden], and where there is a
///         classifier head "logits" [batch, classes]
/// @throws std::invalid_argument  a tensor is missing or has the wrong number of elements
[[nodiscard]] TensorMap reference_network(const Network& network, const TensorMap& parameters, const Tensor& input,
                                          const ReferenceOptions& options = {}, const Tensor& mask = {},
                                          BlockChoices* choices = nullptr);

/// The output of the embedding for token ids: [batch, tokens, hidden].
/// @throws std::invalid_argument  a tensor is missing or has the wrong number of elements, or an id is not below the
///         vocabulary
[[nodiscard]] Tensor reference_embedding(const Network& network, const TensorMap& parameters,
                                         const std::vector<u32>& tokens, const ReferenceOptions& options = {});

/// The same for patches: [batch, tokens, patch_values].
[[nodiscard]] Tensor reference_patch_embedding(const Network& network, const TensorMap& parameters,
                                               const Tensor& patches, const ReferenceOptions& options = {});

}  // namespace bvp
