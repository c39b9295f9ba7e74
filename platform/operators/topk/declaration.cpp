// SPDX-License-Identifier: Apache-2.0
// Attention of blocks of queries to the blocks of keys that score highest, which are chosen when the layer runs.
#include <fmt/format.h>

#include "platform/network/mixing.h"
#include "platform/operators/blocks/block_tokens.h"
#include "platform/operators/topk/top_blocks.h"

namespace bvp {

namespace {

std::string problem(const Network& network, const EncoderLayer& layer) {
  if (network.padding_mask) {
    return "mixing: found topk beside network.padding_mask; expected window, blocks or attention: the scores of "
           "blocks know nothing of a mask";
  }
  if (std::string of_size = block_tokens_problem(network, layer); !of_size.empty()) return of_size;
  const u64 blocks = network.tokens / block_tokens(layer), top = top_blocks(layer);
  if (top >= 1 && top <= blocks) return {};
  return fmt::format("top_blocks: found {}, expected from 1 to the {} blocks of {} tokens", top, blocks,
                     block_tokens(layer));
}

}  // namespace

namespace mixings {

MixingDeclaration topk() {
  MixingDeclaration declaration;
  declaration.place = 4;
  declaration.computes = "attention to the blocks of tokens that score highest";
  declaration.attends = true;
  declaration.parameters = {block_tokens_parameter(),
                            {"top_blocks",
                             i64{4},
                             "blocks",
                             {1, most_top_blocks},
                             "Of topk: blocks of keys that each block of queries and head chooses."}};
  declaration.add_tensors = add_projections;
  declaration.problem = problem;
  return declaration;
}

}  // namespace mixings

}  // namespace bvp
