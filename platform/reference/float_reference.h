// SPDX-License-Identifier: Apache-2.0
// What the numbers must mean: a network in fp32, without fp16 rounding, to measure the error of fp16 results.
#pragma once

#include <vector>

#include "platform/network/network.h"
#include "platform/network/tensors.h"

namespace bvp {

/// One encoder layer applied to its own input, [batch, tokens, hidden].
/// @throws std::invalid_argument  a tensor is missing or has the wrong number of elements
[[nodiscard]] std::vector<float> reference_float(const Network& network, const TensorMap& parameters, u64 layer,
                                                 const Tensor& input);

/// The normalisation behind the last layer of a network with `norm: pre`.
[[nodiscard]] std::vector<float> reference_float_final_norm(const Network& network, const TensorMap& parameters,
                                                            const Tensor& input);

/// Token ids to vectors, [batch, tokens, hidden].
[[nodiscard]] std::vector<float> reference_float_embedding(const Network& network, const TensorMap& parameters,
                                                           const std::vector<u32>& tokens);

struct FloatLogits {
  std::vector<float> values;  ///< [batch, classes]
  double size = 0;            ///< Euclidean norm of the terms whose sums they are
};

/// The classifier head, from the encoder's output (behind the final normalisation, where there is one).
[[nodiscard]] FloatLogits reference_float_logits(const Network& network, const TensorMap& parameters,
                                                 const Tensor& output);

/// |got - want| / |want|, Euclidean norms; infinite if anything is not a number or the sizes differ.
/// @param least_size  divides instead where |want| is smaller: sums may cancel, and their errors do not
[[nodiscard]] double relative_error(const std::vector<u16>& got, const std::vector<float>& want, double least_size = 0);

}  // namespace bvp
