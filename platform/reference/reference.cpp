// SPDX-License-Identifier: Apache-2.0
#include "platform/reference/reference.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

#include "platform/network/attention_pattern.h"
#include "platform/network/exact_transform.h"
#include "platform/network/half.h"
#include "platform/network/normal_butterfly.h"
#include "platform/reference/fft_order.h"
#include "platform/reference/functions.h"
#include "platform/reference/kernels.h"
#include "platform/reference/panels.h"
#include "platform/reference/tensor_lookup.h"

namespace bvp {
namespace {

using HalfPanels = Panels<u16>;

/// (cos, -sin), or by ratios (ratio, large), in the order of ReferenceKernels::fft.
std::vector<u16> fft_factors(unsigned log_n, bool by_ratios) {
  const double pi = std::acos(-1.0);
  std::vector<u16> factors;
  for (unsigned k = 0; k < log_n; ++k) {
    for (u64 o = 0; o < u64{1} << k; ++o) {
      const double angle = 2 * pi * static_cast<double>(o) / static_cast<double>(u64{2} << k);
      const double real = std::cos(angle), imaginary = -std::sin(angle);
      if (!by_ratios) {
        factors.push_back(to_half(real));
        factors.push_back(to_half(imaginary));
      } else if (std::abs(imaginary) > (1 + 1e-9) * std::abs(real)) {
        factors.push_back(to_half(real / imaginary) | 0x4000);
        factors.push_back(to_half(imaginary));
      } else {
        factors.push_back(to_half(imaginary / real));
        factors.push_back(to_half(real));
      }
    }
  }
  return factors;
}

u16 rounded(float value) { return std::isnan(value) ? u16{0x7e00} : to_half(static_cast<double>(value)); }

u16 inverse_root(u64 n) { return to_half(1 / std::sqrt(static_cast<double>(n))); }

class Evaluation {
 public:
  /// @param mask  [batch, tokens], or empty
  Evaluation(const Network& network, const TensorMap& parameters, const ReferenceOptions& options,
             const Tensor* mask = nullptr, BlockChoices* choices = nullptr)
      : network_(network),
        parameters_(parameters),
        options_(options),
        mask_(mask),
        choices_(choices),
        kernels_(reference_kernels()) {}

  /// The sums of tokens and positions as the first layer takes them.
  [[nodiscard]] HalfPanels embedded(HalfPanels x) const {
    if (network_.embedding_norm) x = norm(x, "embedding.norm");
    if (network_.embedding_projection) {
      x = linear(x, LinearKind::dense, "embedding.projection", network_.hidden);
    }
    return x;
  }

  /// Tokens of patches, with their positions.
  [[nodiscard]] HalfPanels of_patches(const HalfPanels& patches) const {
    HalfPanels x = linear(patches, LinearKind::dense, "embedding.patch", network_.hidden);
    const u64 hidden = network_.hidden, tokens = network_.tokens;
    const u16* position = find_tensor(parameters_, "embedding.position", tokens * hidden);
    for (u64 row = 0; row < network_.batch * tokens; ++row) {
      const u64 token = row % tokens, panel = row / tokens * panels_for(tokens) + token / panel_width;
      for (u64 i = 0; i < hidden; ++i) {
        u16& value = x.row(panel, i)[token % panel_width];
        value = rounded(from_half(value) + from_half(position[token * hidden + i]));
      }
    }
    return x;
  }

  [[nodiscard]] HalfPanels layer(const HalfPanels& x, u64 index) const {
    const EncoderLayer& layer = network_.layers[index];
    const std::string name = fmt::format("layers.{}", index);
    if (network_.norm == NormPlacement::post) {
      const bool exact = layer.mixing == Mixing::fft2d && has_exact_transforms(network_);
      const HalfPanels h = norm(mix(x, x, index), name + ".norm1", exact ? exact_scales(network_, false).epsilon : 1);
      return norm(feed_forward(h, h, layer, name), name + ".norm2");
    }
    const HalfPanels h = mix(norm(x, name + ".norm1"), x, index);
    return feed_forward(norm(h, name + ".norm2"), h, layer, name);
  }

  /// @param share  x is that share of what is to be normalised, and so is what epsilon is added to
  [[nodiscard]] HalfPanels norm(const HalfPanels& x, const std::string& name, double share = 1) const {
    const std::size_t features = x.features();
    const u16* weight = find_tensor(parameters_, name + ".weight", features);
    const u16* bias = find_tensor(parameters_, name + ".bias", features);
    HalfPanels y(x.panels(), features);
    for (std::size_t panel = 0; panel < x.panels(); ++panel) {
      kernels_.layer_norm(features, options_.sum_ways, x.row(panel, 0), weight, bias, network_.epsilon * share,
                          y.row(panel, 0));
    }
    return y;
  }

  /// [batch, classes]
  [[nodiscard]] std::vector<u16> logits(const HalfPanels& x) const {
    // Batch elements take the place of tokens.
    HalfPanels pooled = network_.pooling == Pooling::mean ? mean(x) : first(x);
    if (network_.pooler) {
      pooled = linear(pooled, LinearKind::dense, "pooler", network_.hidden);
      kernels_.look_up(pooled.panels() * pooled.features(), functions_.tanh.data(), pooled.row(0, 0));
    }
    const HalfPanels y = linear(pooled, LinearKind::dense, "classifier", network_.classes);
    return from_panels(y, 1, network_.batch);
  }

 private:
  [[nodiscard]] HalfPanels first(const HalfPanels& x) const {
    HalfPanels y(panels_for(network_.batch), x.features());
    for (u64 element = 0; element < network_.batch; ++element) {
      for (std::size_t i = 0; i < x.features(); ++i) {
        y.row(element / panel_width, i)[element % panel_width] = x.row(element * panels_for(network_.tokens), i)[0];
      }
    }
    return y;
  }

