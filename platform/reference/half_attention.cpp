// SPDX-License-Identifier: Apache-2.0
#include "platform/reference/half_attention.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "platform/network/mixing.h"
#include "platform/reference/rounding.h"

namespace bvp {

HalfPanels attention_by_heads(const HalfEvaluation& evaluation, const HalfPanels& x, const HalfPanels& residual,
                              u64 layer, const std::function<void(const HalfHead& head, HalfPanels& mixed)>& attend) {
  const Network& network = evaluation.network();
  const LinearKind kind = network.layers[layer].projections;
  const std::string name = fmt::format("layers.{}.attention", layer);
  const HalfPanels query = evaluation.linear(x, kind, name + ".query", network.hidden);
  const HalfPanels key = evaluation.linear(x, kind, name + ".key", network.hidden);
  const HalfPanels value = evaluation.linear(x, kind, name + ".value", network.hidden);
  HalfPanels mixed(x.panels(), network.hidden);
  const u64 width = network.hidden / network.heads;
  for (u64 element = 0; element < network.batch; ++element) {
    for (u64 head = 0; head < network.heads; ++head) {
      attend({query, key, value, element, head * width, width}, mixed);
    }
  }
  HalfPanels y = evaluation.linear(mixed, kind, name + ".output", network.hidden);
  evaluation.kernels().add(y.panels() * y.features(), residual.row(0, 0), y.row(0, 0));
  return y;
}

u16 value_of(const HalfPanels& x, const HalfHead& head, u64 tokens, u64 token, std::size_t feature) {
  const std::size_t panel = head.element * panels_for(tokens) + token / panel_width;
  return x.row(panel, head.feature + feature)[token % panel_width];
}

namespace {

/// Gives the keys that a query does not see a score of -infinity. @param scores  of its lane
void leave_out_unseen(const TokenRuns& seen, const std::vector<u64>& tokens, float* scores) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const bool sees = std::any_of(seen.begin(), seen.end(), [&](const TokenRun& run) {
      return tokens[i] >= run.first && tokens[i] < run.first + run.count;
    });
    if (!sees) scores[i * panel_width] = -std::numeric_limits<float>::infinity();
  }
}

}  // namespace

void attend_block(const HalfEvaluation& evaluation, const HalfHead& head, const QueryBlock& block,
                  const AttentionPattern* pattern, HalfPanels& mixed) {
  const Network& network = evaluation.network();
  const ReferenceKernels& kernels = evaluation.kernels();
  const ReferenceFunctions& functions = evaluation.functions();
  const u16* const mask = evaluation.mask(head.element);
  const std::size_t count = tokens_in(block.keys), width = head.width;
  float unit = 1;
  while (static_cast<double>(count) * static_cast<double>(unit) >= 16385) unit /= 2;
  std::vector<u64> tokens;
  for (const TokenRun& run : block.keys) {
    for (u64 token = run.first; token < run.first + run.count; ++token) tokens.push_back(token);
  }
  std::vector<float> keys(count * width), values(count * width);  // [key][feature], [feature][key]
  std::vector<u16> masked;
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t d = 0; d < width; ++d) {
      keys[i * width + d] = from_half(value_of(head.key, head, network.tokens, tokens[i], d));
      values[d * count + i] = from_half(value_of(head.value, head, network.tokens, tokens[i], d));
    }
    if (mask != nullptr) masked.push_back(mask[tokens[i]]);
  }
  std::vector<float> queries(width * panel_width), scores(count * panel_width), weights(count * panel_width),
      sums(width * panel_width);
  std::vector<u16> maxima(panel_width), totals(panel_width), inverse(panel_width), results(width * panel_width);
  const u64 end = block.queries.first + block.queries.count;
  for (u64 first = block.queries.first; first < end; first += panel_width) {
    const std::size_t lanes = std::min<u64>(panel_width, end - first);
    std::fill(queries.begin(), queries.end(), 0.0F);
    for (std::size_t i = 0; i < lanes * width; ++i) {
      queries[i % width * panel_width + i / width] =
          from_half(value_of(head.query, head, network.tokens, first + i / width, i % width));
    }
    kernels.multiply(count, width, keys.data(), width, queries.data(), scores.data());
    for (std::size_t lane = 0; pattern != nullptr && lane < lanes; ++lane) {
      leave_out_unseen(pattern->seen(first + lane), tokens, scores.data() + lane);
    }
    kernels.softmax(count, evaluation.options().sum_ways, scores.data(), inverse_root(width),
                    mask == nullptr ? nullptr : masked.data(), unit, functions.exp.data(), functions.reciprocal.data(),
                    weights.data(), maxima.data(), totals.data(), inverse.data());
    kernels.multiply(width, count, values.data(), count, weights.data(), sums.data());
    kernels.round_scaled(width, sums.data(), unit, inverse.data(), results.data());
    for (std::size_t i = 0; i < lanes * width; ++i) {
      const u64 token = first + i / width;
      const std::size_t panel = head.element * panels_for(network.tokens) + token / panel_width;
      mixed.row(panel, head.feature + i % width)[token % panel_width] = results[i % width * panel_width + i / width];
    }
  }
}

MixedHalves attend_in_pattern(const HalfEvaluation& evaluation, const HalfPanels& x, const HalfPanels& residual,
                              u64 layer) {
  const Network& network = evaluation.network();
  const auto pattern = pattern_of(network.layers[layer], network.tokens);
  const std::vector<u64>& taken = evaluation.options().query_blocks;
  const u64 given = layer < taken.size() ? taken[layer] : 0;
  const std::vector<QueryBlock> blocks = pattern->query_blocks(given == 0 ? network.tokens : given);
  return {attention_by_heads(evaluation, x, residual, layer, [&](const HalfHead& head, HalfPanels& mixed) {
    for (const QueryBlock& block : blocks) {
      attend_block(evaluation, head, block, block.whole ? nullptr : pattern.get(), mixed);
    }
  })};
}

}  // namespace bvp
