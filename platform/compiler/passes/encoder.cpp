// SPDX-License-Identifier: Apache-2.0
#include "platform/compiler/passes/encoder.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "platform/compiler/lowering/ends.h"
#include "platform/compiler/passes/mixing_lowering.h"

namespace bvp {

namespace lowerings {
#define BVP_ENTRY(name) MixingLoweringEntry name();
#include "platform_operators.list"
#undef BVP_ENTRY
}  // namespace lowerings

const MixingLoweringEntry& lowering_entry_of(Mixing mixing) {
  // In the order of the enumeration.
  static const std::vector<MixingLoweringEntry> all{
#define BVP_ENTRY(name) lowerings::name(),
#include "platform_operators.list"
#undef BVP_ENTRY
  };
  return all.at(static_cast<std::size_t>(mixing));
}

namespace {

using Layers = std::vector<EncoderLayer>;

/// The first layer from `first` on that takes tokens that stay in the scratchpad.
Layers::const_iterator first_with_tokens(const Layers& layers, Layers::const_iterator first) {
  return std::find_if(first, layers.end(), [](const EncoderLayer& layer) {
    return lowering_entry_of(layer.mixing).token_layout != nullptr;
  });
}

class Encoder {
 public:
  Encoder(const TaskPlanner& plan, DramPlan& dram, const Network& network, const TensorMap& parameters,
          const NormalForms& normal_forms)
      : draft_(plan, dram, network, parameters, normal_forms) {}

  EncoderPlan build() {
    place_tokens();
    draft_.result.input = draft_.x_place = draft_.matrix(draft_.network.hidden);
    if (has_embedding(draft_.network)) add_embedding();
    if (draft_.network.padding_mask)
      draft_.result.mask = draft_.dram.matrix(draft_.network.batch, draft_.network.tokens);
    draft_.x = draft_.program.load(draft_.x_place);
    for (draft_.layer = 0; draft_.layer < draft_.network.layers.size(); ++draft_.layer) {
      draft_.program.set_layer(draft_.layer);
      add_layer(draft_.network.layers[draft_.layer]);
      draft_.result.layer_outputs.push_back(draft_.x_place);
    }
    draft_.result.output = draft_.x_place;
    if (has_final_norm(draft_.network)) {
      if (!draft_.pre()) {
        // Two norms in a row are launches of one image, of which the second begins before the first has stored its
        // results. As a task of its own it waits.
        draft_.flush();
        draft_.x = draft_.program.load(draft_.x_place);
      }
      draft_.result.output = draft_.matrix(draft_.network.hidden);
      draft_.program.store(draft_.norm("final_norm", draft_.x), draft_.result.output);
    }
    draft_.flush();
    if (draft_.network.classes > 0) {
      Classifier ends = classifier(draft_.plan, draft_.dram, draft_.network, draft_.parameters, draft_.result.output);
      draft_.result.logits = ends.logits;
      draft_.add(std::move(ends.tasks));
    }
    return std::move(draft_.result);
  }

 private:
  using Value = EncoderDraft::Value;

  /// Gives the tokens that stay in the scratchpad between layers their place.
  void place_tokens() {
    const CompilerTarget& target = draft_.plan.target();
    const auto with = first_with_tokens(draft_.network.layers, draft_.network.layers.begin());
    if (target.token_bytes == 0 || with == draft_.network.layers.end()) return;
    tokens_mixing_ = with->mixing;
    draft_.tokens =
        ResidentMatrix{static_cast<u32>(2 * draft_.plan.half_bytes()),
                       lowering_entry_of(with->mixing).token_layout(target, draft_.network), draft_.network.hidden};
  }

  MixingLowering& lowering_of(Mixing mixing) {
    std::unique_ptr<MixingLowering>& lowering = lowerings_[mixing];
    if (lowering == nullptr) lowering = lowering_entry_of(mixing).make(draft_);
    return *lowering;
  }

  /// Whether the layer takes its tokens from the scratchpad.
  [[nodiscard]] bool takes_tokens(std::size_t layer) const {
    return draft_.tokens && layer < draft_.network.layers.size() &&
           draft_.network.layers[layer].mixing == tokens_mixing_;
  }

