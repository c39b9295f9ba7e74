// SPDX-License-Identifier: Apache-2.0
#include "platform/reference/float_reference.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>

#include "platform/network/attention_pattern.h"
#include "platform/network/half.h"
#include "platform/reference/fft_order.h"
#include "platform/reference/kernels.h"
#include "platform/reference/panels.h"
#include "platform/reference/tensor_lookup.h"

namespace bvp {
namespace {

using FloatPanels = Panels<float>;

void add_to(const FloatPanels& x, FloatPanels& y) {
  const std::size_t count = y.panels() * y.features() * panel_width;
  for (std::size_t i = 0; i < count; ++i) y.row(0, 0)[i] += x.row(0, 0)[i];
}

/// Decimation in time on rows of 16 columns, in place; the rows are in bit-reversed order.
void transform(unsigned bits, std::vector<float>& real, std::vector<float>& imaginary) {
  const std::size_t n = std::size_t{1} << bits;
  const double pi = std::acos(-1.0);
  for (std::size_t stride = 1; stride < n; stride *= 2) {
    for (std::size_t o = 0; o < stride; ++o) {
      const auto w = std::complex<float>(std::polar(1.0, -pi * static_cast<double>(o) / static_cast<double>(stride)));
      for (std::size_t first = o; first < n; first += 2 * stride) {
        float* ar = real.data() + first * panel_width;
        float* ai = imaginary.data() + first * panel_width;
        float* br = ar + stride * panel_width;
        float* bi = ai + stride * panel_width;
        for (std::size_t lane = 0; lane < panel_width; ++lane) {
          const float tr = w.real() * br[lane] - w.imag() * bi[lane];
          const float ti = w.real() * bi[lane] + w.imag() * br[lane];
          br[lane] = ar[lane] - tr;
          bi[lane] = ai[lane] - ti;
          ar[lane] += tr;
          ai[lane] += ti;
        }
      }
    }
  }
}

/// A transform of any length on rows of 16 columns, in place, the rows in order: transforms of the rows j, j + parts,
/// ..., for each j, then for each of their points the sum over all j.
void transform_any(std::size_t n, std::vector<float>& real, std::vector<float>& imaginary) {
  std::size_t parts = n;
  unsigned bits = 0;
  for (; parts % 2 == 0; parts /= 2) ++bits;
  const std::size_t points = n / parts;
  std::vector<float> part_re(n * panel_width), part_im(n * panel_width);
  std::vector<float> re(points * panel_width), im(re.size());
  for (std::size_t j = 0; j < parts; ++j) {
    for (std::size_t i = 0; i < points; ++i) {
      const std::size_t from = (i * parts + j) * panel_width, to = bit_reversed(i, bits) * panel_width;
      std::copy_n(real.data() + from, panel_width, re.data() + to);
      std::copy_n(imaginary.data() + from, panel_width, im.data() + to);
    }
    transform(bits, re, im);
    std::copy(re.begin(), re.end(), part_re.data() + j * points * panel_width);
    std::copy(im.begin(), im.end(), part_im.data() + j * points * panel_width);
  }
  if (parts == 1) {
    real = part_re;
    imaginary = part_im;
    return;
  }
  const double pi = std::acos(-1.0);
  std::vector<std::complex<float>> circle;
  for (std::size_t i = 0; i < n; ++i) {
    circle.emplace_back(std::polar(1.0, -2 * pi * static_cast<double>(i) / static_cast<double>(n)));
  }
  for (std::size_t k = 0; k < n; ++k) {
    std::array<float, panel_width> sum_re{}, sum_im{};
    for (std::size_t j = 0; j < parts; ++j) {
      const std::complex<float> w = circle[j * k % n];
      const std::size_t from = (j * points + k % points) * panel_width;
      for (std::size_t lane = 0; lane < panel_width; ++lane) {
        sum_re[lane] += w.real() * part_re[from + lane] - w.imag() * part_im[from + lane];
        sum_im[lane] += w.real() * part_im[from + lane] + w.imag() * part_re[from + lane];
      }
    }
    std::copy(sum_re.begin(), sum_re.end(), real.data() + k * panel_width);
    std::copy(sum_im.begin(), sum_im.end(), imaginary.data() + k * panel_width);
  }
}

class FloatEvaluation {
 public:
  /// @param mask  [batch, tokens], or empty
  /// @param choices  as in reference_float
  FloatEvaluation(const Network& network, const TensorMap& parameters, const Tensor* mask = nullptr,
                  const BlockChoices* choices = nullptr)
      : network_(network), parameters_(parameters), mask_(mask), choices_(choices) {}

