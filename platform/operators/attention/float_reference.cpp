// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <vector>

#include "platform/reference/float_attention.h"
#include "platform/reference/kernels.h"

namespace bvp {

namespace {

/// Gives the tokens that the mask leaves out a score that counts nothing.
void leave_out(const FloatEvaluation& evaluation, u64 element, std::vector<float>& scores) {
  for (std::size_t token = 0; token < evaluation.network().tokens; ++token) {
    if (!evaluation.leaves_out(element, token)) continue;
    std::fill_n(scores.begin() + static_cast<std::ptrdiff_t>(token * panel_width), panel_width, -1e30F);
  }
}

void attend(const FloatEvaluation& evaluation, const FloatPanels& query, const FloatPanels& key,
            const FloatPanels& value, FloatPanels& mixed) {
  const Network& network = evaluation.network();
  const std::size_t tokens = network.tokens;
  const std::size_t head_width = network.hidden / network.heads;
  const float factor = 1 / std::sqrt(static_cast<float>(head_width));
  std::vector<float> keys(tokens * head_width);    // [token][feature]
  std::vector<float> values(tokens * head_width);  // [feature][token]
  std::vector<float> scores(tokens * panel_width);
  for (u64 element = 0; element < network.batch; ++element) {
    const std::size_t base = element * panels_for(tokens);
    for (std::size_t feature = 0; feature < network.hidden; feature += head_width) {
      for (std::size_t token = 0; token < tokens; ++token) {
        for (std::size_t d = 0; d < head_width; ++d) {
          keys[token * head_width + d] = key.row(base + token / panel_width, feature + d)[token % panel_width];
          values[d * tokens + token] = value.row(base + token / panel_width, feature + d)[token % panel_width];
        }
      }
      for (std::size_t panel = base; panel < base + panels_for(tokens); ++panel) {
        reference_kernels().multiply(tokens, head_width, keys.data(), head_width, query.row(panel, feature),
                                     scores.data());
        leave_out(evaluation, element, scores);
        reference_kernels().softmax_float(tokens, factor, scores.data());
        reference_kernels().multiply(head_width, tokens, values.data(), tokens, scores.data(),
                                     mixed.row(panel, feature));
      }
    }
  }
}

}  // namespace

namespace float_references {

FloatPanels attention(const FloatEvaluation& evaluation, const FloatPanels& x, u64 layer) {
  return attention_of(evaluation, x, layer,
                      [&](const FloatPanels& query, const FloatPanels& key, const FloatPanels& value,
                          FloatPanels& mixed) { attend(evaluation, query, key, value, mixed); });
}

}  // namespace float_references

}  // namespace bvp
