// SPDX-License-Identifier: Apache-2.0
#include "platform/reference/half_evaluation.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "platform/network/normal_butterfly.h"
#include "platform/reference/rounding.h"
#include "platform/reference/tensor_lookup.h"

namespace bvp {

namespace half_references {
#define BVP_ENTRY(name) \
  MixedHalves name(const HalfEvaluation& evaluation, const HalfPanels& x, const HalfPanels& residual, u64 layer);
#include "platform_operators.list"
#undef BVP_ENTRY
}  // namespace half_references

MixedHalves mix_halves(const HalfEvaluation& evaluation, const HalfPanels& x, const HalfPanels& residual, u64 layer) {
  using Mix = MixedHalves (*)(const HalfEvaluation&, const HalfPanels&, const HalfPanels&, u64);
  // In the order of the enumeration.
  static constexpr Mix of_mixing[] = {
#define BVP_ENTRY(name) half_references::name,
#include "platform_operators.list"
#undef BVP_ENTRY
  };
  return of_mixing[static_cast<std::size_t>(evaluation.network().layers[layer].mixing)](evaluation, x, residual, layer);
}

/// The sums of tokens and positions as the first layer takes them.
HalfPanels HalfEvaluation::embedded(HalfPanels x) const {
  if (network_.embedding_norm) x = norm(x, "embedding.norm");
  if (network_.embedding_projection) {
    x = linear(x, LinearKind::dense, "embedding.projection", network_.hidden);
  }
  return x;
}

/// Tokens of patches, with their positions.
HalfPanels HalfEvaluation::of_patches(const HalfPanels& patches) const {
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

HalfPanels HalfEvaluation::layer(const HalfPanels& x, u64 index) const {
  const EncoderLayer& layer = network_.layers[index];
  const std::string name = fmt::format("layers.{}", index);
  if (network_.norm == NormPlacement::post) {
    const MixedHalves mixed = mix_halves(*this, x, x, index);
    const HalfPanels h = norm(mixed.values, name + ".norm1", mixed.share);
    return norm(feed_forward(h, h, layer, name), name + ".norm2");
  }
  const HalfPanels h = mix_halves(*this, norm(x, name + ".norm1"), x, index).values;
  return feed_forward(norm(h, name + ".norm2"), h, layer, name);
}

HalfPanels HalfEvaluation::norm(const HalfPanels& x, const std::string& name, double share) const {
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

std::vector<u16> HalfEvaluation::logits(const HalfPanels& x) const {
  // Batch elements take the place of tokens.
  HalfPanels pooled = network_.pooling == Pooling::mean ? mean(x) : first(x);
  if (network_.pooler) {
    pooled = linear(pooled, LinearKind::dense, "pooler", network_.hidden);
    kernels_.look_up(pooled.panels() * pooled.features(), functions_.tanh.data(), pooled.row(0, 0));
  }
  const HalfPanels y = linear(pooled, LinearKind::dense, "classifier", network_.classes);
  return from_panels(y, 1, network_.batch);
}

HalfPanels HalfEvaluation::first(const HalfPanels& x) const {
  HalfPanels y(panels_for(network_.batch), x.features());
  for (u64 element = 0; element < network_.batch; ++element) {
    for (std::size_t i = 0; i < x.features(); ++i) {
      y.row(element / panel_width, i)[element % panel_width] = x.row(element * panels_for(network_.tokens), i)[0];
    }
  }
  return y;
}

/// Sums of 64 tokens each, then their sum; tokens count 2^m / tokens each, and the sum 2^-m.
HalfPanels HalfEvaluation::mean(const HalfPanels& x) const {
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

/// ffn(x) + residual
HalfPanels HalfEvaluation::feed_forward(const HalfPanels& x, const HalfPanels& residual, const EncoderLayer& layer,
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

void HalfEvaluation::activate(std::size_t rows, u16* values) const {
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

HalfPanels HalfEvaluation::linear(const HalfPanels& x, LinearKind kind, const std::string& name, u64 outputs,
                                  const Owed& owed) const {
  if (in_normal_form(kind)) return normal_butterfly(x, name, outputs, owed);
  HalfPanels y = kind == LinearKind::dense ? dense(x, name, outputs) : butterfly(x, name, outputs);
  const u16* bias = find_tensor(parameters_, name + ".bias", outputs);
  for (std::size_t panel = 0; panel < y.panels(); ++panel) kernels_.add_bias(outputs, bias, y.row(panel, 0));
  return y;
}

HalfPanels HalfEvaluation::dense(const HalfPanels& x, const std::string& name, u64 outputs) const {
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
HalfPanels HalfEvaluation::in_stacks(const HalfPanels& x, u64 n, u64 outputs, const Compute& compute) const {
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

HalfPanels HalfEvaluation::butterfly(const HalfPanels& x, const std::string& name, u64 outputs) const {
  const u64 n = next_power_of_two(x.features());
  const unsigned log_n = log2_of(n);
  const u64 stacks = (outputs + n - 1) / n;
  const u64 factors = log_n * n / 2 * 4;
  const u16* twiddle = find_tensor(parameters_, name + ".twiddle", stacks * factors);
  return in_stacks(x, n, outputs,
                   [&](u64 stack, u16* points) { kernels_.butterfly(log_n, twiddle + stack * factors, points); });
}

/// With the bias.
HalfPanels HalfEvaluation::normal_butterfly(const HalfPanels& x, const std::string& name, u64 outputs,
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

}  // namespace bvp