  /// The sums of tokens and positions as the first layer takes them.
  [[nodiscard]] FloatPanels embedded(FloatPanels x) const {
    if (network_.embedding_norm) x = norm(x, "embedding.norm");
    if (network_.embedding_projection) {
      x = linear(x, LinearKind::dense, "embedding.projection", network_.hidden);
    }
    return x;
  }

  /// Tokens of patches, with their positions.
  [[nodiscard]] FloatPanels of_patches(const FloatPanels& patches) const {
    const u64 tokens = network_.tokens;
    FloatPanels x = linear(patches, LinearKind::dense, "embedding.patch", network_.hidden);
    const std::vector<float> position = parameter("embedding.position", tokens * network_.hidden);
    for (u64 row = 0; row < network_.batch * tokens; ++row) {
      const u64 token = row % tokens, panel = row / tokens * panels_for(tokens) + token / panel_width;
      for (u64 i = 0; i < network_.hidden; ++i) {
        x.row(panel, i)[token % panel_width] += position[token * network_.hidden + i];
      }
    }
    return x;
  }

  [[nodiscard]] FloatPanels layer(const FloatPanels& x, u64 index) const {
    const EncoderLayer& layer = network_.layers[index];
    const std::string name = fmt::format("layers.{}", index);
    const bool post = network_.norm == NormPlacement::post;
    FloatPanels h = mix(post ? x : norm(x, name + ".norm1"), index);
    add_to(x, h);
    if (post) h = norm(h, name + ".norm1");
    FloatPanels y = feed_forward(post ? h : norm(h, name + ".norm2"), layer, name);
    add_to(h, y);
    return post ? norm(y, name + ".norm2") : y;
  }

  [[nodiscard]] FloatPanels norm(const FloatPanels& x, const std::string& name) const {
    const std::size_t features = x.features();
    const std::vector<float> weight = parameter(name + ".weight", features);
    const std::vector<float> bias = parameter(name + ".bias", features);
    FloatPanels y(x.panels(), features);
    const auto count = static_cast<double>(features);
    using Columns = std::array<double, panel_width>;
    for (std::size_t panel = 0; panel < x.panels(); ++panel) {
      Columns mean{}, scale{};
      for (std::size_t i = 0; i < features; ++i) {
        for (std::size_t lane = 0; lane < panel_width; ++lane) mean[lane] += static_cast<double>(x.row(panel, i)[lane]);
      }
      for (double& value : mean) value /= count;
      for (std::size_t i = 0; i < features; ++i) {
        for (std::size_t lane = 0; lane < panel_width; ++lane) {
          const double difference = static_cast<double>(x.row(panel, i)[lane]) - mean[lane];
          scale[lane] += difference * difference;
        }
      }
      for (double& value : scale) value = 1 / std::sqrt(value / count + network_.epsilon);
      for (std::size_t i = 0; i < features; ++i) {
        for (std::size_t lane = 0; lane < panel_width; ++lane) {
          const double normal = (static_cast<double>(x.row(panel, i)[lane]) - mean[lane]) * scale[lane];
          y.row(panel, i)[lane] = static_cast<float>(normal) * weight[i] + bias[i];
        }
      }
    }
    return y;
  }

 private:
  [[nodiscard]] std::vector<float> parameter(const std::string& name, u64 elements) const {
    const u16* data = find_tensor(parameters_, name, elements);
    std::vector<float> values(elements);
    std::transform(data, data + elements, values.begin(), from_half);
    return values;
  }

  [[nodiscard]] FloatPanels mix(const FloatPanels& x, u64 index) const {
    return attends(network_.layers[index]) ? attention(x, index) : fft2d(x);
  }

  [[nodiscard]] FloatPanels feed_forward(const FloatPanels& x, const EncoderLayer& layer,
                                         const std::string& name) const {
    FloatPanels up = linear(x, layer.ffn, name + ".ffn.up", network_.ffn);
    float* values = up.row(0, 0);
    const std::size_t count = up.panels() * up.features() * panel_width;
    std::transform(values, values + count, values, [&](float v) { return activated(v); });
    return linear(up, layer.ffn, name + ".ffn.down", network_.hidden);
  }

