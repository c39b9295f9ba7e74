// SPDX-License-Identifier: Apache-2.0
#include "platform/baselines/work_list.h"
#include "platform/operators/blocks/block_tokens.h"
#include "platform/operators/topk/top_blocks.h"

namespace bvp::mixing_work {

void topk(WorkList& work, const EncoderLayer& layer) {
  const double size = static_cast<double>(block_tokens(layer)), blocks = work.tokens() / size;
  add_attention_work(work, layer, work.tokens() * static_cast<double>(top_blocks(layer)) * size);
  // The means of the blocks of queries and keys, and their products.
  work.add("attention_choice", KernelWork::Kind::dense,
           4 * work.rows() * work.hidden() + 2 * work.batch() * blocks * blocks * work.hidden(),
           work.rows() * 2 * work.hidden());
}

}  // namespace bvp::mixing_work
