// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "platform/import/models/models.h"
#include "platform/support/input_file.h"

namespace bvp::models {
namespace {

class Vit {
 public:
  explicit Vit(ModelBuilder& builder)
      : builder_(builder),
        source_(builder.source()),
        network_(builder.network()),
        prefix_(source_.prefix_of("embeddings.cls_token")) {}

  void import() {
    read_config();
    if (!builder_.sound()) return;
    add_embedding();
    for (u64 i = 0; i < network_.layers.size(); ++i) add_layer(i);
    builder_.norm("final_norm", at("layernorm"));
    add_head();
  }

 private:
  [[nodiscard]] std::string at(const std::string& name) const { return prefix_ + name; }

  /// A size in both directions, a number or a pair of them.
  std::array<u64, 2> sizes(const std::string& key, u64 otherwise) {
    const nlohmann::json& config = source_.config();
    const auto is_size = [](const nlohmann::json& size) {
      return size.is_number_unsigned() && size.get<u64>() >= 1 && size.get<u64>() <= 65536;
    };
    if (!builder_.given(key)) return {otherwise, otherwise};
    const nlohmann::json& value = config.at(key);
    if (is_size(value)) return {value.get<u64>(), value.get<u64>()};
    if (value.is_array() && value.size() == 2 && is_size(value[0]) && is_size(value[1])) {
      return {value[0].get<u64>(), value[1].get<u64>()};
    }
    builder_.wrong("{}: {}: found {}, expected a number of pixels from 1 to 65536, or two of them",
                   source_.config_file().string(), key, kind_of(value));
    return {otherwise, otherwise};
  }

  void read_config() {
    network_.norm = NormPlacement::pre;
    network_.hidden = builder_.count("hidden_size");
    network_.ffn = builder_.count("intermediate_size");
    network_.layers.resize(std::min<u64>(1024, builder_.count("num_hidden_layers")));
    network_.heads = builder_.count("num_attention_heads");
    network_.activation = builder_.activation("hidden_act", "gelu");
    network_.epsilon = builder_.number("layer_norm_eps", 1e-12);
    channels_ = builder_.count("num_channels", 3);
    image_ = sizes("image_size", 224);
    patch_ = sizes("patch_size", 16);
    network_.patch_values = channels_ * patch_[0] * patch_[1];
    network_.tokens = 1 + (image_[0] / patch_[0]) * (image_[1] / patch_[1]);
    const u64 tokens = builder_.options().tokens;
    if (tokens != 0 && tokens != network_.tokens) {
      builder_.wrong("--tokens {}: an image of {} x {} has {} patches, and one token more", tokens, image_[0],
                     image_[1], network_.tokens - 1);
    }
    if (builder_.options().token_types) builder_.wrong("--token-types: the model has no types of tokens");
    if (builder_.options().padding_mask) builder_.wrong("--padding-mask: the model takes no mask");
    if (builder_.sound() && network_.hidden % network_.heads != 0) {
      builder_.wrong("{}: num_attention_heads {} do not divide hidden_size {}", source_.config_file().string(),
                     network_.heads, network_.hidden);
    }
  }

  /// A convolution whose stride is its size is one product with each patch. The row of the class token has no patch:
  /// its input is 0, and the token is part of its position. The bias of the convolution is part of the others.
  void add_embedding() {
    const u64 hidden = network_.hidden, tokens = network_.tokens;
    const std::string convolution = at("embeddings.patch_embeddings.projection"),
                      positions = at("embeddings.position_embeddings");
    const auto weight = builder_.read(convolution + ".weight", {hidden, channels_, patch_[0], patch_[1]});
    const auto bias = builder_.read_or_zeros(convolution + ".bias", {hidden});
    const auto token = builder_.read(at("embeddings.cls_token"), {1, 1, hidden});
    const auto position = builder_.read(positions, {1, tokens, hidden});
    if (source_.has(at("embeddings.mask_token"))) {
      source_.use(at("embeddings.mask_token"));
      builder_.result().left_out.emplace_back("the mask token, which is for training");
    }
    if (!weight || !bias || !token || !position) return;
    std::vector<float> sums = position->data;
    for (u64 i = 0; i < sums.size(); ++i) sums[i] += i < hidden ? token->data[i] : bias->data[i % hidden];
    builder_.set("embedding.patch.weight", {hidden, network_.patch_values}, weight->data, convolution + ".weight");
    builder_.set("embedding.patch.bias", {hidden}, std::vector<float>(hidden), convolution + ".bias");
    builder_.set("embedding.position", {tokens, hidden}, sums, positions);
    builder_.result().mapped.push_back(
        fmt::format("the input is `patches` [batch, {}, {}]: a row of zeros for the class token, then the patches, row "
                    "by row of the image, each with its {} channels of {} x {} pixels; class token and bias of the "
                    "convolution are part of the positions",
                    tokens, network_.patch_values, channels_, patch_[0], patch_[1]));
  }

  void add_layer(u64 index) {
    const std::string from = at(fmt::format("encoder.layer.{}.", index)), name = fmt::format("layers.{}.", index);
    const u64 hidden = network_.hidden, ffn = network_.ffn;
    EncoderLayer& layer = network_.layers[index];
    const std::string attention = from + "attention.";
    layer.projections = builder_.linears({{name + "attention.query", attention + "attention.query", hidden, hidden},
                                          {name + "attention.key", attention + "attention.key", hidden, hidden},
                                          {name + "attention.value", attention + "attention.value", hidden, hidden},
                                          {name + "attention.output", attention + "output.dense", hidden, hidden}});
    layer.ffn = builder_.linears({{name + "ffn.up", from + "intermediate.dense", hidden, ffn},
                                  {name + "ffn.down", from + "output.dense", ffn, hidden}});
    builder_.norm(name + "norm1", from + "layernorm_before");
    builder_.norm(name + "norm2", from + "layernorm_after");
  }

  void add_head() {
    const std::string pooler = at("pooler.dense");
    if (source_.has(pooler + ".weight")) {
      source_.use(pooler + ".weight");
      source_.use(pooler + ".bias");
      builder_.result().left_out.emplace_back("the pooler, because no classifier follows it");
    }
    if (!source_.has("classifier.weight")) return;
    const std::vector<u64>& shape = source_.shape("classifier.weight");
    network_.classes = shape.empty() ? 0 : shape.front();
    builder_.dense("classifier", "classifier", network_.hidden, network_.classes);
  }

  ModelBuilder& builder_;
  ModelSource& source_;
  Network& network_;
  const std::string prefix_;
  u64 channels_ = 3;
  std::array<u64, 2> image_{}, patch_{};
};

}  // namespace

void vit(ModelBuilder& builder) { Vit(builder).import(); }

}  // namespace bvp::models