  [[nodiscard]] float activated(float v) const {
    constexpr double pi = 3.14159265358979323846;
    switch (network_.activation) {
      case Activation::gelu:
        return 0.5F * v * (1 + std::erf(v * std::sqrt(0.5F)));
      case Activation::gelu_tanh:
        return 0.5F * v * (1 + std::tanh(static_cast<float>(std::sqrt(2 / pi)) * (v + 0.044715F * v * v * v)));
      case Activation::tanh:
        return std::tanh(v);
      case Activation::relu:
        break;
    }
    return std::max(v, 0.0F);
  }

  [[nodiscard]] FloatPanels linear(const FloatPanels& x, LinearKind kind, const std::string& name, u64 outputs) const {
    FloatPanels y = kind == LinearKind::dense ? dense(x, name, outputs) : butterfly(x, name, outputs);
    const std::vector<float> bias = parameter(name + ".bias", outputs);
    for (std::size_t panel = 0; panel < y.panels(); ++panel) {
      for (std::size_t i = 0; i < outputs; ++i) {
        for (std::size_t lane = 0; lane < panel_width; ++lane) y.row(panel, i)[lane] += bias[i];
      }
    }
    return y;
  }

  [[nodiscard]] FloatPanels dense(const FloatPanels& x, const std::string& name, u64 outputs) const {
    const std::size_t inputs = x.features();
    const std::vector<float> weight = parameter(name + ".weight", outputs * inputs);
    FloatPanels y(x.panels(), outputs);
    constexpr u64 block = 64;  // outputs whose weights stay in the cache for all tokens
    for (u64 first = 0; first < outputs; first += block) {
      for (std::size_t panel = 0; panel < x.panels(); ++panel) {
        reference_kernels().multiply(std::min(block, outputs - first), inputs, weight.data() + first * inputs, inputs,
                                     x.row(panel, 0), y.row(panel, first));
      }
    }
    return y;
  }

  [[nodiscard]] FloatPanels butterfly(const FloatPanels& x, const std::string& name, u64 outputs) const {
    const u64 n = next_power_of_two(x.features());
    const u64 stacks = (outputs + n - 1) / n;
    const u64 factors = log2_of(n) * n / 2 * 4;
    const std::vector<float> twiddle = parameter(name + ".twiddle", stacks * factors);
    FloatPanels y(x.panels(), outputs);
    std::vector<float> points(n * panel_width);
    for (std::size_t panel = 0; panel < x.panels(); ++panel) {
      for (u64 stack = 0; stack < stacks; ++stack) {
        std::fill(points.begin(), points.end(), 0.0F);
        std::copy_n(x.row(panel, 0), x.features() * panel_width, points.begin());
        reference_kernels().butterfly_float(log2_of(n), twiddle.data() + stack * factors, points.data());
        std::copy_n(points.begin(), std::min(n, outputs - stack * n) * panel_width, y.row(panel, stack * n));
      }
    }
    return y;
  }

  [[nodiscard]] FloatPanels attention(const FloatPanels& x, u64 index) const {
    const LinearKind kind = network_.layers[index].projections;
    const std::string name = fmt::format("layers.{}.attention", index);
    const FloatPanels query = linear(x, kind, name + ".query", network_.hidden);
    const FloatPanels key = linear(x, kind, name + ".key", network_.hidden);
    const FloatPanels value = linear(x, kind, name + ".value", network_.hidden);
    FloatPanels mixed(x.panels(), network_.hidden);
    if (is_sparse(network_.layers[index])) {
      attend_some(query, key, value, index, mixed);
      return linear(mixed, kind, name + ".output", network_.hidden);
    }
    const std::size_t tokens = network_.tokens;
    const std::size_t head_width = network_.hidden / network_.heads;
    const float factor = 1 / std::sqrt(static_cast<float>(head_width));
    std::vector<float> keys(tokens * head_width);    // [token][feature]
    std::vector<float> values(tokens * head_width);  // [feature][token]
    std::vector<float> scores(tokens * panel_width);
    for (u64 element = 0; element < network_.batch; ++element) {
      const std::size_t base = element * panels_for(tokens);
      for (std::size_t feature = 0; feature < network_.hidden; feature += head_width) {
        for (std::size_t token = 0; token < tokens; ++token) {
          for (std::size_t d = 0; d < head_width; ++d) {
            keys[token * head_width + d] = key.row(base + token / panel_width, feature + d)[token % panel_width];
            values[d * tokens + token] = value.row(base + token / panel_width, feature + d)[token % panel_width];
          }
        }
        for (std::size_t panel = base; panel < base + panels_for(tokens); ++panel) {
          reference_kernels().multiply(tokens, head_width, keys.data(), head_width, query.row(panel, feature),
                                       scores.data());
          leave_out(element, scores);
          reference_kernels().softmax_float(tokens, factor, scores.data());
          reference_kernels().multiply(head_width, tokens, values.data(), tokens, scores.data(),
                                       mixed.row(panel, feature));
        }
      }
    }
    return linear(mixed, kind, name + ".output", network_.hidden);
  }