  /// Sums of 64 tokens each, then their sum; tokens count 2^m / tokens each, and the sum 2^-m.
  [[nodiscard]] HalfPanels mean(const HalfPanels& x) const {
    constexpr u64 block = 64;
    u64 power = 1;
    while (2 * power <= network_.tokens) power *= 2;
    const float share = from_half(to_half(static_cast<double>(power) / static_cast<double>(network_.tokens)));
    const std::vector<u16> inverse(panel_width, to_half(1 / static_cast<double>(power)));
    HalfPanels y(panels_for(network_.batch), x.features());
    std::vector<float> sums(x.features() * panel_width);
    for (u64 panel = 0; panel < y.panels(); ++panel) {
      std::fill(sums.begin(), sums.end(), 0.0F);
      for (u64 lane = 0; lane < panel_width && panel * panel_width + lane < network_.batch; ++lane) {
        const u64 base = (panel * panel_width + lane) * panels_for(network_.tokens);
        for (std::size_t i = 0; i < x.features(); ++i) {
          for (u64 begin = 0; begin < network_.tokens; begin += block) {
            float sum = 0;
            for (u64 token = begin; token < std::min(begin + block, network_.tokens); ++token) {
              sum += from_half(x.row(base + token / panel_width, i)[token % panel_width]) * share;
            }
            sums[i * panel_width + lane] += sum;
          }
        }
      }
      kernels_.round_scaled(x.features(), sums.data(), 1.0F, inverse.data(), y.row(panel, 0));
    }
    return y;
  }

  /// mix(x) + residual
  [[nodiscard]] HalfPanels mix(const HalfPanels& x, const HalfPanels& residual, u64 index) const {
    if (attends(network_.layers[index])) return attention(x, residual, index);
    if (options_.real_fft) return real_fft2d(x, residual);
    if (has_exact_transforms(network_)) return exact_fft2d(x, residual);
    HalfPanels y = fft2d(x);
    kernels_.add(y.panels() * y.features(), residual.row(0, 0), y.row(0, 0));
    return y;
  }

  /// ffn(x) + residual
  [[nodiscard]] HalfPanels feed_forward(const HalfPanels& x, const HalfPanels& residual, const EncoderLayer& layer,
                                        const std::string& name) const {
    // In normal form a GELU works on a share of its argument and leaves a multiple of its result.
    const bool gelu = network_.activation == Activation::gelu;
    const double owed = gelu && in_normal_form(layer.ffn) ? gelu_owes : 1;
    HalfPanels up = linear(x, layer.ffn, name + ".ffn.up", network_.ffn, {1, owed});
    const std::size_t rows = up.panels() * up.features();
    if (gelu && in_normal_form(layer.ffn)) {
      kernels_.gelu_of_share(rows, functions_.erf.data(), up.row(0, 0));
    } else {
      activate(rows, up.row(0, 0));
    }
    HalfPanels y = linear(up, layer.ffn, name + ".ffn.down", network_.hidden, {owed, 1});
    kernels_.add(y.panels() * y.features(), residual.row(0, 0), y.row(0, 0));
    return y;
  }

  void activate(std::size_t rows, u16* values) const {
    switch (network_.activation) {
      case Activation::gelu:
        return kernels_.gelu(rows, functions_.erf.data(), values);
      case Activation::gelu_tanh:
        return kernels_.gelu_tanh(rows, functions_.tanh.data(), values);
      case Activation::tanh:
        return kernels_.look_up(rows, functions_.tanh.data(), values);
      case Activation::relu:
        return kernels_.relu(rows, values);
    }
  }

  [[nodiscard]] bool in_normal_form(LinearKind kind) const {
    return kind == LinearKind::butterfly && options_.normalised;
  }

  /// What inputs of a layer in normal form count more than they are, and by which its results count less.
  struct Owed {
    double by_input = 1, by_result = 1;
  };

  [[nodiscard]] HalfPanels linear(const HalfPanels& x, LinearKind kind, const std::string& name, u64 outputs,
                                  const Owed& owed = {1, 1}) const {
    if (in_normal_form(kind)) return normal_butterfly(x, name, outputs, owed);
    HalfPanels y = kind == LinearKind::dense ? dense(x, name, outputs) : butterfly(x, name, outputs);
    const u16* bias = find_tensor(parameters_, name + ".bias", outputs);
    for (std::size_t panel = 0; panel < y.panels(); ++panel) kernels_.add_bias(outputs, bias, y.row(panel, 0));
    return y;
  }

  [[nodiscard]] HalfPanels dense(const HalfPanels& x, const std::string& name, u64 outputs) const {
    const std::size_t inputs = x.features();
    const u16* weight = find_tensor(parameters_, name + ".weight", outputs * inputs);
    std::vector<float> operands(x.panels() * inputs * panel_width);
    kernels_.widen(operands.size(), x.row(0, 0), operands.data());
    HalfPanels y(x.panels(), outputs);
    // Some outputs for all tokens, then the next: the weights of a block stay in the cache.
    constexpr u64 block = 64;
    std::vector<float> weights(block * inputs);
    std::vector<float> sums(block * panel_width);
    for (u64 first = 0; first < outputs; first += block) {
      const u64 count = std::min(block, outputs - first);
      kernels_.widen(count * inputs, weight + first * inputs, weights.data());
      for (std::size_t panel = 0; panel < x.panels(); ++panel) {
        kernels_.multiply(count, inputs, weights.data(), inputs, operands.data() + panel * inputs * panel_width,
                          sums.data());
        kernels_.round(count, sums.data(), y.row(panel, first));
      }
    }
    return y;
  }

  /// Each stack of a butterfly computes `n` outputs from the features, padded with zeros: compute(stack, points) does
  /// so in place for one panel. The last outputs are cut off.
  template <class Compute>
  [[nodiscard]] HalfPanels in_stacks(const HalfPanels& x, u64 n, u64 outputs, const Compute& compute) const {
    HalfPanels y(x.panels(), outputs);
    std::vector<u16> points(n * panel_width);
    for (std::size_t panel = 0; panel < x.panels(); ++panel) {
      const u16* from = x.row(panel, 0);
      for (u64 stack = 0; stack * n < outputs; ++stack) {
        const auto end = std::copy(from, from + x.features() * panel_width, points.begin());
        std::fill(end, points.end(), u16{0});
        compute(stack, points.data());
        const u64 kept = std::min(n, outputs - stack * n);
        std::copy_n(points.begin(), kept * panel_width, y.row(panel, stack * n));
      }
    }
    return y;
  }

