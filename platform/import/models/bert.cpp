// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "platform/import/models/models.h"
#include "platform/import/token_embedding.h"
#include "platform/support/printable.h"

namespace bvp::models {
namespace {

class Bert {
 public:
  explicit Bert(ModelBuilder& builder)
      : builder_(builder),
        source_(builder.source()),
        network_(builder.network()),
        prefix_(source_.prefix_of("embeddings.word_embeddings.weight")) {}

  void import() {
    const std::string type = builder_.word("model_type", "");
    roberta_ = type == "roberta" || type == "xlm-roberta" || type == "camembert";
    fourier_ = type == "fnet" || type == "fabnet";
    read_config();
    if (!builder_.sound()) return;
    find_layers();
    add_embedding();
    for (u64 i = 0; i < network_.layers.size(); ++i) add_layer(i);
    add_head();
  }

 private:
  [[nodiscard]] std::string at(const std::string& name) const { return prefix_ + name; }

  void read_config() {
    network_.hidden = builder_.count("hidden_size");
    network_.ffn = builder_.count("intermediate_size");
    network_.vocabulary = builder_.count("vocab_size");
    positions_ = builder_.count("max_position_embeddings");
    if (roberta_) read_first_position();
    types_ = builder_.count("type_vocab_size", 2);
    network_.layers.resize(std::min<u64>(1024, builder_.count("num_hidden_layers")));
    network_.heads = builder_.count("num_attention_heads", fourier_ ? std::optional<u64>(1) : std::nullopt);
    network_.activation = builder_.activation("hidden_act", fourier_ ? "gelu_new" : "gelu");
    network_.epsilon = builder_.number("layer_norm_eps", 1e-12);
    network_.fft_norm = FftNorm::none;
    const u64 most = positions_ - first_position_;
    network_.tokens = builder_.options().tokens == 0 ? most : builder_.options().tokens;
    if (network_.tokens > most) {
      builder_.wrong("--tokens {}: the model has {} positions{}", network_.tokens, most,
                     roberta_ ? " (max_position_embeddings less pad_token_id + 1)" : " (max_position_embeddings)");
    }
    const std::string positions = builder_.word("position_embedding_type", "absolute");
    if (positions != "absolute") {
      builder_.unsupported("position_embedding_type '{}', the platform adds absolute positions to the tokens",
                           printable(positions));
    }
    for (const char* key : {"is_decoder", "add_cross_attention"}) {
      if (builder_.flag(key, false)) builder_.unsupported("{}: the platform has encoders only", key);
    }
    if (builder_.sound() && network_.hidden % network_.heads != 0) {
      builder_.wrong("{}: num_attention_heads {} do not divide hidden_size {}", source_.config_file().string(),
                     network_.heads, network_.hidden);
    }
  }

  /// RoBERTa counts positions from the one behind that of the padding.
  void read_first_position() {
    const double padding = builder_.number("pad_token_id", 1);
    const bool whole = padding >= 0 && padding + 1 < static_cast<double>(positions_) && padding == std::floor(padding);
    if (whole) {
      first_position_ = static_cast<u64>(padding) + 1;
    } else if (builder_.sound()) {
      builder_.wrong("{}: pad_token_id: found {}, expected an integer from 0 to {} (max_position_embeddings less 2)",
                     source_.config_file().string(), padding, positions_ < 2 ? 0 : positions_ - 2);
    }
  }

  [[nodiscard]] std::string layer(u64 index) const { return at(fmt::format("encoder.layer.{}.", index)); }

  /// The kinds of mixing follow from the tensors.
  void find_layers() {
    for (u64 i = 0; i < network_.layers.size(); ++i) {
      const std::string norm = layer(i) + "fourier.output.LayerNorm.";
      const bool transform = source_.has(norm + "weight") || source_.has(norm + "gamma");
      network_.layers[i].mixing = transform ? Mixing::fft2d : Mixing::attention;
    }
    if (source_.has(layer(network_.layers.size()) + "intermediate.dense.weight")) {
      builder_.wrong("{}: num_hidden_layers is {}, and there is a layer {}", source_.config_file().string(),
                     network_.layers.size(), network_.layers.size());
    }
    if (!builder_.options().padding_mask) return;
    network_.padding_mask = has_attention(network_);
    if (!network_.padding_mask) builder_.wrong("--padding-mask: the model has no attention, and so takes no mask");
  }

  void add_embedding() {
    const u64 hidden = network_.hidden;
    const std::string words = at("embeddings.word_embeddings.weight"),
                      positions = at("embeddings.position_embeddings.weight"),
                      types = at("embeddings.token_type_embeddings.weight");
    network_.embedding_norm = true;
    builder_.norm("embedding.norm", at("embeddings.LayerNorm"));
    const std::string projection = at("embeddings.projection");
    if (source_.has(projection + ".weight") || source_.has(projection + ".twiddle")) {
      network_.embedding_projection = true;
      builder_.dense("embedding.projection", projection, hidden, hidden);
    }
    add_token_embedding(builder_, {words, positions, types, positions_, types_, first_position_});
  }

  void add_layer(u64 index) {
    const std::string from = layer(index), name = fmt::format("layers.{}.", index);
    const u64 hidden = network_.hidden, ffn = network_.ffn;
    EncoderLayer& layer = network_.layers[index];
    if (attends(layer)) {
      const std::string attention = from + "attention.";
      layer.projections = builder_.linears({{name + "attention.query", attention + "self.query", hidden, hidden},
                                            {name + "attention.key", attention + "self.key", hidden, hidden},
                                            {name + "attention.value", attention + "self.value", hidden, hidden},
                                            {name + "attention.output", attention + "output.dense", hidden, hidden}});
      builder_.norm(name + "norm1", attention + "output.LayerNorm");
    } else {
      builder_.norm(name + "norm1", from + "fourier.output.LayerNorm");
    }
    layer.ffn = builder_.linears({{name + "ffn.up", from + "intermediate.dense", hidden, ffn},
                                  {name + "ffn.down", from + "output.dense", ffn, hidden}});
    builder_.norm(name + "norm2", from + "output.LayerNorm");
  }

  /// A pooler and a classifier behind it; other heads are left out.
  void add_head() {
    if (roberta_ && source_.has("classifier.out_proj.weight")) {
      add_classifier("classifier.dense", "classifier.out_proj");
      return;
    }
    const std::string pooler = at("pooler.dense"), classifier = "classifier";
    const bool pooled = source_.has(pooler + ".weight");
    if (!pooled || !source_.has(classifier + ".weight")) {
      if (pooled) {
        source_.use(pooler + ".weight");
        source_.use(pooler + ".bias");
        builder_.result().left_out.push_back("the pooler, because no classifier follows it");
      }
      return;
    }
    add_classifier(pooler, classifier);
  }

  /// A dense layer with tanh on the first token, and one that makes the logits.
  void add_classifier(const std::string& pooler, const std::string& classifier) {
    const std::vector<u64>& shape = source_.shape(classifier + ".weight");
    network_.classes = shape.empty() ? 0 : shape.front();
    network_.pooler = true;
    builder_.dense("pooler", pooler, network_.hidden, network_.hidden);
    builder_.dense("classifier", classifier, network_.hidden, network_.classes);
  }

  ModelBuilder& builder_;
  ModelSource& source_;
  Network& network_;
  const std::string prefix_;
  bool fourier_ = false, roberta_ = false;
  u64 positions_ = 0, first_position_ = 0, types_ = 1;
};

}  // namespace

void bert(ModelBuilder& builder) { Bert(builder).import(); }

}  // namespace bvp::models