  /// The values of a token in one head.
  [[nodiscard]] std::vector<float> head_of(const FloatPanels& x, u64 element, u64 token, std::size_t feature) const {
    std::vector<float> values(network_.hidden / network_.heads);
    const std::size_t panel = element * panels_for(network_.tokens) + token / panel_width;
    for (std::size_t d = 0; d < values.size(); ++d) values[d] = x.row(panel, feature + d)[token % panel_width];
    return values;
  }

  static double product(const std::vector<float>& a, const std::vector<float>& b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
  }

  /// Sparse attention, query by query, in double precision.
  void attend_some(const FloatPanels& query, const FloatPanels& key, const FloatPanels& value, u64 index,
                   FloatPanels& mixed) const {
    const EncoderLayer& layer = network_.layers[index];
    const u64 tokens = network_.tokens;
    const std::size_t width = network_.hidden / network_.heads;
    const AttentionPattern pattern(layer, tokens);
    for (u64 element = 0; element < network_.batch; ++element) {
      for (u64 head = 0; head < network_.heads; ++head) {
        std::vector<std::vector<float>> keys, values, queries;
        for (u64 token = 0; token < tokens; ++token) {
          queries.push_back(head_of(query, element, token, head * width));
          keys.push_back(head_of(key, element, token, head * width));
          values.push_back(head_of(value, element, token, head * width));
        }
        const std::vector<TokenRuns> chosen = layer.mixing == Mixing::topk
                                                  ? chosen_keys(queries, keys, index, element * network_.heads + head)
                                                  : std::vector<TokenRuns>();
        for (u64 token = 0; token < tokens; ++token) {
          const TokenRuns seen = chosen.empty() ? pattern.seen(token) : chosen[token / layer.sparse.block];
          const std::vector<double> y = attend(queries[token], keys, values, seen, element);
          const std::size_t panel = element * panels_for(tokens) + token / panel_width;
          for (std::size_t d = 0; d < width; ++d) {
            mixed.row(panel, head * width + d)[token % panel_width] = static_cast<float>(y[d]);
          }
        }
      }
    }
  }

  [[nodiscard]] std::vector<double> attend(const std::vector<float>& query, const std::vector<std::vector<float>>& keys,
                                           const std::vector<std::vector<float>>& values, const TokenRuns& seen,
                                           u64 element) const {
    constexpr double left_out = -1e30;
    const double factor = 1 / std::sqrt(static_cast<double>(query.size()));
    std::vector<double> scores;
    for (const TokenRun& run : seen) {
      for (u64 token = run.first; token < run.first + run.count; ++token) {
        const bool masked =
            mask_ != nullptr && !mask_->data.empty() && mask_->data[element * network_.tokens + token] != 0;
        scores.push_back(masked ? left_out : product(query, keys[token]) * factor);
      }
    }
    const double largest = *std::max_element(scores.begin(), scores.end());
    double sum = 0;
    std::vector<double> y(query.size());
    std::size_t at = 0;
    for (const TokenRun& run : seen) {
      for (u64 token = run.first; token < run.first + run.count; ++token) {
        const double weight = std::exp(scores[at++] - largest);
        sum += weight;
        for (std::size_t d = 0; d < y.size(); ++d) y[d] += weight * static_cast<double>(values[token][d]);
      }
    }
    for (double& v : y) v /= sum;
    return y;
  }

