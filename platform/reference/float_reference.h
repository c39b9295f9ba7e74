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

/// |got - want| / |want|, Euclidean norms; infinite if anything is not a number or the sizes differ.
[[nodiscard]] double relative_error(const std::vector<u16>& got, const std::vector<float>& want);

}  // namespace bvp
