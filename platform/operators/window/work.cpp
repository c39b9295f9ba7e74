// SPDX-License-Identifier: Apache-2.0
#include "platform/baselines/work_list.h"
#include "platform/network/mixing.h"

namespace bvp::mixing_work {

void window(WorkList& work, const EncoderLayer& layer) {
  add_attention_work(work, layer, pattern_of(layer, work.network().tokens)->pairs());
}

}  // namespace bvp::mixing_work
