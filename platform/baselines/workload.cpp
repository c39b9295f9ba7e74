// SPDX-License-Identifier: Apache-2.0
#include "platform/baselines/workload.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "platform/network/attention_pattern.h"

namespace bvp {

namespace {

constexpr double bytes_per_value = 2;

class Work {
 public:
  Work(const Network& network, const WorkForm& form)
      : network_(network),
        form_(form),
        batch_(static_cast<double>(network.batch)),
        tokens_(static_cast<double>(network.tokens)),
        rows_(batch_ * tokens_),
        hidden_(static_cast<double>(network.hidden)) {}

  std::vector<KernelWork> build() {
    if (has_embedding(network_)) add_embedding();
    for (const EncoderLayer& layer : network_.layers) {
      if (layer.mixing == Mixing::fft2d) {
        add_fft();
      } else {
        // Query, key and value are one product.
        add_linear("query_key_value", network_.hidden, 3 * network_.hidden, layer.projections, 3);
        add_attention(layer);
        add_linear("attention_output", network_.hidden, network_.hidden, layer.projections);
      }
      add_norm("norm1");
      add_linear("ffn_up", network_.hidden, network_.ffn, layer.ffn);
      add_linear("ffn_down", network_.ffn, network_.hidden, layer.ffn);
      add_norm("norm2");
    }
    if (network_.classes > 0) add_classifier();
    return std::move(work_);
  }

 private:
  void add(const char* name, KernelWork::Kind kind, double flops, double values, u64 points = 0) {
    work_.push_back({name, kind, flops, values * bytes_per_value, points});
  }

  /// @param layers  butterfly layers beside each other that share the outputs
  void add_linear(const char* name, u64 inputs, u64 outputs, LinearKind kind, u64 layers = 1) {
    const auto in = static_cast<double>(inputs), out = static_cast<double>(outputs);
    if (kind == LinearKind::dense) {
      add(name, KernelWork::Kind::dense, 2 * rows_ * in * out, rows_ * (in + out) + in * out + out);
      return;
    }
    const u64 points = next_power_of_two(inputs);
    double pair_outputs = 0;  // of all stacks and layers
    for (u64 first = 0; first < outputs / layers; first += points) {
      pair_outputs +=
          static_cast<double>(layers) * outputs_of_pairs(points, inputs, std::min(points, outputs / layers - first));
    }
    const double flops_of_output = form_.normalised ? 2 : 3, weights_of_output = form_.normalised ? 1 : 2;
    const double scales = form_.normalised ? out : 0;
    add(name, KernelWork::Kind::butterfly, flops_of_output * rows_ * pair_outputs,
        rows_ * (in + out) + weights_of_output * pair_outputs + out + scales, points);
  }

  /// Of the layers of a butterfly. Layer k works on blocks of 2^(k+1) points: with pruning a block counts if it has an
  /// input, and of its points those that lead to one of the first `outputs` points.
  [[nodiscard]] double outputs_of_pairs(u64 points, u64 inputs, u64 outputs) const {
    if (!form_.pruned) return static_cast<double>(points * log2_of(points));
    u64 sum = 0;
    for (u64 block = 2; block <= points; block *= 2) sum += (inputs + block - 1) / block * std::min(block, outputs);
    return static_cast<double>(sum);
  }

  void add_fft() {
    const u64 along_hidden = fft_points(network_, network_.hidden),
              along_tokens = fft_points(network_, network_.tokens);
    const auto n = static_cast<double>(along_hidden), m = static_cast<double>(along_tokens);
    const double of_hidden = 5 * n * std::log2(n), of_tokens = 5 * m * std::log2(m);
    if (form_.real_fft) {
      // Two columns are one complex column; of the spectra along the tokens, half of the rows say all.
      add("fft_tokens", KernelWork::Kind::fft, batch_ * (hidden_ / 2 * of_tokens + 2 * tokens_ * hidden_),
          rows_ * 2 * hidden_, along_tokens);
      add("fft_hidden", KernelWork::Kind::fft, rows_ / 2 * of_hidden, rows_ * 3 * hidden_, along_hidden);
      return;
    }
    // Real in, complex between, real out.
    add("fft_hidden", KernelWork::Kind::fft, rows_ * of_hidden, rows_ * (hidden_ + 2 * n), along_hidden);
    add("fft_tokens", KernelWork::Kind::fft, batch_ * hidden_ * of_tokens, rows_ * 3 * hidden_, along_tokens);
  }

  void add_attention(const EncoderLayer& layer) {
    const double pairs = batch_ * seen_pairs(layer, network_.tokens);
    add("attention", KernelWork::Kind::dense, 4 * pairs * hidden_, rows_ * 4 * hidden_);
    if (layer.mixing != Mixing::topk) return;
    // The means of the blocks of queries and keys, and their products.
    const double blocks = tokens_ / static_cast<double>(layer.sparse.block);
    add("attention_choice", KernelWork::Kind::dense, 4 * rows_ * hidden_ + 2 * batch_ * blocks * blocks * hidden_,
        rows_ * 2 * hidden_);
  }

  /// Of ids: token ids of 32 bits, their rows of the table, the positions, the sums. Of patches a dense layer, and
  /// the positions.
  void add_embedding() {
    if (network_.vocabulary > 0) {
      constexpr double values_of_id = sizeof(u32) / bytes_per_value;
      add("embedding", KernelWork::Kind::elementwise, 0, rows_ * (values_of_id + 2 * hidden_) + tokens_ * hidden_);
    } else {
      add_linear("embedding_patch", network_.patch_values, network_.hidden, LinearKind::dense);
      add("embedding", KernelWork::Kind::elementwise, 0, tokens_ * hidden_);
    }
    if (network_.embedding_norm) add("embedding_norm", KernelWork::Kind::elementwise, 0, 2 * rows_ * hidden_);
    if (network_.embedding_projection) {
      add_linear("embedding_projection", network_.hidden, network_.hidden, LinearKind::dense);
    }
  }

  void add_classifier() {
    if (network_.pooling == Pooling::mean) {
      add("pooling", KernelWork::Kind::elementwise, 0, (rows_ + batch_) * hidden_);
    }
    if (network_.pooler) {
      add("pooler", KernelWork::Kind::dense, 2 * batch_ * hidden_ * hidden_,
          2 * batch_ * hidden_ + hidden_ * hidden_ + hidden_);
    }
    const auto classes = static_cast<double>(network_.classes);
    add("classifier", KernelWork::Kind::dense, 2 * batch_ * hidden_ * classes,
        batch_ * (hidden_ + classes) + hidden_ * classes + classes);
  }

  /// With the residual: two operands, one result.
  void add_norm(const char* name) { add(name, KernelWork::Kind::elementwise, 0, 3 * rows_ * hidden_); }

  const Network& network_;
  const WorkForm form_;
  const double batch_, tokens_, rows_, hidden_;
  std::vector<KernelWork> work_;
};

}  // namespace

std::vector<KernelWork> network_work(const Network& network, const WorkForm& form) {
  return Work(network, form).build();
}

Network dense_counterpart(Network network) {
  for (EncoderLayer& layer : network.layers) layer = {Mixing::attention, LinearKind::dense, LinearKind::dense};
  return network;
}

double total_flops(const std::vector<KernelWork>& work) {
  return std::accumulate(work.begin(), work.end(), 0.0,
                         [](double sum, const KernelWork& kernel) { return sum + kernel.flops; });
}

}  // namespace bvp
