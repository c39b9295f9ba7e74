// SPDX-License-Identifier: Apache-2.0
#include "platform/baselines/work_list.h"

namespace bvp::mixing_work {

void attention(WorkList& work, const EncoderLayer& layer) {
  add_attention_work(work, layer, work.tokens() * work.tokens());
}

}  // namespace bvp::mixing_work
