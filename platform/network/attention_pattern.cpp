// SPDX-License-Identifier: Apache-2.0
#include "platform/network/attention_pattern.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>

namespace bvp {

namespace {

/// Sorts runs and joins those that overlap or touch.
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

/// Block numbers of a text have at most so many digits.
constexpr std::size_t most_digits = 7;

/// Reads a number and moves `at` behind it; nullptr: there is none.
const char* read_number(const char* at, u32& number) {
  std::size_t digits = 0;
  number = 0;
  for (; *at >= '0' && *at <= '9'; ++at, ++digits) number = number * 10 + static_cast<u32>(*at - '0');
  return digits == 0 || digits > most_digits ? nullptr : at;
}

/// Reads "0-3 7" up to a comma or the end; nullptr: it is no such list.
const char* read_blocks(const char* at, std::vector<u32>& blocks) {
  constexpr u32 most_blocks = 1 << 16;
  while (*at != '\0' && *at != ',') {
    if (*at == ' ') {
      ++at;
      continue;
    }
    u32 first = 0;
    at = read_number(at, first);
    u32 last = first;
    if (at != nullptr && *at == '-') at = read_number(at + 1, last);
    if (at == nullptr || last < first || last >= most_blocks) return nullptr;
    for (u32 block = first; block <= last; ++block) blocks.push_back(block);
  }
  std::sort(blocks.begin(), blocks.end());
  blocks.erase(std::unique(blocks.begin(), blocks.end()), blocks.end());
  return blocks.empty() ? nullptr : at;
}

}  // namespace

u64 tokens_in(const TokenRuns& runs) {
  return std::accumulate(runs.begin(), runs.end(), u64{0},
                         [](u64 sum, const TokenRun& run) { return sum + run.count; });
}

std::vector<u32> butterfly_blocks(u64 query_block, u64 blocks) {
  std::vector<u32> result{static_cast<u32>(query_block)};
  for (u64 bit = 1; bit < blocks; bit *= 2) {
    if ((query_block ^ bit) < blocks) result.push_back(static_cast<u32>(query_block ^ bit));
  }
  std::sort(result.begin(), result.end());
  return result;
}

TokenRuns AttentionPattern::runs_of_blocks(u64 query_block) const {
  const u64 size = layer_.sparse.block;
  const std::vector<u32> blocks = layer_.sparse.key_blocks.empty() ? butterfly_blocks(query_block, tokens_ / size)
                                                                   : layer_.sparse.key_blocks.at(query_block);
  TokenRuns runs;
  for (const u32 block : blocks) runs.push_back({block * size, size});
  return joined(std::move(runs));
}

TokenRuns AttentionPattern::seen(u64 query) const {
  if (layer_.mixing == Mixing::blocks) return runs_of_blocks(query / layer_.sparse.block);
  const u64 global = std::min(layer_.sparse.global_tokens, tokens_), window = layer_.sparse.window;
  if (query < global) return {{0, tokens_}};
  const u64 first = query > window ? query - window : 0, end = std::min(tokens_, query + window + 1);
  return joined({{0, global}, {first, end - first}});
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
  const bool in_blocks = layer_.mixing == Mixing::blocks;
  const u64 step = in_blocks ? layer_.sparse.block : size;
  std::vector<QueryBlock> blocks;
  u64 first = in_blocks ? 0 : std::min(layer_.sparse.global_tokens, tokens_);
  if (first > 0) blocks.push_back(block_of({0, first}));
  for (; first < tokens_; first += step) blocks.push_back(block_of({first, std::min(step, tokens_ - first)}));
  return blocks;
}

double seen_pairs(const EncoderLayer& layer, u64 tokens) {
  const auto all = static_cast<double>(tokens);
  if (!is_sparse(layer)) return all * all;
  if (layer.mixing == Mixing::topk) return all * static_cast<double>(layer.sparse.top_blocks * layer.sparse.block);
  const AttentionPattern pattern(layer, tokens);
  double pairs = 0;
  for (u64 query = 0; query < tokens; ++query) pairs += static_cast<double>(tokens_in(pattern.seen(query)));
  return pairs;
}

std::string sparse_problem(const EncoderLayer& layer, u64 tokens) {
  const SparseAttention& sparse = layer.sparse;
  if (layer.mixing != Mixing::blocks && layer.mixing != Mixing::topk) return {};
  if (sparse.block == 0 || tokens % sparse.block != 0) {
    return fmt::format("block_tokens: found {}, expected a number that divides the {} tokens", sparse.block, tokens);
  }
  const u64 blocks = tokens / sparse.block;
  if (layer.mixing == Mixing::topk) {
    if (sparse.top_blocks >= 1 && sparse.top_blocks <= blocks) return {};
    return fmt::format("top_blocks: found {}, expected from 1 to the {} blocks of {} tokens", sparse.top_blocks, blocks,
                       sparse.block);
  }
  if (sparse.key_blocks.empty()) return {};
  if (sparse.key_blocks.size() != blocks) {
    return fmt::format("key_blocks: found {} blocks of queries, expected the {} blocks of {} tokens",
                       sparse.key_blocks.size(), blocks, sparse.block);
  }
  for (const std::vector<u32>& of_queries : sparse.key_blocks) {
    if (of_queries.empty()) return "key_blocks: found a block of queries without keys, expected at least one";
    if (of_queries.back() >= blocks) {
      return fmt::format("key_blocks: found the block {}, expected numbers from 0 to {}", of_queries.back(),
                         blocks - 1);
    }
  }
  return {};
}

std::vector<std::vector<u32>> parse_key_blocks(const std::string& text) {
  std::vector<std::vector<u32>> result;
  const char* at = text.c_str();
  while (true) {
    std::vector<u32> blocks;
    at = read_blocks(at, blocks);
    if (at == nullptr) return {};
    result.push_back(std::move(blocks));
    if (*at == '\0') return result;
    ++at;
  }
}

std::string key_blocks_text(const std::vector<std::vector<u32>>& key_blocks) {
  std::vector<std::string> parts;
  for (const std::vector<u32>& blocks : key_blocks) parts.push_back(fmt::format("{}", fmt::join(blocks, " ")));
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace bvp
