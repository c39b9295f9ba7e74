// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/lowering/attention_layer.h"

namespace bvp {

namespace {

class WindowLowering final : public MixingLowering {
 public:
  explicit WindowLowering(EncoderDraft& draft) : draft_(draft) {}

  MixedTokens lower(RowProgram::Value x) override { return pattern_attention_layer(draft_, x); }

 private:
  EncoderDraft& draft_;
};

}  // namespace

namespace lowerings {

MixingLoweringEntry window() {
  return {
      [](EncoderDraft& draft) -> std::unique_ptr<MixingLowering> { return std::make_unique<WindowLowering>(draft); }};
}

}  // namespace lowerings

}  // namespace bvp