  [[nodiscard]] HalfPanels butterfly(const HalfPanels& x, const std::string& name, u64 outputs) const {
    const u64 n = next_power_of_two(x.features());
    const unsigned log_n = log2_of(n);
    const u64 stacks = (outputs + n - 1) / n;
    const u64 factors = log_n * n / 2 * 4;
    const u16* twiddle = find_tensor(parameters_, name + ".twiddle", stacks * factors);
    return in_stacks(x, n, outputs,
                     [&](u64 stack, u16* points) { kernels_.butterfly(log_n, twiddle + stack * factors, points); });
  }

  /// With the bias.
  [[nodiscard]] HalfPanels normal_butterfly(const HalfPanels& x, const std::string& name, u64 outputs,
                                            const Owed& owed) const {
    const u64 n = next_power_of_two(x.features());
    const unsigned log_n = log2_of(n);
    const u64 stacks = (outputs + n - 1) / n;
    const u16* twiddle = find_tensor(parameters_, name + ".twiddle", stacks * log_n * n / 2 * 4);
    const u16* bias = find_tensor(parameters_, name + ".bias", outputs);
    const NormalButterfly form(twiddle, stacks, log_n, owed.by_input);
    std::vector<u16> scales, biases;
    for (u64 i = 0; i < outputs; ++i) {
      scales.push_back(to_half(form.owed(i / n, i % n) * owed.by_result));
      biases.push_back(to_half(static_cast<double>(from_half(bias[i])) * owed.by_result));
    }
    HalfPanels y = in_stacks(x, n, outputs, [&](u64 stack, u16* points) {
      for (unsigned layer = 0; layer < log_n; ++layer) {
        const auto compute = form.pays(layer) ? kernels_.butterfly_layer : kernels_.normal_layer;
        compute(log_n, layer, form.scalars(stack, layer), points);
      }
    });
    for (std::size_t panel = 0; panel < y.panels(); ++panel) {
      kernels_.scale_and_add(outputs, scales.data(), biases.data(), y.row(panel, 0));
    }
    return y;
  }

  [[nodiscard]] HalfPanels attention(const HalfPanels& x, const HalfPanels& residual, u64 index) const {
    const EncoderLayer& layer = network_.layers[index];
    const LinearKind kind = layer.projections;
    const std::string name = fmt::format("layers.{}.attention", index);
    const HalfPanels query = linear(x, kind, name + ".query", network_.hidden);
    const HalfPanels key = linear(x, kind, name + ".key", network_.hidden);
    const HalfPanels value = linear(x, kind, name + ".value", network_.hidden);
    HalfPanels mixed(x.panels(), network_.hidden);
    const u64 head_width = network_.hidden / network_.heads;
    for (u64 element = 0; element < network_.batch; ++element) {
      for (u64 head = 0; head < network_.heads; ++head) {
        if (is_sparse(layer)) {
          attend_some({query, key, value, element, head * head_width, head_width}, index, mixed);
        } else {
          attend(query, key, value, element, head * head_width, head_width, mixed);
        }
      }
    }
    HalfPanels y = linear(mixed, kind, name + ".output", network_.hidden);
    kernels_.add(y.panels() * y.features(), residual.row(0, 0), y.row(0, 0));
    return y;
  }

  /// One head of one batch element.
  void attend(const HalfPanels& query, const HalfPanels& key, const HalfPanels& value, u64 element, std::size_t feature,
              std::size_t head_width, HalfPanels& mixed) const {
    const std::size_t tokens = network_.tokens, base = element * panels_for(tokens);
    const u16* const mask = mask_ == nullptr || mask_->data.empty() ? nullptr : mask_->data.data() + element * tokens;
    const u16 factor = inverse_root(head_width);
    // The unit of a row's sum of exponentials: small enough that the sum and its reciprocal stay normal numbers.
    float unit = 1;
    while (static_cast<double>(tokens) * static_cast<double>(unit) >= 16385) unit /= 2;
    std::vector<float> keys(tokens * head_width);    // [token][feature]
    std::vector<float> values(tokens * head_width);  // [feature][token]
    for (std::size_t token = 0; token < tokens; ++token) {
      for (std::size_t d = 0; d < head_width; ++d) {
        const std::size_t panel = base + token / panel_width;
        keys[token * head_width + d] = from_half(key.row(panel, feature + d)[token % panel_width]);
        values[d * tokens + token] = from_half(value.row(panel, feature + d)[token % panel_width]);
      }
    }
    const std::size_t keys_at_once = options_.key_block == 0 ? tokens : options_.key_block;
    const std::size_t block = std::max<std::size_t>(1, std::min<std::size_t>(keys_at_once, tokens));
    const std::size_t blocks = (tokens + block - 1) / block;
    std::vector<float> queries(head_width * panel_width);
    std::vector<float> scores(block * panel_width);
    std::vector<float> weights(block * panel_width);
    std::vector<float> sums(head_width * panel_width);
    std::vector<u16> maxima(blocks * panel_width), totals(blocks * panel_width), inverse(panel_width);
    std::vector<u16> partial(blocks * head_width * panel_width);
    for (std::size_t panel = base; panel < base + panels_for(tokens); ++panel) {
      kernels_.widen(queries.size(), query.row(panel, feature), queries.data());
      for (std::size_t i = 0; i < blocks; ++i) {
        const std::size_t first = i * block, count = std::min(block, tokens - first);
        kernels_.multiply(count, head_width, keys.data() + first * head_width, head_width, queries.data(),
                          scores.data());
        kernels_.softmax(count, options_.sum_ways, scores.data(), factor, mask == nullptr ? nullptr : mask + first,
                         unit, functions_.exp.data(), functions_.reciprocal.data(), weights.data(),
                         maxima.data() + i * panel_width, totals.data() + i * panel_width, inverse.data());
        kernels_.multiply(head_width, count, values.data() + first, tokens, weights.data(), sums.data());
        kernels_.round_scaled(head_width, sums.data(), unit, inverse.data(),
                              partial.data() + i * head_width * panel_width);
      }
      if (blocks == 1) {
        std::copy(partial.begin(), partial.end(), mixed.row(panel, feature));
      } else {
        kernels_.merge(blocks, head_width, maxima.data(), totals.data(), partial.data(), functions_.exp.data(),
                       functions_.reciprocal.data(), mixed.row(panel, feature));
      }
    }
  }

