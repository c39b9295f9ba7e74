// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "platform/network/half.h"
#include "platform/reference/half_attention.h"
#include "platform/reference/rounding.h"

namespace bvp {

namespace {

/// One head of one batch element.
void attend(const HalfEvaluation& evaluation, const HalfHead& head, HalfPanels& mixed) {
  const Network& network = evaluation.network();
  const ReferenceKernels& kernels = evaluation.kernels();
  const ReferenceFunctions& functions = evaluation.functions();
  const std::size_t feature = head.feature, head_width = head.width;
  const std::size_t tokens = network.tokens, base = head.element * panels_for(tokens);
  const u16* const mask = evaluation.mask(head.element);
  const u16 factor = inverse_root(head_width);
  // The unit of a row's sum of exponentials: small enough that the sum and its reciprocal stay normal numbers.
  float unit = 1;
  while (static_cast<double>(tokens) * static_cast<double>(unit) >= 16385) unit /= 2;
  std::vector<float> keys(tokens * head_width);    // [token][feature]
  std::vector<float> values(tokens * head_width);  // [feature][token]
  for (std::size_t token = 0; token < tokens; ++token) {
    for (std::size_t d = 0; d < head_width; ++d) {
      const std::size_t panel = base + token / panel_width;
      keys[token * head_width + d] = from_half(head.key.row(panel, feature + d)[token % panel_width]);
      values[d * tokens + token] = from_half(head.value.row(panel, feature + d)[token % panel_width]);
    }
  }
  const std::size_t keys_at_once = evaluation.options().key_block == 0 ? tokens : evaluation.options().key_block;
  const std::size_t block = std::max<std::size_t>(1, std::min<std::size_t>(keys_at_once, tokens));
  const std::size_t blocks = (tokens + block - 1) / block;
  std::vector<float> queries(head_width * panel_width);
  std::vector<float> scores(block * panel_width);
  std::vector<float> weights(block * panel_width);
  std::vector<float> sums(head_width * panel_width);
  std::vector<u16> maxima(blocks * panel_width), totals(blocks * panel_width), inverse(panel_width);
  std::vector<u16> partial(blocks * head_width * panel_width);
  for (std::size_t panel = base; panel < base + panels_for(tokens); ++panel) {
    kernels.widen(queries.size(), head.query.row(panel, feature), queries.data());
    for (std::size_t i = 0; i < blocks; ++i) {
      const std::size_t first = i * block, count = std::min(block, tokens - first);
      kernels.multiply(count, head_width, keys.data() + first * head_width, head_width, queries.data(), scores.data());
      kernels.softmax(count, evaluation.options().sum_ways, scores.data(), factor,
                      mask == nullptr ? nullptr : mask + first, unit, functions.exp.data(), functions.reciprocal.data(),
                      weights.data(), maxima.data() + i * panel_width, totals.data() + i * panel_width, inverse.data());
      kernels.multiply(head_width, count, values.data() + first, tokens, weights.data(), sums.data());
      kernels.round_scaled(head_width, sums.data(), unit, inverse.data(),
                           partial.data() + i * head_width * panel_width);
    }
    if (blocks == 1) {
      std::copy(partial.begin(), partial.end(), mixed.row(panel, feature));
    } else {
      kernels.merge(blocks, head_width, maxima.data(), totals.data(), partial.data(), functions.exp.data(),
                    functions.reciprocal.data(), mixed.row(panel, feature));
    }
  }
}

}  // namespace

namespace half_references {

MixedHalves attention(const HalfEvaluation& evaluation, const HalfPanels& x, const HalfPanels& residual, u64 layer) {
  return {attention_by_heads(evaluation, x, residual, layer,
                             [&](const HalfHead& head, HalfPanels& mixed) { attend(evaluation, head, mixed); })};
}

}  // namespace half_references

}  // namespace bvp
