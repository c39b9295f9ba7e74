// SPDX-License-Identifier: Apache-2.0
// Which keys each query of sparse attention sees, without any notion of the hardware.
#pragma once

#include <vector>

#include "models/base/types.h"

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

/// Attention in which each query sees keys that are known beforehand.
class AttentionPattern {
 public:
  explicit AttentionPattern(u64 tokens) : tokens_(tokens) {}
  virtual ~AttentionPattern() = default;
  AttentionPattern(const AttentionPattern&) = delete;
  AttentionPattern& operator=(const AttentionPattern&) = delete;

  /// The keys that a query sees: at least one.
  [[nodiscard]] virtual TokenRuns seen(u64 query) const = 0;
  /// The first tokens that are a block of queries of their own.
  [[nodiscard]] virtual u64 queries_apart() const { return 0; }
  /// The size that blocks of queries have; 0: any.
  [[nodiscard]] virtual u64 query_block() const { return 0; }

  /// All queries in blocks of query_block() or else of `size`, the last of which may be shorter; queries_apart() come
  /// before.
  [[nodiscard]] std::vector<QueryBlock> query_blocks(u64 size) const;
  /// Pairs of a query and a key that it sees.
  [[nodiscard]] double pairs() const;
  [[nodiscard]] u64 tokens() const { return tokens_; }

 private:
  [[nodiscard]] QueryBlock block_of(const TokenRun& queries) const;

  const u64 tokens_;
};

/// Sorts runs and joins those that overlap or touch.
[[nodiscard]] TokenRuns joined(TokenRuns runs);

}  // namespace bvp