  /// One head of one batch element.
  struct Head {
    const HalfPanels &query, &key, &value;
    u64 element;
    std::size_t feature, width;
  };

  [[nodiscard]] u16 value_of(const HalfPanels& x, const Head& head, u64 token, std::size_t d) const {
    const std::size_t panel = head.element * panels_for(network_.tokens) + token / panel_width;
    return x.row(panel, head.feature + d)[token % panel_width];
  }

  /// Sparse attention of one head.
  void attend_some(const Head& head, u64 index, HalfPanels& mixed) const {
    const EncoderLayer& layer = network_.layers[index];
    if (layer.mixing == Mixing::topk) {
      const u64 size = layer.sparse.block;
      const std::vector<std::vector<u32>> chosen = chosen_blocks(head, layer);
      for (u64 block = 0; block < chosen.size(); ++block) {
        QueryBlock of_queries{{block * size, size}, {}, true};
        for (const u32 keys : chosen[block]) of_queries.keys.push_back({keys * size, size});
        attend_block(head, of_queries, nullptr, mixed);
        if (choices_ == nullptr) continue;
        std::vector<u32>& all = (*choices_)[index];
        all.insert(all.end(), chosen[block].begin(), chosen[block].end());
      }
      return;
    }
    const AttentionPattern pattern(layer, network_.tokens);
    const u64 given = index < options_.query_blocks.size() ? options_.query_blocks[index] : 0;
    for (const QueryBlock& block : pattern.query_blocks(given == 0 ? network_.tokens : given)) {
      attend_block(head, block, block.whole ? nullptr : &pattern, mixed);
    }
  }

  /// The means of each block's rows: fp32 sums of x * (1 / size).
  [[nodiscard]] std::vector<std::vector<float>> block_means(const HalfPanels& x, const Head& head, u64 size) const {
    const float share = from_half(to_half(1 / static_cast<double>(size)));
    std::vector<std::vector<float>> means;
    for (u64 first = 0; first < network_.tokens; first += size) {
      means.emplace_back();
      for (std::size_t d = 0; d < head.width; ++d) {
        float sum = 0;
        for (u64 token = first; token < first + size; ++token) sum += from_half(value_of(x, head, token, d)) * share;
        means.back().push_back(from_half(rounded(sum)));
      }
    }
    return means;
  }

  /// For each block of queries the blocks of keys with the highest scores, ascending; of equal ones the first.
  [[nodiscard]] std::vector<std::vector<u32>> chosen_blocks(const Head& head, const EncoderLayer& layer) const {
    const std::vector<std::vector<float>> queries = block_means(head.query, head, layer.sparse.block);
    const std::vector<std::vector<float>> keys = block_means(head.key, head, layer.sparse.block);
    const float factor = from_half(inverse_root(head.width));
    std::vector<std::vector<u32>> chosen;
    for (const std::vector<float>& query : queries) {
      std::vector<float> scores;
      std::vector<u32> order;
      for (const std::vector<float>& key : keys) {
        float sum = 0;
        for (std::size_t d = 0; d < head.width; ++d) sum += query[d] * key[d];
        order.push_back(static_cast<u32>(scores.size()));
        scores.push_back(from_half(rounded(sum * factor)));
      }
      std::stable_sort(order.begin(), order.end(), [&](u32 a, u32 b) { return scores[a] > scores[b]; });
      order.resize(layer.sparse.top_blocks);
      std::sort(order.begin(), order.end());
      chosen.push_back(std::move(order));
    }
    return chosen;
  }

  /// A block of queries attends to its keys. @param pattern  says which of them each query sees; nullptr: all
  void attend_block(const Head& head, const QueryBlock& block, const AttentionPattern* pattern,
                    HalfPanels& mixed) const {
    const u16* const mask =
        mask_ == nullptr || mask_->data.empty() ? nullptr : mask_->data.data() + head.element * network_.tokens;
    const std::size_t count = tokens_in(block.keys), width = head.width;
    float unit = 1;
    while (static_cast<double>(count) * static_cast<double>(unit) >= 16385) unit /= 2;
    std::vector<u64> tokens;
    for (const TokenRun& run : block.keys) {
      for (u64 token = run.first; token < run.first + run.count; ++token) tokens.push_back(token);
    }
    std::vector<float> keys(count * width), values(count * width);  // [key][feature], [feature][key]
    std::vector<u16> masked;
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t d = 0; d < width; ++d) {
        keys[i * width + d] = from_half(value_of(head.key, head, tokens[i], d));
        values[d * count + i] = from_half(value_of(head.value, head, tokens[i], d));
      }
      if (mask != nullptr) masked.push_back(mask[tokens[i]]);
    }
    std::vector<float> queries(width * panel_width), scores(count * panel_width), weights(count * panel_width),
        sums(width * panel_width);
    std::vector<u16> maxima(panel_width), totals(panel_width), inverse(panel_width), results(width * panel_width);
    const u64 end = block.queries.first + block.queries.count;
    for (u64 first = block.queries.first; first < end; first += panel_width) {
      const std::size_t lanes = std::min<u64>(panel_width, end - first);
      std::fill(queries.begin(), queries.end(), 0.0F);
      for (std::size_t i = 0; i < lanes * width; ++i) {
        queries[i % width * panel_width + i / width] =
            from_half(value_of(head.query, head, first + i / width, i % width));
      }
      kernels_.multiply(count, width, keys.data(), width, queries.data(), scores.data());
      for (std::size_t lane = 0; pattern != nullptr && lane < lanes; ++lane) {
        leave_out_unseen(pattern->seen(first + lane), tokens, scores.data() + lane);
      }
      kernels_.softmax(count, options_.sum_ways, scores.data(), inverse_root(width),
                       mask == nullptr ? nullptr : masked.data(), unit, functions_.exp.data(),
                       functions_.reciprocal.data(), weights.data(), maxima.data(), totals.data(), inverse.data());
      kernels_.multiply(width, count, values.data(), count, weights.data(), sums.data());
      kernels_.round_scaled(width, sums.data(), unit, inverse.data(), results.data());
      for (std::size_t i = 0; i < lanes * width; ++i) {
        const u64 token = first + i / width;
        const std::size_t panel = head.element * panels_for(network_.tokens) + token / panel_width;
        mixed.row(panel, head.feature + i % width)[token % panel_width] = results[i % width * panel_width + i / width];
      }
    }
  }