  /// What makes the first layer's input of token ids or patches.
  void add_embedding() {
    const bool more = draft_.network.embedding_norm || draft_.network.embedding_projection;
    const MatrixPlace sums = more ? draft_.matrix(draft_.network.hidden) : draft_.result.input;
    if (draft_.network.vocabulary > 0) {
      Embedding ends = embedding(draft_.plan, draft_.dram, draft_.network, draft_.parameters, sums);
      draft_.result.tokens = ends.tokens;
      draft_.add(std::move(ends.tasks));
    } else {
      draft_.result.patches = draft_.matrix(draft_.network.patch_values);
      draft_.add(
          patch_embedding(draft_.plan, draft_.dram, draft_.network, draft_.parameters, draft_.result.patches, sums));
    }
    if (!more) return;
    draft_.program.set_layer(layer_none);
    MatrixPlace x = sums;
    if (draft_.network.embedding_norm) {
      x = draft_.network.embedding_projection ? draft_.matrix(draft_.network.hidden) : draft_.result.input;
      draft_.program.store(draft_.norm("embedding.norm", draft_.program.load(sums)), x);
      draft_.flush();
    }
    if (!draft_.network.embedding_projection) return;
    DenseLayer projection = draft_.dense("embedding.projection");
    projection.layer = layer_none;
    draft_.add(dense_layer(draft_.plan, draft_.dram, projection, x, draft_.result.input));
  }

  void add_layer(const EncoderLayer& layer) {
    const Value n = draft_.pre() ? draft_.norm(draft_.name("norm1"), draft_.x) : draft_.x;
    // h: the mixed tokens with their residual.
    const MixedTokens mixed = lowering_of(layer.mixing).lower(n);
    const Value h = draft_.pre() ? mixed.value : draft_.norm(draft_.name("norm1"), mixed.value, mixed.share);
    const Value y = layer.ffn == LinearKind::dense ? add_dense_ffn(h) : add_butterfly_ffn(h);
    draft_.x = draft_.pre() ? y : draft_.norm(draft_.name("norm2"), y);
    draft_.x_place = draft_.matrix(draft_.network.hidden);
    draft_.program.store(draft_.x, draft_.x_place);
    draft_.x_stays = !draft_.pre() && takes_tokens(draft_.layer + std::size_t{1});
    if (draft_.x_stays) draft_.program.keep(draft_.x, *draft_.tokens, 0);
  }

  Value add_butterfly_ffn(Value h) {
    LinearOperator up = draft_.butterfly(draft_.name("ffn.up"), draft_.network.hidden, draft_.network.ffn);
    up.activation = draft_.network.activation;
    const Value middle = draft_.program.linear(up, draft_.pre() ? draft_.norm(draft_.name("norm2"), h) : h);
    const double owed = draft_.network.activation == Activation::gelu ? gelu_owes : 1;
    return draft_.program.linear(
        draft_.butterfly(draft_.name("ffn.down"), draft_.network.ffn, draft_.network.hidden, owed), middle, h);
  }

  Value add_dense_ffn(Value h) {
    const u64 hidden = draft_.network.hidden;
    const MatrixPlace h_place = draft_.matrix(hidden), middle = draft_.matrix(draft_.network.ffn),
                      y = draft_.matrix(hidden);
    draft_.program.store(h, h_place);
    MatrixPlace input = h_place;
    if (draft_.pre()) {
      input = draft_.to_dram(draft_.norm(draft_.name("norm2"), h), hidden);
    } else {
      draft_.flush();
    }
    DenseLayer up = draft_.dense(draft_.name("ffn.up"));
    up.activation = draft_.network.activation;
    draft_.add(dense_layer(draft_.plan, draft_.dram, up, input, middle));
    DenseLayer down = draft_.dense(draft_.name("ffn.down"));
    down.residual = h_place;
    draft_.add(dense_layer(draft_.plan, draft_.dram, down, middle, y));
    return draft_.program.load(y);
  }

  EncoderDraft draft_;
  std::map<Mixing, std::unique_ptr<MixingLowering>> lowerings_;  // of the mixings so far
  std::optional<Mixing> tokens_mixing_;                          // that takes tokens which stay in the scratchpad
};

}  // namespace

u64 token_bytes_of(const CompilerTarget& target, const Network& network) {
  // The first layer's tokens come from outside, and those of a pre-norm layer are normalised before they are mixed.
  const auto first = network.layers.begin() + (network.norm == NormPlacement::pre || network.layers.empty() ? 0 : 1);
  const auto with = first_with_tokens(network.layers, first);
  if (with == network.layers.end()) return 0;
  const MixingLoweringEntry& entry = lowering_entry_of(with->mixing);
  if (!target.residency || !entry.tokens_may_stay(target, network)) return 0;
  const u64 bytes = entry.token_layout(target, network).bytes(network.hidden), unit = target.tile_bytes();
  return (bytes + unit - 1) / unit * unit;
}

EncoderPlan plan_encoder(const TaskPlanner& plan, DramPlan& dram, const Network& network, const TensorMap& parameters,
                         const NormalForms& normal_forms) {
  return Encoder(plan, dram, network, parameters, normal_forms).build();
}

}  // namespace bvp
