// SPDX-License-Identifier: Apache-2.0
// Which keys each query of sparse attention sees, without any notion of the hardware.
#pragma once

#include <string>
#include <vector>

#include "platform/network/network.h"

namespace bvp {

/// Consecutive tokens.
struct TokenRun {
  u64 first = 0, count = 0;
  friend bool operator==(const TokenRun& a, const TokenRun& b) { return a.first == b.first && a.count == b.count; }
};

/// Runs in ascending order that neither overlap nor touch.
using TokenRuns = std::vector<TokenRun>;

[[nodiscard]] u64 tokens_in(const TokenRuns& runs);

/// Consecutive queries, and the keys that at least one of them sees.
struct QueryBlock {
  TokenRun queries;
  TokenRuns keys;
  bool whole = true;  // each of them sees all of these keys
};

/// The pattern of a layer whose mixing is window or blocks.
class AttentionPattern {
 public:
  /// The layer must outlive this.
  AttentionPattern(const EncoderLayer& layer, u64 tokens) : layer_(layer), tokens_(tokens) {}

  /// The keys that a query sees.
  [[nodiscard]] TokenRuns seen(u64 query) const;
  /// All queries in blocks of `size`, the last of which may be shorter. With a window, the global tokens are a block of
  /// their own before the others; a pattern of blocks has blocks of its own size, whatever `size` is.
  [[nodiscard]] std::vector<QueryBlock> query_blocks(u64 size) const;

 private:
  [[nodiscard]] QueryBlock block_of(const TokenRun& queries) const;
  [[nodiscard]] TokenRuns runs_of_blocks(u64 query_block) const;

  const EncoderLayer& layer_;
  u64 tokens_;
};

/// The blocks of keys that a block of queries sees in the butterfly pattern: those whose number differs in at most one
/// bit, of `blocks` blocks.
[[nodiscard]] std::vector<u32> butterfly_blocks(u64 query_block, u64 blocks);

/// Pairs of a query and a key that it sees, of one head and one sequence; for any kind of attention.
[[nodiscard]] double seen_pairs(const EncoderLayer& layer, u64 tokens);

/// What is wrong with the parameters of a layer's sparse attention, with the name of the parameter before it as
/// "NAME: ..."; empty: nothing.
[[nodiscard]] std::string sparse_problem(const EncoderLayer& layer, u64 tokens);

/// The word for the butterfly pattern, where a list of blocks could stand.
inline constexpr const char* butterfly_pattern = "butterfly";

/// Reads the blocks of keys of each block of queries: "0, 0-1, 1 3" has three blocks of queries. Empty: the text is no
/// such list.
[[nodiscard]] std::vector<std::vector<u32>> parse_key_blocks(const std::string& text);
[[nodiscard]] std::string key_blocks_text(const std::vector<std::vector<u32>>& key_blocks);

}  // namespace bvp