  /// Gives the keys that a query does not see a score of -infinity. @param scores  of its lane
  static void leave_out_unseen(const TokenRuns& seen, const std::vector<u64>& tokens, float* scores) {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const bool sees = std::any_of(seen.begin(), seen.end(), [&](const TokenRun& run) {
        return tokens[i] >= run.first && tokens[i] < run.first + run.count;
      });
      if (!sees) scores[i * panel_width] = -std::numeric_limits<float>::infinity();
    }
  }

  /// @param factors  fft_factors()
  void transform(unsigned log_n, const u16* factors, u16* real, u16* imaginary) const {
    (options_.twiddle_ratios ? kernels_.fft_by_ratios : kernels_.fft)(log_n, factors, real, imaginary);
  }

  [[nodiscard]] HalfPanels fft2d(const HalfPanels& x) const {
    const std::size_t hidden = network_.hidden;
    const std::size_t tokens = network_.tokens;
    const u64 padded_hidden = fft_points(network_, hidden);
    const u64 padded_tokens = fft_points(network_, tokens);
    const unsigned log_hidden = log2_of(padded_hidden);
    const unsigned log_tokens = log2_of(padded_tokens);
    const bool ortho = network_.fft_norm == FftNorm::ortho;

    HalfPanels real(x.panels(), hidden);
    HalfPanels imaginary(x.panels(), hidden);
    std::vector<u16> re(padded_hidden * panel_width);
    std::vector<u16> im(padded_hidden * panel_width);
    std::vector<u16> factors = fft_factors(log_hidden, options_.twiddle_ratios);
    for (std::size_t panel = 0; panel < x.panels(); ++panel) {
      std::fill(re.begin(), re.end(), u16{0});
      std::fill(im.begin(), im.end(), u16{0});
      for (std::size_t i = 0; i < hidden; ++i) {
        std::copy_n(x.row(panel, i), panel_width, re.data() + bit_reversed(i, log_hidden) * panel_width);
      }
      if (ortho) kernels_.scale(padded_hidden, inverse_root(padded_hidden), re.data());
      transform(log_hidden, factors.data(), re.data(), im.data());
      std::copy_n(re.data(), hidden * panel_width, real.row(panel, 0));
      std::copy_n(im.data(), hidden * panel_width, imaginary.row(panel, 0));
    }

    // Along the tokens, the 16 values of a row are neighbouring hidden columns. Tokens of the padding are all +0
    // after the first pass too, whatever their factors: 0 + t and 0 - t are +0 for both signs of a zero t.
    HalfPanels y(x.panels(), hidden);
    factors = fft_factors(log_tokens, options_.twiddle_ratios);
    re.assign(padded_tokens * panel_width, 0);
    im.assign(padded_tokens * panel_width, 0);
    for (u64 element = 0; element < network_.batch; ++element) {
      const std::size_t base = element * panels_for(tokens);
      for (std::size_t column = 0; column < hidden; column += panel_width) {
        const std::size_t columns = std::min(panel_width, hidden - column);
        std::fill(re.begin(), re.end(), u16{0});
        std::fill(im.begin(), im.end(), u16{0});
        for (std::size_t token = 0; token < tokens; ++token) {
          const std::size_t to = bit_reversed(token, log_tokens) * panel_width;
          const std::size_t panel = base + token / panel_width;
          for (std::size_t c = 0; c < columns; ++c) {
            re[to + c] = real.row(panel, column + c)[token % panel_width];
            im[to + c] = imaginary.row(panel, column + c)[token % panel_width];
          }
        }
        if (ortho) {
          kernels_.scale(padded_tokens, inverse_root(padded_tokens), re.data());
          kernels_.scale(padded_tokens, inverse_root(padded_tokens), im.data());
        }
        transform(log_tokens, factors.data(), re.data(), im.data());
        for (std::size_t token = 0; token < tokens; ++token) {
          for (std::size_t c = 0; c < columns; ++c) {
            y.row(base + token / panel_width, column + c)[token % panel_width] = re[token * panel_width + c];
          }
        }
      }
    }
    return y;
  }

  /// Columns of 16 lanes: a real and an imaginary plane.
  struct Planes {
    std::vector<u16> re, im;
    explicit Planes(std::size_t rows) : re(rows * panel_width), im(rows * panel_width) {}
  };

  /// A transform of exact length n = points * parts: which power-of-two transforms it has, and their factors.
  struct Division {
    std::size_t points, parts;
    unsigned bits;
    std::vector<u16> factors;
    Division(u64 n, u64 wanted, bool by_ratios)
        : points(wanted == 0 || power_of_two_in(n) == n ? power_of_two_in(n) : wanted),
          parts(n / points),
          bits(log2_of(points)),
          factors(fft_factors(bits, by_ratios)) {}
  };

  /// Transforms `points` rows, `step` apart from `first` on, and returns them in order.
  [[nodiscard]] Planes transformed(const Division& division, const Planes& x, std::size_t first,
                                   std::size_t step) const {
    Planes y(division.points);
    for (std::size_t i = 0; i < division.points; ++i) {
      const std::size_t from = (first + step * i) * panel_width, to = bit_reversed(i, division.bits) * panel_width;
      std::copy_n(x.re.data() + from, panel_width, y.re.data() + to);
      std::copy_n(x.im.data() + from, panel_width, y.im.data() + to);
    }
    transform(division.bits, division.factors.data(), y.re.data(), y.im.data());
    return y;
  }

  /// cos and sin of 2 pi i / n, as fp16 numbers.
  struct Circle {
    std::vector<float> cosines, sines;
    explicit Circle(u64 n) {
      const double pi = std::acos(-1.0);
      for (u64 i = 0; i < n; ++i) {
        const double angle = 2 * pi * static_cast<double>(i) / static_cast<double>(n);
        cosines.push_back(from_half(to_half(std::cos(angle))));
        sines.push_back(from_half(to_half(std::sin(angle))));
      }
    }
  };

  /// The transform of n real rows: for each of the first `points` rows, the rows `points` apart are joined into
  /// `parts` complex ones by sums in fp32, and these are transformed.
  [[nodiscard]] Planes exact_along_hidden(const Division& division, const Circle& circle, double scale,
                                          const u16* x) const {
    const std::size_t points = division.points, parts = division.parts, n = points * parts;
    Planes joined(n), y(n);
    std::vector<float> rows(parts * panel_width), weights(2 * parts * parts), sums(2 * parts * panel_width);
    std::vector<u16> rounded_sums(sums.size());
    const std::vector<u16> ones(panel_width, to_half(1));
    for (std::size_t i = 0; i < points; ++i) {
      for (std::size_t j = 0; j < parts; ++j) {
        kernels_.widen(panel_width, x + (i + j * points) * panel_width, rows.data() + j * panel_width);
        for (std::size_t k = 0; k < parts; ++k) {
          const std::size_t angle = k * (i + j * points) % n;
          weights[2 * k * parts + j] = circle.cosines[angle];
          weights[(2 * k + 1) * parts + j] = -circle.sines[angle];
        }
      }
      kernels_.multiply(2 * parts, parts, weights.data(), parts, rows.data(), sums.data());
      kernels_.round_scaled(2 * parts, sums.data(), static_cast<float>(scale), ones.data(), rounded_sums.data());
      for (std::size_t k = 0; k < parts; ++k) {
        const std::size_t to = (k * points + i) * panel_width;
        std::copy_n(rounded_sums.data() + 2 * k * panel_width, panel_width, joined.re.data() + to);
        std::copy_n(rounded_sums.data() + (2 * k + 1) * panel_width, panel_width, joined.im.data() + to);
      }
    }
    for (std::size_t k = 0; k < parts; ++k) {
      const Planes part = transformed(division, joined, k * points, 1);
      for (std::size_t i = 0; i < points; ++i) {
        std::copy_n(part.re.data() + i * panel_width, panel_width, y.re.data() + (parts * i + k) * panel_width);
        std::copy_n(part.im.data() + i * panel_width, panel_width, y.im.data() + (parts * i + k) * panel_width);
      }
    }
    return y;
  }

  enum class Results { complex, real };

  /// The transform of n complex rows, or its real part alone: the rows `parts` apart are transformed, and each position
  /// of these transforms is joined by sums in fp32. Multiplied by `scale` are the inputs or, if there is nothing to
  /// transform, the sums.
  [[nodiscard]] Planes transformed_exactly(const Division& division, const Circle& circle, double scale, Planes x,
                                           Results results) const {
    const std::size_t points = division.points, parts = division.parts, n = points * parts;
    if (points > 1 || parts == 1) {
      kernels_.scale(n, to_half(scale), x.re.data());
      kernels_.scale(n, to_half(scale), x.im.data());
    }
    if (parts == 1) return transformed(division, x, 0, 1);
    std::vector<float> rows(2 * n * panel_width);  // of each position, the real and the imaginary value of each part
    for (std::size_t j = 0; j < parts; ++j) {
      const Planes part = transformed(division, x, j, parts);
      for (std::size_t i = 0; i < points; ++i) {
        float* const to = rows.data() + 2 * (i * parts + j) * panel_width;
        kernels_.widen(panel_width, part.re.data() + i * panel_width, to);
        kernels_.widen(panel_width, part.im.data() + i * panel_width, to + panel_width);
      }
    }
    Planes y(n);
    std::vector<float> weights(2 * parts * parts), sums(parts * panel_width);
    std::vector<u16> rounded_sums(sums.size());
    const std::vector<u16> ones(panel_width, to_half(1));
    const auto join = [&](std::size_t i, bool imaginary, std::vector<u16>& plane) {
      for (std::size_t k = 0; k < parts; ++k) {
        for (std::size_t j = 0; j < parts; ++j) {
          const std::size_t angle = j * (i + k * points) % n;
          weights[2 * (k * parts + j)] = imaginary ? -circle.sines[angle] : circle.cosines[angle];
          weights[2 * (k * parts + j) + 1] = imaginary ? circle.cosines[angle] : circle.sines[angle];
        }
      }
      kernels_.multiply(parts, 2 * parts, weights.data(), 2 * parts, rows.data() + 2 * i * parts * panel_width,
                        sums.data());
      kernels_.round_scaled(parts, sums.data(), points > 1 ? 1.0F : static_cast<float>(scale), ones.data(),
                            rounded_sums.data());
      for (std::size_t k = 0; k < parts; ++k) {
        std::copy_n(rounded_sums.data() + k * panel_width, panel_width, plane.data() + (k * points + i) * panel_width);
      }
    };
    for (std::size_t i = 0; i < points; ++i) {
      join(i, false, y.re);
      if (results == Results::complex) join(i, true, y.im);
    }
    return y;
  }

  /// Transforms of which a length is no power of two, with the residual.
  [[nodiscard]] HalfPanels exact_fft2d(const HalfPanels& x, const HalfPanels& residual) const {
    const std::size_t hidden = network_.hidden, tokens = network_.tokens;
    const ExactScales scales = exact_scales(network_, false);
    const float factor = from_half(to_half(scales.factor));
    const Division of_hidden(hidden, options_.fft_hidden_points, options_.twiddle_ratios),
        of_tokens(tokens, options_.fft_token_points, options_.twiddle_ratios);
    const Circle hidden_circle(hidden), token_circle(tokens);
    HalfPanels real(x.panels(), hidden), imaginary(x.panels(), hidden);
    for (std::size_t panel = 0; panel < x.panels(); ++panel) {
      Planes y(hidden);
      if (of_hidden.parts > 1) {
        y = exact_along_hidden(of_hidden, hidden_circle, scales.hidden, x.row(panel, 0));
      } else {
        std::copy_n(x.row(panel, 0), hidden * panel_width, y.re.data());
        kernels_.scale(hidden, to_half(scales.hidden), y.re.data());
        y = transformed(of_hidden, y, 0, 1);
      }
      std::copy(y.re.begin(), y.re.end(), real.row(panel, 0));
      std::copy(y.im.begin(), y.im.end(), imaginary.row(panel, 0));
    }
    HalfPanels y(x.panels(), hidden);
    for (u64 element = 0; element < network_.batch; ++element) {
      const std::size_t base = element * panels_for(tokens);
      for (std::size_t column = 0; column < hidden; column += panel_width) {
        const std::size_t columns = std::min(panel_width, hidden - column);
        Planes planes(tokens);
        for (std::size_t token = 0; token < tokens; ++token) {
          for (std::size_t c = 0; c < columns; ++c) {
            const std::size_t panel = base + token / panel_width, lane = token % panel_width;
            planes.re[token * panel_width + c] = real.row(panel, column + c)[lane];
            planes.im[token * panel_width + c] = imaginary.row(panel, column + c)[lane];
          }
        }
        const std::vector<u16> mixed =
            transformed_exactly(of_tokens, token_circle, scales.tokens, std::move(planes), Results::real).re;
        for (std::size_t token = 0; token < tokens; ++token) {
          for (std::size_t c = 0; c < columns; ++c) {
            const std::size_t panel = base + token / panel_width, lane = token % panel_width;
            const float sum = from_half(mixed[token * panel_width + c]);
            const float of_residual = from_half(residual.row(panel, column + c)[lane]);
            // The products are exact in fp32.
            y.row(panel, column + c)[lane] =
                rounded(scales.of_residual ? factor * of_residual + sum : factor * sum + of_residual);
          }
        }
      }
    }
    return y;
  }

  /// What a real transform consists of. Its scales are powers of two; what the norm asks for beyond them is multiplied
  /// in the sum with the residual.
  struct RealTransform {
    Division of_tokens, of_hidden;
    Circle token_circle, hidden_circle;
    ExactScales scales;
    RealTransform(const Network& network, const ReferenceOptions& options)
        : of_tokens(fft_points(network, network.tokens), options.fft_token_points, options.twiddle_ratios),
          of_hidden(fft_points(network, network.hidden), options.fft_hidden_points, options.twiddle_ratios),
          token_circle(token_points()),
          hidden_circle(of_hidden.points * of_hidden.parts) {
      if (has_exact_transforms(network)) {
        scales = exact_scales(network, true);
      } else if (network.fft_norm == FftNorm::ortho) {
        const auto token_bits = static_cast<int>(of_tokens.bits), bits = token_bits + static_cast<int>(of_hidden.bits);
        scales.tokens = std::ldexp(1.0, -(token_bits / 2));
        scales.hidden = std::ldexp(1.0, token_bits / 2 - bits / 2);
        scales.factor = bits % 2 == 0 ? 1 : std::sqrt(0.5);
      }
    }
    [[nodiscard]] std::size_t token_points() const { return of_tokens.points * of_tokens.parts; }
    /// Of the spectrum along the tokens: frequencies 0 .. points/2 say all.
    [[nodiscard]] std::size_t rows() const { return token_points() / 2 + 1; }
  };
  struct Spectrum {
    HalfPanels re, im;
  };

  /// The spectra along the tokens of a batch element's columns, whose first panel is `base`. Columns c and c + hidden/2
  /// are transformed as one complex column; where that is a product with a whole matrix, each column is by itself.
  [[nodiscard]] Spectrum column_spectra(const RealTransform& real, const HalfPanels& x, std::size_t base) const {
    const std::size_t hidden = network_.hidden, tokens = network_.tokens, points = real.token_points();
    const bool packed = real.of_tokens.points > 1;
    const std::size_t half = hidden / 2, end = packed ? half : hidden;
    Spectrum spectrum{HalfPanels(panels_for(real.rows()), hidden), HalfPanels(panels_for(real.rows()), hidden)};
    const auto set = [](HalfPanels& plane, std::size_t row, std::size_t column, float value) {
      plane.row(row / panel_width, column)[row % panel_width] = rounded(value);
    };
    for (std::size_t column = 0; column < end; column += panel_width) {
      const std::size_t columns = std::min(panel_width, end - column);
      Planes planes(points);
      for (std::size_t token = 0; token < tokens; ++token) {
        const std::size_t panel = base + token / panel_width, lane = token % panel_width;
        for (std::size_t c = 0; c < columns; ++c) {
          planes.re[token * panel_width + c] = x.row(panel, column + c)[lane];
          if (packed) planes.im[token * panel_width + c] = x.row(panel, half + column + c)[lane];
        }
      }
      // The separation takes half of each sum.
      planes = packed ? transformed_exactly(real.of_tokens, real.token_circle, real.scales.tokens / 2,
                                            std::move(planes), Results::complex)
                      : exact_along_hidden(real.of_tokens, real.token_circle, real.scales.tokens, planes.re.data());
      for (std::size_t u = 0; u < real.rows(); ++u) {
        const std::size_t at = u * panel_width, mirror = (points - u) % points * panel_width;
        for (std::size_t c = 0; c < columns; ++c) {
          const float p = from_half(planes.re[at + c]), q = from_half(planes.im[at + c]);
          if (!packed) {
            set(spectrum.re, u, column + c, p);
            set(spectrum.im, u, column + c, q);
            continue;
          }
          const float mirrored_p = from_half(planes.re[mirror + c]), mirrored_q = from_half(planes.im[mirror + c]);
          set(spectrum.re, u, column + c, p + mirrored_p);
          set(spectrum.im, u, column + c, q - mirrored_q);
          set(spectrum.re, u, half + column + c, q + mirrored_q);
          set(spectrum.im, u, half + column + c, mirrored_p - p);
        }
      }
    }
    return spectrum;
  }

  /// The real part of the transform of the real matrix x, plus the residual. The spectra of the columns are transformed
  /// along hidden; rows u and -u of the result are that transform forwards and backwards.
  [[nodiscard]] HalfPanels real_fft2d(const HalfPanels& x, const HalfPanels& residual) const {
    const std::size_t hidden = network_.hidden, tokens = network_.tokens;
    const RealTransform real(network_, options_);
    const std::size_t rows = real.rows(), points = real.of_hidden.points * real.of_hidden.parts;
    const float factor = from_half(to_half(real.scales.factor));
    HalfPanels y(x.panels(), hidden);
    for (u64 element = 0; element < network_.batch; ++element) {
      const std::size_t base = element * panels_for(tokens);
      const Spectrum spectrum = column_spectra(real, x, base);
      for (std::size_t panel = 0; panel < panels_for(rows); ++panel) {
        Planes planes(points);
        std::copy_n(spectrum.re.row(panel, 0), hidden * panel_width, planes.re.data());
        std::copy_n(spectrum.im.row(panel, 0), hidden * panel_width, planes.im.data());
        const Planes mixed = transformed_exactly(real.of_hidden, real.hidden_circle, real.scales.hidden,
                                                 std::move(planes), Results::real);
        for (std::size_t lane = 0; lane < panel_width; ++lane) {
          const std::size_t u = panel * panel_width + lane, mirror = real.token_points() - u;
          if (u >= rows) break;
          for (std::size_t k = 0; k < hidden; ++k) {
            const auto set = [&](std::size_t token, std::size_t from) {
              const std::size_t of = base + token / panel_width, at = token % panel_width;
              const float value = from_half(mixed.re[from * panel_width + lane]);
              const float of_residual = from_half(residual.row(of, k)[at]);
              // The products are exact in fp32.
              y.row(of, k)[at] =
                  rounded(real.scales.of_residual ? factor * of_residual + value : factor * value + of_residual);
            };
            set(u, k);
            if (mirror > rows - 1 && mirror < tokens) set(mirror, (points - k) % points);
          }
        }
      }
    }
    return y;
  }

  const Network& network_;
  const TensorMap& parameters_;
  const ReferenceOptions& options_;
  const Tensor* mask_;     // may be null
  BlockChoices* choices_;  // may be null
  const ReferenceKernels& kernels_;
  ReferenceFunctions functions_;
};

}  // namespace

