// SPDX-License-Identifier: Apache-2.0
// The size of blocks of tokens, a parameter of the mixings that take tokens in blocks.
#pragma once

#include <fmt/format.h>

#include <string>

#include "platform/network/mixing.h"

namespace bvp {

inline MixingParameter block_tokens_parameter() {
  return {"block_tokens",
          i64{64},
          "tokens",
          {1, 1 << 16},
          "Of blocks and topk: tokens of a block; must divide the tokens."};
}

inline u64 block_tokens(const EncoderLayer& layer) { return mixing_number(layer, "block_tokens"); }

/// As MixingDeclaration::problem.
inline std::string block_tokens_problem(const Network& network, const EncoderLayer& layer) {
  const u64 size = block_tokens(layer);
  if (size > 0 && network.tokens % size == 0) return {};
  return fmt::format("block_tokens: found {}, expected a number that divides the {} tokens", size, network.tokens);
}

}  // namespace bvp
