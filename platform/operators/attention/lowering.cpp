// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/lowering/attention_layer.h"

namespace bvp {

namespace {

class AttentionLowering final : public MixingLowering {
 public:
  explicit AttentionLowering(EncoderDraft& draft) : draft_(draft) {
    // All layers in which every token sees all of them take the keys in the same blocks.
    draft_.result.key_block = choose_key_block(draft_.plan, attention_of(draft_));
  }

  MixedTokens lower(RowProgram::Value x) override {
    Attention attention = attention_of(draft_);
    attention.key_block = draft_.result.key_block;
    return attention_layer(draft_, x, [&](const AttentionMatrices& matrices) {
      return attention_core(draft_.plan, draft_.dram, attention, matrices.q, matrices.k, matrices.v, matrices.mixed);
    });
  }

 private:
  EncoderDraft& draft_;
};

}  // namespace

namespace lowerings {

MixingLoweringEntry attention() {
  return {[](EncoderDraft& draft) -> std::unique_ptr<MixingLowering> {
    return std::make_unique<AttentionLowering>(draft);
  }};
}

}  // namespace lowerings

}  // namespace bvp