  /// The keys that each block of queries of a head has chosen, or would choose. @param which  counts heads
  [[nodiscard]] std::vector<TokenRuns> chosen_keys(const std::vector<std::vector<float>>& queries,
                                                   const std::vector<std::vector<float>>& keys, u64 index,
                                                   u64 which) const {
    const SparseAttention& sparse = network_.layers[index].sparse;
    const u64 size = sparse.block, blocks = network_.tokens / size;
    const auto means = [&](const std::vector<std::vector<float>>& rows) {
      std::vector<std::vector<float>> sums(blocks, std::vector<float>(rows.front().size()));
      for (u64 token = 0; token < blocks * size; ++token) {
        for (std::size_t d = 0; d < rows[token].size(); ++d) sums[token / size][d] += rows[token][d];
      }
      return sums;
    };
    const std::vector<std::vector<float>> of_queries = means(queries), of_keys = means(keys);
    std::vector<TokenRuns> chosen(blocks);
    for (u64 block = 0; block < blocks; ++block) {
      std::vector<u32> order(blocks);
      std::iota(order.begin(), order.end(), 0);
      if (choices_ != nullptr) {
        const u32* given = choices_->at(index).data() + (which * blocks + block) * sparse.top_blocks;
        order.assign(given, given + sparse.top_blocks);
      } else {
        std::stable_sort(order.begin(), order.end(), [&](u32 a, u32 b) {
          return product(of_queries[block], of_keys[a]) > product(of_queries[block], of_keys[b]);
        });
        order.resize(sparse.top_blocks);
      }
      for (const u32 of : order) chosen[block].push_back({of * size, size});
    }
    return chosen;
  }

  /// Gives the tokens that the mask leaves out a score that counts nothing.
  void leave_out(u64 element, std::vector<float>& scores) const {
    if (mask_ == nullptr || mask_->data.empty()) return;
    for (std::size_t token = 0; token < network_.tokens; ++token) {
      if (mask_->data[element * network_.tokens + token] == 0) continue;
      std::fill_n(scores.begin() + static_cast<std::ptrdiff_t>(token * panel_width), panel_width, -1e30F);
    }
  }

  [[nodiscard]] FloatPanels fft2d(const FloatPanels& x) const {
    const std::size_t hidden = network_.hidden, hidden_points = fft_points(network_, hidden);
    const std::size_t tokens = network_.tokens, token_points = fft_points(network_, tokens);
    const auto points = static_cast<float>(hidden_points * token_points);
    const float scale = network_.fft_norm == FftNorm::ortho ? 1 / std::sqrt(points) : 1.0F;
    FloatPanels real(x.panels(), hidden);
    FloatPanels imaginary(x.panels(), hidden);
    std::vector<float> re(hidden_points * panel_width), im(re.size());
    for (std::size_t panel = 0; panel < x.panels(); ++panel) {
      std::fill(re.begin(), re.end(), 0.0F);
      std::fill(im.begin(), im.end(), 0.0F);
      std::copy_n(x.row(panel, 0), hidden * panel_width, re.data());
      transform_any(hidden_points, re, im);
      std::copy_n(re.data(), hidden * panel_width, real.row(panel, 0));
      std::copy_n(im.data(), hidden * panel_width, imaginary.row(panel, 0));
    }
    FloatPanels y(x.panels(), hidden);
    re.resize(token_points * panel_width);
    im.resize(re.size());
    for (u64 element = 0; element < network_.batch; ++element) {
      const std::size_t base = element * panels_for(tokens);
      for (std::size_t column = 0; column < hidden; column += panel_width) {
        const std::size_t columns = std::min(panel_width, hidden - column);
        std::fill(re.begin(), re.end(), 0.0F);
        std::fill(im.begin(), im.end(), 0.0F);
        for (std::size_t token = 0; token < tokens; ++token) {
          const std::size_t to = token * panel_width, panel = base + token / panel_width;
          for (std::size_t c = 0; c < columns; ++c) {
            re[to + c] = real.row(panel, column + c)[token % panel_width];
            im[to + c] = imaginary.row(panel, column + c)[token % panel_width];
          }
        }
        transform_any(token_points, re, im);
        for (std::size_t token = 0; token < tokens; ++token) {
          for (std::size_t c = 0; c < columns; ++c) {
            y.row(base + token / panel_width, column + c)[token % panel_width] = re[token * panel_width + c] * scale;
          }
        }
      }
    }
    return y;
  }