TensorMap reference_network(const Network& network, const TensorMap& parameters, const Tensor& input,
                            const ReferenceOptions& options, const Tensor& mask, BlockChoices* choices) {
  check_elements("input", input, network.batch * network.tokens * network.hidden);
  if (!mask.data.empty()) check_elements("mask", mask, network.batch * network.tokens);
  if (has_attention(network) && (network.heads == 0 || network.hidden % network.heads != 0)) {
    throw std::invalid_argument(fmt::format("hidden {} is not a multiple of heads {}", network.hidden, network.heads));
  }
  const Evaluation evaluation(network, parameters, options, &mask, choices);
  const auto tensor = [&](const HalfPanels& x) {
    return Tensor{{network.batch, network.tokens, network.hidden}, from_panels(x, network.batch, network.tokens)};
  };
  TensorMap result;
  HalfPanels x =
      to_panels<u16>(input.data.data(), network.batch, network.tokens, network.hidden, [](u16 value) { return value; });
  for (u64 index = 0; index < network.layers.size(); ++index) {
    x = evaluation.layer(x, index);
    result.emplace(fmt::format("layers.{}.output", index), tensor(x));
  }
  if (has_final_norm(network)) x = evaluation.norm(x, "final_norm");
  result.emplace("output", tensor(x));
  if (network.classes > 0) result.emplace("logits", Tensor{{network.batch, network.classes}, evaluation.logits(x)});
  return result;
}

