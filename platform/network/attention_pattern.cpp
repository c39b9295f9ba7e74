// SPDX-License-Identifier: Apache-2.0
#include "platform/network/attention_pattern.h"

#include <algorithm>
#include <numeric>

namespace bvp {

u64 tokens_in(const TokenRuns& runs) {
  return std::accumulate(runs.begin(), runs.end(), u64{0},
                         [](u64 sum, const TokenRun& run) { return sum + run.count; });
}

TokenRuns joined(TokenRuns runs) {
  std::sort(runs.begin(), runs.end(), [](const TokenRun& a, const TokenRun& b) { return a.first < b.first; });
  TokenRuns result;
  for (const TokenRun& run : runs) {
    if (run.count == 0) continue;
    if (result.empty() || run.first > result.back().first + result.back().count) {
      result.push_back(run);
    } else {
      TokenRun& last = result.back();
      last.count = std::max(last.first + last.count, run.first + run.count) - last.first;
    }
  }
  return result;
}

QueryBlock AttentionPattern::block_of(const TokenRun& queries) const {
  QueryBlock block{queries, {}, true};
  TokenRuns all;
  for (u64 query = queries.first; query < queries.first + queries.count; ++query) {
    for (const TokenRun& run : seen(query)) all.push_back(run);
  }
  block.keys = joined(std::move(all));
  for (u64 query = queries.first; query < queries.first + queries.count && block.whole; ++query) {
    block.whole = seen(query) == block.keys;
  }
  return block;
}

std::vector<QueryBlock> AttentionPattern::query_blocks(u64 size) const {
  const u64 step = query_block() == 0 ? size : query_block(), apart = queries_apart();
  std::vector<QueryBlock> blocks;
  if (apart > 0) blocks.push_back(block_of({0, apart}));
  for (u64 first = apart; first < tokens_; first += step) {
    blocks.push_back(block_of({first, std::min(step, tokens_ - first)}));
  }
  return blocks;
}

double AttentionPattern::pairs() const {
  double sum = 0;
  for (u64 query = 0; query < tokens_; ++query) sum += static_cast<double>(tokens_in(seen(query)));
  return sum;
}

}  // namespace bvp