  const Network& network_;
  const TensorMap& parameters_;
  const Tensor* mask_;
  const BlockChoices* choices_;
};

FloatPanels panels_of(const Network& network, const Tensor& input) {
  check_elements("input", input, network.batch * network.tokens * network.hidden);
  return to_panels<float>(input.data.data(), network.batch, network.tokens, network.hidden, from_half);
}

void check_network(const Network& network) {
  if (has_attention(network) && (network.heads == 0 || network.hidden % network.heads != 0)) {
    throw std::invalid_argument(fmt::format("hidden {} is not a multiple of heads {}", network.hidden, network.heads));
  }
}

}  // namespace

std::vector<float> reference_float(const Network& network, const TensorMap& parameters, u64 layer, const Tensor& input,
                                   const Tensor& mask, const BlockChoices* choices) {
  if (layer >= network.layers.size()) throw std::invalid_argument(fmt::format("there is no layer {}", layer));
  check_network(network);
  const FloatPanels y = FloatEvaluation(network, parameters, &mask, choices).layer(panels_of(network, input), layer);
  return from_panels(y, network.batch, network.tokens);
}

std::vector<float> reference_float_final_norm(const Network& network, const TensorMap& parameters,
                                              const Tensor& input) {
  const FloatPanels y = FloatEvaluation(network, parameters).norm(panels_of(network, input), "final_norm");
  return from_panels(y, network.batch, network.tokens);
}

std::vector<float> reference_float_embedding(const Network& network, const TensorMap& parameters,
                                             const std::vector<u32>& tokens) {
  const u64 hidden = network.hidden;
  const u16* table = find_tensor(parameters, "embedding.token", network.vocabulary * hidden);
  const u16* position = find_tensor(parameters, "embedding.position", network.tokens * hidden);
  check_count("tokens", tokens.size(), network.batch * network.tokens);
  std::vector<float> values(tokens.size() * hidden);
  for (u64 i = 0; i < values.size(); ++i) {
    const u64 token = i / hidden, feature = i % hidden;
    values[i] = from_half(table[tokens[token] * hidden + feature]) +
                from_half(position[token % network.tokens * hidden + feature]);
  }
  if (!network.embedding_norm && !network.embedding_projection) return values;
  const FloatPanels sums =
      to_panels<float>(values.data(), network.batch, network.tokens, hidden, [](float value) { return value; });
  return from_panels(FloatEvaluation(network, parameters).embedded(sums), network.batch, network.tokens);
}

std::vector<float> reference_float_patch_embedding(const Network& network, const TensorMap& parameters,
                                                   const Tensor& patches) {
  check_elements("patches", patches, network.batch * network.tokens * network.patch_values);
  const FloatEvaluation evaluation(network, parameters);
  const FloatPanels x =
      to_panels<float>(patches.data.data(), network.batch, network.tokens, network.patch_values, from_half);
  return from_panels(evaluation.embedded(evaluation.of_patches(x)), network.batch, network.tokens);
}

namespace {

/// A dense layer with tanh, in double precision.
std::vector<double> pooler_of(const Network& network, const TensorMap& parameters, const std::vector<double>& x) {
  const u16* weight = find_tensor(parameters, "pooler.weight", x.size() * x.size());
  const u16* bias = find_tensor(parameters, "pooler.bias", network.hidden);
  std::vector<double> y;
  for (std::size_t j = 0; j < x.size(); ++j) {
    auto sum = static_cast<double>(from_half(bias[j]));
    for (std::size_t i = 0; i < x.size(); ++i) sum += static_cast<double>(from_half(weight[j * x.size() + i])) * x[i];
    y.push_back(std::tanh(sum));
  }
  return y;
}

}  // namespace

FloatLogits reference_float_logits(const Network& network, const TensorMap& parameters,
                                   const std::vector<float>& output) {
  const u64 hidden = network.hidden, classes = network.classes;
  check_count("output", output.size(), network.batch * network.tokens * hidden);
  const u16* weight = find_tensor(parameters, "classifier.weight", classes * hidden);
  const u16* bias = find_tensor(parameters, "classifier.bias", classes);
  const u64 pooled_tokens = network.pooling == Pooling::mean ? network.tokens : 1;
  FloatLogits logits;
  std::vector<double> pooled(hidden);
  for (u64 element = 0; element < network.batch; ++element) {
    double squares = 0;
    std::fill(pooled.begin(), pooled.end(), 0.0);
    for (u64 i = 0; i < pooled_tokens * hidden; ++i) {
      pooled[i % hidden] += static_cast<double>(output[element * network.tokens * hidden + i]);
    }
    for (double& value : pooled) value /= static_cast<double>(pooled_tokens);
    const std::vector<double> inputs = network.pooler ? pooler_of(network, parameters, pooled) : pooled;
    for (u64 j = 0; j < classes; ++j) {
      auto sum = static_cast<double>(from_half(bias[j]));
      squares += sum * sum;
      for (u64 i = 0; i < hidden; ++i) {
        const double term = static_cast<double>(from_half(weight[j * hidden + i])) * inputs[i];
        sum += term;
        squares += term * term;
      }
      logits.values.push_back(static_cast<float>(sum));
    }
    logits.sizes.push_back(std::sqrt(squares));
  }
  return logits;
}

FloatResult reference_float_network(const Network& network, const TensorMap& parameters,
                                    const std::vector<float>& input, u64 first_layer, const Tensor& mask,
                                    const BlockChoices* choices) {
  check_network(network);
  check_count("input", input.size(), network.batch * network.tokens * network.hidden);
  const FloatEvaluation evaluation(network, parameters, &mask, choices);
  FloatPanels x =
      to_panels<float>(input.data(), network.batch, network.tokens, network.hidden, [](float value) { return value; });
  for (u64 index = first_layer; index < network.layers.size(); ++index) x = evaluation.layer(x, index);
  if (has_final_norm(network)) x = evaluation.norm(x, "final_norm");
  FloatResult result;
  result.output = from_panels(x, network.batch, network.tokens);
  if (network.classes > 0) result.logits = reference_float_logits(network, parameters, result.output);
  return result;
}

std::vector<float> widened(const std::vector<u16>& halves) {
  std::vector<float> values(halves.size());
  std::transform(halves.begin(), halves.end(), values.begin(), from_half);
  return values;
}

RelativeError relative_error(const std::vector<u16>& got, const std::vector<float>& want, std::size_t row_length,
                             const std::vector<double>& row_sizes) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  constexpr double least = 1e-30;
  const std::size_t rows = row_length == 0 ? 0 : want.size() / row_length;
  if (got.size() != want.size() || rows * row_length != want.size()) return {infinity, infinity, 0};
  std::vector<double> differences(rows), sizes(rows);
  for (std::size_t i = 0; i < got.size(); ++i) {
    const auto wanted = static_cast<double>(want[i]);
    const double error = static_cast<double>(from_half(got[i])) - wanted;
    differences[i / row_length] += error * error;
    sizes[i / row_length] += wanted * wanted;
  }
  double difference = 0, size = 0, least_size = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    difference += differences[row];
    size += sizes[row];
    if (!row_sizes.empty()) least_size += row_sizes[row] * row_sizes[row];
  }
  const auto ratio = [&](double squares, double of) {
    const double error = std::sqrt(squares) / std::max(of, least);
    return std::isnan(error) ? infinity : error;
  };
  RelativeError result;
  result.whole = ratio(difference, std::sqrt(std::max(size, least_size)));
  double median = 0;
  if (row_sizes.empty() && rows > 0) {
    std::vector<double> order = sizes;
    const auto middle = order.begin() + static_cast<std::ptrdiff_t>(rows / 2);
    std::nth_element(order.begin(), middle, order.end());
    median = std::sqrt(*middle);
  }
  for (std::size_t row = 0; row < rows; ++row) {
    const double error =
        ratio(differences[row], std::max(std::sqrt(sizes[row]), row_sizes.empty() ? median : row_sizes[row]));
    if (error > result.largest_of_row) {
      result.largest_of_row = error;
      result.row = row;
    }
  }
  return result;
}

}  // namespace bvp
