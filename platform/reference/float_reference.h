// SPDX-License-Identifier: Apache-2.0
// Evaluates a network in fp32, without fp16 rounding, to measure the error of fp16 results.
#pragma once

#include <vector>

#include "platform/network/network.h"
#include "platform/network/tensors.h"
#include "platform/reference/reference.h"

namespace bvp {

/// One encoder layer applied to its own input, [batch, tokens, hidden].
/// @param mask  [batch, tokens]: what is added to the scores of each token (load_mask); empty: there is no mask
/// @param choices  what layers with topk have chosen, which an error of rounding may decide; null: chosen anew
/// @throws std::invalid_argument  a tensor is missing or has the wrong number of elements
[[nodiscard]] std::vector<float> reference_float(const Network& network, const TensorMap& parameters, u64 layer,
                                                 const Tensor& input, const Tensor& mask = {},
                                                 const BlockChoices* choices = nullptr);

/// The normalisation behind the last layer, of a network that has one.
[[nodiscard]] std::vector<float> reference_float_final_norm(const Network& network, const TensorMap& parameters,
                                                            const Tensor& input);

/// Embeds token ids: returns [batch, tokens, hidden].
[[nodiscard]] std::vector<float> reference_float_embedding(const Network& network, const TensorMap& parameters,
                                                           const std::vector<u32>& tokens);

/// The same for patches: [batch, tokens, patch_values].
[[nodiscard]] std::vector<float> reference_float_patch_embedding(const Network& network, const TensorMap& parameters,
                                                                 const Tensor& patches);

struct FloatLogits {
  std::vector<float> values;  ///< [batch, classes]
  std::vector<double> sizes;  ///< of each sequence: Euclidean norm of the terms whose sums its logits are
};

/// The classifier head, from the encoder's output (behind the final normalisation, where there is one).
[[nodiscard]] FloatLogits reference_float_logits(const Network& network, const TensorMap& parameters,
                                                 const std::vector<float>& output);

/// The network from the input of `first_layer`, [batch, tokens, hidden], on: no rounding to fp16 on the way.
struct FloatResult {
  std::vector<float> output;  ///< [batch, tokens, hidden]
  FloatLogits logits;         ///< empty if there is no classifier head
};
[[nodiscard]] FloatResult reference_float_network(const Network& network, const TensorMap& parameters,
                                                  const std::vector<float>& input, u64 first_layer = 0,
                                                  const Tensor& mask = {}, const BlockChoices* choices = nullptr);

/// fp16 values as fp32.
[[nodiscard]] std::vector<float> widened(const std::vector<u16>& halves);

/// Differences over sizes, Euclidean norms; infinite where something is not a number.
struct RelativeError {
  double whole = 0;           ///< |got - want| / |want|
  double largest_of_row = 0;  ///< of a row over its norm
  std::size_t row = 0;        ///< the row that has it
};

/// @param row_length  values of a row
/// @param row_sizes   norms that divide where a row's own is smaller, one a row: sums may cancel, and their errors do
///                    not; empty: the median of the rows' norms, so that a row of next to nothing does not count
[[nodiscard]] RelativeError relative_error(const std::vector<u16>& got, const std::vector<float>& want,
                                           std::size_t row_length, const std::vector<double>& row_sizes = {});

}  // namespace bvp
