// SPDX-License-Identifier: Apache-2.0
#include "platform/reference/float_attention.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "platform/network/mixing.h"

namespace bvp {

FloatPanels attention_of(const FloatEvaluation& evaluation, const FloatPanels& x, u64 layer,
                         const std::function<void(const FloatPanels& query, const FloatPanels& key,
                                                  const FloatPanels& value, FloatPanels& mixed)>& attend) {
  const Network& network = evaluation.network();
  const LinearKind kind = network.layers[layer].projections;
  const std::string name = fmt::format("layers.{}.attention", layer);
  const FloatPanels query = evaluation.linear(x, kind, name + ".query", network.hidden);
  const FloatPanels key = evaluation.linear(x, kind, name + ".key", network.hidden);
  const FloatPanels value = evaluation.linear(x, kind, name + ".value", network.hidden);
  FloatPanels mixed(x.panels(), network.hidden);
  attend(query, key, value, mixed);
  return evaluation.linear(mixed, kind, name + ".output", network.hidden);
}

double inner_product(const std::vector<float>& a, const std::vector<float>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

namespace {

/// The values of a token in one head.
std::vector<float> head_of(const Network& network, const FloatPanels& x, u64 element, u64 token, std::size_t feature) {
  std::vector<float> values(network.hidden / network.heads);
  const std::size_t panel = element * panels_for(network.tokens) + token / panel_width;
  for (std::size_t d = 0; d < values.size(); ++d) values[d] = x.row(panel, feature + d)[token % panel_width];
  return values;
}

std::vector<double> attend(const FloatEvaluation& evaluation, const std::vector<float>& query,
                           const std::vector<std::vector<float>>& keys, const std::vector<std::vector<float>>& values,
                           const TokenRuns& seen, u64 element) {
  constexpr double left_out = -1e30;
  const double factor = 1 / std::sqrt(static_cast<double>(query.size()));
  std::vector<double> scores;
  for (const TokenRun& run : seen) {
    for (u64 token = run.first; token < run.first + run.count; ++token) {
      scores.push_back(evaluation.leaves_out(element, token) ? left_out : inner_product(query, keys[token]) * factor);
    }
  }
  const double largest = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  std::vector<double> y(query.size());
  std::size_t at = 0;
  for (const TokenRun& run : seen) {
    for (u64 token = run.first; token < run.first + run.count; ++token) {
      const double weight = std::exp(scores[at++] - largest);
      sum += weight;
      for (std::size_t d = 0; d < y.size(); ++d) y[d] += weight * static_cast<double>(values[token][d]);
    }
  }
  for (double& v : y) v /= sum;
  return y;
}

}  // namespace

FloatPanels attention_to_some(
    const FloatEvaluation& evaluation, const FloatPanels& x, u64 layer,
    const std::function<std::vector<TokenRuns>(const HeadRows& queries, const HeadRows& keys, u64 head)>& seen) {
  const Network& network = evaluation.network();
  const u64 tokens = network.tokens;
  const std::size_t width = network.hidden / network.heads;
  const auto attend_all = [&](const FloatPanels& query, const FloatPanels& key, const FloatPanels& value,
                              FloatPanels& mixed) {
    for (u64 head = 0; head < network.batch * network.heads; ++head) {
      const u64 element = head / network.heads, feature = head % network.heads * width;
      HeadRows keys, values, queries;
      for (u64 token = 0; token < tokens; ++token) {
        queries.push_back(head_of(network, query, element, token, feature));
        keys.push_back(head_of(network, key, element, token, feature));
        values.push_back(head_of(network, value, element, token, feature));
      }
      const std::vector<TokenRuns> of_tokens = seen(queries, keys, head);
      for (u64 token = 0; token < tokens; ++token) {
        const std::vector<double> y = attend(evaluation, queries[token], keys, values, of_tokens[token], element);
        const std::size_t panel = element * panels_for(tokens) + token / panel_width;
        for (std::size_t d = 0; d < width; ++d) {
          mixed.row(panel, feature + d)[token % panel_width] = static_cast<float>(y[d]);
        }
      }
    }
  };
  return attention_of(evaluation, x, layer, attend_all);
}

FloatPanels attention_in_pattern(const FloatEvaluation& evaluation, const FloatPanels& x, u64 layer) {
  const Network& network = evaluation.network();
  const auto pattern = pattern_of(network.layers[layer], network.tokens);
  std::vector<TokenRuns> seen;
  for (u64 token = 0; token < network.tokens; ++token) seen.push_back(pattern->seen(token));
  return attention_to_some(evaluation, x, layer, [&](const HeadRows&, const HeadRows&, u64) { return seen; });
}

}  // namespace bvp
