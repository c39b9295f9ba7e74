// SPDX-License-Identifier: Apache-2.0
// Attention to the tokens nearby, and of the first tokens to all.
#include <algorithm>

#include "platform/network/mixing.h"

namespace bvp {

namespace {

class Window final : public AttentionPattern {
 public:
  Window(const EncoderLayer& layer, u64 tokens)
      : AttentionPattern(tokens),
        window_(mixing_number(layer, "window")),
        global_(std::min(mixing_number(layer, "global_tokens"), tokens)) {}

  [[nodiscard]] TokenRuns seen(u64 query) const override {
    if (query < global_) return {{0, tokens()}};
    const u64 first = query > window_ ? query - window_ : 0, end = std::min(tokens(), query + window_ + 1);
    return joined({{0, global_}, {first, end - first}});
  }
  [[nodiscard]] u64 queries_apart() const override { return global_; }

 private:
  const u64 window_, global_;
};

}  // namespace

namespace mixings {

MixingDeclaration window() {
  MixingDeclaration declaration;
  declaration.place = 2;
  declaration.computes = "attention to the tokens nearby";
  declaration.attends = true;
  declaration.masked = true;
  declaration.parameters = {
      {"window", i64{128}, "tokens", {0, 1 << 20}, "Of window: a token sees so many tokens on either side of itself."},
      {"global_tokens",
       i64{0},
       "tokens",
       {0, 1 << 20},
       "Of window: the first tokens, so many, see all tokens and are seen by all."}};
  declaration.add_tensors = add_projections;
  declaration.pattern = [](const EncoderLayer& layer, u64 tokens) -> std::shared_ptr<const AttentionPattern> {
    return std::make_shared<Window>(layer, tokens);
  };
  return declaration;
}

}  // namespace mixings

}  // namespace bvp
