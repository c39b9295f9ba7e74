// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <numeric>
#include <vector>

#include "platform/operators/blocks/block_tokens.h"
#include "platform/operators/topk/top_blocks.h"
#include "platform/reference/float_attention.h"

namespace bvp {

namespace {

/// The keys that each block of queries of a head has chosen, or would choose. @param which  counts heads
std::vector<TokenRuns> chosen_keys(const FloatEvaluation& evaluation, const HeadRows& queries, const HeadRows& keys,
                                   u64 index, u64 which) {
  const EncoderLayer& layer = evaluation.network().layers[index];
  const u64 size = block_tokens(layer), blocks = evaluation.network().tokens / size, top = top_blocks(layer);
  const auto means = [&](const HeadRows& rows) {
    std::vector<std::vector<float>> sums(blocks, std::vector<float>(rows.front().size()));
    for (u64 token = 0; token < blocks * size; ++token) {
      for (std::size_t d = 0; d < rows[token].size(); ++d) sums[token / size][d] += rows[token][d];
    }
    return sums;
  };
  const std::vector<std::vector<float>> of_queries = means(queries), of_keys = means(keys);
  std::vector<TokenRuns> chosen(blocks);
  for (u64 block = 0; block < blocks; ++block) {
    std::vector<u32> order(blocks);
    std::iota(order.begin(), order.end(), 0);
    if (evaluation.choices() != nullptr) {
      const u32* given = evaluation.choices()->at(index).data() + (which * blocks + block) * top;
      order.assign(given, given + top);
    } else {
      std::stable_sort(order.begin(), order.end(), [&](u32 a, u32 b) {
        return inner_product(of_queries[block], of_keys[a]) > inner_product(of_queries[block], of_keys[b]);
      });
      order.resize(top);
    }
    for (const u32 of : order) chosen[block].push_back({of * size, size});
  }
  return chosen;
}

}  // namespace

namespace float_references {

FloatPanels topk(const FloatEvaluation& evaluation, const FloatPanels& x, u64 layer) {
  const Network& network = evaluation.network();
  const u64 size = block_tokens(network.layers[layer]);
  return attention_to_some(evaluation, x, layer, [&](const HeadRows& queries, const HeadRows& keys, u64 head) {
    const std::vector<TokenRuns> of_blocks = chosen_keys(evaluation, queries, keys, layer, head);
    std::vector<TokenRuns> of_tokens;
    for (u64 token = 0; token < network.tokens; ++token) of_tokens.push_back(of_blocks[token / size]);
    return of_tokens;
  });
}

}  // namespace float_references

}  // namespace bvp
