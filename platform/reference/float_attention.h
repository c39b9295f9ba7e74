// SPDX-License-Identifier: Apache-2.0
// What the fp32 references of all kinds of attention have in common.
#pragma once

#include <functional>
#include <vector>

#include "platform/network/attention_pattern.h"
#include "platform/reference/float_evaluation.h"

namespace bvp {

/// Projects the tokens, lets `attend` mix all heads, and projects the result.
[[nodiscard]] FloatPanels attention_of(const FloatEvaluation& evaluation, const FloatPanels& x, u64 layer,
                                       const std::function<void(const FloatPanels& query, const FloatPanels& key,
                                                                const FloatPanels& value, FloatPanels& mixed)>& attend);

/// The tokens of one head of a batch element, each a vector of values.
using HeadRows = std::vector<std::vector<float>>;

double inner_product(const std::vector<float>& a, const std::vector<float>& b);

/// Attention in which each query sees some of the keys, query by query, in double precision.
/// @param seen  returns the keys that each token of a head sees. @param head  counts those of all batch elements
[[nodiscard]] FloatPanels attention_to_some(
    const FloatEvaluation& evaluation, const FloatPanels& x, u64 layer,
    const std::function<std::vector<TokenRuns>(const HeadRows& queries, const HeadRows& keys, u64 head)>& seen);

/// Attention with the pattern that the layer's mixing declares.
[[nodiscard]] FloatPanels attention_in_pattern(const FloatEvaluation& evaluation, const FloatPanels& x, u64 layer);

}  // namespace bvp
