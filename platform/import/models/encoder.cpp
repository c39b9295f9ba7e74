// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <array>

#include "platform/import/models/models.h"
#include "platform/import/token_embedding.h"
#include "platform/support/printable.h"

namespace bvp::models {
namespace {

class PlainEncoder {
 public:
  explicit PlainEncoder(ModelBuilder& builder)
      : builder_(builder),
        source_(builder.source()),
        network_(builder.network()),
        prefix_(source_.prefix_of("layers.0.norm1.weight")) {}

  void import() {
    if (!read_sizes()) return;
    read_config();
    if (!builder_.sound()) return;
    add_embedding();
    for (u64 i = 0; i < network_.layers.size(); ++i) add_layer(i);
    add_final_norm();
    add_head();
  }

 private:
  [[nodiscard]] std::string layer(u64 index) const { return fmt::format("{}layers.{}.", prefix_, index); }

  /// Hidden size, inner size and number of layers follow from the tensors.
  bool read_sizes() {
    const std::string norm = layer(0) + "norm1.weight", up = layer(0) + "linear1.bias";
    for (const std::string& name : {norm, up}) {
      if (!source_.has(name) || source_.shape(name).size() != 1 || source_.shape(name)[0] < 2) {
        builder_.wrong("tensor '{}' is missing, or is no vector: the sizes of the encoder follow from it",
                       printable(name));
      }
    }
    if (!builder_.sound()) return false;
    network_.hidden = source_.shape(norm).front();
    network_.ffn = source_.shape(up).front();
    while (network_.layers.size() < 1024 && source_.has(layer(network_.layers.size()) + "norm1.weight")) {
      network_.layers.emplace_back();
      const std::string attention = layer(network_.layers.size() - 1) + "self_attn.";
      const bool attends = source_.has(attention + "in_proj_weight") || source_.has(attention + "out_proj.weight") ||
                           source_.has(attention + "out_proj.twiddle");
      network_.layers.back().mixing = attends ? Mixing::attention : Mixing::fft2d;
    }
    return true;
  }

  void read_config() {
    network_.norm = builder_.flag("norm_first", false) ? NormPlacement::pre : NormPlacement::post;
    network_.activation = builder_.activation("activation", "relu");
    network_.epsilon = builder_.number("layer_norm_eps", 1e-5);
    if (has_attention(network_)) {
      network_.heads = builder_.count("nhead");
      if (builder_.sound() && network_.hidden % network_.heads != 0) {
        builder_.wrong("{}: nhead {} does not divide the {} values of a token", source_.config_file().string(),
                       network_.heads, network_.hidden);
      }
    }
    const u64 tokens = builder_.options().tokens;
    network_.tokens = tokens != 0 ? tokens : builder_.count("tokens");
    const std::string norm = builder_.word("fft_norm", "ortho");
    network_.fft_norm = norm == "ortho" ? FftNorm::ortho : FftNorm::none;
    if (norm != "ortho" && norm != "backward" && norm != "none") {
      builder_.unsupported("fft_norm '{}', the platform has ortho and backward (none)", printable(norm));
    }
    if (builder_.options().token_types && builder_.word("token_type_embedding", "").empty()) {
      builder_.wrong("--token-types: the model has no types of tokens");
    }
    network_.padding_mask = builder_.options().padding_mask && has_attention(network_);
    if (builder_.options().padding_mask && !network_.padding_mask) {
      builder_.wrong("--padding-mask: the model has no attention, and so takes no mask");
    }
  }

  [[nodiscard]] u64 rows_of(const std::string& table) const {
    return source_.has(table) && !source_.shape(table).empty() ? source_.shape(table).front() : 1;
  }

  /// Tables of tokens, of positions and of types of tokens, whose modules the configuration names.
  void add_embedding() {
    const std::string token = builder_.word("token_embedding", ""), position = builder_.word("position_embedding", "");
    const std::string types = builder_.word("token_type_embedding", ""), norm = builder_.word("embedding_norm", "");
    const std::string projection = builder_.word("embedding_projection", "");
    if (token.empty()) {
      for (const std::string* module : {&position, &types, &norm, &projection}) {
        if (module->empty()) continue;
        builder_.wrong("{}: '{}' belongs to the embedding, which needs token_embedding, the module of the tokens",
                       source_.config_file().string(), printable(*module));
      }
      return;
    }
    TokenTables tables{token + ".weight", position.empty() ? "" : position + ".weight",
                       types.empty() ? "" : types + ".weight"};
    network_.vocabulary = rows_of(tables.words);
    if (!position.empty()) tables.position_rows = rows_of(tables.positions);
    if (!types.empty()) tables.type_rows = rows_of(tables.types);
    if (!position.empty() && source_.has(tables.positions) && tables.position_rows < network_.tokens) {
      builder_.wrong("'{}' has {} positions, and a sequence {} tokens", printable(tables.positions),
                     tables.position_rows, network_.tokens);
      return;
    }
    add_token_embedding(builder_, tables);
    network_.embedding_norm = !norm.empty();
    if (network_.embedding_norm) builder_.norm("embedding.norm", norm);
    network_.embedding_projection = !projection.empty();
    if (network_.embedding_projection) {
      builder_.dense("embedding.projection", projection, network_.hidden, network_.hidden);
    }
  }