namespace {

constexpr auto same = [](u16 value) { return value; };

}  // namespace

Tensor reference_embedding(const Network& network, const TensorMap& parameters, const std::vector<u32>& tokens,
                           const ReferenceOptions& options) {
  const u64 hidden = network.hidden;
  const u16* table = find_tensor(parameters, "embedding.token", network.vocabulary * hidden);
  const u16* position = find_tensor(parameters, "embedding.position", network.tokens * hidden);
  check_count("tokens", tokens.size(), network.batch * network.tokens);
  Tensor result{{network.batch, network.tokens, hidden}, {}};
  result.data.reserve(tokens.size() * hidden);
  for (u64 t = 0; t < tokens.size(); ++t) {
    if (tokens[t] >= network.vocabulary) {
      throw std::invalid_argument(
          fmt::format("token {} is not below the vocabulary {}", tokens[t], network.vocabulary));
    }
    for (u64 i = 0; i < hidden; ++i) {
      const float sum = from_half(table[tokens[t] * hidden + i]) + from_half(position[t % network.tokens * hidden + i]);
      result.data.push_back(rounded(sum));
    }
  }
  if (!network.embedding_norm && !network.embedding_projection) return result;
  const Evaluation evaluation(network, parameters, options);
  const HalfPanels sums = to_panels<u16>(result.data.data(), network.batch, network.tokens, hidden, same);
  result.data = from_panels(evaluation.embedded(sums), network.batch, network.tokens);
  return result;
}

Tensor reference_patch_embedding(const Network& network, const TensorMap& parameters, const Tensor& patches,
                                 const ReferenceOptions& options) {
  check_elements("patches", patches, network.batch * network.tokens * network.patch_values);
  const Evaluation evaluation(network, parameters, options);
  const HalfPanels x = to_panels<u16>(patches.data.data(), network.batch, network.tokens, network.patch_values, same);
  return {{network.batch, network.tokens, network.hidden},
          from_panels(evaluation.embedded(evaluation.of_patches(x)), network.batch, network.tokens)};
}

}  // namespace bvp
