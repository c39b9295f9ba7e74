// SPDX-License-Identifier: Apache-2.0
// What the fp16 references of all kinds of attention have in common.
#pragma once

#include <functional>

#include "platform/network/attention_pattern.h"
#include "platform/reference/half_evaluation.h"

namespace bvp {

/// One head of one batch element.
struct HalfHead {
  const HalfPanels &query, &key, &value;
  u64 element;
  std::size_t feature, width;  ///< the first feature of the head, and how many it has
};

/// Projects the tokens, lets `attend` mix each head, projects the result and adds the residual.
[[nodiscard]] HalfPanels attention_by_heads(const HalfEvaluation& evaluation, const HalfPanels& x,
                                            const HalfPanels& residual, u64 layer,
                                            const std::function<void(const HalfHead& head, HalfPanels& mixed)>& attend);

/// A value of a token in a head of x, which is its query, key or value. @param tokens  of a sequence
[[nodiscard]] u16 value_of(const HalfPanels& x, const HalfHead& head, u64 tokens, u64 token, std::size_t feature);

/// A block of queries attends to its keys. @param pattern  says which of them each query sees; nullptr: all
void attend_block(const HalfEvaluation& evaluation, const HalfHead& head, const QueryBlock& block,
                  const AttentionPattern* pattern, HalfPanels& mixed);

/// Attention with the pattern that the layer's mixing declares.
[[nodiscard]] MixedHalves attend_in_pattern(const HalfEvaluation& evaluation, const HalfPanels& x,
                                            const HalfPanels& residual, u64 layer);

}  // namespace bvp