  void add_layer(u64 index) {
    const std::string from = layer(index), name = fmt::format("layers.{}.", index);
    EncoderLayer& to = network_.layers[index];
    if (attends(to)) add_attention(from + "self_attn.", name + "attention.", to);
    to.ffn = builder_.linears({{name + "ffn.up", from + "linear1", network_.hidden, network_.ffn},
                               {name + "ffn.down", from + "linear2", network_.ffn, network_.hidden}});
    builder_.norm(name + "norm1", from + "norm1");
    builder_.norm(name + "norm2", from + "norm2");
  }

  /// Query, key and value in one matrix, or each as a linear layer.
  void add_attention(const std::string& from, const std::string& name, EncoderLayer& layer) {
    const u64 hidden = network_.hidden;
    constexpr std::array<const char*, 3> parts{"query", "key", "value"};
    if (!source_.has(from + "in_proj_weight")) {
      layer.projections = builder_.linears({{name + "query", from + "q_proj", hidden, hidden},
                                            {name + "key", from + "k_proj", hidden, hidden},
                                            {name + "value", from + "v_proj", hidden, hidden},
                                            {name + "output", from + "out_proj", hidden, hidden}});
      return;
    }
    layer.projections = LinearKind::dense;
    const auto weight = builder_.read(from + "in_proj_weight", {3 * hidden, hidden});
    const auto bias = builder_.read_or_zeros(from + "in_proj_bias", {3 * hidden});
    const auto part_of = [&](const FloatTensor& all, std::size_t part) {
      const auto size = static_cast<std::ptrdiff_t>(all.data.size() / 3),
                 begin = size * static_cast<std::ptrdiff_t>(part);
      return std::vector<float>(all.data.begin() + begin, all.data.begin() + begin + size);
    };
    for (std::size_t i = 0; weight && bias && i < parts.size(); ++i) {
      builder_.set(name + parts[i] + ".weight", {hidden, hidden}, part_of(*weight, i), from + "in_proj_weight");
      builder_.set(name + parts[i] + ".bias", {hidden}, part_of(*bias, i), from + "in_proj_bias");
    }
    builder_.dense(name + "output", from + "out_proj", hidden, hidden);
  }

  void add_final_norm() {
    const std::string norm = prefix_ + "norm";
    const bool there = source_.has(norm + ".weight"), pre = network_.norm == NormPlacement::pre;
    if (there) builder_.norm("final_norm", norm);
    if (there != pre) network_.final_norm = there ? FinalNorm::present : FinalNorm::absent;
  }

  void add_head() {
    const std::string classifier = builder_.word("classifier", ""), pooler = builder_.word("pooler", "");
    const std::string pooling = builder_.word("pooling", "first");
    if (pooling != "first" && pooling != "mean") {
      builder_.unsupported("pooling '{}', the platform has first and mean", printable(pooling));
    }
    network_.pooling = pooling == "mean" ? Pooling::mean : Pooling::first;
    if (classifier.empty()) {
      if (!pooler.empty()) {
        builder_.wrong("{}: pooler needs classifier, the module behind it", source_.config_file().string());
      }
      return;
    }
    const std::string weight = classifier + ".weight";
    network_.classes = source_.has(weight) && !source_.shape(weight).empty() ? source_.shape(weight).front() : 1;
    builder_.dense("classifier", classifier, network_.hidden, network_.classes);
    network_.pooler = !pooler.empty();
    if (network_.pooler) builder_.dense("pooler", pooler, network_.hidden, network_.hidden);
  }

  ModelBuilder& builder_;
  ModelSource& source_;
  Network& network_;
  const std::string prefix_;
};

}  // namespace

void encoder(ModelBuilder& builder) { PlainEncoder(builder).import(); }

}  // namespace bvp::models
