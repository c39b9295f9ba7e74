// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "platform/network/half.h"
#include "platform/operators/blocks/block_tokens.h"
#include "platform/operators/topk/top_blocks.h"
#include "platform/reference/half_attention.h"
#include "platform/reference/rounding.h"

namespace bvp {

namespace {

/// The means of each block's rows: fp32 sums of x * (1 / size).
std::vector<std::vector<float>> block_means(const HalfPanels& x, const HalfHead& head, u64 tokens, u64 size) {
  const float share = from_half(to_half(1 / static_cast<double>(size)));
  std::vector<std::vector<float>> means;
  for (u64 first = 0; first < tokens; first += size) {
    means.emplace_back();
    for (std::size_t d = 0; d < head.width; ++d) {
      float sum = 0;
      for (u64 token = first; token < first + size; ++token)
        sum += from_half(value_of(x, head, tokens, token, d)) * share;
      means.back().push_back(from_half(rounded(sum)));
    }
  }
  return means;
}

/// For each block of queries the blocks of keys with the highest scores, ascending; of equal ones the first.
std::vector<std::vector<u32>> chosen_blocks(const HalfHead& head, u64 tokens, const EncoderLayer& layer) {
  const std::vector<std::vector<float>> queries = block_means(head.query, head, tokens, block_tokens(layer));
  const std::vector<std::vector<float>> keys = block_means(head.key, head, tokens, block_tokens(layer));
  const float factor = from_half(inverse_root(head.width));
  std::vector<std::vector<u32>> chosen;
  for (const std::vector<float>& query : queries) {
    std::vector<float> scores;
    std::vector<u32> order;
    for (const std::vector<float>& key : keys) {
      float sum = 0;
      for (std::size_t d = 0; d < head.width; ++d) sum += query[d] * key[d];
      order.push_back(static_cast<u32>(scores.size()));
      scores.push_back(from_half(rounded(sum * factor)));
    }
    std::stable_sort(order.begin(), order.end(), [&](u32 a, u32 b) { return scores[a] > scores[b]; });
    order.resize(top_blocks(layer));
    std::sort(order.begin(), order.end());
    chosen.push_back(std::move(order));
  }
  return chosen;
}

}  // namespace

namespace half_references {

MixedHalves topk(const HalfEvaluation& evaluation, const HalfPanels& x, const HalfPanels& residual, u64 layer) {
  const Network& network = evaluation.network();
  const EncoderLayer& of = network.layers[layer];
  const u64 size = block_tokens(of);
  return {attention_by_heads(evaluation, x, residual, layer, [&](const HalfHead& head, HalfPanels& mixed) {
    const std::vector<std::vector<u32>> chosen = chosen_blocks(head, network.tokens, of);
    for (u64 block = 0; block < chosen.size(); ++block) {
      QueryBlock of_queries{{block * size, size}, {}, true};
      for (const u32 keys : chosen[block]) of_queries.keys.push_back({keys * size, size});
      attend_block(evaluation, head, of_queries, nullptr, mixed);
      if (evaluation.choices() == nullptr) continue;
      std::vector<u32>& all = (*evaluation.choices())[layer];
      all.insert(all.end(), chosen[block].begin(), chosen[block].end());
    }
  })};
}

}  // namespace half_references

}  // namespace bvp
